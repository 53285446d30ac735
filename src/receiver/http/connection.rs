//! One HTTP connection: speaks it, and ends it if the client does nothing for too long.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONNECTION, EXPECT, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;

use super::Fallback;
use super::answer::{AnswerBody, rejected};
use super::body;
use super::ingest::{Client, Ingest};
use crate::receiver::server::{Connection, Conversation, Stop, report};
use crate::receiver::{HttpSettings, Incident, Intake, Observer, Transport};

/// HTTP/2 flow control: what a client may send before it is read, per request and per connection.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 2 << 20;

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
        if !self.ingest.owns(request.uri().path())
            && let Some(fallback) = &self.fallback
        {
            return fallback(request).await;
        }
        let (head, mut body) = request.into_parts();
        let outcome = self.ingest.answer(&head, &mut body, client).await;
        outcome.unwrap_or_else(|rejection| {
            report(&*self.observer, Transport::Http, rejection.incident);
            let mut response = rejected(&rejection);
            if head.version < Version::HTTP_2 {
                // The body may not have been read, and what follows it must not be taken for a request.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            // A client that waits to be asked for its body has not sent any, and to read would be to ask.
            let is_sending = !body.is_end_stream() && !head.headers.contains_key(EXPECT);
            if is_sending && rejection.incident != Incident::BodyTimeout {
                tokio::spawn(body::discard(body));
            }
            response
        })
    }
}

impl<I: Intake> Conversation for Http<I> {
    const TRANSPORT: Transport = Transport::Http;

    async fn hold(self: Arc<Self>, connection: Connection, stop: Stop) {
        let activity = Arc::new(Activity::default());
        let client = Arc::new(Client { place: connection.place, is_certified: connection.is_certified });
        let service = service_fn(|request| {
            let (http, client, busy) = (Arc::clone(&self), Arc::clone(&client), Busy::begin(&activity));
            async move {
                let response = http.respond(request, &client).await;
                // The request is in progress until its answer is written.
                Ok::<_, Infallible>(response.map(|body| Tracked { body, _busy: busy }))
            }
        });
        let mut talk = pin!(self.builder.serve_connection(TokioIo::new(connection.stream), service));
        let mut stalled = pin!(activity.stalled(self.head_timeout, self.keep_alive_timeout));
        let mut draining = false;
        let incident = loop {
            tokio::select! {
                biased;
                // To be sent away before the first request is an error to hyper.
                ended = talk.as_mut() => break ended.err().filter(|_| !draining).map(|_| Incident::ProtocolError),
                incident = &mut stalled => break Some(incident),
                () = stop.abort.cancelled() => break Some(Incident::Aborted),
                () = stop.drain.cancelled(), if !draining => {
                    draining = true;
                    talk.as_mut().graceful_shutdown();
                }
            }
        };
        if let Some(incident) = incident {
            report(&*self.observer, Transport::Http, incident);
        }
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
