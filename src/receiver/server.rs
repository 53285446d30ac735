//! What all TCP receivers share: accepting, admission, TLS, and an orderly end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admission::{Admission, Admitted};
use super::event::{Event, Incident, Observer, Transport};
use super::tls::{Tls, TlsError};

/// How long to wait after the system could not accept, typically for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a client that has just connected is waited for once the service shuts down.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// What is spoken on a connection.
pub(super) trait Conversation: Send + Sync + 'static {
    const TRANSPORT: Transport;

    /// Talks until the client or `stop` ends it.
    fn hold(self: Arc<Self>, connection: Connection, stop: Stop) -> impl Future<Output = ()> + Send;
}

/// A connection's bytes, with TLS or without.
pub(super) type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// An admitted connection.
pub(super) struct Connection {
    pub stream: Stream,
    pub place: Admitted,
    /// Whether the client showed a certificate, where such are configured; true where they are not.
    pub is_certified: bool,
}

/// The two steps of an end.
#[derive(Clone)]
pub(super) struct Stop {
    /// Take nothing new, finish what is begun.
    pub drain: CancellationToken,
    /// Time is over: leave at once.
    pub abort: CancellationToken,
}

/// A receiver's part that does not depend on what is spoken.
#[derive(Clone)]
pub(super) struct Server {
    pub admission: Arc<Admission>,
    pub observer: Arc<dyn Observer>,
    pub tls: Option<Arc<Tls>>,
    pub drain_timeout: Duration,
}

impl Server {
    /// Accepts on all listeners until `shutdown`, then gives the open connections their time to end. Returns
    /// once no connection is left.
    pub(super) async fn run<C: Conversation>(
        self,
        listeners: Vec<TcpListener>,
        conversation: Arc<C>,
        shutdown: CancellationToken,
    ) {
        let stop = Stop { drain: shutdown, abort: CancellationToken::new() };
        let connections = TaskTracker::new();
        let mut acceptors = JoinSet::new();
        for listener in listeners {
            let (server, connections, stop) = (self.clone(), connections.clone(), stop.clone());
            let acceptor = Acceptor { server, conversation: Arc::clone(&conversation), connections, stop };
            acceptors.spawn(acceptor.run(listener));
        }
        if let Some(tls) = self.tls {
            let drain = stop.drain.clone();
            acceptors.spawn(async move {
                let failed = |error: &TlsError| {
                    tracing::warn!(%error, "the new certificate cannot be used");
                    report(&*self.observer, C::TRANSPORT, Incident::CertificateRejected);
                };
                tls.keep_fresh(failed, &drain).await;
            });
        }
        acceptors.join_all().await;

        connections.close();
        if tokio::time::timeout(self.drain_timeout, connections.wait()).await.is_err() {
            stop.abort.cancel();
            connections.wait().await;
        }
    }

    /// The connection's stream, and whether its client is certified; none if it has no handshake to show.
    async fn encrypt<C: Conversation>(&self, stream: TcpStream, stop: &Stop) -> Option<(Stream, bool)> {
        let Some(tls) = &self.tls else { return Some((Either::Left(stream), true)) };
        let grace_is_over = async {
            stop.drain.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        let handshake = tokio::select! {
            handshake = tls.accept(stream) => handshake,
            () = grace_is_over => return None,
        };
        match handshake {
            Ok(stream) => {
                let is_certified = !tls.knows_clients() || stream.get_ref().1.peer_certificates().is_some();
                Some((Either::Right(Box::new(stream)), is_certified))
            }
            Err(error) => {
                tracing::debug!(transport = C::TRANSPORT.name(), %error, "no TLS handshake");
                report(&*self.observer, C::TRANSPORT, Incident::HandshakeFailed);
                None
            }
        }
    }
}

struct Acceptor<C> {
    server: Server,
    conversation: Arc<C>,
    connections: TaskTracker,
    stop: Stop,
}

impl<C: Conversation> Acceptor<C> {
    async fn run(self, listener: TcpListener) {
        while let Some(accepted) = self.stop.drain.run_until_cancelled(listener.accept()).await {
            match accepted {
                Ok((stream, peer)) => self.admit(stream, peer),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(transport = C::TRANSPORT.name(), %error, "cannot accept connections");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        let observer = &self.server.observer;
        let place = match self.server.admission.admit(peer.ip()) {
            Ok(place) => place,
            Err(incident) => {
                tracing::debug!(transport = C::TRANSPORT.name(), %peer, reason = incident.name(), "turned away");
                report(&**observer, C::TRANSPORT, incident);
                return;
            }
        };
        // Answers are small and must not wait for more of them. A socket that cannot is already broken.
        drop(stream.set_nodelay(true));
        let open = Open::new(C::TRANSPORT, Arc::clone(observer));
        let (conversation, server, stop) =
            (Arc::clone(&self.conversation), self.server.clone(), self.stop.clone());
        self.connections.spawn(async move {
            let displaced = place.displaced();
            let talk = async {
                if let Some((stream, is_certified)) = server.encrypt::<C>(stream, &stop).await {
                    conversation.hold(Connection { stream, place, is_certified }, stop).await;
                }
            };
            tokio::select! {
                () = talk => {}
                () = displaced => report(&*server.observer, C::TRANSPORT, Incident::Displaced),
            }
            drop(open);
        });
    }
}

/// Errors that concern the connection that was to be accepted, not the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Says that a connection is open, and on drop that it is closed.
struct Open {
    transport: Transport,
    observer: Arc<dyn Observer>,
}

impl Open {
    fn new(transport: Transport, observer: Arc<dyn Observer>) -> Self {
        observer.observe(transport, Event::Opened);
        Self { transport, observer }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.observer.observe(self.transport, Event::Closed);
    }
}

/// Reports an incident of a conversation.
pub(super) fn report(observer: &dyn Observer, transport: Transport, incident: Incident) {
    observer.observe(transport, Event::Incident(incident));
}
