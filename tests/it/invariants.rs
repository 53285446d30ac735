//! What always holds of counting, whatever the lines are: no line is lost, and neither order, batches nor repetition
//! change a table. On the pure engine and parser, without files or sockets.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use castmeter::attribution::agent::AgentTable;
use castmeter::attribution::{
    Engine, Episode, Fate, Mode, Policy, Reason, Receipt, Registry, Thresholds, Window,
};
use castmeter::event::Unescaped;
use castmeter::parser::{LineParser, lines};
use castmeter::rollup::{Delta, EpisodeDay, FeedDay, Gathered, LineCount, Reach, ReachKey, Scope, Span};
use castmeter::units::{EpisodeId, LabelId, SourceId, Timestamp, UtcDay, UtcHour};
use hashbrown::HashMap;
use proptest::prelude::*;

use crate::plain::{ASSUMED_BYTES_OF_A_MINUTE, EPISODES, MONDAY};

pub const MAX_LINE_BYTES: usize = 65_536;

pub fn engine(window: Window) -> Engine {
    static AGENTS: LazyLock<Arc<AgentTable>> = LazyLock::new(|| Arc::new(AgentTable::builtin()));
    let thresholds =
        Thresholds { assumed_bytes_per_second: ASSUMED_BYTES_OF_A_MINUTE / 60, ..Thresholds::default() };
    let mut registry = Registry::new(Mode::Catalog, ["/night/feed"]);
    registry.update(EPISODES.map(|file| Episode {
        show: "night".to_owned(),
        show_title: String::new(),
        slug: file.slug.to_owned(),
        title: String::new(),
        path: format!("/night/{}.mp3", file.slug),
        host: None,
        size: file.size,
        duration_ms: file.duration_ms,
        audio_start: file.audio_start,
        published_at: Timestamp::from_seconds(MONDAY + 3_600),
        chapters: None,
    }));
    let policy = Policy { window, thresholds, ..Policy::default() };
    Engine::new(policy, registry, Arc::clone(&AGENTS), *b"any secret does.")
}

/// Bodies counted one after the other, each into a delta of its own.
struct Run {
    engine: Engine,
    deltas: Vec<Delta>,
    reach: Reach,
}

fn count<'a>(window: Window, bodies: impl IntoIterator<Item = &'a [u8]>) -> Run {
    let parser = LineParser::json();
    let receipt = Receipt { source: SourceId(0), at: Timestamp::default(), redelivered: false };
    let mut run = Run { engine: engine(window), deltas: Vec::new(), reach: Reach::default() };
    for body in bodies {
        let (mut delta, mut gathered) = (Delta::default(), Gathered::default());
        for line in lines(body, MAX_LINE_BYTES) {
            let room = Unescaped::default();
            let outcome = run.engine.observe(&line.and_then(|line| parser.parse(line, &room)), receipt);
            gathered.add_line(receipt.source, &outcome, run.engine.changes());
            run.reach.add_line(&outcome);
        }
        delta.add_gathered(&gathered);
        run.deltas.push(delta);
    }
    run
}

impl Run {
    fn tables(&self) -> Tables {
        self.tables_of(&self.deltas)
    }

