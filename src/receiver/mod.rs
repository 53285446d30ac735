//! Where lines come in: HTTP and syslog, their limits, decompression. Knows no log format.
//!
//! ```text
//! socket ─▶ admission ─▶ TLS ─▶ http   ─▶ token ─▶ body ─▶ decode ─┐
//!                            └▶ syslog ─▶ token ─▶ lines ─────────┴▶ Batch ─▶ Intake ─▶ answer
//! ```
//!
//! What always holds:
//! - A client is told that a batch is taken only after [`Intake::accept`] said so, which is after fsync.
//! - A batch is handed on whole or not at all; a body that breaks off leaves nothing behind.
//! - Every amount a client can choose has a bound in [`HttpSettings`] or [`SyslogSettings`]; passing one
//!   is an [`Incident`] that the [`Observer`] hears of, and an answer where the protocol has answers.
//! - Nothing is read beyond a request's head, or a line's token, before the token is known to be right.
//!
//! What it does not do: look into lines (a JSON array in a body is passed on as it stands), keep
//! anything, or count lines.

mod admission;
mod batch;
pub mod decode;
mod event;
mod gzip;
mod http;
mod listen;
mod server;
mod settings;
mod syslog;
mod tls;
mod tokens;

pub use batch::{Batch, Intake, Refused, Tail};
pub use event::{Event, Incident, Observer, Transport};
pub use http::{AnswerBody, Fallback, HttpReceiver};
pub use listen::{HandedOver, Which, bind, bind_udp};
pub use settings::{HttpSettings, Secret, SetupError, SyslogSettings, TlsSettings, TokenSettings};
pub use syslog::SyslogReceiver;
pub use tls::TlsError;

use std::sync::Arc;

use crate::clock::Clock;

/// What a receiver needs from the process around it.
#[derive(Clone)]
pub struct Surroundings {
    pub clock: Arc<dyn Clock>,
    pub observer: Arc<dyn Observer>,
}
