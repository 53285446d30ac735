//! What Prometheus makes of castmeter: the real one, of Debian's package, scrapes the real binary under generated load.
//! Every metric, every rule and every dashboard panel is tried by being there.

#[path = "../support/mod.rs"]
mod support;

mod annotations;
mod dashboards;
mod load;
mod page;
mod promql;
mod rules;
mod scraped;
mod server;

use support::{postgres, service, tables};
