//! Integration tests: where sockets, files and real databases are the point. One binary, so that they link once
//! and share one Postgres server.

mod postgres;
mod store;
mod tables;
