//! Reach on its way to a database: numbers with every commit, sketches from time to time, longer spans from both.
//!
//! A process knows the listeners it has seen; what an earlier process of the same journal or another instance has stored
//! is merged in. Everything here is a set that only grows, so writing it twice, or late, does no harm. Sketches weigh up
//! to 16 kB: they are written when the commit says so, and what is merged from days is read back and written then too.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Datelike;

use super::backend::{Claim, InstanceId, Transaction};
use super::episodes::Known;
use super::sheet::{Column, Sheet, Statement, statement};
use super::{Commit, StoreError};
use crate::rollup::{ReachKey, Scope, Sketch, Span};
use crate::units::UtcDay;

/// The key of a row of `reach_span`, and with an instance of `reach_sketch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SpanRow {
    pub(super) subject: Subject,
    pub(super) span: Span,
    pub(super) starts: UtcDay,
}

/// Of what: the name of the scope and the key in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    pub(super) scope: &'static str,
    pub(super) id: i64,
}

/// A stored sketch.
pub(super) struct StoredSketch {
    /// Its place among the rows asked for.
    pub(super) place: usize,
    pub(super) instance: InstanceId,
    pub(super) sketch: Sketch,
}

/// What the database held of the rows that were written last.
#[derive(Debug, Default)]
pub(super) struct Bases(BTreeMap<SpanRow, Base>);

#[derive(Debug, Default)]
struct Base {
    /// Of an earlier process.
    own: Option<Sketch>,
    others: Option<Sketch>,
}

/// The days that rolling spans reach back, their last one included.
const ROLLING: [(Span, i32); 2] = [(Span::Rolling7, 7), (Span::Rolling28, 28)];

/// Writes what the commit knows of reach.
pub(super) async fn write<T: Transaction>(
    transaction: &mut T,
    claim: Claim,
    bases: &mut Bases,
    commit: &Commit<'_>,
    known: &Known,
) -> Result<(), StoreError> {
    let mut ours = rows(commit, known)?;
    if ours.is_empty() {
        return Ok(());
    }
    let is_unread = |row: &&SpanRow| commit.keep_sketches || !bases.0.contains_key(row);
    let unread: Vec<SpanRow> = ours.keys().filter(is_unread).copied().collect();
    let stored = transaction.read_sketches(&unread).await?;
    bases.learn(claim, &unread, stored);
    let mut numbers = BTreeMap::new();
    for (row, sketch) in &mut ours {
        let base = bases.0.get(row);
        if let Some(own) = base.and_then(|base| base.own.as_ref()) {
            sketch.merge(own);
        }
        let listeners = match base.and_then(|base| base.others.as_ref()) {
            None => sketch.listeners(),
            Some(others) => merged([&*sketch, others]).and_then(|all| all.listeners()),
        };
        numbers.insert(*row, listeners);
    }
    if commit.keep_sketches {
        let bytes: Vec<_> = ours.values().map(Sketch::to_bytes).collect();
        transaction.add(claim, &sketches(&ours, &bytes)).await?;
        merge_days(transaction, &ours, &mut numbers).await?;
        // What rests is read again once it moves.
        bases.0.retain(|row, _| ours.contains_key(row));
    }
    transaction.add(claim, &spans(&numbers)).await
}

/// Two ids of the same row are one set.
fn rows(commit: &Commit<'_>, known: &Known) -> Result<BTreeMap<SpanRow, Sketch>, StoreError> {
    let mut rows = BTreeMap::<SpanRow, Sketch>::new();
    for (&ReachKey { scope, span, starts }, sketch) in commit.reach {
        let subject = match scope {
            Scope::Episode(id) => Subject { scope: "episode", id: known.row(id)?.0 },
            Scope::Show(id) => {
                let slug = commit.shows.get(id.0 as usize).ok_or(StoreError::UnknownShow(id))?;
                Subject { scope: "show", id: known.show(slug).ok_or(StoreError::UnknownShow(id))?.0 }
            }
            Scope::All => Subject { scope: "all", id: 0 },
        };
        let row = SpanRow { subject, span, starts };
        rows.entry(row).and_modify(|same| same.merge(sketch)).or_insert_with(|| sketch.clone());
    }
    Ok(rows)
}

impl Bases {
    fn learn(&mut self, claim: Claim, rows: &[SpanRow], stored: Vec<StoredSketch>) {
        for row in rows {
            self.0.insert(*row, Base::default());
        }
        for StoredSketch { place, instance, sketch } in stored {
            let base = self.0.entry(rows[place]).or_default();
            let sum = if instance == claim.instance { &mut base.own } else { &mut base.others };
            match sum {
                None => *sum = Some(sketch),
                Some(sum) => sum.merge(&sketch),
            }
        }
    }
}

fn merged<'s>(sketches: impl IntoIterator<Item = &'s Sketch>) -> Option<Sketch> {
    let mut sketches = sketches.into_iter();
    let mut sum = sketches.next()?.clone();
    sketches.for_each(|sketch| sum.merge(sketch));
    Some(sum)
}

