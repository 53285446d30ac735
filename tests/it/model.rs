//! The rules once more, as plainly as they can be written: a bitmap a session, windows laid over sorted lists, whole
//! tables from scratch. Whatever is delivered, the engine, which goes line by line and keeps ranges, must agree.

use std::collections::{BTreeMap, BTreeSet};

use castmeter::attribution::Window;
use castmeter::rollup::{ReachKey, Scope, Span};
use castmeter::units::{EpisodeId, ShowId, Timestamp};
use proptest::prelude::*;

use crate::invariants::{ASSUMED_BYTES_OF_A_MINUTE, EPISODES, FileOf, MONDAY, Tables, counted, windows};

/// A valid request.
#[derive(Clone, Debug)]
struct Hit {
    episode: usize,
    /// 192.0.2.x with one user agent: a listener, and an address.
    listener: u8,
    /// Minutes after Monday 01:00, when the episodes were published.
    minute: i64,
    bytes: u64,
    /// How long the transfer took.
    seconds: u64,
    response: Response,
}

#[derive(Clone, Debug)]
enum Response {
    Whole { completed: bool },
    Placed { first: u64, last: u64, total: Option<u64> },
    Between { first: u64, last: u64 },
    From { first: u64 },
    Suffix { length: u64 },
    Unplaced,
}

impl Hit {
    fn start(&self) -> Timestamp {
        Timestamp::from_seconds(MONDAY + 3_600 + self.minute * 60).expect("in this millennium")
    }

