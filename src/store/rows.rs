//! A delta as rows of the tables: only what changed, each key once, sorted.
//!
//! Sorted, so that every writer locks rows in the same order. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::episodes::{self, EpisodeKey, Fresh};
use super::ranked::{Place, Ranked};
use super::sheet::{Column, Sheet, Statement, statement};
use super::{Commit, StoreError, names};
use crate::attribution::{AgentNames, BINS, LabelSet};
use crate::rollup::{Delta, EpisodeDay, FeedDay, LineCount, ListenBins, Table};
use crate::units::{AgentId, EpisodeId, LabelId, SourceId};

/// A row's key in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowId(pub(super) i64);

/// The sheets of all tables of sums, in a fixed order. `row` gives the keys of episodes.
pub(super) fn sheets<'a>(
    commit: &Commit<'a>,
    row: &impl Fn(EpisodeId) -> Result<RowId, StoreError>,
) -> Result<Vec<Sheet<'a>>, StoreError> {
    let delta = commit.delta;
    Ok(vec![
        hours(delta, row)?,
        days(delta, row)?,
        fates(delta, commit.sources)?,
        launch_hours(delta, row)?,
        listen_bins(delta, row)?,
        audiences(delta, commit.agents, row)?,
        regions(commit, row)?,
        referrers(delta, row)?,
        exclusions(commit, row)?,
        feeds(commit),
        traffic(commit, row)?,
    ])
}

/// A row of `chapter`, as both databases can hold it.
pub(super) struct ChapterRow<'e> {
    pub(super) episode: RowId,
    pub(super) number: i32,
    pub(super) start_seconds: f64,
    pub(super) title: Cow<'e, str>,
}

/// What `chapter` has to hold of some episodes.
pub(super) struct Chapters<'e> {
    pub(super) rows: Vec<ChapterRow<'e>>,
    /// Of each of these episodes, how many rows it has to have.
    pub(super) counts: Vec<(RowId, i32)>,
}

/// The chapters of those episodes of which they are known. `keys` are those of `fresh.rows`.
pub(super) fn chapters<'e>(fresh: &Fresh<'e>, keys: &[EpisodeKey]) -> Chapters<'e> {
    let mut all = Chapters { rows: Vec::new(), counts: Vec::new() };
    for (row, &EpisodeKey { episode, .. }) in fresh.rows.iter().zip(keys) {
        let Some(chapters) = row.chapters else { continue };
        let mut count = 0;
        for (chapter, number) in chapters.iter().zip(1..) {
            let (start_seconds, title) = (episodes::seconds(chapter.start_ms), names::text(&chapter.title));
            all.rows.push(ChapterRow { episode, number, start_seconds, title });
            count = number;
        }
        all.counts.push((episode, count));
    }
    all
}

/// Sums by the keys of rows: two ids of the same row add up, and what comes to nothing is left out.
fn rows<K, V, R: Ord + Clone, S: Default + PartialEq>(
    changes: &Table<K, V>,
    key: impl Fn(&K) -> Result<R, StoreError>,
    add: impl Fn(&mut S, &V),
) -> Result<Vec<(R, S)>, StoreError> {
    let keyed = changes.iter().map(|(id, change)| Ok((key(id)?, change)));
    let mut keyed = keyed.collect::<Result<Vec<_>, StoreError>>()?;
    keyed.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    let mut rows = Vec::with_capacity(keyed.len());
    for same in keyed.chunk_by(|one, other| one.0 == other.0) {
        let mut sum = S::default();
        same.iter().for_each(|(_, change)| add(&mut sum, change));
        if sum != S::default() {
            rows.push((same[0].0.clone(), sum));
        }
    }
    Ok(rows)
}

/// The texts of a set, each of them once.
fn texts(labels: &LabelSet) -> Ranked<&str> {
    let count = u16::try_from(labels.count()).expect("ids are of 16 bits");
    Ranked::new((0..count).map(|id| labels.text(LabelId(id))))
}

fn place(texts: &Ranked<&str>, label: LabelId) -> Place {
    texts.place(label.0.into()).expect("of the same set")
}

fn integers<'a, R>(rows: &[R], value: impl Fn(&R) -> i64) -> Column<'a> {
    Column::Integers(rows.iter().map(value).collect())
}

/// Where sums of bytes stop, in a change as in a row: at 9 petabytes, the last number before which JSON and floating-point
/// numbers hold all. A row and a change, and a thousand rows, then never add up to more than 64 bits hold, whatever lines
/// claim; beyond that a database gives an error, and a batch that cannot be stored would hold up all that follow. The
/// statements have the same number.
const MOST_BYTES: i64 = (1 << 53) - 1;

