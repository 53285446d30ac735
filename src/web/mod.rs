//! What people and programs read of a running service: metrics, health, a small page with its JSON.
//!
//! `/metrics`, `/livez` and `/readyz` are on the admin port; the page and its `/api/now` are on the ingest
//! port, without anything that is not a sum.

mod admin;
mod page;

use crate::journal::Status;
use crate::metrics::Metrics;
use crate::store::Store;
use std::sync::Arc;

pub use admin::serve_admin;
pub use page::page;

/// What the pages are made from.
pub struct Web {
    pub metrics: Arc<Metrics>,
    pub store: Store,
    pub journal_status: Box<dyn Fn() -> Status + Send + Sync>,
    /// Why the service is not ready; empty when it is.
    pub problems: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    /// Why it had better be started anew, if so.
    pub stuck: Box<dyn Fn() -> Option<String> + Send + Sync>,
}
