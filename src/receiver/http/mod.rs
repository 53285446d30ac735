//! HTTP/1.1 and HTTP/2: batches by `POST` or `PUT`, and Fastly's ownership challenge.
//!
//! Fastly's HTTPS log streaming: a request is a batch of lines; 200 means kept. What else is on the port is the
//! fallback's business.

mod answer;
mod body;
mod challenge;
mod connection;
mod ingest;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use answer::AnswerBody;

use super::admission::Admission;
use super::{HttpSettings, Intake, SetupError, Surroundings, server};
use connection::Http;
use ingest::Ingest;

/// Answers requests for paths that are not the receiver's own.
pub type Fallback = Arc<
    dyn Fn(Request<Incoming>) -> Pin<Box<dyn Future<Output = Response<AnswerBody>> + Send>> + Send + Sync,
>;

/// Receives batches over HTTP.
pub struct HttpReceiver<I> {
    settings: HttpSettings,
    ingest: Ingest<I>,
    surroundings: Surroundings,
    fallback: Option<Fallback>,
}

impl<I: Intake> HttpReceiver<I> {
    /// Checks the settings and reads the tokens.
    pub fn new(
        settings: HttpSettings,
        intake: Arc<I>,
        surroundings: Surroundings,
    ) -> Result<Self, SetupError> {
        let ingest = Ingest::new(&settings, intake, surroundings.clone())?;
        Ok(Self { settings, ingest, surroundings, fallback: None })
    }

    /// Who answers for other paths; without one they are 404.
    #[must_use]
    pub fn with_fallback(self, fallback: Fallback) -> Self {
        Self { fallback: Some(fallback), ..self }
    }

    /// Serves until `shutdown`, then lets the requests that are in progress end; returns once no connection is left.
    pub async fn serve(self, listeners: Vec<TcpListener>, shutdown: CancellationToken) {
        let admission = Admission::new(self.settings.bounds());
        let drain_timeout = self.settings.drain_timeout;
        let observer = Arc::clone(&self.surroundings.observer);
        let http = Arc::new(Http::new(&self.settings, self.ingest, observer.clone(), self.fallback));
        server::run(listeners, http, admission, observer, shutdown, drain_timeout).await;
    }
}
