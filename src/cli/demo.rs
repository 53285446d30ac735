//! `castmeter demo`: the service with generated traffic, on this machine, at a glance.
//!
//! Nothing is staged: the traffic goes over HTTP into the journal and is counted into SQLite like anybody's. Only its
//! listeners do not exist.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use clap::Args;

use super::Failure;
use super::output::{Format, Rows};
use super::serve::{failure, runtime, shutdown_signal};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::generate::{self, Generator, Options};
use crate::receiver::HandedOver;
use crate::service::{self, Running};
use crate::store::{Store, StoreError};

/// Fastly sends up to 10,000 lines every few seconds from many machines; smaller ones make a livelier picture.
const LINES_PER_BATCH: u64 = 1_000;
const TOP_EPISODES: u32 = 10;

/// Run the service with generated traffic and watch it count
#[derive(Debug, Args)]
pub struct Demo {
    /// End after so many seconds; otherwise on Ctrl-C
    #[arg(long, env = "DEMO_SECONDS", value_name = "SECONDS")]
    seconds: Option<u64>,
    /// Lines a second
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    /// Folder for the demo's data; emptied first if an earlier demo left it
    #[arg(long, value_name = "FOLDER", default_value = "castmeter-demo")]
    data_dir: PathBuf,
}

impl Demo {
    pub fn run(self) -> Result<(), Failure> {
        let clock = SystemClock::new();
        let options = Options { start: clock.now().minus(Duration::from_secs(3600)), ..Options::default() };
        let config = self.prepare(&options)?;
        tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(io::stderr).init();
        runtime()?.block_on(async {
            let shutdown = shutdown_signal()?;
            let running = service::start(config, HandedOver::default()).await.map_err(failure)?;
            let stop = Arc::new(AtomicBool::new(false));
            let sender = self.start_sender(&options, running.http, Arc::clone(&stop))?;
            let screen = Screen { running: &running, clock: &clock, data_dir: &self.data_dir };
            let time_is_up = async {
                match self.seconds {
                    Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = shutdown => {}
                () = time_is_up => {}
                result = screen.refresh_for_ever() => result?,
            }
            stop.store(true, Ordering::Relaxed);
            let sent = tokio::task::spawn_blocking(move || sender.join()).await.map_err(Failure::failed)?;
            let sent = sent.map_err(|_| Failure::Failed("the demo's sender failed".to_owned()))??;
            let store = running.store.clone();
            running.stop().await.map_err(failure)?;
            self.report(&store, sent).await
        })
    }

    /// The demo's own folder, catalogue and configuration.
    fn prepare(&self, options: &Options) -> Result<Config, Failure> {
        let folder = &self.data_dir;
        let catalog = folder.join("catalog.csv");
        let failed =
            |cause: io::Error| Failure::Failed(format!("cannot prepare {}: {cause}", folder.display()));
        if catalog.exists() {
            std::fs::remove_dir_all(folder).map_err(failed)?;
        }
        std::fs::create_dir_all(folder).map_err(failed)?;
        let mut file = BufWriter::new(File::create(&catalog).map_err(failed)?);
        generate::write_catalog(options, &mut file).and_then(|()| file.flush()).map_err(failed)?;
        let mut config = Config {
            data_dir: folder.clone(),
            catalog: Some(catalog.display().to_string()),
            feeds: generate::feeds(options),
            ..Config::default()
        };
        config.store.flush_interval = Duration::from_secs(1);
        config.http.listen = free_address(config.http.listen.port());
        config.syslog.listen = free_address(config.syslog.listen.port());
        config.admin.listen = free_address(config.admin.listen.port());
        Ok(config)
    }

    /// Sends batches at the rate asked for; gives the number of lines that were acknowledged.
    fn start_sender(
        &self,
        options: &Options,
        to: SocketAddr,
        stop: Arc<AtomicBool>,
    ) -> Result<thread::JoinHandle<Result<u64, Failure>>, Failure> {
        let pause = Duration::from_secs(1).mul_f64(LINES_PER_BATCH as f64 / self.rate as f64);
        let mut generator = Generator::new(options);
        let send = move || {
            let clock = SystemClock::new();
            let agent = ureq::Agent::new_with_defaults();
            let (mut due, mut sent) = (clock.monotonic(), 0);
            let mut batch = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                batch.clear();
                for _ in 0..LINES_PER_BATCH {
                    generator.next_line_at(clock.now(), &mut batch);
                }
                agent.post(format!("http://{to}/fastly")).send(&batch[..]).map_err(Failure::failed)?;
                sent += LINES_PER_BATCH;
                due += pause;
                thread::sleep(due.saturating_sub(clock.monotonic()));
            }
            Ok(sent)
        };
        thread::Builder::new().name("traffic".to_owned()).spawn(send).map_err(Failure::failed)
    }

