//! Samples in the log: the first line of each source with what was understood of it, and now and then a malformed one.
//!
//! At most one malformed line a minute for each source and defect, its first 200 bytes, addresses masked: the log of a
//! service must not become a log of listeners.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use regex::bytes::Regex;

use crate::attribution::Outcome;
use crate::event::{Defect, Malformed, Request};
use crate::units::Timestamp;

const INTERVAL: Duration = Duration::from_secs(60);
const SAMPLE_BYTES: usize = 200;

/// What was logged when.
#[derive(Debug, Default)]
pub struct Samples {
    heard: HashSet<Arc<str>>,
    malformed: HashMap<(Arc<str>, Defect), Timestamp>,
}

impl Samples {
    /// Looks at a line: cheap but for the few that are logged.
    pub fn malformed(&mut self, source: &Arc<str>, line: &[u8], malformed: Malformed, now: Timestamp) {
        if let Some(last) = self.malformed.get(&(source.clone(), malformed.defect))
            && now.since(*last) < INTERVAL
        {
            return;
        }
        self.malformed.insert((source.clone(), malformed.defect), now);
        tracing::warn!(%source, defect = malformed.defect.name(), line = masked(line), "a malformed line");
    }

    /// Whether the source has sent a line that could be read.
    pub fn has_heard(&self, source: &str) -> bool {
        self.heard.contains(source)
    }

    /// It has now.
    pub fn hear(&mut self, source: &Arc<str>) {
        self.heard.insert(source.clone());
    }
}

/// For whoever has just set a source up: is it what was meant?
pub fn log_first(source: &str, request: &Request<'_>, outcome: &Outcome) {
    let has = |present: bool| if present { "yes" } else { "no" };
    tracing::info!(
        %source,
        fate = %outcome.fate,
        start = %request.start,
        status = request.status,
        body_bytes = request.body_bytes.0,
        path = masked(request.url),
        id = has(request.id.is_some()),
        user_agent = has(request.user_agent.is_some()),
        range = has(request.range.is_some()),
        content_range = has(request.content_range.is_some()),
        edge = has(request.edge.is_some()),
        "the first line of this source, as it was understood"
    );
}

/// The beginning of a line, readable, without addresses.
fn masked(line: &[u8]) -> String {
    static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
        // An IPv6 address has seven colons or a pair of them; a time of day has neither.
        let v4 = r"\d{1,3}(?:\.\d{1,3}){3}";
        let full = format!(r"(?:[0-9A-Fa-f]{{1,4}}:){{6}}(?:{v4}|[0-9A-Fa-f]{{1,4}}:[0-9A-Fa-f]{{1,4}})");
        let short = format!(r"[0-9A-Fa-f:]*::(?:[0-9A-Fa-f]{{1,4}}:)*(?:{v4}|[0-9A-Fa-f]{{0,4}})");
        Regex::new(&format!("(?-u){full}|{short}|{v4}")).expect("a sound pattern")
    });
    let line = ADDRESS.replace_all(&line[..line.len().min(2 * SAMPLE_BYTES)], &b"[address]"[..]);
    String::from_utf8_lossy(&line[..line.len().min(SAMPLE_BYTES)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_masked() {
        for (line, expected) in [
            (r#"{"ip":"192.0.2.77","status":200}"#, r#"{"ip":"[address]","status":200}"#),
            (r#"{"ip":"2001:db8:1::9","x":1}"#, r#"{"ip":"[address]","x":1}"#),
            ("::ffff:192.0.2.1 - -", "[address] - -"),
            ("caf\u{e9} 1.2.3", "caf\u{e9} 1.2.3"),
        ] {
            let found = masked(line.as_bytes());
            assert!(!found.contains("192.0.2") && !found.contains("2001:db8"), "{found}");
            assert_eq!(found.replace("[address][address]", "[address]"), expected);
        }
        assert_eq!(masked(&[b'x'; 999]).len(), SAMPLE_BYTES);
        assert!(!masked(b"\xff\xfe 192.0.2.1").contains("192"));
    }

    #[test]
    fn a_flood_is_one_sample_a_minute() {
        let mut samples = Samples::default();
        let source: Arc<str> = "cdn".into();
        let at = |seconds| Timestamp::from_seconds(seconds).unwrap();
        samples.malformed(&source, b"{", Defect::BadJson.into(), at(0));
        samples.malformed(&source, b"{", Defect::BadJson.into(), at(59));
        assert_eq!(samples.malformed[&(source.clone(), Defect::BadJson)], at(0));
        samples.malformed(&source, b"{", Defect::BadJson.into(), at(60));
        assert_eq!(samples.malformed[&(source.clone(), Defect::BadJson)], at(60));
        assert!(!samples.has_heard(&source));
        samples.hear(&source);
        assert!(samples.has_heard(&source));
    }
}
