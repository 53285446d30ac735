//! The dashboards, from their files: that they are whole, that they ask for what exists, and that a real Postgres
//! filled by the service answers each question with what its panel needs; and what starts Grafana. Their PromQL is tried in `tests/prometheus`,
//! where a Prometheus scrapes.

#[path = "../support/mod.rs"]
mod support;

mod composed;
mod fixture;
mod names;
mod provisioned;
mod schema;
mod shapes;
mod sql;
mod structure;

use support::{postgres, service, tables};
