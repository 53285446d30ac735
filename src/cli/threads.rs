//! Counting on several threads, each with a share of the listeners: the same as on one, see [`Division`].
//!
//! A thread reads, parses and prepares one piece of the files at a time, so that text is read from the cache of whoever
//! parses it, and checks and counts what it and the others have prepared for its share. Threads wait only where nothing is
//! left to do for them, or where another is just reading. One that panics stops the others.

use std::iter;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::Failure;
use super::inputs::{Inputs, Reading};
use super::tally::{Counting, Tally};
use crate::attribution::{Change, Chunk, Division, Engine, Outcome, Registry, Secret, Share, Step};
use crate::parser::Lines;
use crate::rollup::Period;

/// What the threads have in common.
struct Work<'c> {
    counting: &'c Counting,
    source: Mutex<Source>,
    division: Mutex<Division>,
    /// The division was told something.
    told: Condvar,
}

/// Gives pieces, numbered from 0 on, until their end or a failure.
struct Source {
    reading: Option<Reading>,
    pieces: usize,
}

impl Counting {
    /// Counts what is read, on so many threads. With the episodes by id.
    pub fn on_many<P: Period + Send>(
        &self,
        engine: Engine,
        secret: Secret,
        threads: usize,
        inputs: &Inputs,
    ) -> Result<(Registry, Tally<P>), Failure> {
        let source = Mutex::new(Source { reading: Some(inputs.read()?), pieces: 0 });
        let (division, shares) = Division::new(engine.for_sums(), secret, threads);
        let work = Work { counting: self, source, division: Mutex::new(division), told: Condvar::new() };
        let tallies = in_parallel(shares.into_iter(), |share| work.run(share));
        let tallies = tallies.into_iter().collect::<Result<Vec<_>, _>>()?;
        let division = work.division.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok((division.registry().clone(), tallies.into_iter().reduce(Tally::merge).unwrap_or_else(Tally::new)))
    }
}

impl Work<'_> {
    fn run<P: Period>(&self, mut share: Share) -> Result<Tally<P>, Failure> {
        let stop = StopOthers(self);
        let (mut tally, mut piece, receipt) = (Tally::new(), Vec::new(), self.counting.receipt);
        let mut add = |outcome: &Outcome, changes: &[Change]| tally.add(outcome, changes);
        loop {
            match self.next(&mut share) {
                Step::Prepare(chunk) => self.prepare(&mut share, chunk, &mut piece)?,
                Step::Check(part) => {
                    let repeats = share.check_ids(&part, receipt);
                    self.tell(|division| division.checked(&share, part, repeats));
                }
                Step::Count(mut part) => {
                    share.count(&mut part, receipt, &mut add);
                    self.tell(|division| division.counted(&share, part));
                }
                Step::Done => {
                    // Others may have something left.
                    mem::forget(stop);
                    return Ok(tally);
                }
            }
        }
    }

    /// Waits until there is something to do.
    fn next(&self, share: &mut Share) -> Step {
        let mut division = self.lock();
        loop {
            match division.next(share) {
                Some(step) => return step,
                None => division = self.told.wait(division).expect(NO_PANIC),
            }
        }
    }

    /// Prepares the lines that come next.
    fn prepare(&self, share: &mut Share, mut chunk: Chunk, piece: &mut Vec<u8>) -> Result<(), Failure> {
        let receipt = self.counting.receipt;
        let (number, lines) = self.source.lock().expect(NO_PANIC).next(piece)?;
        let Some(lines) = lines else {
            self.tell(|division| division.end(number));
            return Ok(());
        };
        let pending =
            share.prepare(&mut chunk, lines, |line, room| self.counting.parse(*line, room), receipt);
        if !pending.is_empty() {
            let before = |division: &mut Division| !division.may_register(number);
            let mut division = self.told.wait_while(self.lock(), before).expect(NO_PANIC);
            share.learn(division.register(number, &pending, |line, room| self.counting.parse(*line, room)));
            drop(division);
            share.prepare_again(&mut chunk, pending, |line, room| self.counting.parse(*line, room), receipt);
        }
        self.tell(|division| division.prepared(number, chunk));
        Ok(())
    }

    fn tell(&self, what: impl FnOnce(&mut Division)) {
        what(&mut self.lock());
        self.told.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Division> {
        self.division.lock().expect(NO_PANIC)
    }
}

/// Of locks.
const NO_PANIC: &str = "nobody panics who has it";

/// Stops the others where a thread cannot go on.
struct StopOthers<'w, 'c>(&'w Work<'c>);

impl Drop for StopOthers<'_, '_> {
    fn drop(&mut self) {
        let Self(work) = self;
        work.division.lock().unwrap_or_else(PoisonError::into_inner).stop();
        work.told.notify_all();
    }
}

impl Source {
    /// The number of the next piece, with the lines that end in it; or how many pieces there were.
    fn next<'p>(&mut self, piece: &'p mut Vec<u8>) -> Result<(usize, Option<Lines<'p>>), Failure> {
        let Some(reading) = &mut self.reading else { return Ok((self.pieces, None)) };
        let lines = reading.next(piece);
        if let Ok(Some(lines)) = lines {
            self.pieces += 1;
            return Ok((self.pieces - 1, Some(lines)));
        }
        self.reading = None;
        lines.map(|_| (self.pieces, None))
    }
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