fn bytes<'a, R, N: Into<i128>>(rows: &[R], value: impl Fn(&R) -> N) -> Column<'a> {
    let most = i128::from(MOST_BYTES);
    integers(rows, |row| value(row).into().clamp(-most, most) as i64)
}

fn sum(sum: &mut i64, change: &i64) {
    *sum += change;
}

type RowOf<'f> = &'f dyn Fn(EpisodeId) -> Result<RowId, StoreError>;

fn hours<'a>(delta: &Delta, row: RowOf<'_>) -> Result<Sheet<'a>, StoreError> {
    let rows = rows(&delta.episode_hours, |&(episode, hour)| Ok((row(episode)?, hour)), sum)?;
    Ok(Sheet {
        doing: "adding to episode_hour",
        statement: statement!("episode_hour", "episode_hours"),
        by_instance: true,
        columns: vec![
            integers(&rows, |row| row.0.0.0),
            Column::Hours(rows.iter().map(|row| row.0.1).collect()),
            integers(&rows, |row| row.1),
        ],
    })
}

fn days<'a>(delta: &Delta, row: RowOf<'_>) -> Result<Sheet<'a>, StoreError> {
    let rows: Vec<(_, EpisodeDay)> =
        rows(&delta.episode_days, |&(episode, day)| Ok((row(episode)?, day)), EpisodeDay::add)?;
    Ok(Sheet {
        doing: "adding to episode_day",
        statement: statement!("episode_day", "episode_days"),
        by_instance: true,
        columns: vec![
            integers(&rows, |row| row.0.0.0),
            Column::Days(rows.iter().map(|row| row.0.1).collect()),
            integers(&rows, |row| row.1.downloads),
            integers(&rows, |row| row.1.bulk_downloads),
            integers(&rows, |row| row.1.progressive_downloads),
            integers(&rows, |row| row.1.listeners),
            integers(&rows, |row| row.1.requests),
            bytes(&rows, |row| row.1.delivered_bytes),
            bytes(&rows, |row| row.1.body_bytes),
            integers(&rows, |row| row.1.addresses),
        ],
    })
}

/// Sources of the same name add up.
fn fates<'a>(delta: &Delta, sources: &'a [String]) -> Result<Sheet<'a>, StoreError> {
    let name = |source: SourceId| {
        let name = sources.get(usize::from(source.0));
        name.map(|name| names::name(name)).ok_or(StoreError::UnknownSource(source))
    };
    let rows: Vec<(_, LineCount)> =
        rows(&delta.fate_days, |&(day, source, fate)| Ok((day, name(source)?, fate)), LineCount::add)?;
    Ok(Sheet {
        doing: "adding to fate_day",
        statement: statement!("fate_day", "fate_days"),
        by_instance: true,
        columns: vec![
            Column::Days(rows.iter().map(|row| row.0.0).collect()),
            Column::Texts(rows.iter().map(|row| row.0.1.clone()).collect()),
            Column::Texts(rows.iter().map(|row| row.0.2.name().into()).collect()),
            Column::MaybeTexts(rows.iter().map(|row| row.0.2.reason()).collect()),
            integers(&rows, |row| row.1.requests),
            bytes(&rows, |row| row.1.body_bytes),
        ],
    })
}

fn launch_hours<'a>(delta: &Delta, row: RowOf<'_>) -> Result<Sheet<'a>, StoreError> {
    let rows = rows(&delta.launch_hours, |&(episode, age)| Ok((row(episode)?, age)), sum)?;
    Ok(Sheet {
        doing: "adding to launch_hour",
        statement: statement!("launch_hour", "launch_hours"),
        by_instance: true,
        columns: vec![
            integers(&rows, |row| row.0.0.0),
            integers(&rows, |row| row.0.1.into()),
            integers(&rows, |row| row.1),
        ],
    })
}

fn listen_bins<'a>(delta: &Delta, row: RowOf<'_>) -> Result<Sheet<'a>, StoreError> {
    let episodes: Vec<(RowId, ListenBins)> =
        rows(&delta.listen_bins, |&episode| row(episode), |sum: &mut ListenBins, change| sum.add(change))?;
    let bins = episodes.iter().flat_map(|(episode, bins)| {
        let changes = bins.covered().into_iter().zip(bins.furthest);
        (0..BINS).zip(changes).map(|(bin, changes)| (*episode, bin, changes))
    });
    let rows: Vec<_> = bins.filter(|(_, _, changes)| *changes != (0, 0)).collect();
    Ok(Sheet {
        doing: "adding to listen_bin",
        statement: statement!("listen_bin", "listen_bins"),
        by_instance: true,
        columns: vec![
            integers(&rows, |row| row.0.0),
            integers(&rows, |row| row.1.into()),
            integers(&rows, |row| row.2.0),
            integers(&rows, |row| row.2.1),
        ],
    })
}

