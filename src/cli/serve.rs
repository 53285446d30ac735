//! `castmeter serve`: the service.

use std::io::IsTerminal;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::Failure;
use super::config::ConfigArgs;
use crate::config::{Config, LogFormat};
use crate::receiver::HandedOver;
use crate::service::{self, ServiceError};

/// Receive log lines, count them, keep the sums
///
/// Takes Fastly's log streaming over HTTP (POST /fastly) and syslog, acknowledges a batch once it is in the
/// journal, and writes the sums to SQLite or Postgres. Ends in order on SIGTERM and SIGINT. RUST_LOG sets the log's
/// level and parts. Under systemd it takes over sockets, and says when it serves and that it still moves.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    config: ConfigArgs,
}

impl Serve {
    pub fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        log_to_stderr(&config);
        service::file_limit::raise_for(&config);
        let handed_over = HandedOver::from_environment().map_err(ServiceError::HandOver).map_err(failure)?;
        runtime()?.block_on(async {
            let shutdown = shutdown_signal()?;
            let running = service::start(config, handed_over).await.map_err(failure)?;
            running.run_until(shutdown).await.map_err(failure)
        })
    }
}

/// For connections. Counting, the journal, committing and SQLite have threads of their own; so half of the processors are
/// enough, and where a second worker is not needed it is not woken to see whether it can take something over.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let workers = std::thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2));
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?)
}

/// Resolves at the first SIGTERM or SIGINT. Must be called within a runtime.
pub fn shutdown_signal() -> Result<impl Future<Output = ()>, Failure> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Wrong settings are the operator's to correct; everything else has failed.
pub fn failure(error: ServiceError) -> Failure {
    match error {
        ServiceError::Config(error) => Failure::Config(error),
        ServiceError::Receiver(error) => Failure::Usage(error.to_string()),
        error @ ServiceError::LeftOver { .. } => Failure::Usage(error.to_string()),
        other => Failure::failed(other),
    }
}

fn log_to_stderr(config: &Config) {
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .from_env_lossy();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match config.logging.format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}
