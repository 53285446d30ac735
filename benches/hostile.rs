//! How much slower good clients are served while a crowd holds thousands of bad connections. `make hostile` runs it.
//!
//! The real binary with its default settings and one token. Good clients post batches of generated lines over
//! connections that they keep for a while; the crowd is slow, idle, speaks no protocol or guesses tokens. Measured
//! without the crowd, with it, and without it again, each for HOSTILE_SECONDS; nothing is done where that is not set, as
//! among other benchmarks. Fails below 80 %. Clients, crowd and service share this machine, which the result suffers from.

#[path = "../tests/it/crowd.rs"]
mod crowd;
#[path = "../tests/support/service.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod service;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crowd::{Crowd, Manner};
use service::{Service, Setup, castmeter};

const TOKEN: &str = "correct";
const GOOD_CLIENTS: usize = 8;
const LINES_PER_BATCH: usize = 1_000;
/// Then a good client connects anew.
const BATCHES_PER_CONNECTION: usize = 20;
/// The least share of the throughput that must be left.
const LEAST_SHARE: f64 = 0.8;

fn main() -> ExitCode {
    let from_environment = |name| Some(std::env::var(name).ok()?.parse::<usize>().expect(name));
    let Some(seconds) = from_environment("HOSTILE_SECONDS") else { return ExitCode::SUCCESS };
    let size = from_environment("HOSTILE_CONNECTIONS").unwrap_or(5_000);
    castmeter::service::file_limit::raise();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let setup = Setup { config: format!("token = {TOKEN:?}\n"), ..Setup::new(folder.path()) };
    let service = setup.start();
    service.wait_until_ready();
    let batches = batches();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let share = runtime.block_on(compare(&service, &batches, Duration::from_secs(seconds as u64), size));
    println!("peak memory of the service: {} MiB", service.peak_memory() >> 20);
    for incident in ["displaced", "head_timeout", "body_timeout", "protocol_error", "unauthorized"] {
        println!("{incident}: {}", service.incidents(incident) as u64);
    }
    println!("throughput with {size} bad connections: {:.0} % of that without", 100.0 * share);
    if share < LEAST_SHARE { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Throughput with the crowd over the mean of before and after.
async fn compare(service: &Service, batches: &Arc<[Vec<u8>]>, span: Duration, size: usize) -> f64 {
    // The first lines of a service are slower than any later ones.
    measure(service, batches, span / 4).await;
    let before = measure(service, batches, span).await;
    let crowd = Crowd::gather(service.http, TOKEN, &Manner::ALL, size);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let held = crowd.held();
    let among = measure(service, batches, span).await;
    println!("bad connections: {held}, at the end {}", crowd.held());
    drop(crowd);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let after = measure(service, batches, span).await;
    for (what, Measured { lines, processor }) in
        [("before", before), ("among bad connections", among), ("after", after)]
    {
        println!("{what}: {lines:.0} lines/s, {:.0} % of a processor", 100.0 * processor);
    }
    2.0 * among.lines / (before.lines + after.lines)
}

#[derive(Clone, Copy)]
struct Measured {
    /// Acknowledged a second.
    lines: f64,
    /// How many processors the service kept busy: tells what it asks for from what a busy machine gives it.
    processor: f64,
}

async fn measure(service: &Service, batches: &Arc<[Vec<u8>]>, span: Duration) -> Measured {
    let (to, used) = (service.http, service.processor_time());
    let (acknowledged, failures) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut clients = JoinSet::new();
    for number in 0..GOOD_CLIENTS {
        let (batches, acknowledged, failures) =
            (Arc::clone(batches), Arc::clone(&acknowledged), Arc::clone(&failures));
        clients.spawn(async move {
            for turn in 0.. {
                let first = (number * 97 + turn * BATCHES_PER_CONNECTION) % batches.len();
                let chosen = batches.iter().cycle().skip(first).take(BATCHES_PER_CONNECTION);
                if send(to, chosen, &acknowledged).await.is_err() {
                    failures.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    tokio::time::sleep(span).await;
    clients.shutdown().await;
    let failures = failures.load(Ordering::Relaxed);
    if failures > 0 {
        println!("connections of good clients that broke: {failures}");
    }
    Measured {
        lines: acknowledged.load(Ordering::Relaxed) as f64 / span.as_secs_f64(),
        processor: (service.processor_time() - used).as_secs_f64() / span.as_secs_f64(),
    }
}

/// Posts batches over one connection.
async fn send<'a>(
    to: SocketAddr,
    batches: impl Iterator<Item = &'a Vec<u8>>,
    acknowledged: &AtomicU64,
) -> io::Result<()> {
    let mut stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let mut answer = vec![0; 4096];
    for batch in batches {
        stream.write_all(batch).await?;
        let length = stream.read(&mut answer).await?;
        if !answer[..length].starts_with(b"HTTP/1.1 200 ") {
            return Err(io::Error::other("refused"));
        }
        acknowledged.fetch_add(LINES_PER_BATCH as u64, Ordering::Relaxed);
    }
    Ok(())
}

/// Requests, each whole.
fn batches() -> Arc<[Vec<u8>]> {
    let generated =
        castmeter().args(["generate", "--lines=200000"]).output().expect("the binary runs").stdout;
    let lines: Vec<&[u8]> = generated.split_inclusive(|byte| *byte == b'\n').collect();
    let request = |lines: &[&[u8]]| {
        let body = lines.concat();
        let head = format!(
            "POST /fastly HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), &body].concat()
    };
    lines.chunks_exact(LINES_PER_BATCH).map(request).collect()
}
