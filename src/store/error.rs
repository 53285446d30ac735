//! What can go wrong with the store, and which of it passes by itself.
//!
//! A transient error means: nothing is known to be wrong with what was asked, ask again. A lost connection, a
//! restarting server, a full disk and a lock that was not to be had are transient; a wrong password, a schema
//! that does not fit and a second writer are not, for repeating them only hides them.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use sqlx::migrate::MigrateError;

use crate::units::{AgentId, EpisodeId, JournalPosition, ShowId, SourceId};

/// An error of the store. None of the messages holds a password.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database URL cannot be used: {0}; use sqlite:PATH or postgres://USER@HOST/DATABASE")]
    Url(String),

    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },

    #[error("{}: another process writes to this database; stop it, or give this one a database of its own", path.display())]
    InUse { path: PathBuf },

    #[error(
        "the database has migration {found}, which this release does not know (its newest is {known}) and which \
         is not marked as compatible with it; run the newer release, or restore the database from before its upgrade"
    )]
    SchemaTooNew { found: i64, known: i64 },

    #[error(
        "the database has migration {found}, and reports need {needed}; let `castmeter serve` of this release bring it \
         up to date"
    )]
    SchemaTooOld { found: i64, needed: i64 },

    #[error("the database's schema cannot be brought up to date: {0}")]
    Migrate(#[from] MigrateError),

    #[error(
        "another process has taken over this journal (epoch {newest}, ours was {ours}): nothing was written; \
         two processes must not share a data folder, nor a copy of one"
    )]
    Fenced { ours: i64, newest: i64 },

    #[error(
        "the store holds the journal up to position {found}, not {expected}: nothing was written; if the database \
         was restored or failed over to a copy that lags, restart, and the journal is replayed from there"
    )]
    PositionMismatch { expected: JournalPosition, found: JournalPosition },

    #[error("the store has no row for this journal any more: someone deleted it from table instance")]
    InstanceGone,

    #[error("a commit must be ahead of position {committed}, but was for {position}")]
    NotAhead { position: JournalPosition, committed: JournalPosition },

    #[error("the delta counts episode {}, which is not among the episodes given", .0.0)]
    UnknownEpisode(EpisodeId),

    #[error("the delta counts source {}, which is not among the sources given", .0.0)]
    UnknownSource(SourceId),

    #[error("the delta counts agent {}, which is not among the agents given", .0.0)]
    UnknownAgent(AgentId),

    #[error("the reach of show {} was given, which is not among the shows given", .0.0)]
    UnknownShow(ShowId),

    #[error("no answer from the database within {after:?}")]
    Timeout { after: Duration },

    #[error(
        "while {doing}: no connection in time; the database does not answer, or all connections are in use"
    )]
    NoConnection { doing: &'static str },

    #[error("while {doing}: {source}")]
    Database { doing: &'static str, source: sqlx::Error },

    #[error("stopped before the database answered; what was not committed is still in the journal")]
    Stopped,
}

impl StoreError {
    /// For `map_err`: says what was being done.
    pub(super) fn doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| match source {
            sqlx::Error::PoolTimedOut => Self::NoConnection { doing },
            source => Self::Database { doing, source },
        }
    }

    /// Whether the same request may succeed later without anyone's help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Timeout { .. } | Self::NoConnection { .. } => true,
            Self::Database { source, .. } => is_transient(source),
            Self::Migrate(MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)) => {
                is_transient(source)
            }
            _ => false,
        }
    }
}

fn is_transient(error: &sqlx::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, PermissionDenied};
    match error {
        // A certificate that does not verify comes as InvalidData.
        sqlx::Error::Io(error) => !matches!(error.kind(), InvalidData | InvalidInput | PermissionDenied),
        sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(error) => match error.code() {
            Some(code) if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() => {
                code.parse().is_ok_and(is_transient_sqlite)
            }
            Some(code) => is_transient_sqlstate(&code),
            None => false,
        },
        _ => false,
    }
}

/// Postgres, by SQLSTATE (appendix A of its manual).
fn is_transient_sqlstate(code: &str) -> bool {
    match code {
        "23514" // check_violation: someone dropped the month's partition, and the next attempt makes it again
        | "25006" // read-only transaction: connected to a server that is a standby, or is about to become one
        | "25P03" // idle_in_transaction_session_timeout
        | "40001" // serialization_failure
        | "40P01" // deadlock_detected
        | "55P03" // lock_not_available
        | "57014" // query_canceled: statement_timeout
        | "57P01" // admin_shutdown
        | "57P02" // crash_shutdown
        | "57P03" // cannot_connect_now
        | "57P05" // idle_session_timeout
        | "58030" // io_error
        => true,
        // Class 08, connections; class 53, insufficient resources, a full disk among them.
        _ => code.starts_with("08") || code.starts_with("53"),
    }
}

/// SQLite, by the extended result code, whose low byte is the primary one.
fn is_transient_sqlite(code: i32) -> bool {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const OUT_OF_MEMORY: i32 = 7;
    const IO: i32 = 10;
    const FULL: i32 = 13;
    matches!(code & 0xff, BUSY | LOCKED | OUT_OF_MEMORY | IO | FULL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself() {
        for (code, expected) in [
            ("08006", true),  // connection_failure
            ("23514", true),  // check_violation
            ("53100", true),  // disk_full
            ("53300", true),  // too_many_connections
            ("57P01", true),  // admin_shutdown
            ("40P01", true),  // deadlock_detected
            ("28P01", false), // invalid_password
            ("3D000", false), // database does not exist
            ("42501", false), // insufficient_privilege
            ("23503", false), // foreign_key_violation
            ("22003", false), // numeric_value_out_of_range
        ] {
            assert_eq!(is_transient_sqlstate(code), expected, "{code}");
        }
        for (code, expected) in
            [(5, true), (517, true), (262, true), (13, true), (778, true), (8, false), (1555, false)]
        {
            assert_eq!(is_transient_sqlite(code), expected, "{code}");
        }
    }

    #[test]
    fn connections_may_come_back_but_certificates_do_not_mend() {
        use io::ErrorKind::{ConnectionReset, InvalidData, NotFound, UnexpectedEof};
        for (kind, expected) in
            [(ConnectionReset, true), (UnexpectedEof, true), (NotFound, true), (InvalidData, false)]
        {
            let error = StoreError::doing("testing")(sqlx::Error::Io(kind.into()));
            assert_eq!(error.is_transient(), expected, "{kind}");
        }
        assert!(StoreError::Timeout { after: Duration::from_secs(1) }.is_transient());
        assert!(!StoreError::Fenced { ours: 1, newest: 2 }.is_transient());
    }
}
