//! The store's bounds, and which database a URL names.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::StoreError;

/// Bounds on what the store uses and waits for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Most connections open at a time. Commits use one; the others answer reads.
    pub max_connections: u32,
    /// Longest wait for a free connection, opening one included.
    pub connect_timeout: Duration,
    /// Longest wait for one lock of another transaction. In SQLite: for the database file.
    pub lock_timeout: Duration,
    /// Longest run of one statement (Postgres).
    pub statement_timeout: Duration,
    /// Longest commit as a whole; then it is given up and tried again on another connection. A transaction
    /// left open by a process that vanished is ended by Postgres after the same time.
    pub commit_timeout: Duration,
    /// Makes commits fail on purpose, in tests and simulations.
    pub faults: Option<Arc<dyn Faults>>,
}

/// Where a commit can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// All is written and nothing committed: a failure leaves nothing behind.
    BeforeCommit,
    /// All is committed: a failure loses the answer.
    AfterCommit,
}

/// Decides over each moment of a commit; what it says comes in the database's place.
pub trait Faults: fmt::Debug + Send + Sync {
    fn at(&self, moment: Moment) -> Result<(), StoreError>;
}

impl Settings {
    pub(super) fn reach(&self, moment: Moment) -> Result<(), StoreError> {
        self.faults.as_ref().map_or(Ok(()), |faults| faults.at(moment))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_connections: 4,
            connect_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(60),
            commit_timeout: Duration::from_secs(120),
            faults: None,
        }
    }
}

/// The kinds of database, as the URL's scheme names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// From `sqlite:PATH`, `sqlite://PATH`, `postgres://…` or `postgresql://…`.
    pub fn of(database_url: &str) -> Result<Self, StoreError> {
        match database_url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Ok(Self::Sqlite),
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            // The rest is not repeated: it may hold a password.
            Some(scheme) => Err(StoreError::Url(format!("unknown scheme {scheme:?}"))),
            None => Err(StoreError::Url("it has no scheme".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes() {
        assert_eq!(Kind::of("sqlite:castmeter-data/castmeter.sqlite").unwrap(), Kind::Sqlite);
        assert_eq!(Kind::of("sqlite:///var/lib/castmeter.sqlite").unwrap(), Kind::Sqlite);
        assert_eq!(Kind::of("postgres://me@db/castmeter").unwrap(), Kind::Postgres);
        assert_eq!(Kind::of("postgresql://me@db/castmeter?sslmode=verify-full").unwrap(), Kind::Postgres);
        assert!(Kind::of("castmeter.sqlite").is_err());
        let error = Kind::of("mysql://me:secret@db/castmeter").unwrap_err().to_string();
        assert!(error.contains("\"mysql\"") && !error.contains("secret"), "{error}");
    }
}
