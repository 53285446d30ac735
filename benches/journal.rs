//! What the journal costs a line: `cargo bench --bench journal`.
//!
//! Eight appenders, batches of 1,000 lines, plain (420 bytes a line) and as gzip leaves them (50). Beside it the floor: the
//! same bytes written and synced by a plain loop. CPU time of the whole process, the kernel's for it included, since that
//! is what a busy machine leaves comparable; the least of several runs, since the page cache's first touch of memory
//! varies by itself. `cargo test --bench journal` does it once with few batches, for what it asserts. Linux only. Files lie in the target folder, so the disk is the one that holds it.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use castmeter::clock::{Clock, SystemClock};
use castmeter::journal::{Found, Journal, Record, RecordKind, Settings};
use castmeter::units::{Encoding, JournalPosition, Timestamp};

const LINES: u32 = 1_000;
const APPENDERS: usize = 8;
const RUNS: usize = 6;

fn main() {
    let is_measuring = std::env::args().any(|argument| argument == "--bench");
    let runs = if is_measuring { RUNS } else { 1 };
    println!("{:28} {:>12} {:>12}", "per line", "CPU ns", "wall ns");
    for (bytes, batches) in [(420_000, 2_400), (50_000, 12_000)] {
        let batches = if is_measuring { batches } else { 2 * APPENDERS as u64 };
        let payload = random(bytes);
        report("write and sync, no journal", bytes, least(runs, |folder| plain(folder, &payload, batches)));
        report("journal, append", bytes, least(runs, |folder| append(folder, &payload, batches)));
        report("journal, read back", bytes, least_of_reading(runs, &payload, batches));
    }
}

fn report(what: &str, bytes: usize, (cpu, wall): (f64, f64)) {
    println!("{:28} {cpu:12.1} {wall:12.1}", format!("{what}, {} B", bytes / LINES as usize));
}

/// Bytes that no disk or file system can make less of.
fn random(bytes: usize) -> Bytes {
    let mut payload = vec![0; bytes];
    getrandom::fill(&mut payload).expect("random bytes");
    payload.into()
}

/// The least CPU and wall time of a line over the runs, each in a folder of its own.
fn least(runs: usize, work: impl Fn(&Path) -> u64) -> (f64, f64) {
    let runs = (0..runs).map(|_| {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        measure(|| work(folder.path()))
    });
    runs.fold((f64::MAX, f64::MAX), |least, run| (least.0.min(run.0), least.1.min(run.1)))
}

fn least_of_reading(runs: usize, payload: &Bytes, batches: u64) -> (f64, f64) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    append(folder.path(), payload, batches);
    let runs = (0..runs).map(|_| measure(|| read(folder.path(), payload, batches)));
    runs.fold((f64::MAX, f64::MAX), |least, run| (least.0.min(run.0), least.1.min(run.1)))
}

/// Nanoseconds a line of some work, which says how many batches it did.
fn measure(work: impl FnOnce() -> u64) -> (f64, f64) {
    let clock = SystemClock::new();
    let cpu = cpu_time();
    let lines = work() * u64::from(LINES);
    let a_line = |span: Duration| span.as_nanos() as f64 / lines as f64;
    (a_line(cpu_time() - cpu), a_line(clock.monotonic()))
}

/// User and system time of this process; in ticks of 10 ms, as proc_pid_stat(5) says.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, behind_name) = stat.rsplit_once(')').expect("a name in brackets");
    let ticks = behind_name.split_ascii_whitespace().skip(11).take(2);
    Duration::from_millis(10 * ticks.map(|count| count.parse::<u64>().expect("a number")).sum::<u64>())
}

fn plain(folder: &Path, payload: &Bytes, batches: u64) -> u64 {
    let mut file = File::create(folder.join("plain")).expect("a file");
    for batch in 1..=batches {
        file.write_all(payload).expect("space");
        if batch.is_multiple_of(APPENDERS as u64) {
            file.sync_data().expect("a disk that syncs");
        }
    }
    batches
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime")
}

fn append(folder: &Path, payload: &Bytes, batches: u64) -> u64 {
    runtime().block_on(async {
        let Journal { writer, .. } = Journal::open(folder, Settings::default()).expect("a journal");
        let appenders = (0..APPENDERS).map(|_| {
            let (writer, payload) = (writer.clone(), payload.clone());
            tokio::spawn(async move {
                for _ in 0..batches / APPENDERS as u64 {
                    writer.append(record(&payload), ()).await.expect("a durable record");
                }
            })
        });
        for appender in appenders.collect::<Vec<_>>() {
            appender.await.expect("no panic");
        }
        writer.close().await;
    });
    batches
}

fn record(payload: &Bytes) -> Record {
    Record {
        kind: RecordKind::Batch,
        source: Arc::from("fastly"),
        encoding: Encoding::Identity,
        received_at: Timestamp::default(),
        payload: payload.clone(),
    }
}

fn read(folder: &Path, payload: &Bytes, batches: u64) -> u64 {
    let journal = Journal::<()>::open(folder, Settings::default()).expect("a journal");
    let found = journal.reader.read_from(JournalPosition::START);
    let is_whole =
        |found: &Found| matches!(found, Found::Entry(entry) if entry.record.payload.len() == payload.len());
    let whole = found.filter(|found| found.as_ref().is_ok_and(is_whole)).count() as u64;
    assert_eq!(whole, batches, "every batch comes back whole");
    runtime().block_on(journal.writer.close());
    whole
}
