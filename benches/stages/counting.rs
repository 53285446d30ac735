//! From requests to sums: the engine alone, the whole pipeline, and the merging of what it gives.
//!
//! The engine has seen half of the lines before the clock starts, so that it has sessions, listeners and labels in it as in
//! the middle of a day; each batch is then counted once. When all are, an engine in the same state takes its place.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;

use castmeter::attribution::agent::AgentTable;
use castmeter::attribution::{Engine, Fate, Mode, Policy, Receipt, Registry};
use castmeter::event::{Malformed, Request, Unescaped};
use castmeter::parser::{LineParser, lines};
use castmeter::rollup::{Delta, Gathered};
use castmeter::units::{SourceId, Timestamp};
use divan::Bencher;
use divan::counter::ItemsCount;
use memchr::memmem;

use super::input::{JSON, LINES_PER_BATCH, MAX_LINE_BYTES, batches, text_lines, time};

/// Offline its time decides nothing.
fn receipt() -> Receipt {
    Receipt { source: SourceId(0), at: Timestamp::default(), redelivered: false }
}

type Parsed = Result<Request<'static>, Malformed>;

fn engine() -> Engine {
    let registry = Registry::new(Mode::Derived { max_episodes: 100_000 }, []);
    Engine::new(Policy::default(), registry, Arc::new(AgentTable::builtin()), [7; 16])
}

fn count<T: Copy>(
    engine: &mut Engine,
    delta: &mut Delta,
    lines: impl IntoIterator<Item = T>,
    parse: impl for<'r> Fn(&'r T, &'r Unescaped) -> Result<Request<'r>, Malformed>,
) {
    let mut gathered = Gathered::default();
    engine.observe_all(lines, parse, receipt(), |_, outcome, changes| {
        gathered.add_line(SourceId(0), outcome, changes);
    });
    delta.add_gathered(&gathered);
}

/// Lines of a delta by whether they could be read, which every line is one or the other of.
fn read_and_malformed(delta: &Delta) -> (i64, i64) {
    let sum = |malformed: bool| {
        let of_kind = delta
            .fate_days
            .iter()
            .filter(|((_, _, fate), _)| matches!(fate, Fate::Malformed(_)) == malformed);
        of_kind.map(|(_, count)| count.requests).sum()
    };
    (sum(false), sum(true))
}

/// Batches, from the middle on, that an engine counts once each.
struct Day<T> {
    fresh: Engine,
    batches: Vec<T>,
    engine: Engine,
    next: usize,
}

impl<T> Day<T> {
    /// `all`: the first half is counted at once.
    fn new(mut all: Vec<T>, mut count: impl FnMut(&mut Engine, &T)) -> RefCell<Self> {
        let batches = all.split_off(all.len() / 2);
        let mut fresh = engine();
        all.iter().for_each(|batch| count(&mut fresh, batch));
        RefCell::new(Self { engine: fresh.clone(), fresh, batches, next: 0 })
    }

    /// The batch that is next; not timed.
    fn advance(&mut self) -> usize {
        if self.next == self.batches.len() {
            self.engine = self.fresh.clone();
            self.next = 0;
        }
        self.next += 1;
        self.next - 1
    }

    fn time(day: &RefCell<Self>, bencher: Bencher<'_, '_>, work: impl Fn(&mut Engine, &T)) {
        let bencher =
            bencher.counter(ItemsCount::new(LINES_PER_BATCH)).with_inputs(|| day.borrow_mut().advance());
        bencher.bench_local_values(|at| {
            let Self { engine, batches, .. } = &mut *day.borrow_mut();
            work(engine, &batches[at]);
        });
    }
}

fn parsed_batches() -> Vec<Vec<Parsed>> {
    let parser = LineParser::json();
    let json: &'static [u8] = &JSON;
    let room = Box::leak(Box::default());
    batches(json)
        .into_iter()
        .map(|batch| text_lines(batch).map(|line| parser.parse(line, room)).collect())
        .collect()
}

/// Requests into sums: what the pipeline does besides parsing.
#[divan::bench(sample_size = 1)]
fn engine_and_sums(bencher: Bencher<'_, '_>) {
    let count_batch = |engine: &mut Engine, batch: &Vec<Parsed>| {
        let mut delta = Delta::default();
        count(engine, &mut delta, batch, |line, _| **line);
        let malformed = batch.iter().filter(|line| line.is_err()).count();
        assert_eq!(read_and_malformed(&delta), ((batch.len() - malformed) as i64, malformed as i64));
    };
    Day::time(&Day::new(parsed_batches(), count_batch), bencher, count_batch);
}

/// A body of JSON lines into sums: framing, parsing, attribution, rollup.
#[divan::bench(sample_size = 1)]
fn pipeline(bencher: Bencher<'_, '_>) {
    let parser = LineParser::json();
    let json: &'static [u8] = &JSON;
    let with_malformed =
        |batch| (batch, LINES_PER_BATCH - text_lines(batch).filter(|line| is_sound(line)).count());
    let count_batch = |engine: &mut Engine, (batch, malformed): &(&'static [u8], usize)| {
        let mut delta = Delta::default();
        count(engine, &mut delta, lines(batch, MAX_LINE_BYTES), |line, room| {
            line.and_then(|line| parser.parse(line, room))
        });
        assert_eq!(read_and_malformed(&delta), ((LINES_PER_BATCH - malformed) as i64, *malformed as i64));
    };
    let all = batches(json).into_iter().map(with_malformed).collect();
    Day::time(&Day::new(all, count_batch), bencher, count_batch);
}

/// What the generator spoils lacks its end, its status, or has no address where one should be.
fn is_sound(line: &[u8]) -> bool {
    let behind = |key: &[u8]| Some(&line[memmem::find(line, key)? + key.len()..]);
    let address =
        behind(br#""ip":""#).and_then(|rest| rest.split(|byte| *byte == b'"').next()).unwrap_or_default();
    let is_address = std::str::from_utf8(address).is_ok_and(|text| text.parse::<IpAddr>().is_ok());
    is_address && behind(br#""status":"#).is_some() && line.ends_with(b"}")
}

/// The sums of a batch into those of a day, which has nearly all of the keys.
#[divan::bench]
fn merge(bencher: Bencher<'_, '_>) {
    let mut engine = engine();
    let mut of_batch = |batch: &Vec<Parsed>| {
        let mut delta = Delta::default();
        count(&mut engine, &mut delta, batch, |line, _| **line);
        delta
    };
    let deltas: Vec<Delta> = parsed_batches().iter().map(&mut of_batch).collect();
    let mut day = Delta::default();
    deltas.iter().for_each(|delta| day.merge(delta));
    time(bencher, &deltas, |delta| {
        let before = read_and_malformed(&day);
        day.merge(delta);
        let after = read_and_malformed(&day);
        assert_eq!(after.0 + after.1, before.0 + before.1 + LINES_PER_BATCH as i64);
    });
}
