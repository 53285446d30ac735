//! Tokens: who a sender is. Each token is bound to a source name; several may share one, for rotation.
//!
//! Comparisons take the same time wherever the first difference lies, and however many tokens there are.
//! Where no token is configured, everyone is the default source.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::settings::{SetupError, TokenSettings};

/// All tokens of a receiver.
pub(super) struct Tokens {
    default_source: Arc<str>,
    entries: Vec<Entry>,
}

struct Entry {
    token: Box<[u8]>,
    digest: [u8; 32],
    source: Arc<str>,
}

impl Tokens {
    pub(super) fn load(default_source: &str, settings: &[TokenSettings]) -> Result<Self, SetupError> {
        let mut entries: Vec<Entry> = Vec::with_capacity(settings.len());
        for setting in settings {
            let token = setting.read()?.into_boxed_slice();
            let overlaps = |other: &Entry| token.starts_with(&other.token) || other.token.starts_with(&token);
            if let Some(other) = entries.iter().find(|other| overlaps(other)) {
                let (source_name, other) = (setting.source.clone(), other.source.to_string());
                return Err(SetupError::OverlappingToken { source_name, other });
            }
            let digest = Sha256::digest(&token).into();
            entries.push(Entry { token, digest, source: setting.source.as_str().into() });
        }
        Ok(Self { default_source: default_source.into(), entries })
    }

    /// Whether a token is needed at all.
    pub(super) fn is_open(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn default_source(&self) -> &Arc<str> {
        &self.default_source
    }

    /// The source that a presented token is bound to. Hashing first makes lengths comparable.
    pub(super) fn source_of(&self, presented: &[u8]) -> Option<&Arc<str>> {
        let digest: [u8; 32] = Sha256::digest(presented).into();
        let mut found = None;
        for entry in &self.entries {
            if bool::from(entry.digest.ct_eq(&digest)) {
                found = Some(&entry.source);
            }
        }
        found
    }

    /// The token that `line` begins with; an index for [`Self::source`] and [`Self::token`].
    pub(super) fn prefix_of(&self, line: &[u8]) -> Option<usize> {
        let mut found = None;
        for (index, entry) in self.entries.iter().enumerate() {
            let equal =
                line.get(..entry.token.len()).map_or(Choice::from(0), |head| head.ct_eq(&entry.token));
            if bool::from(equal) {
                found = Some(index);
            }
        }
        found
    }

    pub(super) fn source(&self, index: usize) -> &Arc<str> {
        &self.entries[index].source
    }

    pub(super) fn token(&self, index: usize) -> &[u8] {
        &self.entries[index].token
    }

    /// The length of the longest token, zero without any.
    pub(super) fn longest(&self) -> usize {
        self.entries.iter().map(|entry| entry.token.len()).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(pairs: &[(&str, &str)]) -> Result<Tokens, SetupError> {
        let settings: Vec<_> =
            pairs.iter().map(|(source, token)| TokenSettings::plain(source, token)).collect();
        Tokens::load("default", &settings)
    }

    #[test]
    fn a_token_names_its_source() {
        let tokens = tokens(&[("one", "secret-1"), ("two", "secret-22"), ("one", "secret-3")]).ok().unwrap();
        let source = |presented: &str| tokens.source_of(presented.as_bytes()).map(|name| name.to_string());
        assert_eq!(source("secret-1").as_deref(), Some("one"));
        assert_eq!(source("secret-22").as_deref(), Some("two"));
        assert_eq!(source("secret-3").as_deref(), Some("one"));
        for wrong in ["", "secret-", "secret-2", "secret-11", "SECRET-1"] {
            assert_eq!(source(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_line_begins_with_a_token_or_it_does_not() {
        let tokens = tokens(&[("short", "abc"), ("long", "xyzxyz")]).ok().unwrap();
        let source =
            |line: &str| tokens.prefix_of(line.as_bytes()).map(|index| tokens.source(index).to_string());
        assert_eq!(source("xyzxyz<134>x").as_deref(), Some("long"));
        assert_eq!(source("abc<134>x").as_deref(), Some("short"));
        assert_eq!(source("abc").as_deref(), Some("short"));
        for wrong in ["", "ab", " abc", "xyzxy<134>"] {
            assert_eq!(source(wrong), None, "{wrong}");
        }
        assert_eq!(tokens.longest(), 6);
    }

    #[test]
    fn no_token_can_be_taken_for_another_and_none_is_empty() {
        for other in ["token", "token2", "tok"] {
            let refused = tokens(&[("a", "token"), ("b", other)]).err();
            assert!(matches!(refused, Some(SetupError::OverlappingToken { .. })), "{other}");
        }
        assert!(matches!(tokens(&[("a", "")]), Err(SetupError::EmptyToken { .. })));
    }
}