/// Agents of the same app and device add up.
fn audiences<'a>(delta: &Delta, agents: &'a [AgentNames], row: RowOf<'_>) -> Result<Sheet<'a>, StoreError> {
    let names = Ranked::new(agents.iter().map(|names| (names::name(&names.app), names.device)));
    let place = |agent: AgentId| names.place(agent.0).ok_or(StoreError::UnknownAgent(agent));
    let rows = rows(
        &delta.audiences,
        |&(episode, day, country, agent)| Ok((row(episode)?, day, country, place(agent)?)),
        sum,
    )?;
    Ok(Sheet {
        doing: "adding to audience_slice",
        statement: statement!("audience_slice", "audience_slices"),
        by_instance: true,
        columns: vec![
            integers(&rows, |row| row.0.0.0),
            Column::Days(rows.iter().map(|row| row.0.1).collect()),
            Column::Countries(rows.iter().map(|row| row.0.2).collect()),
            Column::Texts(rows.iter().map(|row| names.value(row.0.3).0.clone()).collect()),
            Column::Texts(rows.iter().map(|row| names.value(row.0.3).1.name().into()).collect()),
            integers(&rows, |row| row.1),
        ],
    })
}

fn regions<'a>(commit: &Commit<'a>, row: RowOf<'_>) -> Result<Sheet<'a>, StoreError> {
    let texts = texts(&commit.labels.regions);
    let rows = rows(
        &commit.delta.regions,
        |&(episode, day, country, region)| Ok((row(episode)?, day, country, place(&texts, region))),
        sum,
    )?;
    Ok(Sheet {
        doing: "adding to region_day",
        statement: statement!("region_day", "region_days"),
        by_instance: true,
        columns: vec![
            integers(&rows, |row| row.0.0.0),
            Column::Days(rows.iter().map(|row| row.0.1).collect()),
            Column::Countries(rows.iter().map(|row| row.0.2).collect()),
            Column::Texts(rows.iter().map(|row| (*texts.value(row.0.3)).into()).collect()),
            integers(&rows, |row| row.1),
        ],
    })
}

fn referrers<'a>(delta: &Delta, row: RowOf<'_>) -> Result<Sheet<'a>, StoreError> {
    let rows = rows(&delta.referrers, |&(episode, day, referrer)| Ok((row(episode)?, day, referrer)), sum)?;
    Ok(Sheet {
        doing: "adding to referrer_day",
        statement: statement!("referrer_day", "referrer_days"),
        by_instance: true,
        columns: vec![
            integers(&rows, |row| row.0.0.0),
            Column::Days(rows.iter().map(|row| row.0.1).collect()),
            Column::Texts(rows.iter().map(|row| row.0.2.name().into()).collect()),
            integers(&rows, |row| row.1),
        ],
    })
}

fn exclusions<'a>(commit: &Commit<'a>, row: RowOf<'_>) -> Result<Sheet<'a>, StoreError> {
    let texts = texts(&commit.labels.rules);
    let rows: Vec<(_, LineCount)> = rows(
        &commit.delta.exclusions,
        |key| Ok((key.day, row(key.episode)?, key.reason, place(&texts, key.rule))),
        LineCount::add,
    )?;
    Ok(Sheet {
        doing: "adding to exclusion_day",
        statement: statement!("exclusion_day", "exclusion_days"),
        by_instance: true,
        columns: vec![
            Column::Days(rows.iter().map(|row| row.0.0).collect()),
            integers(&rows, |row| row.0.1.0),
            Column::Texts(rows.iter().map(|row| row.0.2.name().into()).collect()),
            Column::Texts(rows.iter().map(|row| (*texts.value(row.0.3)).into()).collect()),
            integers(&rows, |row| row.1.requests),
            bytes(&rows, |row| row.1.body_bytes),
        ],
    })
}