    fn tables_of<'a>(&self, deltas: impl IntoIterator<Item = &'a Delta>) -> Tables {
        let mut all = Delta::default();
        deltas.into_iter().for_each(|delta| all.merge(delta));
        let mut reach = HashMap::new();
        self.reach.clone().take(&mut reach);
        let day = |row: &EpisodeDay| {
            [row.downloads, row.listeners, row.requests, row.delivered(), row.body_bytes, row.addresses]
        };
        Tables {
            hours: changed(all.episode_hours.clone()),
            days: changed(all.episode_days.iter().map(|(key, row)| (*key, day(row)))),
            listening: changed(
                all.episode_days
                    .iter()
                    .map(|(key, row)| (*key, [row.bulk_downloads, row.progressive_downloads])),
            ),
            launch: changed(all.launch_hours.clone()),
            bins: changed(all.listen_bins.iter().flat_map(|(id, bins)| {
                (0..100).map(|bin| ((*id, bin), [bins.covered()[bin], bins.furthest[bin]]))
            })),
            slices: self.slices(&all),
            reach: reach.into_iter().map(|(key, sketch)| (key, sketch.listeners())).collect(),
            fates: all
                .fate_days
                .iter()
                .map(|((day, _, fate), sum)| ((*day, *fate), [sum.requests, sum.body_bytes]))
                .collect(),
        }
    }

    /// With texts for ids, which are given out in the order of lines.
    fn slices(&self, all: &Delta) -> BTreeMap<String, [i64; 2]> {
        let labels = self.engine.labels();
        let mut rows = BTreeMap::<String, [i64; 2]>::new();
        let mut add = |key: String, numbers: [i64; 2]| {
            let row = rows.entry(key).or_default();
            *row = [row[0] + numbers[0], row[1] + numbers[1]];
        };
        for ((id, day, country, agent), n) in all.audiences.iter() {
            let agent = self.engine.agent_names().nth(agent.0 as usize).expect("it was given out");
            add(format!("audience {} {day} {} {agent:?}", id.0, country.as_str()), [*n, 0]);
        }
        for ((id, day, country, region), n) in all.regions.iter() {
            let region = labels.regions.text(*region);
            add(format!("region {} {day} {} {region}", id.0, country.as_str()), [*n, 0]);
        }
        for ((id, day, referrer), n) in all.referrers.iter() {
            add(format!("referrer {} {day} {referrer}", id.0), [*n, 0]);
        }
        for (key, lines) in all.exclusions.iter() {
            let rule = labels.rules.text(key.rule);
            let key = format!("exclusion {} {} {:?} {rule}", key.episode.0, key.day, key.reason);
            add(key, [lines.requests, lines.body_bytes]);
        }
        for ((feed, service, day), it) in all.feed_days.iter() {
            let (feed, service) = (labels.feeds.text(*feed), labels.services.text(*service));
            add(format!("feed {feed} {service} {day}"), [it.subscribers, it.clients]);
        }
        for (key, lines) in all.traffic.iter() {
            let (pop, state) = (labels.pops.text(key.pop), labels.cache_states.text(key.cache_state));
            let key = format!("traffic {} {} {} {pop} {state}", key.episode.0, key.day, key.status);
            add(key, [lines.requests, lines.body_bytes]);
        }
        changed(rows)
    }
}

/// Without rows of zeros.
fn changed<K: Ord, V: PartialEq + Default>(rows: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    rows.into_iter().filter(|(_, value)| *value != V::default()).collect()
}

/// All rows that are not zero, sorted.
#[derive(Debug, Default, PartialEq)]
pub struct Tables {
    pub hours: BTreeMap<(EpisodeId, UtcHour), i64>,
    pub days: BTreeMap<(EpisodeId, UtcDay), [i64; 6]>,
    /// Bulk and progressive downloads.
    pub listening: BTreeMap<(EpisodeId, UtcDay), [i64; 2]>,
    pub launch: BTreeMap<(EpisodeId, u16), i64>,
    /// Covered and furthest.
    pub bins: BTreeMap<(EpisodeId, usize), [i64; 2]>,
    pub slices: BTreeMap<String, [i64; 2]>,
    pub reach: BTreeMap<ReachKey, Option<u64>>,
    fates: BTreeMap<(UtcDay, Fate), [i64; 2]>,
}

impl Tables {
    fn lines(&self, is: impl Fn(Fate) -> bool) -> i64 {
        self.fates.iter().filter(|((_, fate), _)| is(*fate)).map(|(_, [requests, _])| requests).sum()
    }

    /// The sum over the rows of one kind of slice.
    fn slice_sum(&self, kind: &str) -> i64 {
        self.slices.iter().filter(|(key, _)| key.starts_with(kind)).map(|(_, [first, _])| first).sum()
    }
}

