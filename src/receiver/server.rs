//! What all TCP receivers share: accepting, admission, and an orderly end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admission::{Admission, Admitted};
use super::event::{Event, Incident, Observer, Transport};

/// How long to wait after the system could not accept, typically for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What is spoken on a connection.
pub(super) trait Conversation: Send + Sync + 'static {
    const TRANSPORT: Transport;

    /// Talks until the client or `stop` ends it.
    fn hold(self: Arc<Self>, connection: Connection, stop: Stop) -> impl Future<Output = ()> + Send;
}

/// An admitted connection.
pub(super) struct Connection {
    pub stream: TcpStream,
    pub place: Admitted,
}

/// The two steps of an end.
#[derive(Clone)]
pub(super) struct Stop {
    /// Take nothing new, finish what is begun.
    pub drain: CancellationToken,
    /// Time is over: leave at once.
    pub abort: CancellationToken,
}

/// Accepts on all listeners until `shutdown`, then gives the open connections `drain_timeout` to end.
/// Returns once no connection is left.
pub(super) async fn run<C: Conversation>(
    listeners: Vec<TcpListener>,
    conversation: Arc<C>,
    admission: Arc<Admission>,
    observer: Arc<dyn Observer>,
    shutdown: CancellationToken,
    drain_timeout: Duration,
) {
    let stop = Stop { drain: shutdown, abort: CancellationToken::new() };
    let connections = TaskTracker::new();
    let mut acceptors = JoinSet::new();
    for listener in listeners {
        let acceptor = Acceptor {
            listener,
            conversation: Arc::clone(&conversation),
            admission: Arc::clone(&admission),
            observer: Arc::clone(&observer),
            connections: connections.clone(),
            stop: stop.clone(),
        };
        acceptors.spawn(acceptor.run());
    }
    acceptors.join_all().await;

    connections.close();
    if tokio::time::timeout(drain_timeout, connections.wait()).await.is_err() {
        stop.abort.cancel();
        connections.wait().await;
    }
}

struct Acceptor<C> {
    listener: TcpListener,
    conversation: Arc<C>,
    admission: Arc<Admission>,
    observer: Arc<dyn Observer>,
    connections: TaskTracker,
    stop: Stop,
}

impl<C: Conversation> Acceptor<C> {
    async fn run(self) {
        while let Some(accepted) = self.stop.drain.run_until_cancelled(self.listener.accept()).await {
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
        let place = match self.admission.admit(peer.ip()) {
            Ok(place) => place,
            Err(incident) => {
                tracing::debug!(transport = C::TRANSPORT.name(), %peer, reason = incident.name(), "turned away");
                self.observer.observe(C::TRANSPORT, Event::Incident(incident));
                return;
            }
        };
        // Answers are small and must not wait for more of them. A socket that cannot is already broken.
        drop(stream.set_nodelay(true));
        let open = Open::new(C::TRANSPORT, Arc::clone(&self.observer));
        let conversation = Arc::clone(&self.conversation);
        let stop = self.stop.clone();
        self.connections.spawn(async move {
            conversation.hold(Connection { stream, place }, stop).await;
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
