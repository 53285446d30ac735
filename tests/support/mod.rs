//! What several test targets need: the service as a process, a Postgres server, the tables as text.
//!
//! Not a target of its own. A target takes this in with `#[path]` and names the modules at its root, as they name one
//! another by `crate::`.

#![allow(dead_code, reason = "each target uses a part of it")]

pub mod counted;
pub mod dashboards;
pub mod postgres;
pub mod proxy;
pub mod service;
pub mod tables;
