//! The admin port: `/metrics` for Prometheus, `/livez` and `/readyz` for whoever decides on traffic, and annotations.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::Web;
use super::annotations::annotate;
use super::scrape::scrape;

const ANNOTATIONS: &str = "/api/annotations";
const MAX_CONNECTIONS: usize = 256;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// When the system has no more sockets, asking again at once would only burn time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type Answer = Response<Full<Bytes>>;

/// Serves until `stop`. Scrapes in progress are cut off: the next start will be scraped.
pub async fn serve_admin(web: Arc<Web>, listener: TcpListener, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the admin port cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { continue };
        let (web, stop) = (Arc::clone(&web), stop.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&web), request));
            let mut builder = auto::Builder::new(TokioExecutor::new());
            builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                // A client that breaks off is its own affair.
                _ = connection => {}
                () = stop.cancelled() => {}
            }
            drop(slot);
        });
    }
}

async fn answer(web: Arc<Web>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        ANNOTATIONS if *request.method() == Method::POST => return Ok(annotate(&web, request).await),
        ANNOTATIONS => return Ok(text(StatusCode::METHOD_NOT_ALLOWED, "only POST\n".to_owned())),
        _ if !is_read => return Ok(text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned())),
        _ => {}
    }
    Ok(match request.uri().path() {
        "/metrics" => scrape(&web, request.headers()).await.unwrap_or_else(|error| {
            text(StatusCode::INTERNAL_SERVER_ERROR, format!("the page could not be made: {error}\n"))
        }),
        "/livez" => match (web.stuck)() {
            None => text(StatusCode::OK, "alive\n".to_owned()),
            Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("stuck: {why}\n")),
        },
        "/readyz" => match (web.problems)().as_slice() {
            [] => text(StatusCode::OK, "ready\n".to_owned()),
            problems => {
                text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", problems.join("; ")))
            }
        },
        "/" => text(StatusCode::OK, "castmeter: /metrics /livez /readyz /api/annotations\n".to_owned()),
        _ => text(
            StatusCode::NOT_FOUND,
            "not found; there are /metrics, /livez, /readyz and /api/annotations\n".to_owned(),
        ),
    })
}

fn text(status: StatusCode, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let plain = "text/plain; charset=utf-8".parse().expect("a sound header");
    answer.headers_mut().insert(CONTENT_TYPE, plain);
    answer
}
