//! The tables in Postgres or SQLite: migrations, commits of deltas with the journal position, a few reads.
//!
//! What always holds: the counted rows and the position of the journal that they cover change in one transaction
//! (`writer`), so that a record of the journal is in the tables once or not at all; only the process that
//! claimed a journal last can write for it. Tables and columns are an interface, described by the comments in
//! `migrations/`; the same names and values in both databases. Each journal that writes to a database has rows of its
//! own (`instance_id`); the views `…_total` add them up.
//!
//! No counting happens here, and nothing is kept between commits but which episodes the database knows.

mod annotation;
mod backend;
mod episodes;
mod error;
mod names;
mod postgres;
mod ranked;
mod reach;
mod report;
mod retry;
mod rows;
mod schema;
mod settings;
mod sheet;
mod sqlite;
mod summary;
mod writer;

pub use annotation::Annotation;
pub use error::StoreError;
pub use report::{Answer, Filter, Reader, Report, Value};
pub use retry::{Backoff, retry};
pub use settings::{Faults, Kind, Moment, Settings};
pub use summary::{EpisodeDownloads, FateTotal, Totals};
pub use writer::{Commit, Writer};

use backend::Database;

use crate::units::UtcDay;

/// A database, opened. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Store {
    backend: Backend,
    settings: Settings,
}

#[derive(Clone, Debug)]
enum Backend {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

/// Calls the same method of whichever database it is.
macro_rules! on_backend {
    ($store:expr, $database:ident => $call:expr) => {
        match &$store.backend {
            Backend::Sqlite($database) => $call.await,
            Backend::Postgres($database) => $call.await,
        }
    };
}

impl Store {
    /// Reads the URL; nothing is asked of a Postgres server yet, which may be down. An SQLite file is locked until
    /// the last clone is dropped.
    pub fn open(database_url: &str, settings: Settings) -> Result<Self, StoreError> {
        let backend = match Kind::of(database_url)? {
            Kind::Sqlite => Backend::Sqlite(sqlite::Sqlite::open(database_url, &settings)?),
            Kind::Postgres => Backend::Postgres(postgres::Postgres::open(database_url, &settings)?),
        };
        Ok(Self { backend, settings })
    }

    pub fn kind(&self) -> Kind {
        match self.backend {
            Backend::Sqlite(_) => Kind::Sqlite,
            Backend::Postgres(_) => Kind::Postgres,
        }
    }

    /// Brings the schema up to date, under a lock, and checks that this binary may use it.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        on_backend!(self, database => database.migrate())
    }

    /// Makes this process the writer of a journal, from whose beginning its position counts. Any earlier writer of the
    /// same journal is fenced off. `name` is a label for people.
    pub async fn claim(&self, journal_id: [u8; 16], name: &str) -> Result<Writer, StoreError> {
        let journal_id = format!("{:032x}", u128::from_be_bytes(journal_id));
        let name = names::name(name);
        let (claim, position) = on_backend!(self, database => database.claim(&journal_id, &name))?;
        Ok(Writer::new(self.clone(), claim, position))
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        on_backend!(self, database => database.ping())
    }

    /// Adds an annotation.
    pub async fn annotate(&self, annotation: &Annotation) -> Result<(), StoreError> {
        on_backend!(self, database => database.annotate(annotation))
    }

    /// Sums over all episodes, of the days from `since` on.
    pub async fn totals(&self, since: Option<UtcDay>) -> Result<Totals, StoreError> {
        on_backend!(self, database => database.totals(since))
    }

    /// The episodes with most downloads on the days from `since` on, most first.
    pub async fn top_episodes(
        &self,
        since: Option<UtcDay>,
        limit: u32,
    ) -> Result<Vec<EpisodeDownloads>, StoreError> {
        on_backend!(self, database => database.top_episodes(since, limit))
    }

    /// What became of the lines of the days from `since` on.
    pub async fn fates(&self, since: Option<UtcDay>) -> Result<Vec<FateTotal>, StoreError> {
        on_backend!(self, database => database.fates(since))
    }

    /// Closes all connections and waits for it.
    pub async fn close(&self) {
        on_backend!(self, database => database.close());
    }
}
