//! The page of all metrics, from one look at everything.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::Observed;
use super::counted::{Counted, Shown, Traffic};
use super::definition::{Definition, Page, Samples};
use super::families::*;
use super::process;
use super::receivers::Receivers;
use super::sums::{Bounded, HighWater, OTHER};
use crate::attribution::Fate;
use crate::rollup::Histogram;

/// What is written in one go.
#[derive(Debug)]
pub struct Look {
    pub counted: Arc<Counted>,
    pub receivers: Arc<Receivers>,
    pub catalog: Catalog,
    pub observed: Observed,
}

/// The catalogue and how it is kept up to date.
#[derive(Clone, Copy, Debug, Default)]
pub struct Catalog {
    pub episodes: u64,
    pub refreshes: u64,
    pub failures: u64,
    /// Unix time.
    pub refreshed_at: f64,
}

impl Collector for Look {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        self.write_lines(&mut page)?;
        self.write_counts(&mut page)?;
        self.write_traffic(&mut page)?;
        self.write_arrival(&mut page)?;
        self.receivers.write(&mut page)?;
        self.write_state(&mut page)?;
        self.write_journal(&mut page)?;
        self.write_store(&mut page)?;
        process::write(&mut page)
    }
}

impl Look {
    fn write_lines(&self, page: &mut Page<'_>) -> fmt::Result {
        let sources = &self.counted.sources;
        page.family(&LINES_RECEIVED, |samples| {
            sources.iter().try_for_each(|source| samples.add(&[&source.name], source.received))
        })?;
        for (definition, is_part) in [
            (&LINES_VALID, (|fate| fate == Fate::Valid) as fn(Fate) -> bool),
            (&LINES_IGNORED, |fate| matches!(fate, Fate::Ignored(_))),
            (&LINES_MALFORMED, |fate| matches!(fate, Fate::Malformed(_))),
        ] {
            page.family(definition, |samples| {
                sources.iter().try_for_each(|source| {
                    source.fates.iter().filter(|(fate, _)| is_part(**fate)).try_for_each(|(fate, sum)| {
                        match fate.reason() {
                            Some(reason) => samples.add(&[&source.name, reason], sum.lines),
                            None => samples.add(&[&source.name], sum.lines),
                        }
                    })
                })
            })?;
        }
        page.family(&FATE_BODY_BYTES, |samples| {
            sources.iter().try_for_each(|source| {
                ["valid", "ignored", "malformed"].into_iter().try_for_each(|name| {
                    let of_name = source.fates.iter().filter(|(fate, _)| fate.name() == name);
                    let bytes = of_name.fold(0_u64, |sum, (_, lines)| sum.saturating_add(lines.body_bytes));
                    samples.add(&[&source.name, name], bytes)
                })
            })
        })
    }

    fn write_counts(&self, page: &mut Page<'_>) -> fmt::Result {
        let counted = &self.counted;
        for (definition, number) in [
            (&DOWNLOADS, (|shown| shown.downloads) as fn(&Shown) -> HighWater),
            (&DELIVERED_BYTES, |shown| shown.delivered_bytes),
            (&BODY_BYTES, |shown| shown.body_bytes),
        ] {
            page.family(definition, |samples| {
                for shown in counted.episodes.shown().values() {
                    samples.add(&[&shown.names.0, &shown.names.1], number(shown).value())?;
                }
                let other = counted.episodes.other();
                other.map_or(Ok(()), |other| samples.add(&[OTHER, OTHER], number(other).value()))
            })?;
        }
        write_texts(page, &APP_DOWNLOADS, &counted.apps)?;
        write_texts(page, &DEVICE_DOWNLOADS, &counted.devices)?;
        write_texts(page, &COUNTRY_DOWNLOADS, &counted.countries)?;
        page.single(&LIVE_LISTENERS, counted.live.at(self.observed.now))?;
        page.single(&EPISODES_SHOWN, counted.episodes.shown().len() as u64)?;
        page.family(&LABEL_OVERFLOWS, |samples| {
            samples.add(&["episode"], counted.episodes.overflows())?;
            samples.add(&["app"], counted.apps.overflows())?;
            samples.add(&["device"], counted.devices.overflows())?;
            samples.add(&["country"], counted.countries.overflows())?;
            samples.add(&["status"], counted.statuses.overflows())?;
            samples.add(&["pop"], counted.pops.overflows())
        })
    }

