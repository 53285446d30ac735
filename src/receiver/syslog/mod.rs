//! Syslog over TCP, with TLS or without: lines, gathered into batches.
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
use super::server::Server;
use super::tls::{ClientCertificate, Tls};
use super::{Intake, SetupError, Surroundings, SyslogSettings};
use connection::Syslog;

/// Receives lines over syslog.
pub struct SyslogReceiver<I> {
    syslog: Syslog<I>,
    server: Server,
}

impl<I: Intake> SyslogReceiver<I> {
    /// Checks the settings, reads the tokens and the certificate.
    pub fn new(
        settings: SyslogSettings,
        intake: Arc<I>,
        surroundings: Surroundings,
    ) -> Result<Self, SetupError> {
        settings.check()?;
        let load = |tls| Tls::load(tls, &[], ClientCertificate::ToConnect).map(Arc::new);
        let server = Server {
            admission: Admission::new(settings.bounds()),
            observer: Arc::clone(&surroundings.observer),
            tls: settings.tls.clone().map(load).transpose()?,
            drain_timeout: settings.drain_timeout,
        };
        Ok(Self { syslog: Syslog::new(&settings, intake, surroundings)?, server })
    }

    /// Serves until `shutdown`, then reads what was already sent and hands it on; returns once no connection is
    /// left.
    pub async fn serve(self, listeners: Vec<TcpListener>, shutdown: CancellationToken) {
        self.server.run(listeners, self.syslog, shutdown).await;
    }
}
