//! The receivers over real sockets: what well-behaved and hostile clients get, and what is handed on.
//!
//! Every test has receivers of its own on free ports, whose intake keeps batches in memory.

mod clients;
mod handed_over;
mod hostile;
mod http;
mod rig;
mod syslog;
mod tls;
