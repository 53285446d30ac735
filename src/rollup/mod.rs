//! Signed, mergeable sums of what attribution decided. Pure.
//!
//! A delta can be merged with any other in any order; a store adds it to its tables. Numbers may be
//! negative: a session that moves to an earlier hour takes one away here and adds one there.

mod arrivals;
mod delta;
mod gathered;
mod histogram;
mod live;
mod overview;
mod reach;
mod record;
mod sketch;
mod table;

pub use arrivals::{Arrivals, Arrived, Ends, LAG_SECONDS};
pub use delta::{Delta, EpisodeDay, ExclusionKey, FeedDay, LineCount, ListenBins, TrafficKey};
pub use gathered::Gathered;
pub use histogram::Histogram;
pub use live::{LiveCount, LiveListeners};
pub use overview::{EpisodeOverview, Overview};
pub use reach::{Reach, ReachKey, Scope, Span};
pub use record::{EpisodeSums, Period, Rows, add_line};
pub use sketch::{BadSketch, Hashed, Sketch};
pub use table::Table;
