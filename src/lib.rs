//! castmeter: podcast downloads and listeners from streaming Fastly logs.
//!
//! One crate of rooms; `ARCHITECTURE.md` walks a line through them. `parser`, `event`, `attribution` and
//! `rollup` are pure, so that the same code runs in production, offline counts, tests and benches.

pub mod attribution;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod event;
pub mod generate;
pub mod journal;
pub mod metrics;
pub mod parser;
pub mod receiver;
pub mod rollup;
pub mod service;
pub mod store;
pub mod units;
pub mod web;
