//! Which episodes there are: CSV files and podcast feeds, by file or URL, into one catalogue.
//!
//! [`Catalog::open`] reads files and the copies kept on disk, without network; [`Catalog::refresh`] looks again at
//! every source, and blocks until all have answered or their time is up. Both give the same list of
//! [`Episode`]s for attribution to match requests with; matching is not done here.
//!
//! What always holds: a source that fails, in whatever way, takes nothing out of the catalogue; what a feed has
//! once listed stays; each fault of a source is told, with its place, and costs no more than that place.

pub mod csv;
mod fetch;
mod item;
mod kept;
mod known;
mod merge;
mod problem;
mod rss;
mod source;
mod time;
mod url;
mod values;

use std::path::PathBuf;
use std::time::Duration;

pub use fetch::FetchError;
pub use known::{Change, ChangeKind};
pub use problem::{Cost, Error, Fault, Place, Problem};
pub use rss::FeedError;
pub use source::{Location, Source, SourceStatus};

use crate::attribution::Episode;
use crate::units::Timestamp;
use known::Format;
use source::Watched;

/// How many sources are fetched at once.
const PARALLEL_FETCHES: usize = 8;

/// The bounds of a catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the last good copy of each source is kept; None keeps none.
    pub kept_dir: Option<PathBuf>,
    /// How often [`Catalog::refresh`] is to be called.
    pub refresh_interval: Duration,
    /// How long fetching one source may take.
    pub timeout: Duration,
    /// The largest document of a source, in bytes, decompressed.
    pub max_document_bytes: u64,
    /// How many episodes of one source are known at most.
    pub max_episodes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kept_dir: None,
            refresh_interval: Duration::from_secs(10 * 60),
            timeout: Duration::from_secs(30),
            max_document_bytes: 64 << 20,
            max_episodes: 100_000,
        }
    }
}

/// What a refresh did.
#[derive(Debug, Default)]
pub struct Refresh {
    /// Whether [`Catalog::episodes`] is another list now.
    pub changed: bool,
    /// What is worth a line in the log, each.
    pub changes: Vec<Change>,
    /// What failed, each naming its source. The catalogue stands all the same.
    pub errors: Vec<Error>,
}

/// All episodes of all sources.
#[derive(Debug)]
pub struct Catalog {
    sources: Vec<Watched>,
    settings: Settings,
    agent: ureq::Agent,
    episodes: Vec<Episode>,
}

impl Catalog {
    /// Reads the sources that are files, and of the others the copies kept of them.
    ///
    /// # Errors
    /// A file gives no episodes, and there is no copy of it.
    pub fn open(
        sources: impl IntoIterator<Item = Source>,
        settings: Settings,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let sources = sources.into_iter().map(|source| Watched::new(source, &settings)).collect();
        let agent = fetch::agent(settings.timeout);
        let mut catalog = Self { sources, settings, agent, episodes: Vec::new() };
        for source in &mut catalog.sources {
            if let Location::File(_) = source.location() {
                let fetched = source.fetch(&catalog.agent, catalog.settings.max_document_bytes);
                let (_, result) = source.take_in(fetched, &catalog.settings, now);
                if source.known().list().is_empty() {
                    result?;
                }
            }
        }
        catalog.merge();
        Ok(catalog)
    }

    /// Looks at every source again.
    pub fn refresh(&mut self, now: Timestamp) -> Refresh {
        let fetched = self.fetch_all();
        let mut refresh = Refresh::default();
        for (source, fetched) in self.sources.iter_mut().zip(fetched) {
            let (changes, result) = source.take_in(fetched, &self.settings, now);
            refresh.changes.extend(changes);
            refresh.errors.extend(result.err());
        }
        refresh.changed = self.merge();
        refresh
    }

    fn fetch_all(&self) -> Vec<Result<fetch::Document, FetchError>> {
        let max_bytes = self.settings.max_document_bytes;
        let mut fetched = Vec::with_capacity(self.sources.len());
        for sources in self.sources.chunks(PARALLEL_FETCHES) {
            std::thread::scope(|scope| {
                let fetch = |source: &'_ Watched| source.fetch(&self.agent, max_bytes);
                let threads: Vec<_> =
                    sources.iter().map(|source| scope.spawn(move || fetch(source))).collect();
                let results = threads.into_iter().map(|thread| thread.join());
                fetched.extend(
                    results.map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))),
                );
            });
        }
        fetched
    }

    /// Whether the list is another one now.
    fn merge(&mut self) -> bool {
        let of = |format| self.sources.iter().filter(move |source| source.format() == format);
        let sources = of(Format::Csv).chain(of(Format::Rss));
        let episodes = merge::merged(sources.map(|source| source.known().list()));
        let changed = episodes != self.episodes;
        self.episodes = episodes;
        changed
    }

    /// Every file of every episode. Several entries may have one show and slug: an episode whose file moved is at its
    /// present path and at its former ones. Such entries differ in host and path only, and the present one is the
    /// last of them.
    pub fn episodes(&self) -> &[Episode] {
        &self.episodes
    }

    /// What is wrong in the sources as last read.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.sources.iter().flat_map(|source| source.problems())
    }

    /// How each source fares, in the order of configuration.
    pub fn statuses(&self) -> impl Iterator<Item = SourceStatus> {
        self.sources.iter().map(Watched::status)
    }

    /// Whether every source has given episodes, now or before. Until then a request may be for an episode that is
    /// not known yet.
    pub fn is_complete(&self) -> bool {
        self.sources.iter().all(|source| !source.known().list().is_empty())
    }
}
