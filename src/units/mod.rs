//! The small vocabulary everything else is written in: bytes, times, ids.
//!
//! Newtypes only: no I/O, no clock, no policy. Arithmetic that could wrap is checked or saturates
//! where a type says so. Nothing here knows what a log line or an episode is.

mod bytes;
mod encoding;
mod ids;
mod time;

pub use bytes::{ByteCount, ByteRange};
pub use encoding::Encoding;
pub use ids::{AgentId, Country, EpisodeId, JournalPosition, KeyId, LabelId, ListenerKey, ShowId, SourceId};
pub use time::{Timestamp, UtcDay, UtcHour};
