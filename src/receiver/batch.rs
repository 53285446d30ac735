//! What the receiver hands on, and to whom.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

use crate::units::{Encoding, Timestamp};

/// Bytes of log lines that came in together: one HTTP body, or what a syslog connection sent within a
/// short time.
///
/// `lines` is newline-delimited text, or (over HTTP only) whatever the client sent, such as one JSON array.
/// A last line without a newline is a line like any other, unless `tail` says otherwise.
///
/// What syslog puts here is not always what was on the wire, but one line is always one line: the token is stripped;
/// an overlong line is cut to the line bound plus one byte, so that whoever applies the same bound sees one line
/// that is too long; in octet counting, newlines within a message become spaces and the count becomes a newline.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The name that the token is bound to, or the receiver's default.
    pub source: Arc<str>,
    /// How `payload` is compressed.
    pub encoding: Encoding,
    /// As received; what the journal keeps.
    pub payload: Bytes,
    /// `payload` inflated, under the limits; the same handle where the encoding is identity.
    pub lines: Bytes,
    pub received_at: Timestamp,
    pub tail: Tail,
}

/// What a batch's last line is, where it does not end in a newline. Cannot be told from the bytes, so
/// whoever keeps a batch keeps this too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tail {
    /// Complete: the sender ended the batch there.
    #[default]
    Whole,
    /// The connection closed within it: a malformed line. Only syslog has this, and only if the last byte is
    /// not a newline.
    Truncated,
}

/// Takes batches for good. The service implements this over the journal.
pub trait Intake: Send + Sync + 'static {
    /// Ok only once the batch is durable. The future may be dropped before it is ready (a client
    /// hung up): then the batch is kept whole or not at all, and nobody was told either way.
    fn accept(&self, batch: Batch) -> impl Future<Output = Result<(), Refused>> + Send;
}

/// Why a batch is not taken. HTTP answers 503; syslog stops reading and tries again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    #[error("no room for more lines at the moment")]
    Full { retry_after: Duration },
    #[error("the journal cannot be written at the moment")]
    Failed { retry_after: Duration },
    #[error("shutting down")]
    ShuttingDown,
}

impl Refused {
    /// When it makes sense to try again. A service that goes away is usually replaced within seconds.
    pub const fn retry_after(&self) -> Duration {
        match self {
            Self::Full { retry_after } | Self::Failed { retry_after } => *retry_after,
            Self::ShuttingDown => Duration::from_secs(5),
        }
    }
}
