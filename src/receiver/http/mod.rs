//! HTTP/1.1 and HTTP/2: batches by `POST` or `PUT`, and Fastly's ownership challenge.
//!
//! Fastly's HTTPS log streaming: a request is a batch of lines; 200 means kept. What else is on the port is the
//! fallback's business.

mod answer;
mod body;
mod challenge;
mod connection;
mod ingest;
mod lent;
mod lines;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hyper::{Request, Response};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use answer::AnswerBody;

use super::admission::Admission;
use super::server::Server;
use super::tls::{ClientCertificate, Tls};
use super::{HttpSettings, Intake, SetupError, Surroundings};
use connection::Http;
use ingest::Ingest;

/// Answers requests for paths that are not the receiver's own, by their heads.
pub type Fallback =
    Arc<dyn Fn(Request<()>) -> Pin<Box<dyn Future<Output = Response<AnswerBody>> + Send>> + Send + Sync>;

/// Receives batches over HTTP.
pub struct HttpReceiver<I> {
    settings: HttpSettings,
    ingest: Ingest<I>,
    server: Server,
    fallback: Option<Fallback>,
}

impl<I: Intake> HttpReceiver<I> {
    /// Checks the settings, reads the tokens and the certificate.
    pub fn new(
        settings: HttpSettings,
        intake: Arc<I>,
        surroundings: Surroundings,
    ) -> Result<Self, SetupError> {
        settings.check()?;
        let load = |tls| Tls::load(tls, &["h2", "http/1.1"], ClientCertificate::LaterOn).map(Arc::new);
        let server = Server {
            admission: Admission::new(settings.bounds()),
            observer: Arc::clone(&surroundings.observer),
            tls: settings.tls.clone().map(load).transpose()?,
            drain_timeout: settings.drain_timeout,
        };
        let ingest = Ingest::new(&settings, intake, surroundings)?;
        Ok(Self { settings, ingest, server, fallback: None })
    }

    /// Who answers for other paths; without one they are 404.
    #[must_use]
    pub fn with_fallback(self, fallback: Fallback) -> Self {
        Self { fallback: Some(fallback), ..self }
    }

    /// Serves until `shutdown`, then lets the requests that are in progress end; returns once no connection is left.
    pub async fn serve(self, listeners: Vec<TcpListener>, shutdown: CancellationToken) {
        let observer = Arc::clone(&self.server.observer);
        let http = Http::new(&self.settings, self.ingest, observer, self.fallback);
        self.server.run(listeners, Arc::new(http), shutdown).await;
    }
}
