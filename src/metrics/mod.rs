//! What the service tells Prometheus: every metric, its state and its page.
//!
//! Nothing here is touched per line: counting publishes sums a few times a second, receivers report per batch. A scrape
//! takes a handle of what was published last and writes it out by itself, so it waits for nobody and nobody for it.
//! Names and labels are in [`families`]; `docs/metrics.md` is made from them ([`reference`]).

mod classic;
mod counted;
mod definition;
pub mod families;
mod page;
mod pipeline;
mod process;
mod receivers;
pub mod reference;
mod sums;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

pub use counted::Publication;

use crate::journal;
use crate::receiver::{Event, Observer, Transport};
use crate::units::{ByteCount, JournalPosition, Timestamp};
use counted::Counted;
use page::{Catalog, Look};
use receivers::Receivers;

/// The text formats of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// Prometheus' own, 0.0.4.
    Classic,
}

/// What is looked at when the page is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    pub now: Timestamp,
    pub journal: journal::Status,
    /// What the journal may hold.
    pub journal_limit: ByteCount,
    /// On the data folder's disk; None where it cannot be told.
    pub disk_free: Option<ByteCount>,
}

/// The state of all metrics. Every method may be called from any thread.
pub struct Metrics {
    /// Changed in place, but for a moment in which a scrape holds it: then in a copy.
    counted: Mutex<Arc<Counted>>,
    receivers: Arc<Receivers>,
    catalog: Mutex<Catalog>,
}

impl Metrics {
    /// `max_episodes`: how many have labels of their own.
    pub fn new(max_episodes: usize) -> Arc<Self> {
        Arc::new(Self {
            counted: Mutex::new(Arc::new(Counted::new(max_episodes))),
            receivers: Arc::default(),
            catalog: Mutex::default(),
        })
    }

    /// The page. Takes milliseconds where there are thousands of episodes.
    pub fn page(&self, format: Format, observed: Observed) -> String {
        let look = Look {
            counted: Arc::clone(&self.lock()),
            receivers: Arc::clone(&self.receivers),
            catalog: *self.catalog(),
            observed,
        };
        let mut registry = Registry::default();
        registry.register_collector(Box::new(look));
        let mut page = String::with_capacity(1 << 16);
        encode(&mut page, &registry).expect("a String takes all text");
        match format {
            Format::OpenMetrics => page,
            Format::Classic => classic::from_open_metrics(&page),
        }
    }

    /// The journal is open; its next record gets this position.
    pub fn journal_opened(&self, next: JournalPosition, now: Timestamp) {
        self.change(|counted| counted.pipeline.begin(next, now));
    }

    /// What counting summed up since it published last.
    pub fn publish(&self, publication: Publication<'_>) {
        self.change(|counted| counted.publish(publication));
    }

    /// How far counting has come, as it published last.
    pub fn counted_position(&self) -> JournalPosition {
        self.lock().pipeline.counted()
    }

    /// Counting has come to `position`, with nothing counted.
    #[cfg(test)]
    pub fn counted_to(&self, position: JournalPosition) {
        self.change(|counted| counted.pipeline.publish(crate::rollup::Arrived::default(), position));
    }

    /// The store has taken in all up to `position` before this process.
    pub fn store_claimed(&self, position: JournalPosition) {
        self.change(|counted| counted.pipeline.claimed(position));
    }

    /// The store has taken in all up to `position` now.
    pub fn store_committed(&self, position: JournalPosition, took: Duration, now: Timestamp) {
        self.change(|counted| counted.pipeline.commit(position, took, now));
    }

    /// An attempt at the store failed and will be made again.
    pub fn store_failed(&self) {
        self.change(|counted| counted.pipeline.failures += 1);
    }

    /// The catalogue holds so many episodes.
    pub fn catalog_episodes(&self, episodes: usize) {
        self.catalog().episodes = episodes as u64;
    }

    /// The catalogue's sources were looked at; `complete` where each could be read.
    pub fn catalog_refreshed(&self, complete: bool, now: Timestamp) {
        let mut catalog = self.catalog();
        if complete {
            catalog.refreshes += 1;
            catalog.refreshed_at = now.micros() as f64 / 1e6;
        } else {
            catalog.failures += 1;
        }
    }

    fn change(&self, change: impl FnOnce(&mut Counted)) {
        change(Arc::make_mut(&mut self.lock()));
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Counted>> {
        self.counted.lock().expect("nothing panics with it held")
    }

    fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.catalog.lock().expect("nothing panics with it held")
    }
}

impl Observer for Metrics {
    fn observe(&self, transport: Transport, event: Event) {
        self.receivers.observe(transport, event);
    }
}
