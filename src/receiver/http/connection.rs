//! One HTTP connection: speaks it, and ends it if the client does nothing for too long.
//!
//! At a shutdown requests in progress are answered, and so is the first one of a client that had just connected.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONNECTION, EXPECT, HeaderValue};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;

use super::Fallback;
use super::answer::{AnswerBody, head_timeout, rejected};
use super::body;
use super::ingest::{Client, Ingest};
use super::lent::{Borrowed, lend};
use crate::receiver::server::{Connection, Conversation, GRACE, Stop, report};
use crate::receiver::{HttpSettings, Incident, Intake, Observer, Transport};

/// HTTP/2 flow control: what a client may send before it is read, per request and per connection.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 2 << 20;

const CLOSE: HeaderValue = HeaderValue::from_static("close");
/// How often it is looked, within the grace that a shutdown gives, whether the first request has come.
const GRACE_STEP: Duration = Duration::from_millis(10);

/// How all connections are spoken.
pub(super) struct Http<I> {
    builder: auto::Builder<TokioExecutor>,
    head_timeout: Duration,
    keep_alive_timeout: Duration,
    ingest: Ingest<I>,
    observer: Arc<dyn Observer>,
    fallback: Option<Fallback>,
}

impl<I: Intake> Http<I> {
    pub(super) fn new(
        settings: &HttpSettings,
        ingest: Ingest<I>,
        observer: Arc<dyn Observer>,
        fallback: Option<Fallback>,
    ) -> Self {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        // Heads are timed by `Activity`, for both versions alike.
        builder.http1().timer(TokioTimer::new()).header_read_timeout(None);
        builder.http1().max_buf_size(settings.head_bytes as usize).half_close(true);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(settings.head_bytes)
            .max_concurrent_streams(settings.streams_per_connection)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES);
        Self {
            builder,
            head_timeout: settings.head_timeout,
            keep_alive_timeout: settings.keep_alive_timeout,
            ingest,
            observer,
            fallback,
        }
    }

    async fn respond(&self, request: Request<Incoming>, client: &Client) -> Response<AnswerBody> {
        let (head, mut body) = request.into_parts();
        let version = head.version;
        // A client that waits to be asked for its body has not sent any, and to read would be to ask.
        let waits = head.headers.contains_key(EXPECT);
        let (mut response, incident) = self.answer(head, &mut body, client).await;
        let Some(incident) = incident else { return response };
        report(&*self.observer, Transport::Http, incident);
        if version < Version::HTTP_2 {
            // The body may not have been read, and what follows it must not be taken for a request.
            response.headers_mut().insert(CONNECTION, CLOSE);
        }
        if !body.is_end_stream() && !waits && incident != Incident::BodyTimeout {
            tokio::spawn(body::discard(body));
        }
        response
    }

    /// The answer, and the incident that it is if it is none.
    async fn answer(
        &self,
        head: Parts,
        body: &mut Incoming,
        client: &Client,
    ) -> (Response<AnswerBody>, Option<Incident>) {
        if !self.ingest.owns(head.uri.path())
            && let Some(fallback) = &self.fallback
        {
            let response = fallback(Request::from_parts(head, ())).await;
            let incident = match response.status() {
                StatusCode::NOT_FOUND => Some(Incident::NotFound),
                StatusCode::METHOD_NOT_ALLOWED => Some(Incident::MethodNotAllowed),
                _ => None,
            };
            return (response, incident);
        }
        match self.ingest.answer(&head, body, client).await {
            Ok(response) => (response, None),
            Err(rejection) => (rejected(&rejection), Some(rejection.incident)),
        }
    }

    /// Speaks until the connection ends; says what ended it, if that was not the client's own decision.
    async fn talk(
        self: &Arc<Self>,
        stream: Borrowed,
        client: Arc<Client>,
        activity: &Arc<Activity>,
        stop: Stop,
    ) -> Option<Incident> {
        let service = service_fn(|request| {
            let (http, client, busy) = (Arc::clone(self), Arc::clone(&client), Busy::begin(activity));
            let drain = stop.drain.clone();
            async move {
                let version = request.version();
                let mut response = http.respond(request, &client).await;
                if drain.is_cancelled() && version < Version::HTTP_2 {
                    response.headers_mut().insert(CONNECTION, CLOSE);
                }
                // The request is in progress until its answer is written.
                Ok::<_, Infallible>(response.map(|body| Tracked { body, _busy: busy }))
            }
        });
        let mut talk = pin!(self.builder.serve_connection(TokioIo::new(stream), service));
        let mut stalled = pin!(activity.stalled(self.head_timeout, self.keep_alive_timeout));
        let mut drained = pin!(activity.drained(&stop));
        let mut draining = false;
        loop {
            tokio::select! {
                biased;
                // To be sent away before the first request is an error to hyper.
                ended = talk.as_mut() => return ended.err().filter(|_| !draining).map(|_| Incident::ProtocolError),
                incident = &mut stalled => return Some(incident),
                () = stop.abort.cancelled() => return Some(Incident::Aborted),
                () = &mut drained, if !draining => {
                    draining = true;
                    talk.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

impl<I: Intake> Conversation for Http<I> {
    const TRANSPORT: Transport = Transport::Http;

    async fn hold(self: Arc<Self>, connection: Connection, stop: Stop) {
        let activity = Arc::new(Activity::default());
        let client = Arc::new(Client { place: connection.place, is_certified: connection.is_certified });
        let (lent, stream) = lend(connection.stream);
        let Some(ended_by) = self.talk(stream, client, &activity, stop).await else { return };
        let is_late = matches!(ended_by, Incident::HeadTimeout | Incident::IdleTimeout);
        if !(is_late && lent.has_begun_a_head()) {
            report(&*self.observer, Transport::Http, ended_by);
            return;
        }
        report(&*self.observer, Transport::Http, Incident::HeadTimeout);
        let within =
            if ended_by == Incident::HeadTimeout { self.head_timeout } else { self.keep_alive_timeout };
        lent.conclude(&head_timeout(within)).await;
    }
}

/// What a connection is doing: which requests are in progress, and whether any began or ended lately.
#[derive(Default)]
struct Activity {
    in_progress: AtomicUsize,
    turns: AtomicU64,
}

impl Activity {
    /// Ready once the first head is overdue, or no request was in progress for `idle` (or up to twice that: looking
    /// only now and then costs requests nothing).
    async fn stalled(&self, first_head: Duration, idle: Duration) -> Incident {
        tokio::time::sleep(first_head).await;
        if self.turns.load(Ordering::Relaxed) == 0 {
            return Incident::HeadTimeout;
        }
        loop {
            let turns = self.turns.load(Ordering::Relaxed);
            tokio::time::sleep(idle).await;
            let quiet = self.turns.load(Ordering::Relaxed) == turns;
            if quiet && self.in_progress.load(Ordering::Relaxed) == 0 {
                return Incident::IdleTimeout;
            }
        }
    }

    /// Ready when the connection is to end with the receiver: at once, or if no request has come yet, once one has or
    /// a moment has passed. Who had connected before the receiver stopped accepting has the right to an answer.
    async fn drained(&self, stop: &Stop) {
        stop.drain.cancelled().await;
        let until = tokio::time::Instant::now() + GRACE;
        while self.turns.load(Ordering::Relaxed) == 0 && tokio::time::Instant::now() < until {
            tokio::time::sleep(GRACE_STEP).await;
        }
    }
}

/// The body of an answer, which keeps its request in progress.
struct Tracked {
    body: AnswerBody,
    _busy: Busy,
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A request in progress.
struct Busy(Arc<Activity>);

impl Busy {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.in_progress.fetch_add(1, Ordering::Relaxed);
        activity.turns.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.in_progress.fetch_sub(1, Ordering::Relaxed);
        self.0.turns.fetch_add(1, Ordering::Relaxed);
    }
}
