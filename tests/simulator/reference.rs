//! The naive reference: what the tables must say, counted from scratch over all that is in the journal.
//!
//! Fates by the order of the rules, one line after the other, with lists that are searched; sessions by the plain
//! rules. Written from the methodology, with nothing of the library's counting.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use castmeter::attribution::Window;
use castmeter::journal::RecordKind;
use castmeter::units::{EpisodeId, Timestamp, UtcDay};

use crate::ledger::{Attempt, Content};
use crate::lines::{Line, Oddity};
use crate::plain::{EPISODES, FileOf, Hit, model};

/// How this world counts.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub window: Window,
    /// None: no day ever closes.
    pub lateness: Option<Duration>,
    pub redelivery_window: Duration,
    /// When each of [`EPISODES`] was published, in minutes as hits have them.
    pub published_minute: [i64; EPISODES.len()],
}

const WATERMARK_TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// What was seen so far.
struct Counting<'a> {
    rules: Rules,
    files: [Option<FileOf>; EPISODES.len()],
    ids: Vec<(u64, Timestamp)>,
    bodies: Vec<(&'a [u8], Timestamp)>,
    latest_start: Option<Timestamp>,
    closed_before: Option<UtcDay>,
    valid: Vec<Hit>,
    older: BTreeMap<(EpisodeId, UtcDay), (i64, BTreeSet<u8>)>,
    fates: BTreeMap<String, (i64, i64)>,
}

/// The rows that the tables must have, as text, sorted; of records in the journal's order.
pub fn tables(rules: Rules, records: &[&Attempt]) -> Vec<String> {
    let mut counting = Counting {
        rules,
        files: [None; EPISODES.len()],
        ids: Vec::new(),
        bodies: Vec::new(),
        latest_start: None,
        closed_before: None,
        valid: Vec::new(),
        older: BTreeMap::new(),
        fates: BTreeMap::new(),
    };
    // What comes before the first rules that were noted was counted by those.
    let mut noted = records.iter().filter_map(|record| match &record.content {
        Content::Rules(catalogue) => Some(catalogue),
        Content::Lines { .. } => None,
    });
    noted.next().into_iter().flat_map(|it| &it.0).for_each(|(at, file)| counting.files[*at] = Some(*file));
    for record in records {
        match &record.content {
            Content::Rules(catalogue) => {
                catalogue.0.iter().for_each(|(at, file)| counting.files[*at] = Some(*file));
            }
            Content::Lines { source, payload, lines } => {
                let again =
                    record.kind == RecordKind::Batch && counting.came_before(payload, record.received_at);
                lines.iter().for_each(|line| counting.count(line, source, record.received_at, again));
            }
        }
    }
    counting.rows()
}

impl<'a> Counting<'a> {
    fn came_before(&mut self, payload: &'a [u8], at: Timestamp) -> bool {
        let window = self.rules.redelivery_window;
        let same = |(other, then): &(&[u8], Timestamp)| *other == payload && at.since(*then) <= window;
        let again = self.bodies.iter().any(same);
        self.bodies.push((payload, at));
        again
    }

    fn count(&mut self, line: &Line, source: &str, received_at: Timestamp, body_again: bool) {
        let (start, hit) = (line.hit.start(), &line.hit);
        let malformed = match line.oddity {
            Oddity::Broken => Some("bad_json"),
            Oddity::Cut => Some("truncated"),
            _ => None,
        };
        if let Some(defect) = malformed {
            let row = format!("fate|{}|{source}|malformed|{defect}", received_at.day());
            self.fates.entry(row).or_default().0 += 1;
            return;
        }
        let fate = match self.reason(line, received_at, body_again) {
            Some(reason) => format!("ignored|{reason}"),
            None => "valid|-".to_owned(),
        };
        if fate == "valid|-" {
            self.valid.push(hit.clone());
        }
        let (lines, bytes) = self.fates.entry(format!("fate|{}|{source}|{fate}", start.day())).or_default();
        (*lines, *bytes) = (*lines + 1, *bytes + hit.bytes as i64);
        self.close_days(start, received_at);
    }

