//! Which episodes there are: CSV files and podcast feeds, by file or URL, into one catalogue.
//!
//! [`Catalog::open`] reads files and the copies kept on disk, without network; [`Catalog::refresh`] looks again at
//! every source, then at files of chapters, and blocks until all have answered or their time is up. Both give the same
//! list of [`Episode`]s for attribution to match requests with; matching is not done here.
//!
//! What always holds: a source that fails, in whatever way, takes nothing out of the catalogue; what a feed has
//! once listed stays; each fault of a source is told, with its place, and costs no more than that place.

mod chapters;
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

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

pub use chapters::ChaptersError;
pub use fetch::FetchError;
pub use known::{Change, ChangeKind};
pub use problem::{Cost, Error, Fault, Place, Problem};
pub use rss::FeedError;
pub use source::{Location, Source, SourceStatus};

use crate::attribution::Episode;
use crate::units::Timestamp;
use known::Format;
use source::Watched;

/// How many sources, or files of chapters, are fetched at once.
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
    /// How many files of chapters are read in one refresh at most; with 0 none is.
    pub max_chapter_files: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kept_dir: None,
            refresh_interval: Duration::from_secs(10 * 60),
            timeout: Duration::from_secs(30),
            max_document_bytes: 64 << 20,
            max_episodes: 100_000,
            max_chapter_files: 100,
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
    /// What is newly wrong in documents, and with files of chapters.
    pub problems: Vec<Problem>,
}

/// How far the files of chapters are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChapterFiles {
    /// How many episodes have one.
    pub named: usize,
    /// Of how many of them it was read.
    pub read: usize,
}

/// All episodes of all sources.
#[derive(Debug)]
pub struct Catalog {
    sources: Vec<Watched>,
    settings: Settings,
    agent: ureq::Agent,
    chapters_agent: ureq::Agent,
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
        let chapters_agent = fetch::agent(settings.timeout.min(chapters::TIMEOUT));
        let mut catalog = Self { sources, settings, agent, chapters_agent, episodes: Vec::new() };
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

    /// Looks at every source again, and at files of chapters that are due.
    pub fn refresh(&mut self, now: Timestamp) -> Refresh {
        let mut refresh = Refresh::default();
        self.refresh_sources(now, &mut refresh);
        self.refresh_chapters(now, &mut refresh);
        refresh.changed = self.merge();
        refresh
    }

    fn refresh_sources(&mut self, now: Timestamp, refresh: &mut Refresh) {
        let max_bytes = self.settings.max_document_bytes;
        let fetched = in_parallel(&self.sources, |source| source.fetch(&self.agent, max_bytes));
        for (source, fetched) in self.sources.iter_mut().zip(fetched) {
            let before: HashSet<String> = source.listing_problems().map(ToString::to_string).collect();
            let (changes, result) = source.take_in(fetched, &self.settings, now);
            let is_new = |problem: &&Problem| !before.contains(&problem.to_string());
            refresh.problems.extend(source.listing_problems().filter(is_new).cloned());
            refresh.changes.extend(changes);
            refresh.errors.extend(result.err());
        }
    }

    fn refresh_chapters(&mut self, now: Timestamp, refresh: &mut Refresh) {
        let episodes = self.sources.iter().flat_map(|source| source.known().list());
        let due = chapters::due(episodes, now, self.settings.max_chapter_files);
        let read = in_parallel(&due, |file| file.read(&self.chapters_agent));
        let answers: HashMap<_, _> = due.iter().map(|file| &*file.at).zip(read).collect();
        for source in &mut self.sources {
            let (changes, problems, result) = source.take_chapters(&answers, &self.settings, now);
            refresh.changes.extend(changes);
            refresh.problems.extend(problems);
            refresh.errors.extend(result.err());
        }
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
        self.sources.iter().flat_map(Watched::problems)
    }

    /// How each source fares, in the order of configuration.
    pub fn statuses(&self) -> impl Iterator<Item = SourceStatus> {
        self.sources.iter().map(Watched::status)
    }

    /// How far the files of chapters are read.
    pub fn chapter_files(&self) -> ChapterFiles {
        let episodes = self.sources.iter().flat_map(|source| source.known().list());
        let files = || episodes.clone().map(|known| &known.chapter_file).filter(|file| file.at().is_some());
        ChapterFiles { named: files().count(), read: files().filter(|file| file.is_read()).count() }
    }

    /// Whether every source has given episodes, now or before. Until then a request may be for an episode that is
    /// not known yet.
    pub fn is_complete(&self) -> bool {
        self.sources.iter().all(|source| !source.known().list().is_empty())
    }
}

/// The results for all items, in their order, a few at a time.
fn in_parallel<I: Sync, T: Send>(items: &[I], work: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let mut results = Vec::with_capacity(items.len());
    for items in items.chunks(PARALLEL_FETCHES) {
        std::thread::scope(|scope| {
            let threads: Vec<_> = items.iter().map(|item| scope.spawn(|| work(item))).collect();
            let joined = threads.into_iter().map(|thread| thread.join());
            results.extend(joined.map(|it| it.unwrap_or_else(|panic| std::panic::resume_unwind(panic))));
        });
    }
    results
}
