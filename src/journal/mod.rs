//! The durable log of received batches: what was acknowledged is here.
//!
//! One folder, one writing process, one thread that owns the files. Records go in through a [`Writer`], which answers when
//! they are on disk; counting takes them from the [`Feed`], in order, each once; a [`Reader`] reads any part again.
//! [`inspect`] looks at a folder from outside. The bytes are laid out in `format`.
//!
//! What always holds: an acknowledged record is read back intact, or its damage is told, never something else in its
//! place; positions only rise; nothing is dropped that is not committed; every queue and every file has a bound.
//!
//! Not here: what a payload means, a clock (receive times come with the records, "now" with
//! [`Writer::maintain`]), copies on other machines.

mod aside;
mod disk;
mod error;
mod feed;
mod format;
mod held;
mod identity;
pub mod inspect;
mod lock;
mod log;
mod reader;
mod record;
mod recover;
mod scan;
mod segment;
mod settings;
mod status;
#[cfg(test)]
mod tests;
mod worker;
mod writer;

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

pub use disk::{Faults, Operation, Verdict, free_space};
pub use error::{FullReason, JournalError};
pub use feed::{Fed, Feed};
pub use format::JournalId;
pub use reader::{Cursor, Found, Reader};
pub use record::{Entry, Record, RecordKind, Redelivery};
pub use recover::{CutTail, OpenReport};
pub use scan::{Damage, Flaw};
pub use settings::Settings;
pub use status::{SYNC_SECONDS, Status};
pub use writer::{Ticket, Writer};

/// A journal that is open for writing.
pub struct Journal<T> {
    pub writer: Writer<T>,
    pub feed: Feed<T>,
    pub reader: Reader,
    pub report: OpenReport,
}

impl<T: Send + 'static> Journal<T> {
    /// Opens the journal in `folder`, making both if need be. A torn tail is cut; no damage to records is ever a reason to
    /// fail. Until [`Writer::set_committed`] says what is committed nothing is dropped.
    ///
    /// The journal ends with [`Writer::close`], or when the last writer is dropped.
    ///
    /// # Errors
    /// Another process writes to the folder; a segment is of a newer format; the folder cannot be read or
    /// written; the journal cannot tell its identity any more.
    pub fn open(folder: &Path, settings: Settings) -> Result<Self, JournalError> {
        let settings = settings.normalised();
        // Lines hold addresses: nobody else's business.
        let created = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        created.map_err(|error| JournalError::io("create", folder, error))?;
        let lock = lock::Lock::take(folder)?;
        let disk = disk::Disk::new(settings.faults.clone());
        if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            disk.sync_folder(parent)?;
        }
        let names = segment::SegmentName::list(folder)?;
        let head = identity::establish(&disk, folder, &names)?;
        let identity = head.identity;
        let aside = aside::Aside::new(folder, settings.aside_bytes);
        let recover::Recovered { sealed, next, report } =
            recover::recover(&disk, folder, names, head, &aside)?;

        let shared = Arc::new(status::Shared::default());
        shared.offered.store(next.0, Ordering::Relaxed);
        let folder: Arc<Path> = folder.into();
        let reader = Reader::new(folder.clone(), identity, shared.clone(), aside.clone());
        reader.note(&report.damages);
        let (handoffs, receiver) = mpsc::channel(settings.handoff_batches);
        let feed = Feed::new(receiver, &reader, shared.clone());
        let (writer, commands) =
            Writer::new(settings.queue_bytes, settings.largest_payload(), shared.clone());
        let held = held::Held::new(folder.clone(), sealed, shared.clone());
        let log = log::Log {
            folder: folder.clone(),
            identity,
            settings,
            disk,
            aside,
            held,
            shared,
            active: None,
            next,
        };
        log.publish();
        let worker = worker::Worker {
            log,
            commands,
            handoffs,
            _lock: lock,
            pending: None,
            last_sync: None,
            refused_bytes: 0,
        };
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || worker.run())
            .map_err(|error| JournalError::io("start the thread of", &folder, error))?;
        Ok(Self { writer, feed, reader, report })
    }
}