pub fn counted(window: Window, lines: &[String]) -> Tables {
    let body = lines.join("\n");
    count(window, [body.as_bytes()]).tables()
}

/// A request of some listener for some episode, now and then with something about it. Four days, times that coincide.
pub fn line() -> impl Strategy<Value = String> {
    let agents = prop::sample::select(vec![
        "Overcast/3.0 (+http://overcast.fm/; iOS podcast app)",
        "Pocket Casts",
        "Feedly/1.0 (+http://www.feedly.com/fetcher.html; 540 subscribers; like FeedFetcher-Google)",
        "Googlebot/2.1 (+http://www.google.com/bot.html)",
    ]);
    let addresses = prop::sample::select(vec![
        "192.0.2.1",
        "::ffff:192.0.2.1",
        "192.0.2.2",
        "2001:db8::1",
        "2001:db8::2",
    ]);
    let urls = prop::sample::select(vec![
        "one.mp3",
        "one.mp3?a=b",
        "two.mp3",
        "three.mp3",
        "four.mp3",
        "five.mp3",
        "t%68ree.mp3",
        "feed",
        "none.mp3",
    ]);
    let extras = prop::sample::select(vec![
        "",
        "",
        "",
        "",
        r#","country":"DE""#,
        r#","country":"AT""#,
        r#","edge":false"#,
        r#","inner":true"#,
        r#","method":"HEAD""#,
        r#","country":"US","region":"CA","pop":"SJC","state":"HIT""#,
        r#","country":"US","region":"NY","pop":"JFK","state":"MISS""#,
        r#","country":"US","region":"AL","elapsed_us":60000000"#,
        r#","referer":"https://www.google.com/""#,
        r#","referer":"https://t.co/x""#,
        r#","elapsed_us":3000000"#,
        r#","proxy_type":"hosting""#,
        r#","proxy_desc":"vpn""#,
    ]);
    let start = (0..4 * 24 * 4_i64).prop_map(|quarters| (MONDAY + quarters * 900) * 1_000_000);
    (start, addresses, urls, response(), agents, extras).prop_map(|(start, address, url, response, agent, extra)| {
        format!(r#"{{"v":1,"start_us":{start},"ip":"{address}","url":"/night/{url}","ua":"{agent}",{response}{extra}}}"#)
    })
}

/// Status, body bytes, ranges: of every row of the rules on what is delivered.
fn response() -> impl Strategy<Value = String> {
    let bytes = 0_u64..2_500;
    let whole = (bytes.clone(), any::<bool>()).prop_map(|(bytes, completed)| {
        format!(r#""status":200,"body_bytes":{bytes},"completed":{completed}"#)
    });
    let placed = (bytes.clone(), 0_u64..2_000, 0_u64..1_500, prop::sample::select(vec!["2000", "2500", "*"]))
        .prop_map(|(bytes, first, length, total)| {
            format!(
                r#""status":206,"body_bytes":{bytes},"content_range":"bytes {first}-{}/{total}""#,
                first + length
            )
        });
    let asked = (bytes.clone(), 0_u64..2_000, 0_u64..2_000).prop_map(|(bytes, a, b)| {
        let range =
            [format!("{a}-{b}"), format!("{a}-"), format!("-{a}"), "0-1".to_owned(), format!("{a}-,-5")];
        format!(r#""status":206,"body_bytes":{bytes},"range":"bytes={}""#, range[(b % 5) as usize])
    });
    let unplaced = bytes.clone().prop_map(|bytes| format!(r#""status":206,"body_bytes":{bytes}"#));
    let other = (prop::sample::select(vec![301, 404, 503]), bytes)
        .prop_map(|(status, bytes)| format!(r#""status":{status},"body_bytes":{bytes}"#));
    prop_oneof![4 => whole, 4 => placed, 3 => asked, 2 => unplaced, 1 => other]
}

/// Lines, some of them broken.
fn some_lines() -> impl Strategy<Value = Vec<String>> {
    let broken = (line(), any::<prop::sample::Index>()).prop_map(|(mut line, at)| {
        line.truncate(at.index(line.len()).max(1));
        line
    });
    prop::collection::vec(prop_oneof![12 => line(), 1 => broken], 1..60)
}

pub fn windows() -> impl Strategy<Value = Window> {
    prop::sample::select(Window::ALL.to_vec())
}

/// Lines, and the same in another order.
fn shuffled() -> impl Strategy<Value = (Vec<String>, Vec<String>)> {
    some_lines().prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// Whatever the bytes are: as many fates as lines, and as many valid ones as requests counted.
    #[test]
    fn no_line_is_lost(noise in prop::collection::vec(any::<u8>(), 0..400), some in some_lines(), window in windows(),
                       at in any::<prop::sample::Index>()) {
        // An array would be something else; see below.
        let mut body = b"x\n".to_vec();
        body.extend(some.join("\r\n").into_bytes());
        body.splice(at.index(body.len()).max(2)..at.index(body.len()).max(2), noise);
        let expected = body
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.strip_suffix(b"\r").unwrap_or(line).is_empty())
            .count();
        let tables = count(window, [body.as_slice()]).tables();
        let valid = tables.lines(|fate| fate == Fate::Valid);
        let ignored = tables.lines(|fate| matches!(fate, Fate::Ignored(_)));
        let malformed = tables.lines(|fate| matches!(fate, Fate::Malformed(_)));
        prop_assert_eq!(valid + ignored + malformed, expected as i64);
        prop_assert_eq!(tables.days.values().map(|row| row[2]).sum::<i64>(), valid);
        prop_assert_eq!(tables.days.values().map(|row| row[0]).sum::<i64>(), tables.hours.values().sum::<i64>());
        prop_assert!(tables.days.values().flatten().all(|column| *column >= 0), "{:?}", tables.days);
        let downloads = tables.hours.values().sum::<i64>();
        for slice in ["audience", "region", "referrer"] {
            prop_assert_eq!(tables.slice_sum(slice), downloads, "{}", slice);
        }
        prop_assert_eq!(tables.listening.values().flatten().sum::<i64>(), downloads);
        prop_assert!(tables.bins.values().chain(tables.slices.values()).flatten().all(|column| *column >= 0));
        for ((episode, day), row) in &tables.days {
            let key = ReachKey { scope: Scope::Episode(*episode), span: Span::Day, starts: *day };
            let listeners = tables.reach.get(&key).copied().flatten().unwrap_or(0);
            prop_assert_eq!(i64::try_from(listeners).unwrap(), row[1]);
        }
    }

    /// An array's elements are lines like any other.
    #[test]
    fn an_array_is_its_elements(some in prop::collection::vec(line(), 1..20)) {
        let array = format!("[{}]", some.join(", "));
        let of_array = count(Window::Calendar, [array.as_bytes()]).tables();
        prop_assert_eq!(of_array, counted(Window::Calendar, &some));
    }

    #[test]
    fn order_does_not_matter((lines, others) in shuffled(), window in windows()) {
        prop_assert_eq!(counted(window, &others), counted(window, &lines));
    }

    /// However lines are cut into bodies, and in whatever order what they changed is added up.
    #[test]
    fn batches_do_not_matter(lines in some_lines(), size in 1_usize..9, window in windows()) {
        let bodies: Vec<String> = lines.chunks(size).map(|lines| lines.join("\n")).collect();
        let run = count(window, bodies.iter().map(String::as_bytes));
        let whole = counted(window, &lines);
        prop_assert_eq!(&run.tables(), &whole);
        prop_assert_eq!(&run.tables_of(run.deltas.iter().rev()), &whole);
    }

    /// A line that comes again by its id changes nothing but the number of lines redelivered.
    #[test]
    fn redelivery_changes_nothing(lines in prop::collection::vec(line(), 1..40), again in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
                                  window in windows()) {
        let with_id = |(at, line): (usize, &String)| line.replacen('{', &format!(r#"{{"id":"{at}","#), 1);
        let lines: Vec<String> = lines.iter().enumerate().map(with_id).collect();
        let mut all = lines.clone();
        for index in &again {
            let copy = lines[index.index(lines.len())].clone();
            all.insert(index.index(all.len()), copy);
        }
        let (once, mut tables) = (counted(window, &lines), counted(window, &all));
        // Lines of the shield and of inner segments do not come as far as their id is looked at.
        let before_the_id = |fate| matches!(fate, Fate::Ignored(Reason::Shield | Reason::InnerSegment));
        let (more, redelivered) = (tables.lines(before_the_id) - once.lines(before_the_id), Fate::Ignored(Reason::Redelivered));
        prop_assert_eq!(tables.lines(|fate| fate == redelivered) + more, again.len() as i64);
        tables.fates.retain(|(_, fate), _| *fate != redelivered && !before_the_id(*fate));
        let mut once = once;
        once.fates.retain(|(_, fate), _| !before_the_id(*fate));
        prop_assert_eq!(tables, once);
    }

    /// Deltas are added up in any grouping and order, and an empty one adds nothing.
    #[test]
    fn deltas_add_up(a in delta(), b in delta(), c in delta()) {
        let sum = |parts: &[&Delta]| {
            let mut sum = Delta::default();
            parts.iter().for_each(|part| sum.merge(part));
            sum
        };
        prop_assert_eq!(sum(&[&a, &b]), sum(&[&b, &a]));
        prop_assert_eq!(sum(&[&sum(&[&a, &b]), &c]), sum(&[&a, &sum(&[&b, &c])]));
        prop_assert_eq!(sum(&[&a, &Delta::default()]), a.clone());
        prop_assert_eq!(sum(&[&Delta::default(), &a]), a);
    }
}

/// Few keys, so that they meet.
fn delta() -> impl Strategy<Value = Delta> {
    let number = || -1_000_000_i64..1_000_000;
    let episode = || (0_u32..3).prop_map(EpisodeId);
    let hours = prop::collection::hash_map((episode(), (0..3).prop_map(UtcHour)), number(), 0..5);
    let row = prop::array::uniform6(number()).prop_map(
        |[downloads, listeners, requests, delivered_bytes, body_bytes, addresses]| EpisodeDay {
            downloads,
            listeners,
            requests,
            delivered_bytes: delivered_bytes.into(),
            body_bytes,
            addresses,
            bulk_downloads: downloads - listeners,
            progressive_downloads: listeners,
        },
    );
    let days = prop::collection::hash_map((episode(), (0..3).prop_map(UtcDay)), row, 0..5);
    let fate = prop::sample::select(Fate::all().take(4).collect::<Vec<_>>());
    let fate = ((0..3).prop_map(UtcDay), (0_u16..2).prop_map(SourceId), fate);
    let count = (number(), number()).prop_map(|(requests, body_bytes)| LineCount { requests, body_bytes });
    let fates = prop::collection::hash_map(fate, count, 0..5);
    let feed = ((0_u16..2).prop_map(LabelId), (0..3).prop_map(UtcDay), number(), number());
    let feeds = prop::collection::vec(feed, 0..5);
    let bins = prop::collection::vec((episode(), 0_u8..100, number()), 0..5);
    (hours, days, fates, feeds, bins).prop_map(|(hours, days, fates, feeds, bins)| {
        let mut delta = Delta {
            episode_hours: hours.into_iter().collect(),
            episode_days: days.into_iter().collect(),
            fate_days: fates.into_iter().collect(),
            ..Delta::default()
        };
        for (feed, day, subscribers, clients) in feeds {
            delta.feed_days.insert((feed, LabelId::OTHER, day), FeedDay { subscribers, clients });
        }
        for (episode, bin, sessions) in bins {
            delta.listen_bins.row(episode).cover(bin..bin + 1, sessions);
        }
        delta
    })
}
