//! Syslog over TCP: lines, gathered into batches.
//!
//! Fastly sends one line a message, ended by a newline, in the form of the endpoint's choice; only Heroku's
//! logplex form is counted (RFC 6587 §3.4.1). A token, if the endpoint has one, stands before each line.
//! What the lines say, their `<PRI>` included, is not looked at.
//!
//! Syslog has no answers: what a client sent and the service could not take stays unread in the
//! connection, which slows the client down; what is unread when the service ends is lost.

mod connection;
mod frame;

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::admission::Admission;
use super::{Intake, SetupError, Surroundings, SyslogSettings, server};
use connection::Syslog;

/// Receives lines over syslog.
pub struct SyslogReceiver<I> {
    settings: SyslogSettings,
    syslog: Syslog<I>,
    surroundings: Surroundings,
}

impl<I: Intake> SyslogReceiver<I> {
    /// Checks the settings and reads the tokens.
    pub fn new(
        settings: SyslogSettings,
        intake: Arc<I>,
        surroundings: Surroundings,
    ) -> Result<Self, SetupError> {
        settings.check()?;
        let syslog = Syslog::new(&settings, intake, surroundings.clone())?;
        Ok(Self { settings, syslog, surroundings })
    }

    /// Serves until `shutdown`, then reads what was already sent and hands it on; returns once no connection is
    /// left.
    pub async fn serve(self, listeners: Vec<TcpListener>, shutdown: CancellationToken) {
        let admission = Admission::new(self.settings.bounds());
        let drain_timeout = self.settings.drain_timeout;
        let syslog = Arc::new(self.syslog);
        server::run(listeners, syslog, admission, self.surroundings.observer, shutdown, drain_timeout).await;
    }
}
