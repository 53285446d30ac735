//! An episode as attribution needs it: where it is served, how large and how long it is, since when.

use serde::{Deserialize, Serialize};

use super::Chapter;
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
    /// By their start, no two at one. None where nothing is known of them; an empty list is known to be empty. Always
    /// written: saved states have no field names.
    #[serde(default)]
    pub chapters: Option<Vec<Chapter>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Journals hold episodes of earlier releases.
    #[test]
    fn an_episode_of_before_there_were_chapters_is_read() {
        let episode = crate::attribution::testing::episode("go", "1", "/1.mp3");
        let mut earlier = serde_json::to_value(&episode).unwrap();
        earlier.as_object_mut().unwrap().remove("chapters").unwrap();
        assert_eq!(serde_json::from_value::<Episode>(earlier).unwrap(), episode);
        for chapters in [vec![], vec![Chapter { start_ms: 7, title: "Intro".into() }]] {
            let episode = Episode { chapters: Some(chapters), ..episode.clone() };
            let text = serde_json::to_string(&episode).unwrap();
            assert_eq!(serde_json::from_str::<Episode>(&text).unwrap(), episode);
        }
    }
}
