//! The journal as its users see it, on real files.

mod append;
mod damage;
mod faults;
mod feed;
mod inspect;
mod references;
mod retention;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;

use super::{Faults, Found, Journal, Operation, Reader, Record, RecordKind, Settings, Verdict};
use crate::units::{ByteCount, Encoding, JournalPosition, Timestamp};

/// What is handed over with each record in these tests.
type Value = u32;

fn settings() -> Settings {
    let sync_interval = Duration::from_micros(100);
    Settings { sync_interval, min_free_bytes: ByteCount::ZERO, ..Settings::default() }
}

/// A folder in memory where there is such a thing: for properties that are tried many times.
fn quick_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn open(folder: &Path, settings: Settings) -> Journal<Value> {
    Journal::open(folder, settings).unwrap()
}

/// Holds segments' fsyncs back while it is shut, as it is at first.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    changed: Condvar,
    reached: AtomicBool,
}

impl Gate {
    fn set_open(&self, open: bool) {
        *self.is_open.lock().unwrap() = open;
        self.reached.store(false, Ordering::SeqCst);
        self.changed.notify_all();
    }

    /// Waits until an fsync stands before the gate.
    async fn reached(&self) {
        while !self.reached.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
    }
}

impl Faults for Gate {
    fn before(&self, operation: Operation, path: &Path) -> Verdict {
        let is_segment = path.extension().is_some_and(|extension| extension == "segment");
        let open = self.is_open.lock().unwrap();
        if operation != Operation::Sync || !is_segment || *open {
            return Verdict::Proceed;
        }
        self.reached.store(true, Ordering::SeqCst);
        let waited = self.changed.wait_timeout_while(open, Duration::from_secs(60), |open| !*open);
        if waited.unwrap().1.timed_out() { Verdict::Fail(ErrorKind::TimedOut) } else { Verdict::Proceed }
    }
}

/// A batch received `seconds` after the epoch.
fn batch(seconds: i64, payload: impl Into<Bytes>) -> Record {
    Record {
        kind: RecordKind::Batch,
        source: Arc::from("fastly"),
        encoding: Encoding::Gzip,
        received_at: Timestamp::from_seconds(seconds).unwrap(),
        payload: payload.into(),
    }
}

/// All records from the first that is held, as (position, payload).
fn contents(reader: &Reader) -> Vec<(u64, Bytes)> {
    read(reader, 0).into_iter().filter_map(record_of).collect()
}

fn read(reader: &Reader, position: u64) -> Vec<Found> {
    reader.read_from(JournalPosition(position)).collect::<Result<_, _>>().unwrap()
}

fn record_of(found: Found) -> Option<(u64, Bytes)> {
    match found {
        Found::Entry(entry) => Some((entry.position.0, entry.record.payload)),
        Found::Damage(_) => None,
    }
}

/// Names of the segment files, oldest first.
fn segments(folder: &Path) -> Vec<String> {
    let mut names = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".segment"))
        .collect::<Vec<_>>();
    names.sort();
    names
}
