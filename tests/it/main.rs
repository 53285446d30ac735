//! Integration tests: where sockets, files and real databases are the point. One binary, so that they link once
//! and share one Postgres server.

mod archives;
mod command_line;
mod crowd;
mod edge;
mod end_to_end;
mod fates;
mod golden;
mod hostile;
mod invariants;
mod journal_command;
mod model;
mod postgres;
mod service;
mod store;
mod supervised;
mod tables;