    async fn report(&self, store: &Store, sent: u64) -> Result<(), Failure> {
        let now = Snapshot::read(store).await.map_err(Failure::failed)?;
        let mut out = io::stdout().lock();
        writeln!(out, "\n{sent} lines sent and acknowledged, {} counted\n", now.lines)?;
        now.print(&mut out)?;
        let folder = self.data_dir.display();
        writeln!(out, "\nThe data lies in {folder}: castmeter.sqlite holds the sums, journal/ the lines.")?;
        if sent == u64::try_from(now.lines).unwrap_or(0) {
            return Ok(());
        }
        Err(Failure::Failed(format!("{} lines were counted of {sent} acknowledged ones", now.lines)))
    }
}

/// The usual port where it is free, else any.
fn free_address(port: u16) -> SocketAddr {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match TcpListener::bind(usual) {
        Ok(_) => usual,
        Err(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}

/// The terminal's picture.
struct Screen<'a> {
    running: &'a Running,
    clock: &'a SystemClock,
    data_dir: &'a Path,
}

impl Screen<'_> {
    async fn refresh_for_ever(&self) -> Result<(), Failure> {
        let (mut lines, mut at) = (0, self.clock.monotonic());
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = match Snapshot::read(&self.running.store).await {
                Ok(now) => now,
                // The tables are being made.
                Err(error) if lines == 0 => {
                    tracing::debug!(%error, "no sums yet");
                    continue;
                }
                Err(error) => return Err(Failure::failed(error)),
            };
            let took = self.clock.monotonic() - at;
            let rate = (now.lines - lines) as f64 / took.as_secs_f64();
            (lines, at) = (now.lines, self.clock.monotonic());
            self.draw(&now, rate)?;
        }
    }

    fn draw(&self, now: &Snapshot, rate: f64) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        if !out.is_terminal() {
            writeln!(out, "{rate:.0} lines/s, {} lines, {} downloads", now.lines, now.downloads)?;
            return Ok(());
        }
        // Home and clear: the picture stands still.
        write!(out, "\x1b[H\x1b[J")?;
        writeln!(out, "castmeter, counting generated traffic into {}\n", self.data_dir.display())?;
        writeln!(out, "{rate:>10.0} lines/s\n{:>10} downloads of {} lines\n", now.downloads, now.lines)?;
        now.print(&mut out)?;
        let Running { http, admin, syslog, .. } = self.running;
        writeln!(out, "\nhttp://{http}/  http://{admin}/metrics  http://{admin}/readyz")?;
        writeln!(out, "send your own: POST http://{http}/fastly, or syslog to {syslog}   Ctrl-C ends it")?;
        Ok(out.flush()?)
    }
}

/// What the store holds.
struct Snapshot {
    downloads: i64,
    lines: i64,
    episodes: Rows,
    fates: Rows,
}

impl Snapshot {
    async fn read(store: &Store) -> Result<Self, StoreError> {
        let mut episodes = Rows::new(&["downloads", "show", "episode"]);
        for it in store.top_episodes(None, TOP_EPISODES).await? {
            episodes.push(vec![it.downloads.into(), it.show.into(), it.slug.into()]);
        }
        let mut fates = Rows::new(&["lines", "fate", "reason"]);
        let mut lines = 0;
        for it in store.fates(None).await? {
            lines += it.requests;
            fates.push(vec![it.requests.into(), it.fate.into(), it.reason.into()]);
        }
        Ok(Self { downloads: store.totals(None).await?.downloads, lines, episodes, fates })
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        self.episodes.print(Format::Table, out)?;
        writeln!(out)?;
        self.fates.print(Format::Table, out)
    }
}
