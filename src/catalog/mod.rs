//! Which episodes there are: CSV files and RSS feeds into episodes.

pub mod csv;
mod problem;
mod values;

pub use problem::{Cost, Error, Fault, Place, Problem};
