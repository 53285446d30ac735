//! Text that both databases can hold.
//!
//! Names may come from a request's path, so anyone can choose them. Postgres takes no NUL in text and no index
//! entry beyond a third of a page; a commit that fails for such a name would fail for ever. What cannot be held
//! is replaced, the same in both databases.

use std::borrow::Cow;
use std::fmt::Write;

use sha2::{Digest, Sha256};

/// Longest name in an index, in bytes. Two of them fit into an index entry of Postgres (2,704 bytes).
const MAX_NAME_BYTES: usize = 1_000;

/// Bytes of the digest that tells cut names apart.
const DIGEST_BYTES: usize = 16;

/// Text outside any index: NUL becomes U+FFFD.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    match memchr::memchr(0, text.as_bytes()) {
        None => Cow::Borrowed(text),
        Some(_) => Cow::Owned(text.replace('\0', "\u{fffd}")),
    }
}

/// As [`text`], but none when empty.
pub(super) fn known_text(value: &str) -> Option<Cow<'_, str>> {
    (!value.is_empty()).then(|| text(value))
}

/// A name in an index: as [`text`], and one that is too long ends in `…` and a digest of the whole.
pub(super) fn name(name: &str) -> Cow<'_, str> {
    let name = text(name);
    if name.len() <= MAX_NAME_BYTES {
        return name;
    }
    let room = MAX_NAME_BYTES - '…'.len_utf8() - 2 * DIGEST_BYTES;
    let mut cut = name[..name.floor_char_boundary(room)].to_owned();
    cut.push('…');
    for byte in &Sha256::digest(name.as_bytes())[..DIGEST_BYTES] {
        write!(cut, "{byte:02x}").expect("writing to a String");
    }
    Cow::Owned(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_are_untouched() {
        assert!(matches!(name("feed/épisode-1.mp3"), Cow::Borrowed("feed/épisode-1.mp3")));
        assert_eq!(known_text(""), None);
        assert_eq!(known_text("T").as_deref(), Some("T"));
    }

    #[test]
    fn nul_is_replaced() {
        assert_eq!(name("a\0b\0"), "a\u{fffd}b\u{fffd}");
        assert_eq!(text("\0"), "\u{fffd}");
    }

    #[test]
    fn long_names_are_cut_but_stay_apart() {
        let longest = "é".repeat(MAX_NAME_BYTES / 2);
        assert_eq!(name(&longest), longest);
        let (one, other) = (longest.clone() + "1", longest + "2");
        assert_ne!(name(&one), name(&other));
        assert_eq!(name(&one), name(&one));
        for cut in [name(&one), name(&other)] {
            assert!(cut.len() <= MAX_NAME_BYTES && cut.starts_with("éé") && cut.contains('…'));
        }
    }
}
