//! The counting rules once more, as plainly as they can be written: a bitmap a session, windows laid over sorted
//! lists, whole tables from scratch. Slow, and made of nothing that the library counts with.
//!
//! Knows valid requests only: what makes a line valid is for who uses this.

use std::collections::{BTreeMap, BTreeSet};

use castmeter::attribution::Window;
use castmeter::units::{EpisodeId, Timestamp, UtcDay, UtcHour};

/// Monday, 2026-11-02.
pub const MONDAY: i64 = 1_793_577_600;
/// What is needed where the duration is unknown.
pub const ASSUMED_BYTES_OF_A_MINUTE: u64 = 600;

/// The episodes of a small world, so that random lines meet in sessions.
pub const EPISODES: [FileOf; 5] = [
    FileOf { slug: "one", size: Some(2_000), duration_ms: Some(180_000), audio_start: 100 },
    FileOf { slug: "two", size: Some(500), duration_ms: None, audio_start: 0 },
    FileOf { slug: "three", size: None, duration_ms: None, audio_start: 0 },
    FileOf { slug: "four", size: None, duration_ms: Some(90_000), audio_start: 50 },
    FileOf { slug: "five", size: Some(2_500), duration_ms: None, audio_start: 1_000 },
];

/// What is known of an episode's file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FileOf {
    pub slug: &'static str,
    pub size: Option<u64>,
    pub duration_ms: Option<u64>,
    pub audio_start: u64,
}

/// A valid request.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Among [`EPISODES`].
    pub episode: usize,
    /// 192.0.2.x with one user agent: a listener, and an address.
    pub listener: u8,
    /// Minutes after Monday 01:00.
    pub minute: i64,
    pub bytes: u64,
    pub response: Response,
}

/// What was sent of the file, as the line tells it.
#[derive(Clone, Debug)]
pub enum Response {
    Whole { completed: bool },
    Placed { first: u64, last: u64, total: Option<u64> },
    Between { first: u64, last: u64 },
    From { first: u64 },
    Suffix { length: u64 },
    Unplaced,
}

impl Hit {
    pub fn start(&self) -> Timestamp {
        Timestamp::from_seconds(MONDAY + 3_600 + self.minute * 60).expect("in this millennium")
    }

    /// As a JSON line.
    pub fn line(&self) -> String {
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
            r#"{{"start_us":{},"ip":"192.0.2.{}","url":"/night/{}.mp3","status":{status},"body_bytes":{},{more},"ua":"Overcast/3.0"}}"#,
            self.start().micros(),
            self.listener,
            EPISODES[self.episode].slug,
            self.bytes,
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

/// Whether a session is a download, and how many bytes it delivered.
fn judge(file: &FileOf, hits: &[&Hit]) -> (bool, u64) {
    let size = file.size.or(hits.iter().filter_map(|hit| hit.shown_size()).max());
    let mut sent = [false; 10_000];
    let mut unplaced = 0;
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
    }
    let union = |from: u64, to: u64| {
        sent[from.min(to) as usize..to as usize].iter().filter(|sent| **sent).count() as u64
    };
    let Some(size) = size else {
        let delivered = union(0, sent.len() as u64) + unplaced;
        return (delivered >= file.audio_start + ASSUMED_BYTES_OF_A_MINUTE, delivered);
    };
    let unplaced = unplaced.min(size - union(0, size));
    let content = size.saturating_sub(file.audio_start);
    let needed = file.duration_ms.map_or(ASSUMED_BYTES_OF_A_MINUTE, |ms| (60_000 * content).div_ceil(ms));
    let whole = file.duration_ms.is_some_and(|ms| ms <= 60_000) || content <= needed;
    let download = match whole {
        true => union(0, size) + unplaced >= size,
        false => union(file.audio_start, size) + unplaced >= needed,
    };
    (download, union(0, size) + unplaced)
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

/// Downloads by hour; by day downloads, listeners, requests, delivered bytes, body bytes, addresses.
pub type Rows = (BTreeMap<(EpisodeId, UtcHour), i64>, BTreeMap<(EpisodeId, UtcDay), [i64; 6]>);

/// The tables of these requests; `episodes` has what is known of the files of [`EPISODES`].
pub fn model<'a>(window: Window, episodes: &[FileOf], hits: impl IntoIterator<Item = &'a Hit>) -> Rows {
    let (mut hours, mut days) = (BTreeMap::new(), BTreeMap::<_, [i64; 6]>::new());
    let id = |episode: usize| EpisodeId(episode as u32);
    let mut listeners = BTreeSet::new();
    let mut timelines = BTreeMap::<(usize, u8), Vec<&Hit>>::new();
    for hit in hits {
        timelines.entry((hit.episode, hit.listener)).or_default().push(hit);
        let day = hit.start().day();
        let row = days.entry((id(hit.episode), day)).or_default();
        let new = i64::from(listeners.insert((hit.episode, day, hit.listener)));
        (row[1], row[2], row[4], row[5]) =
            (row[1] + new, row[2] + 1, row[4] + hit.bytes as i64, row[5] + new);
    }
    for ((episode, _), mut hits) in timelines {
        hits.sort_by_key(|hit| hit.minute);
        for session in sessions(window, &hits) {
            let (download, delivered) = judge(&episodes[episode], &session);
            let first = session[0].start();
            let row = days.entry((id(episode), first.day())).or_default();
            (row[0], row[3]) = (row[0] + i64::from(download), row[3] + delivered as i64);
            if download {
                *hours.entry((id(episode), first.hour())).or_default() += 1;
            }
        }
    }
    (hours, days)
}
