//! Syslog over TCP, with TLS or without: lines, gathered into batches.
//!
//! Fastly sends one line a message, ended by a newline, in the form of the endpoint's choice; only Heroku's
//! logplex form is counted (RFC 6587 §3.4.1). A token, if the endpoint has one, stands before each line.
//! What the lines say, their `<PRI>` included, is not looked at.
//!
//! Datagrams are taken too, where configured, from whoever sends them; Fastly does not.
//!
//! Syslog has no answers: what a client sent and the service could not take stays unread in the
//! connection, which slows the client down; what is unread when the service ends is lost.

mod connection;
mod datagrams;
mod frame;
mod gathering;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::admission::Admission;
use super::server::{Server, Stop, report};
use super::tls::{ClientCertificate, Tls};
use super::tokens::Tokens;
use super::{Incident, Intake, SetupError, Surroundings, SyslogSettings, Transport};

/// While shutting down, a socket is read from until nothing came for this long.
const QUIET: Duration = Duration::from_millis(100);

/// Receives lines over syslog.
pub struct SyslogReceiver<I> {
    syslog: Arc<Syslog<I>>,
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
        let syslog = Syslog {
            tokens: Tokens::load(&settings.source, &settings.tokens)?,
            octet_counting: settings.octet_counting,
            line_bytes: settings.line_bytes,
            batch_bytes: settings.batch_bytes,
            batch_interval: settings.batch_interval,
            idle_timeout: settings.idle_timeout,
            intake,
            surroundings,
        };
        Ok(Self { syslog: Arc::new(syslog), server })
    }

    /// Serves until `shutdown`, then reads what was already sent and hands it on; returns once no connection is
    /// left. `sockets` take datagrams; usually there are none.
    pub async fn serve(
        self,
        listeners: Vec<TcpListener>,
        sockets: Vec<UdpSocket>,
        shutdown: CancellationToken,
    ) {
        let stop = Stop { drain: shutdown.clone(), abort: CancellationToken::new() };
        let mut takers = JoinSet::new();
        for socket in sockets {
            let account = self.server.admission.account();
            takers.spawn(datagrams::take(Arc::clone(&self.syslog), account, socket, stop.clone()));
        }
        let drain_timeout = self.server.drain_timeout;
        let datagrams = async {
            stop.drain.cancelled().await;
            let mut ended = pin!(takers.join_all());
            if tokio::time::timeout(drain_timeout, &mut ended).await.is_err() {
                stop.abort.cancel();
                ended.await;
            }
        };
        tokio::join!(self.server.run(listeners, self.syslog, shutdown), datagrams);
    }
}

/// How syslog is spoken, on whatever it comes.
struct Syslog<I> {
    tokens: Tokens,
    octet_counting: bool,
    line_bytes: usize,
    batch_bytes: usize,
    batch_interval: Duration,
    idle_timeout: Duration,
    intake: Arc<I>,
    surroundings: Surroundings,
}

impl<I> Syslog<I> {
    fn report(&self, incident: Incident) {
        report(&*self.surroundings.observer, Transport::Syslog, incident);
    }
}