/// The numbers of the weeks, months and rolling spans that hold one of the days.
async fn merge_days<T: Transaction>(
    transaction: &mut T,
    ours: &BTreeMap<SpanRow, Sketch>,
    numbers: &mut BTreeMap<SpanRow, Option<u64>>,
) -> Result<(), StoreError> {
    let mut touched = BTreeMap::<Subject, BTreeSet<UtcDay>>::new();
    for row in ours.keys().filter(|row| row.span == Span::Day && row.subject.scope != "episode") {
        touched.entry(row.subject).or_default().insert(row.starts);
    }
    for (subject, touched) in touched {
        let (Some(first), Some(last)) = (touched.first(), touched.last()) else { continue };
        let (from, to) = (UtcDay(first.0 - 31), UtcDay(last.0 + 31));
        let mut days = BTreeMap::<UtcDay, Sketch>::new();
        for (day, sketch) in transaction.read_days(subject, from, to).await? {
            days.entry(day).and_modify(|same| same.merge(&sketch)).or_insert(sketch);
        }
        for (span, starts, ends) in longer_spans(&touched, &days) {
            let all = merged(days.range(starts..=ends).map(|(_, sketch)| sketch));
            let row = SpanRow { subject, span, starts };
            numbers.insert(row, all.and_then(|all| all.listeners()));
        }
    }
    Ok(())
}

/// Each with its first and last day. A rolling span is told if its last day has listeners.
fn longer_spans<S>(
    touched: &BTreeSet<UtcDay>,
    days: &BTreeMap<UtcDay, S>,
) -> BTreeSet<(Span, UtcDay, UtcDay)> {
    let mut spans = BTreeSet::new();
    for &day in touched {
        let date = day.to_date();
        let days_before = |count: u32| UtcDay(day.0 - i32::try_from(count).expect("less than a month"));
        let monday = days_before(date.weekday().num_days_from_monday());
        let first = days_before(date.day0());
        spans.insert((Span::Week, monday, UtcDay(monday.0 + 6)));
        spans.insert((Span::Month, first, UtcDay(first.0 + i32::from(date.num_days_in_month()) - 1)));
        for (span, length) in ROLLING {
            let ends = days.range(day..UtcDay(day.0 + length)).map(|(end, _)| *end);
            spans.extend(ends.map(|end| (span, UtcDay(end.0 - length + 1), end)));
        }
    }
    spans
}

/// All days whose months rows may be written for.
pub(super) fn days<'c>(commit: &Commit<'c>) -> impl Iterator<Item = UtcDay> + use<'c> {
    // A rolling span of a day begins up to 27 days before it.
    commit.reach.keys().flat_map(|key| [key.starts, UtcDay(key.starts.0 - 27)])
}

fn columns<'a, V>(rows: &BTreeMap<SpanRow, V>) -> Vec<Column<'a>> {
    vec![
        Column::Texts(rows.keys().map(|row| row.subject.scope.into()).collect()),
        Column::Integers(rows.keys().map(|row| row.subject.id).collect()),
        Column::Texts(rows.keys().map(|row| row.span.name().into()).collect()),
        Column::Days(rows.keys().map(|row| row.starts).collect()),
    ]
}

fn sketches<'a>(rows: &BTreeMap<SpanRow, Sketch>, bytes: &'a [Vec<u8>]) -> Sheet<'a> {
    let mut columns = columns(rows);
    columns.push(Column::Bytes(bytes.iter().map(Vec::as_slice).collect()));
    let key = |sketch: &Sketch| sketch.key().map(|key| key.0.cast_signed());
    columns.push(Column::MaybeIntegers(rows.values().map(key).collect()));
    Sheet {
        doing: "writing reach_sketch",
        statement: statement!("reach_sketch", "reach_sketches"),
        by_instance: true,
        columns,
    }
}

fn spans<'a>(rows: &BTreeMap<SpanRow, Option<u64>>) -> Sheet<'a> {
    let mut columns = columns(rows);
    let number = |listeners: &Option<u64>| listeners.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
    columns.push(Column::MaybeIntegers(rows.values().map(number).collect()));
    Sheet {
        doing: "writing reach_span",
        statement: statement!("reach_span", "reach_spans"),
        by_instance: false,
        columns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-01, a Sunday.
    const SUNDAY: i32 = 20_758;

    #[test]
    fn the_spans_that_hold_a_day() {
        let days: BTreeMap<UtcDay, ()> =
            [-3, 0, 2, 6, 7, 27, 28].map(|day| (UtcDay(SUNDAY + day), ())).into_iter().collect();
        let spans: Vec<_> = longer_spans(&BTreeSet::from([UtcDay(SUNDAY)]), &days)
            .into_iter()
            .map(|(span, starts, ends)| (span.name(), starts.0 - SUNDAY, ends.0 - SUNDAY))
            .collect();
        let expected = [
            ("week", -6, 0),
            ("month", 0, 29),
            ("rolling_7", -6, 0),
            ("rolling_7", -4, 2),
            ("rolling_7", 0, 6),
            ("rolling_28", -27, 0),
            ("rolling_28", -25, 2),
            ("rolling_28", -21, 6),
            ("rolling_28", -20, 7),
            ("rolling_28", 0, 27),
        ];
        assert_eq!(spans, expected);
    }
}
