//! Which episodes there are: CSV files and RSS feeds into episodes.

pub mod csv;
mod item;
mod problem;
mod rss;
mod time;
mod url;
mod values;

pub use problem::{Cost, Error, Fault, Place, Problem};
