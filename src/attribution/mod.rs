//! The counting rules: which requests count, for whom, and when a session is a download.
//!
//! Pure: bytes, time and configuration in, an outcome out. No tokio, no sockets, no clock, no randomness,
//! no metrics. The base is the IAB Tech Lab *Podcast Measurement Guidelines* v2.3; `docs/methodology.md`
//! states each rule with its clause.

pub mod agent;
mod episode;
mod fate;

pub use episode::Episode;
pub use fate::{Fate, Reason};
