//! What a source lists: episodes, each with what makes it the same one the next time.

use sha2::{Digest, Sha256};

use super::problem::Problem;
use crate::attribution::Episode;

/// The longest show or episode slug; a database index holds it.
pub(super) const MAX_SLUG_BYTES: usize = 255;

/// All that one reading of a source gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// No two of one identity, of one show and slug, or of one host and path.
    pub(super) items: Vec<Item>,
    pub(super) problems: Vec<Problem>,
}

/// One episode of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// What it is recognised by in the next listing: a feed item's guid, or what stands for it.
    pub(super) identity: String,
    pub(super) episode: Episode,
    /// The URL or path of its chapters, which are not read yet.
    pub(super) chapters_at: Option<String>,
}

/// A slug out of any text: its letters and digits in lower case, each run of others one hyphen. May be empty.
pub(super) fn slugified(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    shortened(words.join("-").to_lowercase(), MAX_SLUG_BYTES)
}

/// `slug`, told apart from others like it by `identity`.
pub(super) fn distinguished(slug: String, identity: &str) -> String {
    let suffix = hex(identity, 4);
    format!("{}-{suffix}", shortened(slug, MAX_SLUG_BYTES - suffix.len() - 1))
}

/// The first bytes of the text's SHA-256, in hexadecimal.
pub(super) fn hex(text: &str, bytes: usize) -> String {
    Sha256::digest(text).iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}

/// The text, cut at a character's border to at most so many bytes.
pub(super) fn shortened(mut text: String, max_bytes: usize) -> String {
    text.truncate(text.floor_char_boundary(max_bytes));
    text
}

/// White space and control characters made one space each, cut to at most so many bytes.
pub(super) fn one_line(text: &str, max_bytes: usize) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    shortened(words.collect::<Vec<_>>().join(" "), max_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_of_titles() {
        for (title, slug) in [
            ("Go Time", "go-time"),
            (" The Changelog: Software & Systems! ", "the-changelog-software-systems"),
            ("Café Über", "café-über"),
            ("ゆる言語学", "ゆる言語学"),
            ("—", ""),
        ] {
            assert_eq!(slugified(title), slug, "{title}");
        }
    }

    #[test]
    fn slugs_stay_short_and_apart() {
        let long = "ü".repeat(200);
        assert_eq!(slugified(&long).len(), 254, "never half a character");
        let (a, b) = (distinguished(long.clone(), "guid a"), distinguished(long, "guid b"));
        assert_ne!(a, b);
        assert!(a.len() <= MAX_SLUG_BYTES && b.len() <= MAX_SLUG_BYTES);
        assert_eq!(distinguished("audio.mp3".into(), "a"), "audio.mp3-ca978112");
    }
}
