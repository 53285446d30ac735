//! A delta as rows of the tables: only what changed, each key once, sorted.
//!
//! Sorted, so that every writer locks rows in the same order. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{StoreError, names};
use crate::attribution::Fate;
use crate::rollup::{Delta, EpisodeDay, LineCount};
use crate::units::{EpisodeId, UtcDay, UtcHour};

/// An episode's key in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowId(pub(super) i64);

pub(super) struct HourRow {
    pub(super) episode: RowId,
    pub(super) hour: UtcHour,
    pub(super) downloads: i64,
}

pub(super) struct DayRow {
    pub(super) episode: RowId,
    pub(super) day: UtcDay,
    pub(super) change: EpisodeDay,
}

pub(super) struct FateRow<'a> {
    pub(super) day: UtcDay,
    pub(super) source: Cow<'a, str>,
    pub(super) fate: Fate,
    pub(super) change: LineCount,
}

/// `episode_hour`. Two ids of the same row add up.
pub(super) fn hours(
    delta: &Delta,
    row: impl Fn(EpisodeId) -> Result<RowId, StoreError>,
) -> Result<Vec<HourRow>, StoreError> {
    let mut sums = BTreeMap::<_, i64>::new();
    for (&(episode, hour), downloads) in &delta.episode_hours {
        *sums.entry((row(episode)?, hour)).or_default() += downloads;
    }
    let changed = sums.into_iter().filter(|(_, downloads)| *downloads != 0);
    Ok(changed.map(|((episode, hour), downloads)| HourRow { episode, hour, downloads }).collect())
}

/// `episode_day`. Two ids of the same row add up.
pub(super) fn days(
    delta: &Delta,
    row: impl Fn(EpisodeId) -> Result<RowId, StoreError>,
) -> Result<Vec<DayRow>, StoreError> {
    let mut sums = BTreeMap::<_, EpisodeDay>::new();
    for (&(episode, day), change) in &delta.episode_days {
        sums.entry((row(episode)?, day)).or_default().add(change);
    }
    let changed = sums.into_iter().filter(|(_, change)| !change.is_zero());
    Ok(changed.map(|((episode, day), change)| DayRow { episode, day, change }).collect())
}

/// `fate_day`. Sources of the same name add up.
pub(super) fn fates<'a>(delta: &Delta, sources: &'a [String]) -> Result<Vec<FateRow<'a>>, StoreError> {
    let mut sums = BTreeMap::<_, LineCount>::new();
    for (&(day, source, fate), change) in &delta.fate_days {
        let name = sources.get(usize::from(source.0)).ok_or(StoreError::UnknownSource(source))?;
        sums.entry((day, names::name(name), fate)).or_default().add(change);
    }
    let changed = sums.into_iter().filter(|(_, change)| *change != LineCount::default());
    Ok(changed.map(|((day, source, fate), change)| FateRow { day, source, fate, change }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::Reason;
    use crate::units::SourceId;

    #[test]
    fn sorted_without_zeros_and_each_row_once() {
        let mut delta = Delta::default();
        for (episode, hour, downloads) in
            [(3, 9, 1), (1, 9, 2), (1, 4, -3), (2, 9, 5), (0, 1, 0), (4, 4, 7), (5, 4, -7)]
        {
            delta.episode_hours.insert((EpisodeId(episode), UtcHour(hour)), downloads);
        }
        // Episodes 1 and 2 are one row, 4 and 5 another.
        let row = |id: EpisodeId| {
            Ok(RowId(match id.0 {
                1 | 2 => 10,
                4 | 5 => 20,
                _ => 30,
            }))
        };
        let rows: Vec<_> = hours(&delta, row)
            .unwrap()
            .iter()
            .map(|row| (row.episode.0, row.hour.0, row.downloads))
            .collect();
        assert_eq!(rows, [(10, 4, -3), (10, 9, 7), (30, 9, 1)]);
    }

    #[test]
    fn a_day_is_kept_for_any_of_its_columns() {
        let mut delta = Delta::default();
        delta
            .episode_days
            .insert((EpisodeId(0), UtcDay(1)), EpisodeDay { addresses: -1, ..EpisodeDay::default() });
        delta.episode_days.insert((EpisodeId(0), UtcDay(0)), EpisodeDay::default());
        let rows = days(&delta, |_| Ok(RowId(1))).unwrap();
        assert_eq!(rows.iter().map(|row| row.day).collect::<Vec<_>>(), [UtcDay(1)]);
    }

    #[test]
    fn sources_are_known_by_name() {
        let mut delta = Delta::default();
        let count = LineCount { requests: 1, body_bytes: 10 };
        for source in [0, 1, 2] {
            delta.fate_days.insert((UtcDay(0), SourceId(source), Fate::Ignored(Reason::Bot)), count);
        }
        delta.fate_days.insert((UtcDay(0), SourceId(0), Fate::Valid), LineCount::default());
        let sources = ["http".to_owned(), "archive".to_owned(), "http".to_owned()];
        let rows = fates(&delta, &sources).unwrap();
        let rows: Vec<_> = rows.iter().map(|row| (row.source.as_ref(), row.change.requests)).collect();
        assert_eq!(rows, [("archive", 1), ("http", 2)]);
        assert!(matches!(fates(&delta, &sources[..2]), Err(StoreError::UnknownSource(SourceId(2)))));
    }
}
