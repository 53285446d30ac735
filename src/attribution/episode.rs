//! An episode as attribution needs it: where it is served, how large and how long it is, since when.

use serde::{Deserialize, Serialize};

use crate::units::Timestamp;

/// One episode, from a catalogue or derived from a path.
///
/// `show` and `slug` together name it in every table; both stay the same over restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// The show's slug.
    pub show: String,
    /// The show's title; empty where none is known.
    pub show_title: String,
    pub slug: String,
    /// Empty where none is known.
    pub title: String,
    /// The path it is served at, percent-decoded once, beginning with `/`, without query.
    pub path: String,
    /// Compared with a line's host where there is one; lower case, without port.
    pub host: Option<String>,
    /// The file's length in bytes. Never 0.
    pub size: Option<u64>,
    /// Never 0.
    pub duration_ms: Option<u64>,
    /// Where the audio begins: the length of the leading ID3v2 tag.
    pub audio_start: u64,
    pub published_at: Option<Timestamp>,
}
