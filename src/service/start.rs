//! Starting the service and stopping it again, in order.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::committing::Committing;
use super::counter::{Counter, Handoff};
use super::counting::{Counting, Pending};
use super::episodes::{Refreshing, note_rules, open_kept};
use super::health::{Health, StoreState};
use super::intake::{JournalIntake, Unit};
use super::rules::Rules;
use super::secret::{self, SecretError};
use crate::attribution::Secret;
use crate::catalog::Catalog;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, ConfigError};
use crate::journal::{self, Feed, Journal, JournalError, JournalId};
use crate::metrics::{Metrics, Observed};
use crate::receiver::{self, HttpReceiver, SetupError, Surroundings, SyslogReceiver};
use crate::store::{self, Store, StoreError};
use crate::units::JournalPosition;
use crate::web::{self, Web};

/// Why the service cannot start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Receiver(#[from] SetupError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot make the data folder {}: {cause}", path.display())]
    DataFolder { path: PathBuf, cause: io::Error },
    #[error("`{key}`: cannot listen on {address}: {cause}")]
    Listen { key: &'static str, address: SocketAddr, cause: io::Error },
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// A service that runs.
pub struct Running {
    pub http: SocketAddr,
    pub syslog: SocketAddr,
    pub admin: SocketAddr,
    pub metrics: Arc<Metrics>,
    pub store: Store,
    config: Config,
    journal: journal::Writer<Handoff>,
    receivers: Vec<JoinHandle<()>>,
    admin_task: JoinHandle<()>,
    pipeline: JoinHandle<Result<(), ServiceError>>,
    stop_receiving: CancellationToken,
    stop_admin: CancellationToken,
    give_up: CancellationToken,
}

/// Starts everything; returns once it serves.
pub async fn start(config: Config) -> Result<Running, ServiceError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let metrics = Metrics::new(config.metrics.max_episodes);
    let catalog = open_kept(&config, &*clock)?;
    for problem in catalog.iter().flat_map(Catalog::problems) {
        tracing::warn!(%problem, "in the catalogue");
    }
    let rules = Rules::read(&config, catalog.as_ref().map(|catalog| catalog.episodes().to_vec()))?;
    for network in rules.stale_networks(clock.now().day()) {
        let network = format!("{} (validated on {})", network.network, network.validated_on);
        tracing::warn!(%network, "an included network was not validated for 90 days: do people listen from there?");
    }
    let folder = &config.data_dir;
    std::fs::create_dir_all(folder)
        .map_err(|cause| ServiceError::DataFolder { path: folder.clone(), cause })?;
    let secret = secret::load_or_create(folder)?;
    let store = Store::open(&config.database_url(), store::Settings::default())?;
    let Journal { writer, feed, report, .. } =
        Journal::<Handoff>::open(&folder.join("journal"), config.journal())?;
    report_recovery(&report);
    metrics.journal_opened(writer.status().next, clock.now());

    let surroundings = Surroundings { clock: Arc::clone(&clock), observer: metrics.clone() };
    let intake = |unit| Arc::new(JournalIntake::new(writer.clone(), unit));
    let http = HttpReceiver::new(config.http(), intake(Unit::Body), surroundings.clone())?;
    let syslog = SyslogReceiver::new(config.syslog(), intake(Unit::Stream), surroundings)?;
    let http_listener = bind("http.listen", config.http.listen)?;
    let syslog_listener = bind("syslog.listen", config.syslog.listen)?;
    let udp_sockets = match config.syslog.listen_udp {
        Some(address) => vec![receiver::bind_udp(address).map_err(|cause| ServiceError::Listen {
            key: "syslog.listen_udp",
            address,
            cause,
        })?],
        None => Vec::new(),
    };
    let admin_listener = bind("admin.listen", config.admin.listen)?;
    let address = |listener: &TcpListener| listener.local_addr().map_err(ServiceError::Thread);
    let addresses = (address(&http_listener)?, address(&syslog_listener)?, address(&admin_listener)?);

    let health = Arc::new(Health::default());
    let web = Arc::new(Web {
        metrics: Arc::clone(&metrics),
        store: store.clone(),
        observe: {
            let (clock, writer, folder) = (Arc::clone(&clock), writer.clone(), folder.clone());
            let journal_limit = config.journal().max_bytes;
            Box::new(move || Observed {
                now: clock.now(),
                journal: writer.status(),
                journal_limit,
                disk_free: journal::free_space(&folder).ok(),
            })
        },
        problems: {
            let (health, writer) = (Arc::clone(&health), writer.clone());
            Box::new(move || health.problems(&writer.status()))
        },
    });
    let (stop_receiving, stop_admin, give_up) =
        (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
    let mut receivers = vec![
        tokio::spawn(
            http.with_fallback(web::page(Arc::clone(&web)))
                .serve(vec![http_listener], stop_receiving.clone()),
        ),
        tokio::spawn(syslog.serve(vec![syslog_listener], udp_sockets, stop_receiving.clone())),
    ];
    if let Some(catalog) = catalog {
        let refreshing = Refreshing {
            catalog,
            rules: rules.clone(),
            journal: writer.clone(),
            clock: Arc::clone(&clock),
            interval: config.catalog_refresh_interval,
            metrics: Arc::clone(&metrics),
        };
        receivers.push(tokio::spawn(refreshing.run(stop_receiving.clone())));
    }
    let admin_task = tokio::spawn(web::serve_admin(web, admin_listener, stop_admin.clone()));
    let pipeline = Pipeline {
        flush_interval: config.store.flush_interval,
        instance: config.store.instance.clone(),
        rules,
        secret,
        store: store.clone(),
        journal: writer.clone(),
        journal_id: report.id,
        feed,
        health,
        metrics: Arc::clone(&metrics),
        clock,
        give_up: give_up.clone(),
    };
    // On a thread of its own: what it holds across waits need not move between threads.
    let runtime = Handle::current();
    let pipeline = tokio::task::spawn_blocking(move || runtime.block_on(pipeline.run()));
    let (http, syslog, admin) = addresses;
    tracing::info!(%http, %syslog, %admin, data = %folder.display(), "serving");
    Ok(Running {
        http,
        syslog,
        admin,
        metrics,
        store,
        journal: writer,
        receivers,
        admin_task,
        pipeline,
        stop_receiving,
        stop_admin,
        give_up,
        config,
    })
}

fn report_recovery(report: &journal::OpenReport) {
    for cut in &report.cuts {
        tracing::warn!(?cut, "the journal's torn tail was cut: it was never acknowledged");
    }
    for damage in &report.damages {
        tracing::error!(?damage, "the journal is damaged; the place is passed over and kept aside");
    }
}

fn bind(key: &'static str, address: SocketAddr) -> Result<TcpListener, ServiceError> {
    receiver::bind(address).map_err(|cause| ServiceError::Listen { key, address, cause })
}

impl Running {
    /// Serves until `shutdown` or until the store refuses for good, then stops in order.
    pub async fn run_until(mut self, shutdown: impl Future<Output = ()>) -> Result<(), ServiceError> {
        tokio::select! {
            () = shutdown => {
                tracing::info!("stopping");
                self.stop().await
            }
            ended = &mut self.pipeline => {
                self.stop_receiving.cancel();
                self.stop_admin.cancel();
                ended.unwrap_or(Ok(()))
            }
        }
    }

    /// Stops accepting, drains, commits.
    pub async fn stop(self) -> Result<(), ServiceError> {
        self.stop_receiving.cancel();
        for receiver in self.receivers {
            let _ = receiver.await;
        }
        self.journal.close().await;
        let timeout = self.config.drain_timeout;
        let mut pipeline = self.pipeline;
        let ended = match tokio::time::timeout(timeout, &mut pipeline).await {
            Ok(ended) => ended,
            Err(_) => {
                tracing::warn!(?timeout, "what is not counted and committed by now stays in the journal");
                self.give_up.cancel();
                pipeline.await
            }
        };
        self.stop_admin.cancel();
        let _ = self.admin_task.await;
        match ended.unwrap_or(Ok(())) {
            Err(ServiceError::Store(StoreError::Stopped)) => Ok(()),
            other => other,
        }
    }
}

/// From the journal's feed to the store.
struct Pipeline {
    flush_interval: std::time::Duration,
    /// What the store calls this instance.
    instance: String,
    rules: Rules,
    secret: Secret,
    store: Store,
    journal: journal::Writer<Handoff>,
    journal_id: JournalId,
    feed: Feed<Handoff>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    give_up: CancellationToken,
}

impl Pipeline {
    async fn run(self) -> Result<(), ServiceError> {
        let writer = self.claim().await?;
        let committed = writer.position();
        self.metrics.store_claimed(committed);
        match self.begin_at(committed).await {
            // Stopped before it was ready: what the journal holds is counted all the same.
            Ok(()) | Err(JournalError::Closed) => {}
            Err(error) => return Err(error.into()),
        }
        let counter = Counter::new(&self.rules, self.secret, committed)?;
        self.health.set_store(StoreState::Ready);

        let pending = Arc::new(Pending::default());
        let counting = Counting {
            counter,
            feed: self.feed,
            pending: Arc::clone(&pending),
            metrics: Arc::clone(&self.metrics),
            clock: Arc::clone(&self.clock),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let counted = CancellationToken::new();
        let thread = {
            let (stop, counted) = (Arc::clone(&stop), counted.clone().drop_guard());
            let work = move || {
                counting.run(|| stop.load(Ordering::Relaxed));
                drop(counted);
            };
            std::thread::Builder::new()
                .name("counting".to_owned())
                .spawn(work)
                .map_err(ServiceError::Thread)?
        };
        let committing = Committing {
            writer,
            journal: self.journal,
            pending,
            flush_interval: self.flush_interval,
            metrics: self.metrics,
            sketches_kept_at: self.clock.monotonic(),
            clock: self.clock,
            give_up: self.give_up.clone(),
        };
        let mut committing = pin!(committing.run(counted.clone()));
        let result = tokio::select! {
            result = &mut committing => result,
            () = self.give_up.cancelled() => {
                stop.store(true, Ordering::Relaxed);
                committing.await
            }
        };
        stop.store(true, Ordering::Relaxed);
        drop(thread);
        Ok(result?)
    }

    /// Migrates and claims the store, however long it takes to answer.
    async fn claim(&self) -> Result<store::Writer, StoreError> {
        let on_failure = |error: &StoreError, pause| {
            self.metrics.store_failed();
            self.health.set_store(StoreState::Failing(error.to_string()));
            tracing::warn!(%error, ?pause, "the store does not answer; trying again, the journal keeps what comes");
        };
        store::retry(&self.give_up, on_failure, || self.try_to_claim()).await
    }

    async fn try_to_claim(&self) -> Result<store::Writer, StoreError> {
        self.store.migrate().await?;
        self.store.claim(self.journal_id.0, &self.instance).await
    }

    async fn begin_at(&self, committed: JournalPosition) -> Result<(), JournalError> {
        self.journal.skip_to(committed)?;
        match note_rules(&self.journal, &self.rules, &*self.clock).await {
            // Counting goes on by the same rules; the next start notes them.
            Err(error @ JournalError::Full(_)) => {
                tracing::warn!(%error, "the rules in force could not be noted");
                Ok(())
            }
            result => result,
        }
    }
}
