//! The catalogue of a configuration: opened, and kept up to date while the service runs.

use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::counter::Handoff;
use super::rules::Rules;
use crate::catalog::{Catalog, Error, Location, Problem, Refresh, Settings, Source};
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::journal::{self, JournalError, Record, RecordKind};
use crate::metrics::Metrics;
use crate::units::Encoding;

/// How often a full journal is asked to take the rules in.
const RETRY_INTERVAL: std::time::Duration = std::time::Duration::from_secs(1);

/// What an offline command reads besides the episodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chapters {
    /// Counting does not use them.
    Unread,
    /// As many files as one refresh of the service reads.
    Read,
}

/// Opens the catalogue for an offline command: everything is fetched now and nothing is kept. None without sources.
/// What is wrong with it is said by `tell`, and costs no more than it says.
pub fn open_offline(
    config: &Config,
    clock: &dyn Clock,
    chapters: Chapters,
    tell: impl FnMut(&Problem),
) -> Result<Option<Catalog>, ConfigError> {
    let mut settings = Settings::default();
    if chapters == Chapters::Unread {
        settings.max_chapter_files = 0;
    }
    let Some(mut catalog) = open(config, settings, clock)? else { return Ok(None) };
    let is_remote = sources(config)?.iter().any(|(_, source)| matches!(source.location, Location::Url(_)));
    if is_remote || chapters == Chapters::Read {
        let Refresh { errors, .. } = catalog.refresh(clock.now());
        if let Some(error) = errors.first() {
            return Err(unusable(config, error));
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
    let sources = sources(config)?;
    if sources.is_empty() {
        return Ok(None);
    }
    let catalog = Catalog::open(sources.into_iter().map(|(_, source)| source), settings, clock.now());
    catalog.map(Some).map_err(|error| unusable(config, &error))
}

/// The sources, each with the key that names it.
fn sources(config: &Config) -> Result<Vec<(String, Source)>, ConfigError> {
    let catalog =
        config.catalog.iter().map(|location| ("catalog".to_owned(), Source::at(location), location));
    let feeds = config.rss.iter().enumerate().map(|(index, feed)| {
        let source = Source { show: feed.show.clone(), ..Source::at(&feed.url) };
        (format!("rss[{index}].url"), source, &feed.url)
    });
    let known = |(key, source, location): (String, Source, &String)| match Location::foreign_scheme(location)
    {
        None => Ok((key, source)),
        Some(scheme) => {
            let wrong = format!("`{scheme}://` cannot be asked; write a file's path or an http(s) URL");
            Err(ConfigError::invalid(&key, wrong))
        }
    };
    catalog.chain(feeds).map(known).collect()
}

/// An error, at the key of the source that it is of.
fn unusable(config: &Config, error: &Error) -> ConfigError {
    let is_of = |(_, source): &(String, Source)| error.of_source() == Some(&*source.location.to_string());
    let found = sources(config).ok().and_then(|sources| sources.into_iter().find(is_of));
    ConfigError::invalid(found.as_ref().map_or("catalog", |(key, _)| key), error.to_string())
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
        for problem in refresh.problems {
            tracing::warn!(%problem, "in the catalogue");
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

/// Notes the rules once there is room for them: until then lines are not taken either, but for those that fit in.
pub async fn note_rules_when_there_is_room(
    journal: journal::Writer<Handoff>,
    rules: Rules,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        match note_rules(&journal, &rules, &*clock).await {
            Err(JournalError::Full(_)) => {}
            Ok(()) => return tracing::info!("the rules in force are noted"),
            Err(error) => return tracing::error!(%error, "the rules in force are not noted"),
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY_INTERVAL) => {}
            () = stop.cancelled() => {}
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
        payload: Bytes::from(rules.to_text()),
    };
    let handoff = Handoff::Rules { rules: Arc::new(rules.clone()) };
    journal.append(record, handoff).await.map(drop)
}