/// No sums: a row that is there again with less changes nothing.
fn feeds<'a>(commit: &Commit<'a>) -> Sheet<'a> {
    let labels = commit.labels;
    let mut sums = BTreeMap::<_, FeedDay>::new();
    for (&(feed, service, day), change) in commit.delta.feed_days.iter() {
        sums.entry((labels.feeds.text(feed), labels.services.text(service), day)).or_default().add(change);
    }
    let rows: Vec<_> = sums.into_iter().collect();
    Sheet {
        doing: "adding to feed_day",
        statement: statement!("feed_day", "feed_days"),
        by_instance: true,
        columns: vec![
            Column::Texts(rows.iter().map(|row| row.0.0.into()).collect()),
            Column::Texts(rows.iter().map(|row| row.0.1.into()).collect()),
            Column::Days(rows.iter().map(|row| row.0.2).collect()),
            integers(&rows, |row| row.1.subscribers),
            integers(&rows, |row| row.1.clients),
        ],
    }
}

fn traffic<'a>(commit: &Commit<'a>, row: RowOf<'_>) -> Result<Sheet<'a>, StoreError> {
    let (pops, states) = (texts(&commit.labels.pops), texts(&commit.labels.cache_states));
    let rows: Vec<(_, LineCount)> = rows(
        &commit.delta.traffic,
        |key| {
            let (pop, state) = (place(&pops, key.pop), place(&states, key.cache_state));
            Ok((row(key.episode)?, key.day, key.status, pop, state))
        },
        LineCount::add,
    )?;
    Ok(Sheet {
        doing: "adding to traffic_slice",
        statement: statement!("traffic_slice", "traffic_slices"),
        by_instance: true,
        columns: vec![
            integers(&rows, |row| row.0.0.0),
            Column::Days(rows.iter().map(|row| row.0.1).collect()),
            integers(&rows, |row| row.0.2.into()),
            Column::Texts(rows.iter().map(|row| (*pops.value(row.0.3)).into()).collect()),
            Column::Texts(rows.iter().map(|row| (*states.value(row.0.4)).into()).collect()),
            integers(&rows, |row| row.1.requests),
            bytes(&rows, |row| row.1.body_bytes),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::{Fate, Reason};
    use crate::units::{UtcDay, UtcHour};

    fn column(sheet: &Sheet<'_>, at: usize) -> Vec<String> {
        match &sheet.columns[at] {
            Column::Integers(values) => values.iter().map(i64::to_string).collect(),
            Column::Texts(values) => values.iter().map(|text| text.to_string()).collect(),
            Column::Days(values) => values.iter().map(|day| day.0.to_string()).collect(),
            Column::Hours(values) => values.iter().map(|hour| hour.0.to_string()).collect(),
            _ => panic!("not asked for"),
        }
    }

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
        let sheet = hours(&delta, &row).unwrap();
        assert_eq!(
            [0, 1, 2].map(|at| column(&sheet, at)),
            [["10", "10", "30"], ["4", "9", "9"], ["-3", "7", "1"]]
        );
    }

    #[test]
    fn a_day_is_kept_for_any_of_its_columns() {
        let mut delta = Delta::default();
        delta
            .episode_days
            .insert((EpisodeId(0), UtcDay(1)), EpisodeDay { addresses: -1, ..EpisodeDay::default() });
        delta.episode_days.insert((EpisodeId(0), UtcDay(0)), EpisodeDay::default());
        assert_eq!(column(&days(&delta, &|_| Ok(RowId(1))).unwrap(), 1), ["1"]);
    }

    #[test]
    fn only_bins_that_changed_are_rows() {
        let mut delta = Delta::default();
        let bins = |episode, bin: u8, covered, furthest| {
            let mut bins = ListenBins::default();
            bins.cover(bin..bin + 1, covered);
            bins.furthest[usize::from(bin)] = furthest;
            (EpisodeId(episode), Box::new(bins))
        };
        delta.listen_bins.extend([
            bins(0, 99, 1, 0),
            bins(1, 99, -1, 0),
            bins(2, 0, 0, -2),
            bins(3, 5, 0, 0),
        ]);
        // Episodes 0 and 1 are one row.
        let sheet = listen_bins(&delta, &|id| Ok(RowId(i64::from(id.0.max(1))))).unwrap();
        assert_eq!([0, 1, 2, 3].map(|at| column(&sheet, at)), [["2"], ["0"], ["0"], ["-2"]]);
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
        let sheet = fates(&delta, &sources).unwrap();
        assert_eq!([1, 4].map(|at| column(&sheet, at)), [["archive", "http"], ["1", "2"]]);
        assert!(matches!(fates(&delta, &sources[..2]), Err(StoreError::UnknownSource(SourceId(2)))));
    }
}