    fn line(&self) -> String {
        let total = |total: &Option<u64>| total.map_or("*".to_owned(), |total| total.to_string());
        let (status, more) = match &self.response {
            Response::Whole { completed } => (200, format!(r#""completed":{completed}"#)),
            Response::Placed { first, last, total: size } => {
                (206, format!(r#""content_range":"bytes {first}-{last}/{}""#, total(size)))
            }
            Response::Between { first, last } => (206, format!(r#""range":"bytes={first}-{last}""#)),
            Response::From { first } => (206, format!(r#""range":"bytes={first}-""#)),
            Response::Suffix { length } => (206, format!(r#""range":"bytes=-{length}""#)),
            Response::Unplaced => (206, r#""range":"bytes=0-9,20-29""#.to_owned()),
        };
        format!(
            r#"{{"start_us":{},"ip":"192.0.2.{}","url":"/night/{}.mp3","status":{status},"body_bytes":{},"elapsed_us":{},{more},"ua":"Overcast/3.0"}}"#,
            self.start().micros(),
            self.listener,
            EPISODES[self.episode].slug,
            self.bytes,
            self.seconds * 1_000_000,
        )
    }

    fn shown_size(&self) -> Option<u64> {
        match self.response {
            Response::Whole { completed: true } => Some(self.bytes),
            Response::Placed { total, .. } => total,
            _ => None,
        }
    }
}

/// What a session amounts to.
struct Judged {
    delivered: u64,
    /// None where it is no download.
    listening: Option<Listening>,
}

#[derive(Default)]
struct Listening {
    is_bulk: bool,
    /// Bins that are covered, and the furthest.
    covered: Vec<usize>,
    furthest: Option<usize>,
}

fn judge(file: &FileOf, hits: &[&Hit]) -> Judged {
    let size = file.size.or(hits.iter().filter_map(|hit| hit.shown_size()).max());
    let mut sent = [false; 10_000];
    let (mut unplaced, mut largest) = (0, 0);
    for hit in hits {
        let (first, end) = match hit.response {
            Response::Whole { .. } => (0, hit.bytes),
            Response::Placed { first, last, .. } | Response::Between { first, last } => {
                (first, (first + hit.bytes).min(last + 1))
            }
            Response::From { first } => (first, first + hit.bytes),
            Response::Suffix { length } if size.is_some() => {
                let first = size.unwrap_or(0).saturating_sub(length);
                (first, first + hit.bytes)
            }
            Response::Suffix { .. } | Response::Unplaced => {
                unplaced += hit.bytes;
                (0, 0)
            }
        };
        sent[first as usize..end.max(first) as usize].fill(true);
        largest = largest.max(match hit.response {
            Response::Suffix { length } => hit.bytes.min(length),
            Response::Unplaced => hit.bytes,
            _ => end.saturating_sub(first),
        });
    }
    let union = |from: u64, to: u64| {
        sent[from.min(to) as usize..to as usize].iter().filter(|sent| **sent).count() as u64
    };
    let Some(size) = size else {
        let delivered = union(0, sent.len() as u64) + unplaced;
        let download = delivered >= file.audio_start + ASSUMED_BYTES_OF_A_MINUTE;
        return Judged { delivered, listening: download.then(Listening::default) };
    };
    let unplaced = unplaced.min(size - union(0, size));
    let content = size.saturating_sub(file.audio_start);
    let needed = file.duration_ms.map_or(ASSUMED_BYTES_OF_A_MINUTE, |ms| (60_000 * content).div_ceil(ms));
    let whole = file.duration_ms.is_some_and(|ms| ms <= 60_000) || content <= needed;
    let download = match whole {
        true => union(0, size) + unplaced >= size,
        false => union(file.audio_start, size) + unplaced >= needed,
    };
    let delivered = union(0, size) + unplaced;
    let first = hits.iter().map(|hit| hit.minute * 60).min().unwrap_or(0);
    let last = hits.iter().map(|hit| hit.minute * 60 + hit.seconds as i64).max().unwrap_or(0);
    let is_quick = file.duration_ms.is_some_and(|ms| (last - first) as u64 * 1_000 * 4 < ms);
    let is_bulk = largest * 100 >= size * 90 || (delivered * 100 >= size * 99 && is_quick);
    let byte = |byte: u64| sent[(file.audio_start + byte) as usize];
    let bin = |bin: u64| content * bin / 100..content * (bin + 1) / 100;
    let bins = || (0..100).filter(|_| !is_bulk && content >= 100);
    let last = (0..content).rev().find(|at| byte(*at));
    let listening = Listening {
        is_bulk,
        covered: bins().filter(|at| bin(*at).all(byte)).map(|at| at as usize).collect(),
        furthest: bins().find(|at| last.is_some_and(|last| bin(*at).contains(&last))).map(|at| at as usize),
    };
    Judged { delivered, listening: download.then_some(listening) }
}

/// Cuts a listener's hits for an episode, sorted by start, into sessions.
fn sessions<'a>(window: Window, hits: &[&'a Hit]) -> Vec<Vec<&'a Hit>> {
    const DAY_OF_MINUTES: i64 = 24 * 60;
    let mut sessions: Vec<Vec<&Hit>> = Vec::new();
    for hit in hits {
        let joins = sessions.last().is_some_and(|session| match window {
            Window::Calendar => session[0].start().day() == hit.start().day(),
            Window::FirstTouch => hit.minute < session[0].minute + DAY_OF_MINUTES,
            Window::LastTouch => hit.minute < session[session.len() - 1].minute + DAY_OF_MINUTES,
        });
        match sessions.last_mut() {
            Some(session) if joins => session.push(hit),
            _ => sessions.push(vec![hit]),
        }
    }
    sessions
}

fn model(window: Window, hits: &[Hit]) -> Tables {
    let mut tables = Tables::default();
    let id = |episode: usize| EpisodeId(episode as u32);
    let mut listeners = BTreeSet::new();
    let mut reached = BTreeMap::<ReachKey, BTreeSet<u8>>::new();
    let mut timelines = BTreeMap::<(usize, u8), Vec<&Hit>>::new();
    for hit in hits {
        timelines.entry((hit.episode, hit.listener)).or_default().push(hit);
        let day = hit.start().day();
        let row = tables.days.entry((id(hit.episode), day)).or_default();
        let new = i64::from(listeners.insert((hit.episode, day, hit.listener)));
        (row[1], row[2], row[4], row[5]) =
            (row[1] + new, row[2] + 1, row[4] + hit.bytes as i64, row[5] + new);
        for key in spans(hit) {
            reached.entry(key).or_default().insert(hit.listener);
        }
    }
    tables.reach = reached.into_iter().map(|(key, all)| (key, Some(all.len() as u64))).collect();
    for ((episode, _), mut hits) in timelines {
        hits.sort_by_key(|hit| hit.minute);
        for session in sessions(window, &hits) {
            add_session(&mut tables, id(episode), session[0], judge(&EPISODES[episode], &session));
        }
    }
    tables.listening.retain(|_, row| *row != [0, 0]);
    tables
}

/// What of reach a request counts for.
fn spans(hit: &Hit) -> Vec<ReachKey> {
    let episode = Scope::Episode(EpisodeId(hit.episode as u32));
    let key = |scope, span, starts| ReachKey { scope, span, starts };
    let scopes = [episode, Scope::Show(ShowId(0)), Scope::All];
    let mut spans: Vec<_> = scopes.map(|scope| key(scope, Span::Day, hit.start().day())).to_vec();
    spans.extend(scopes.map(|scope| key(scope, Span::All, ReachKey::NO_DAY)));
    let released = [(Span::Release1, 1), (Span::Release7, 7), (Span::Release30, 30)];
    let released = released.into_iter().filter(|(_, days)| hit.minute < days * 24 * 60);
    spans.extend(released.map(|(span, _)| key(episode, span, ReachKey::NO_DAY)));
    spans
}

fn add_session(tables: &mut Tables, id: EpisodeId, first: &Hit, judged: Judged) {
    let start = first.start();
    let row = tables.days.entry((id, start.day())).or_default();
    row[3] += judged.delivered as i64;
    let Some(listening) = judged.listening else { return };
    row[0] += 1;
    *tables.hours.entry((id, start.hour())).or_default() += 1;
    *tables.launch.entry((id, u16::try_from(first.minute / 60).expect("a few days"))).or_default() += 1;
    tables.listening.entry((id, start.day())).or_default()[usize::from(!listening.is_bulk)] += 1;
    for bin in listening.covered {
        tables.bins.entry((id, bin)).or_default()[0] += 1;
    }
    if let Some(bin) = listening.furthest {
        tables.bins.entry((id, bin)).or_default()[1] += 1;
    }
}

fn hit() -> impl Strategy<Value = Hit> {
    let position = || 2_u64..3_000;
    let response = prop_oneof![
        3 => any::<bool>().prop_map(|completed| Response::Whole { completed }),
        3 => (position(), 0_u64..2_000, prop::option::of(1_000_u64..3_000))
            .prop_map(|(first, length, total)| Response::Placed { first, last: first + length, total }),
        2 => (position(), position()).prop_map(|(first, last)| Response::Between { first, last }),
        2 => position().prop_map(|first| Response::From { first }),
        2 => position().prop_map(|length| Response::Suffix { length }),
        1 => Just(Response::Unplaced),
    ];
    let seconds = prop_oneof![2 => 0..60_u64, 1 => 0..9_000_u64];
    (0..EPISODES.len(), 1_u8..4, 0..4 * 24 * 60_i64, 3_u64..2_500, seconds, response).prop_map(
        |(episode, listener, minute, bytes, seconds, response)| Hit {
            episode,
            listener,
            minute,
            bytes,
            seconds,
            response,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    #[test]
    fn the_engine_agrees_with_the_plain_rules(hits in prop::collection::vec(hit(), 1..60), window in windows()) {
        let lines: Vec<String> = hits.iter().map(Hit::line).collect();
        let tables = counted(window, &lines);
        let expected = model(window, &hits);
        prop_assert_eq!(tables.days, expected.days);
        prop_assert_eq!(tables.hours, expected.hours);
        prop_assert_eq!(tables.listening, expected.listening);
        prop_assert_eq!(tables.launch, expected.launch);
        prop_assert_eq!(tables.bins, expected.bins);
        prop_assert_eq!(tables.reach, expected.reach);
    }
}
