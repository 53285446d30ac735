//! Counting lines of files: sums by episode and period, and what became of the lines.

use super::Failure;
use super::inputs::Inputs;
use crate::attribution::{Change, Engine, Fate, Outcome, Receipt, Registry};
use crate::event::{Malformed, Request, Unescaped};
use crate::parser::{Line, LineParser};
use crate::rollup::{EpisodeSums, LineCount, Period, add_line};
use crate::units::ByteCount;

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
    pub fn new() -> Self {
        Self { sums: EpisodeSums::default(), fates: [LineCount::default(); Fate::COUNT] }
    }

    pub fn add(&mut self, outcome: &Outcome, changes: &[Change]) {
        self.add_fate(outcome.fate, outcome.body_bytes);
        add_line(&mut self.sums, outcome, changes);
    }

    fn add_fate(&mut self, fate: Fate, body_bytes: ByteCount) {
        let body_bytes = i64::try_from(body_bytes.0).unwrap_or(i64::MAX);
        self.fates[fate.index()].add(&LineCount { requests: 1, body_bytes });
    }

    pub fn merge(mut self, other: Self) -> Self {
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
    pub fn parse<'l>(&self, line: Line<'l>, room: &'l Unescaped) -> Result<Request<'l>, Malformed> {
        self.parser.parse(line?, room)
    }

    /// Counts what is read. With the episodes by id.
    pub fn on_one<P: Period>(
        &self,
        engine: Engine,
        inputs: &Inputs,
    ) -> Result<(Registry, Tally<P>), Failure> {
        let (mut engine, mut tally) = (engine.for_sums(), Tally::new());
        inputs.for_all_lines(|lines| {
            let add = |_, outcome: &Outcome, changes: &[Change]| tally.add(outcome, changes);
            engine.observe_all(lines, |line, room| self.parse(*line, room), self.receipt, add);
            Ok(())
        })?;
        Ok((engine.registry().clone(), tally))
    }
}