    /// Why it is not counted. Whoever gets as far as the target counts the older way.
    fn reason(&mut self, line: &Line, received_at: Timestamp, body_again: bool) -> Option<&'static str> {
        match line.oddity {
            Oddity::Inner => return Some("inner_segment"),
            Oddity::Shield => return Some("shield"),
            _ => {}
        }
        let seen = line.id.is_some_and(|id| {
            let window = self.rules.redelivery_window;
            let seen = self.ids.iter().any(|(other, at)| *other == id && received_at.since(*at) <= window);
            self.ids.push((id, received_at));
            seen
        });
        let (hit, day) = (&line.hit, line.hit.start().day());
        if seen || body_again {
            return Some("redelivered");
        }
        match line.oddity {
            Oddity::Feed => return Some("feed"),
            Oddity::Unknown => return Some("not_episode"),
            _ if self.files[hit.episode].is_none() => return Some("not_episode"),
            _ => {}
        }
        let closed = self.closed_before.is_some_and(|open| day < open);
        if !closed {
            let (bytes, addresses) = self.older.entry((EpisodeId(hit.episode as u32), day)).or_default();
            *bytes += hit.bytes as i64;
            addresses.insert(hit.listener);
        }
        match line.oddity {
            Oddity::Head => Some("method"),
            Oddity::Bot => Some("bot"),
            _ if hit.minute < self.rules.published_minute[hit.episode] => Some("pre_release"),
            _ => closed.then_some("late"),
        }
    }

    /// With a single source the watermark is its largest start.
    fn close_days(&mut self, start: Timestamp, received_at: Timestamp) {
        let Some(lateness) = self.rules.lateness else { return };
        if start <= received_at.plus(WATERMARK_TOLERANCE) {
            self.latest_start = self.latest_start.max(Some(start));
        }
        let Some(mark) = self.latest_start else { return };
        let is_over = |day: UtcDay| day.end().plus(lateness) < mark;
        let mut open = self.closed_before.unwrap_or(UtcDay(mark.day().0 - 10));
        while is_over(open) {
            open = UtcDay(open.0 + 1);
        }
        self.closed_before = Some(open);
    }

    fn rows(self) -> Vec<String> {
        let files: Vec<FileOf> =
            EPISODES.iter().enumerate().map(|(at, plain)| self.files[at].unwrap_or(*plain)).collect();
        let (hours, mut days) = model(self.rules.window, &files, &self.valid);
        let slug = |id: EpisodeId| EPISODES[id.0 as usize].slug;
        days.values_mut().for_each(|row| (row[4], row[5]) = (0, 0));
        for (key, (bytes, addresses)) in self.older {
            let row = days.entry(key).or_default();
            (row[4], row[5]) = (bytes, addresses.len() as i64);
        }
        let mut rows: Vec<String> = hours
            .into_iter()
            .map(|((id, hour), downloads)| {
                let hour = hour.start().to_utc().format("%Y-%m-%dT%H:%M:%SZ");
                format!("hour|{}|{hour}|{downloads}", slug(id))
            })
            .collect();
        rows.extend(days.into_iter().filter(|(_, row)| *row != [0; 6]).map(|((id, day), row)| {
            format!("day|{}|{day}|{}", slug(id), row.map(|column| column.to_string()).join("|"))
        }));
        rows.extend(self.fates.into_iter().map(|(key, (lines, bytes))| format!("{key}|{lines}|{bytes}")));
        rows.sort();
        rows
    }
}

/// What differs between two sorted tables, to be read.
pub fn difference(found: &[String], expected: &[String]) -> Option<String> {
    let count = |rows: &[String]| {
        let mut counts = HashMap::<String, i64>::new();
        rows.iter().for_each(|row| *counts.entry(row.clone()).or_default() += 1);
        counts
    };
    let (has, wants) = (count(found), count(expected));
    let only = |rows: &[String], other: &HashMap<String, i64>, sign: &str| {
        rows.iter()
            .filter(|row| !other.contains_key(*row))
            .map(|row| format!("{sign} {row}\n"))
            .collect::<String>()
    };
    let text = only(expected, &has, "-") + &only(found, &wants, "+");
    (found != expected).then(|| format!("expected -, found +\n{text}"))
}
