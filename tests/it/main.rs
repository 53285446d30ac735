//! Integration tests: where sockets, files and real databases are the point. One binary, so that they link once
//! and share one Postgres server.

#[path = "../support/mod.rs"]
mod support;

mod archives;
mod chapters;
mod command_line;
mod crowd;
mod edge;
mod end_to_end;
mod fates;
#[path = "../catalog/server.rs"]
#[expect(dead_code, reason = "the catalogue's own tests use all of it")]
mod feed_server;
mod golden;
mod hostile;
mod invariants;
mod journal_command;
mod model;
mod numbers;
#[path = "../support/model.rs"]
mod plain;
mod restart;
mod restored;
mod store;
mod supervised;
mod threads;
mod views;

use support::{counted, postgres, proxy, service, tables};
