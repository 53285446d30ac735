//! Starting the service and stopping it again, in order.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::begin::Beginning;
use super::counter::Handoff;
use super::episodes::{Refreshing, note_rules, note_rules_when_there_is_room, open_kept};
use super::health::Health;
use super::intake::{JournalIntake, Unit};
use super::pipeline::Pipeline;
use super::rules::Rules;
use super::secret::{self, SecretError};
use super::snapshot;
use super::sockets::Sockets;
use super::supervisor::Supervisor;
use crate::catalog::Catalog;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, ConfigError};
use crate::journal::{self, Journal, JournalError};
use crate::metrics::{Metrics, Observed};
use crate::receiver::{HandedOver, HttpReceiver, SetupError, Surroundings, SyslogReceiver};
use crate::store::{self, Store, StoreError};
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
    #[error("`{part}.listen`: cannot listen on {address}: {cause}")]
    Listen { part: &'static str, address: SocketAddr, cause: io::Error },
    #[error("cannot take over the service manager's sockets: {0}")]
    HandOver(io::Error),
    #[error(
        "the service manager handed over {sockets}, which no setting is for; name it http, syslog or admin \
         (FileDescriptorName=), or give it the port of that part's `listen`"
    )]
    LeftOver { sockets: String },
    #[error("counting has ended, though nobody asked it to; what was acknowledged is in the journal")]
    CountingEnded,
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
    admin_tasks: Vec<JoinHandle<()>>,
    supervisor: JoinHandle<()>,
    pipeline: JoinHandle<Result<(), ServiceError>>,
    stop_receiving: CancellationToken,
    stop_admin: CancellationToken,
    give_up: CancellationToken,
}

/// Starts everything, on the sockets that were handed over where there are such; returns once it serves.
pub async fn start(config: Config, handed_over: HandedOver) -> Result<Running, ServiceError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let metrics = Metrics::new(config.metrics.max_episodes);
    let catalog = open_kept(&config, &*clock)?;
    for problem in catalog.iter().flat_map(Catalog::problems) {
        tracing::warn!(%problem, "in the catalogue");
    }
    let largest_body = config.journal().largest_payload().0;
    if largest_body < config.http.inflated_bytes {
        tracing::warn!(
            largest_body,
            "larger bodies are never taken: raise journal.max_bytes, or lower http.inflated_bytes so that it is said"
        );
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
    let Journal { writer, feed, reader, report } =
        Journal::<Handoff>::open(&folder.join("journal"), config.journal())?;
    report_recovery(&report);
    let states = folder.join("state");
    let identity = snapshot::Identity::new(report.id, &secret);
    // If the journal's end was lost: what comes must not be taken for what a state holds.
    let saved_at = snapshot::newest(&states, identity);
    writer.skip_to(saved_at)?;
    // Before any line is taken: what comes is counted by these, also where the store does not answer yet.
    let are_rules_noted = match note_rules(&writer, &rules, &*clock).await {
        Err(error @ JournalError::Full(_)) => {
            tracing::warn!(%error, "the rules in force are not noted yet");
            false
        }
        noted => noted.map(|()| true)?,
    };
    // That record holds no lines to wait for.
    metrics.journal_opened(writer.status().next, clock.now());

    let surroundings = Surroundings { clock: Arc::clone(&clock), observer: metrics.clone() };
    let intake = |unit| Arc::new(JournalIntake::new(writer.clone(), unit));
    let http = HttpReceiver::new(
        config.http(),
        intake(Unit::Body { redelivery_window: config.redelivery_window }),
        surroundings.clone(),
    )?;
    let syslog = SyslogReceiver::new(config.syslog(), intake(Unit::Stream), surroundings)?;
    let Sockets { http: http_listeners, syslog: syslog_listeners, datagrams, admin: admin_listeners } =
        Sockets::open(&config, handed_over)?;
    let address = |listeners: &[TcpListener]| listeners[0].local_addr().map_err(ServiceError::HandOver);
    let addresses = (address(&http_listeners)?, address(&syslog_listeners)?, address(&admin_listeners)?);

    let health = Arc::new(Health::new(Arc::clone(&clock), config.admin.ready_backlog));
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
        stuck: {
            let health = Arc::clone(&health);
            Box::new(move || health.stuck())
        },
    });
    let (stop_receiving, stop_admin, give_up) =
        (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
    let mut receivers = vec![
        tokio::spawn(
            http.with_fallback(web::page(Arc::clone(&web))).serve(http_listeners, stop_receiving.clone()),
        ),
        tokio::spawn(syslog.serve(syslog_listeners, datagrams, stop_receiving.clone())),
    ];
    if !are_rules_noted {
        let (writer, rules, clock) = (writer.clone(), rules.clone(), Arc::clone(&clock));
        let noting = note_rules_when_there_is_room(writer, rules, clock, stop_receiving.clone());
        receivers.push(tokio::spawn(noting));
    }
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
    let serve_admin =
        |listener| tokio::spawn(web::serve_admin(Arc::clone(&web), listener, stop_admin.clone()));
    let admin_tasks = admin_listeners.into_iter().map(serve_admin).collect();
    let supervisor =
        Supervisor::new(writer.clone(), Arc::clone(&metrics), Arc::clone(&health), Arc::clone(&clock));
    let pipeline = Pipeline {
        flush_interval: config.store.flush_interval,
        instance: config.store.instance.clone(),
        store: store.clone(),
        beginning: Beginning {
            rules,
            secret,
            journal: writer.clone(),
            reader,
            feed,
            held_until: report.next.max(saved_at),
            states,
            identity,
            snapshot_interval: config.state.snapshot_interval,
            metrics: Arc::clone(&metrics),
            clock,
        },
        health,
        give_up: give_up.clone(),
    };
    // On a thread of its own: what it holds across waits need not move between threads.
    let runtime = Handle::current();
    let pipeline = tokio::task::spawn_blocking(move || runtime.block_on(pipeline.run()));
    let (http, syslog, admin) = addresses;
    let supervisor = tokio::spawn(supervisor.run(stop_receiving.clone()));
    tracing::info!(%http, %syslog, %admin, data = %folder.display(), "serving");
    Ok(Running {
        http,
        syslog,
        admin,
        metrics,
        store,
        journal: writer,
        receivers,
        admin_tasks,
        supervisor,
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
                // It ends after an orderly shutdown only.
                Err(ended.ok().and_then(Result::err).unwrap_or(ServiceError::CountingEnded))
            }
        }
    }

    /// Stops accepting, drains, commits.
    pub async fn stop(self) -> Result<(), ServiceError> {
        self.stop_receiving.cancel();
        let _ = self.supervisor.await;
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
        for task in self.admin_tasks {
            let _ = task.await;
        }
        match ended.unwrap_or(Ok(())) {
            Err(ServiceError::Store(StoreError::Stopped)) => Ok(()),
            other => other,
        }
    }
}
