//! Integration tests: where sockets, files and real databases are the point. One binary, so that they link once
//! and share one Postgres server.

mod archives;
mod command_line;
mod end_to_end;
mod fates;
mod golden;
mod invariants;
mod model;
mod numbers;
mod postgres;
mod service;
mod store;
mod tables;
mod views;
