//! The catalogue of a configuration: opened, and kept up to date while the service runs.

use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::counter::Handoff;
use super::rules::Rules;
use crate::catalog::{Catalog, Location, Problem, Refresh, Settings, Source};
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::journal::{self, JournalError, Record, RecordKind};
use crate::metrics::Metrics;
use crate::units::Encoding;

/// Opens the catalogue for an offline count: everything is fetched now and nothing is kept. None without sources.
/// What is wrong with it is said by `tell`, and costs no more than it says.
pub fn open_offline(
    config: &Config,
    clock: &dyn Clock,
    tell: impl FnMut(&Problem),
) -> Result<Option<Catalog>, ConfigError> {
    let Some(mut catalog) = open(config, Settings::default(), clock)? else { return Ok(None) };
    if sources(config).any(|source| matches!(source.location, Location::Url(_))) {
        let Refresh { errors, .. } = catalog.refresh(clock.now());
        if let Some(error) = errors.first() {
            return Err(ConfigError::invalid("catalog", error.to_string()));
        }
    }
    catalog.problems().for_each(tell);
    Ok(Some(catalog))
}

/// Opens the catalogue for the service: from files and from the copies kept of what was fetched before.
pub fn open_kept(config: &Config, clock: &dyn Clock) -> Result<Option<Catalog>, ConfigError> {
    let settings = Settings {
        kept_dir: Some(config.data_dir.join("catalog")),
        refresh_interval: config.catalog_refresh_interval,
        ..Settings::default()
    };
    open(config, settings, clock)
}

fn open(config: &Config, settings: Settings, clock: &dyn Clock) -> Result<Option<Catalog>, ConfigError> {
    if sources(config).next().is_none() {
        return Ok(None);
    }
    let catalog = Catalog::open(sources(config), settings, clock.now());
    catalog.map(Some).map_err(|error| ConfigError::invalid("catalog", error.to_string()))
}

fn sources(config: &Config) -> impl Iterator<Item = Source> {
    let feeds = config.rss.iter().map(|feed| Source { show: feed.show.clone(), ..Source::at(&feed.url) });
    config.catalog.iter().map(|location| Source::at(location)).chain(feeds)
}

/// Looks at the sources again and again; what changes is noted in the journal, and counts from there on.
pub struct Refreshing {
    pub catalog: Catalog,
    pub rules: Rules,
    pub journal: journal::Writer<Handoff>,
    pub clock: Arc<dyn Clock>,
    pub interval: std::time::Duration,
    pub metrics: Arc<Metrics>,
}

impl Refreshing {
    /// The first look is at once: what was kept may be old.
    pub async fn run(mut self, stop: CancellationToken) {
        self.metrics.catalog_episodes(self.catalog.episodes().len());
        while !stop.is_cancelled() {
            let clock = Arc::clone(&self.clock);
            let refreshed = tokio::task::spawn_blocking(move || {
                let refresh = self.catalog.refresh(clock.now());
                (self, refresh)
            });
            let Ok((me, refresh)) = refreshed.await else {
                tracing::error!("the catalogue is not refreshed any more");
                return;
            };
            self = me;
            self.take(refresh).await;
            tokio::select! {
                () = tokio::time::sleep(self.interval) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn take(&mut self, refresh: Refresh) {
        self.metrics.catalog_refreshed(refresh.errors.is_empty(), self.clock.now());
        self.metrics.catalog_episodes(self.catalog.episodes().len());
        for error in refresh.errors {
            tracing::warn!(%error, "a source of the catalogue failed; what it gave before stands");
        }
        for change in refresh.changes {
            tracing::info!(%change, "catalogue");
        }
        if refresh.changed {
            self.rules.catalog = Some(self.catalog.episodes().to_vec());
            if let Err(error) = note_rules(&self.journal, &self.rules, &*self.clock).await {
                tracing::error!(%error, "a change of the catalogue could not be noted; it takes effect with the next");
            }
        }
    }
}

/// The rules in force, into the journal: what is counted from here on is counted by them.
pub async fn note_rules(
    journal: &journal::Writer<Handoff>,
    rules: &Rules,
    clock: &dyn Clock,
) -> Result<(), JournalError> {
    let record = Record {
        kind: RecordKind::Rules,
        source: Arc::from(""),
        encoding: Encoding::Identity,
        received_at: clock.now(),
        payload: Bytes::from(rules.to_payload()),
    };
    let handoff = Handoff::Rules { rules: Arc::new(rules.clone()) };
    journal.append(record, handoff).await.map(drop)
}
