//! What people and programs read of a running service: metrics, health, a small page with its JSON.
//!
//! `/metrics`, `/livez`, `/readyz` and `/api/annotations` are on the admin port; the page and its `/api/now` are on the ingest
//! port, without anything that is not a sum.

mod admin;
mod annotations;
mod negotiate;
mod page;
mod scrape;

use crate::metrics::{Metrics, Observed};
use crate::store::Store;
use std::sync::Arc;

pub use admin::serve_admin;
pub use page::page;

/// What the pages are made from.
pub struct Web {
    pub metrics: Arc<Metrics>,
    pub store: Store,
    /// What metrics look at when they are asked for.
    pub observe: Box<dyn Fn() -> Observed + Send + Sync>,
    /// Why the service is not ready; empty when it is.
    pub problems: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    /// Why it had better be started anew, if so.
    pub stuck: Box<dyn Fn() -> Option<String> + Send + Sync>,
}
