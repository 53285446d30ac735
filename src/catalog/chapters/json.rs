//! Chapters as JSON: `application/json+chapters`, version 1.2 of the Podcast Namespace's format.
//!
//! `{"version": "1.2.0", "chapters": [{"startTime": 94.5, "title": "…", "toc": true, …}, …]}`. `startTime` is in
//! seconds. A chapter with `"toc": false` is not to be shown: it only changes the image. The version and all other
//! members are not looked at.

use serde::Deserialize;
use serde_json::Value;

use super::document::{ChaptersError, Entry};

/// A start beyond this many seconds (32 years) is no place in an episode.
const MAX_START_SECONDS: f64 = 1e9;

#[derive(Deserialize)]
struct Document {
    chapters: Vec<Value>,
}

/// The chapters in the document's order.
///
/// # Errors
/// It is no JSON, or has no list of chapters. What is wrong with one of them is said by its entry.
pub(super) fn entries(bytes: &[u8]) -> Result<Vec<Entry>, ChaptersError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let document: Document = serde_json::from_slice(bytes).map_err(ChaptersError::Json)?;
    let numbered = (1..).zip(&document.chapters);
    Ok(numbered.map(|(number, chapter)| entry(number, chapter)).collect())
}

fn entry(number: usize, chapter: &Value) -> Entry {
    let member = |name| chapter.get(name);
    Entry {
        number,
        start_ms: member("startTime").and_then(Value::as_f64).and_then(milliseconds),
        title: member("title").and_then(Value::as_str).unwrap_or_default().to_owned(),
        is_shown: member("toc").and_then(Value::as_bool).unwrap_or(true),
    }
}

/// Rounded; None where there is no such time.
fn milliseconds(seconds: f64) -> Option<u64> {
    (0.0..=MAX_START_SECONDS).contains(&seconds).then(|| (seconds * 1000.0).round() as u64)
}