    fn write_traffic(&self, page: &mut Page<'_>) -> fmt::Result {
        write_texts(page, &STATUS_REQUESTS, &self.counted.statuses)?;
        for (definition, number) in [
            (&POP_REQUESTS, (|traffic| traffic.requests) as fn(&Traffic) -> HighWater),
            (&POP_BODY_BYTES, |traffic| traffic.body_bytes),
        ] {
            let pops = &self.counted.pops;
            page.family(definition, |samples: &mut Samples<'_>| {
                for ((pop, cache_state), traffic) in pops.shown() {
                    samples.add(&[pop, cache_state], number(traffic).value())?;
                }
                pops.other().map_or(Ok(()), |other| samples.add(&[OTHER, OTHER], number(other).value()))
            })?;
        }
        Ok(())
    }

    fn write_arrival(&self, page: &mut Page<'_>) -> fmt::Result {
        let pipeline = &self.counted.pipeline;
        let next = self.observed.journal.next;
        let backlog = pipeline.backlog(next, self.observed.now);
        page.histogram(&RECEIPT_LAG, &self.counted.receipt_lag)?;
        page.histogram(&COMMIT_LAG, &pipeline.commit_lag)?;
        page.single(&BACKLOG_LINES, backlog.lines)?;
        page.single(&BACKLOG_SECONDS, backlog.oldest.as_secs_f64())?;
        page.family(&POSITION, |samples| {
            samples.add(&["written"], next.0)?;
            samples.add(&["counted"], pipeline.counted().0)?;
            samples.add(&["committed"], pipeline.committed().0)
        })?;
        let watermark = self.counted.watermark.map_or(0.0, |at| at.micros() as f64 / 1e6);
        page.single(&WATERMARK, watermark)
    }

    fn write_state(&self, page: &mut Page<'_>) -> fmt::Result {
        let (counted, catalog) = (&self.counted, &self.catalog);
        page.single(&SESSIONS, counted.sessions_open as u64)?;
        page.single(&STATE_BYTES, counted.state_bytes as u64)?;
        page.single(&GAPS_CLOSED, counted.gaps_closed)?;
        page.single(&CATALOG_EPISODES, catalog.episodes)?;
        page.family(&CATALOG_REFRESHES, |samples| {
            samples.add(&["ok"], catalog.refreshes)?;
            samples.add(&["failed"], catalog.failures)
        })?;
        page.single(&CATALOG_REFRESHED, catalog.refreshed_at)
    }

    fn write_journal(&self, page: &mut Page<'_>) -> fmt::Result {
        let Observed { journal, journal_limit, disk_free, .. } = &self.observed;
        page.single(&JOURNAL_BYTES, journal.bytes.0)?;
        page.single(&JOURNAL_LIMIT, journal_limit.0)?;
        page.family(&JOURNAL_DISK_FREE, |samples| disk_free.map_or(Ok(()), |free| samples.add(&[], free.0)))?;
        page.single(&JOURNAL_SEGMENTS, journal.segments)?;
        page.single(&JOURNAL_FULL, journal.full.is_some())?;
        page.single(&JOURNAL_REFUSED, journal.refused)?;
        page.single(&JOURNAL_APPENDED, journal.appended)?;
        page.single(&JOURNAL_APPENDED_BYTES, journal.appended_bytes.0)?;
        let syncs = Histogram::from_parts(
            crate::journal::SYNC_SECONDS,
            journal.syncs_by_time.to_vec(),
            journal.all_syncs.as_secs_f64(),
        );
        page.histogram(&JOURNAL_SYNC, &syncs)?;
        page.single(&JOURNAL_SYNC_FAILURES, journal.failed_syncs)?;
        page.single(&JOURNAL_DAMAGES, journal.damages)?;
        page.single(&JOURNAL_LOST, journal.lost_records)
    }

    fn write_store(&self, page: &mut Page<'_>) -> fmt::Result {
        let pipeline = &self.counted.pipeline;
        page.histogram(&STORE_COMMIT, &pipeline.commit_seconds)?;
        page.single(&STORE_COMMITS, pipeline.commits)?;
        page.single(&STORE_FAILURES, pipeline.failures)
    }
}

fn write_texts(
    page: &mut Page<'_>,
    definition: &Definition,
    texts: &Bounded<String, HighWater>,
) -> fmt::Result {
    page.family(definition, |samples| {
        texts.texts().try_for_each(|(text, sum)| samples.add(&[text], sum.value()))
    })
}
