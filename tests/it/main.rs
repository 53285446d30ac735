//! Integration tests: where sockets, files and real databases are the point. One binary, so that they link once
//! and share one Postgres server.

#[path = "../support/mod.rs"]
mod support;

mod archives;
mod command_line;
mod end_to_end;
mod fates;
mod golden;
mod invariants;
mod journal_command;
mod model;
mod numbers;
mod store;
mod views;

use support::{counted, postgres, proxy, service, tables};
