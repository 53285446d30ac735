//! Counting lines of files, on one thread or on several: sums by episode and period, and what became of the lines.
//!
//! On several threads, lines are taken in rounds: the threads parse and prepare parts of the round's lines, each the next
//! one as soon as it is free, then each checks its share of ids, then counts its share of listeners. Threads live for a
//! step; within a step none waits for another.

use std::io;
use std::iter;
use std::sync::Mutex;
use std::thread;

use super::Failure;
use crate::attribution::{Change, Chunk, Division, Engine, Fate, Outcome, Receipt, Registry, Secret, Share};
use crate::event::{Malformed, Request, Unescaped};
use crate::parser::{Line, LineParser};
use crate::rollup::{EpisodeSums, LineCount, Period, add_line};
use crate::units::ByteCount;

/// Lines are prepared in so many parts for each thread, so that all have done at about the same time.
const CHUNKS_A_THREAD: usize = 8;

/// Takes lines that were read together.
pub type EachLines<'e> = dyn FnMut(&[Line<'_>]) -> io::Result<()> + 'e;

/// All that was counted.
pub struct Tally<P> {
    pub sums: EpisodeSums<P>,
    /// By [`Fate::index`].
    fates: [LineCount; Fate::COUNT],
}

/// How lines are counted.
pub struct Counting {
    pub parser: LineParser,
    pub receipt: Receipt,
}

impl<P> Tally<P> {
    /// The fates that lines had, in order.
    pub fn fates(&self) -> impl Iterator<Item = (Fate, LineCount)> {
        Fate::all().zip(self.fates).filter(|(_, count)| count.requests > 0)
    }
}

impl<P: Period> Tally<P> {
    fn new() -> Self {
        Self { sums: EpisodeSums::default(), fates: [LineCount::default(); Fate::COUNT] }
    }

    fn add(&mut self, outcome: &Outcome, changes: &[Change]) {
        self.add_fate(outcome.fate, outcome.body_bytes);
        add_line(&mut self.sums, outcome, changes);
    }

    fn add_fate(&mut self, fate: Fate, body_bytes: ByteCount) {
        let body_bytes = i64::try_from(body_bytes.0).unwrap_or(i64::MAX);
        self.fates[fate.index()].add(&LineCount { requests: 1, body_bytes });
    }

    fn merge(mut self, other: Self) -> Self {
        for (key, sums) in other.sums {
            self.sums.entry(key).or_default().add(&sums);
        }
        for (fate, count) in self.fates.iter_mut().zip(&other.fates) {
            fate.add(count);
        }
        self
    }
}

impl Counting {
    fn parse<'l>(&self, line: Line<'l>, room: &'l Unescaped) -> Result<Request<'l>, Malformed> {
        self.parser.parse(line?, room)
    }

    /// Counts what `inputs` gives. With the episodes by id.
    pub fn on_one<P: Period>(
        &self,
        engine: Engine,
        inputs: impl FnOnce(&mut EachLines<'_>) -> Result<(), Failure>,
    ) -> Result<(Registry, Tally<P>), Failure> {
        let (mut engine, mut tally) = (engine.for_sums(), Tally::new());
        inputs(&mut |lines| {
            let lines = lines.iter().copied();
            let add = |_, outcome: &Outcome, changes: &[Change]| tally.add(outcome, changes);
            engine.observe_all(lines, |line, room| self.parse(*line, room), self.receipt, add);
            Ok(())
        })?;
        Ok((engine.registry().clone(), tally))
    }

    /// The same on so many threads.
    pub fn on_many<P: Period + Send>(
        &self,
        engine: Engine,
        secret: Secret,
        threads: usize,
        inputs: impl FnOnce(&mut EachLines<'_>) -> Result<(), Failure>,
    ) -> Result<(Registry, Tally<P>), Failure> {
        let (mut division, shares) = Division::new(engine.for_sums(), secret, threads);
        let mut chunks: Vec<_> = (0..threads * CHUNKS_A_THREAD).map(|_| Chunk::new(threads)).collect();
        let mut shares: Vec<_> = shares.into_iter().map(|share| (share, Tally::new())).collect();
        inputs(&mut |lines| {
            self.round(lines, &mut division, &mut shares, &mut chunks);
            Ok(())
        })?;
        let tallies = shares.into_iter().map(|(_, tally)| tally);
        Ok((division.registry().clone(), tallies.reduce(Tally::merge).unwrap_or_else(Tally::new)))
    }

    fn round<P: Period + Send>(
        &self,
        lines: &[Line<'_>],
        division: &mut Division,
        shares: &mut [(Share, Tally<P>)],
        chunks: &mut [Chunk],
    ) {
        let receipt = self.receipt;
        let mut parts = lines.chunks(lines.len().div_ceil(chunks.len()).max(1));
        let parts = chunks.iter_mut().map(|chunk| (chunk, parts.next().unwrap_or_default()));
        let pending = in_turns(shares.iter_mut(), parts, |(share, _), (chunk, part)| {
            share.prepare(chunk, part, |line, room| self.parse(*line, room), receipt)
        });
        if pending.iter().any(|pending| !pending.is_empty()) {
            let episodes = division.register(&pending, |line, room| self.parse(*line, room));
            in_parallel(shares.iter_mut(), |(share, _)| share.learn(episodes.clone()));
            let pending = chunks.iter_mut().zip(pending);
            in_turns(shares.iter_mut(), pending, |(share, _), (chunk, pending)| {
                share.prepare_again(chunk, pending, |line, room| self.parse(*line, room), receipt);
            });
        }
        let first_line = division.number(chunks);
        let repeats =
            in_parallel(shares.iter_mut(), |(share, _)| share.check_ids(chunks, first_line, receipt));
        Chunk::mark(chunks, repeats.into_iter().flatten());
        in_parallel(shares.iter_mut(), |(share, tally)| {
            share.count(chunks, receipt, |outcome, changes| tally.add(outcome, changes));
        });
    }
}

/// Does all tasks, each by the worker that is free next, on threads of their own; gives what came of them in their order.
fn in_turns<W: Send, T, R: Send>(
    workers: impl Iterator<Item = W>,
    tasks: impl Iterator<Item = T> + Send,
    work: impl Fn(&mut W, T) -> R + Sync,
) -> Vec<R> {
    let tasks = Mutex::new(tasks.enumerate());
    let next = || tasks.lock().expect("no task is taken by a thread that panics").next();
    let done = in_parallel(workers, |mut worker| {
        let one = || next().map(|(at, task)| (at, work(&mut worker, task)));
        iter::from_fn(one).collect::<Vec<_>>()
    });
    let mut done: Vec<_> = done.into_iter().flatten().collect();
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Does something with each on a thread of its own, the first on this one; gives what came of it in their order.
fn in_parallel<T: Send, R: Send>(items: impl Iterator<Item = T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let mut items = items;
    let Some(first) = items.next() else { return Vec::new() };
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = items.map(|item| scope.spawn(move || work(item))).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, R>| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        iter::once(work(first)).chain(threads.into_iter().map(join)).collect()
    })
}
