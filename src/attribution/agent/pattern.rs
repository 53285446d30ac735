//! The match language of the built-in tables, and a set of patterns searched all at once.
//!
//! | written | means |
//! |---|---|
//! | `text` | the agent contains `text`, case counts |
//! | `^text` | it begins with it |
//! | `text$` | it ends with it |
//! | `#` | one ASCII digit |
//! | `*` | any run of bytes, also none |
//!
//! Everything else stands for itself. A pattern begins with literal text, which one automaton finds for
//! all patterns in a single pass over the agent; only where it is found is the rest compared. So a table
//! of a thousand patterns compiles in about a millisecond, where as many regular expressions take a hundred.

use aho_corasick::{AhoCorasick, MatchKind};

/// One pattern, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    at_start: bool,
    at_end: bool,
    /// Never empty; the first part is [`Part::Text`].
    parts: Box<[Part]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<[u8]>),
    Digit,
    Any,
}

impl Pattern {
    /// None where the pattern does not begin with literal text.
    pub fn parse(written: &str) -> Option<Self> {
        let (at_start, rest) = written.strip_prefix('^').map_or((false, written), |rest| (true, rest));
        let (at_end, body) = rest.strip_suffix('$').map_or((false, rest), |body| (true, body));
        let mut parts = Vec::new();
        for piece in body.split_inclusive(['#', '*']) {
            let (text, wild) = match piece.as_bytes() {
                [text @ .., b'#'] => (text, Some(Part::Digit)),
                [text @ .., b'*'] => (text, Some(Part::Any)),
                text => (text, None),
            };
            if !text.is_empty() {
                parts.push(Part::Text(text.into()));
            }
            parts.extend(wild);
        }
        matches!(parts.first(), Some(Part::Text(_))).then(|| Self { at_start, at_end, parts: parts.into() })
    }

    fn literal(&self) -> &[u8] {
        match self.parts.first() {
            Some(Part::Text(text)) => text,
            _ => unreachable!("parse accepts only patterns that begin with text"),
        }
    }

    /// Whether the whole pattern matches, given that its literal was found at `start`.
    fn matches_at(&self, text: &[u8], start: usize) -> bool {
        (!self.at_start || start == 0)
            && follows(&self.parts[1..], &text[start + self.literal().len()..], self.at_end)
    }
}

/// Whether `text` begins with the parts (and ends with them, if `to_end`).
fn follows(parts: &[Part], text: &[u8], to_end: bool) -> bool {
    match parts {
        [] => !to_end || text.is_empty(),
        [Part::Text(literal), rest @ ..] => {
            text.strip_prefix(&**literal).is_some_and(|text| follows(rest, text, to_end))
        }
        [Part::Digit, rest @ ..] => text
            .split_first()
            .is_some_and(|(byte, text)| byte.is_ascii_digit() && follows(rest, text, to_end)),
        [Part::Any, rest @ ..] => (0..=text.len()).any(|skip| follows(rest, &text[skip..], to_end)),
    }
}

/// Patterns in order of precedence.
#[derive(Debug)]
pub struct PatternSet {
    patterns: Box<[Pattern]>,
    literals: AhoCorasick,
}

impl PatternSet {
    pub fn new(patterns: Vec<Pattern>) -> Self {
        let literals = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(patterns.iter().map(Pattern::literal))
            .expect("a few thousand short literals are within the automaton's limits");
        Self { patterns: patterns.into(), literals }
    }

    /// The index of the first pattern, in the order given to [`Self::new`], that matches.
    pub fn first_match(&self, text: &[u8]) -> Option<usize> {
        let mut first = self.patterns.len();
        for found in self.literals.find_overlapping_iter(text) {
            let index = found.pattern().as_usize();
            if index < first && self.patterns[index].matches_at(text, found.start()) {
                first = index;
            }
        }
        (first < self.patterns.len()).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sign_of_the_language() {
        for (written, text, expected) in [
            ("Cast", "Overcast Castro", true),
            ("cast/", "Castro", false),
            ("^Castro", "Castro 2019", true),
            ("^Castro", "my Castro", false),
            ("bot$", "a bot", true),
            ("bot$", "a bot ", false),
            ("^bPod$", "bPod", true),
            ("^bPod$", "bPods", false),
            ("^Harley/#", "Harley/3.12", true),
            ("^Harley/#", "Harley/x", false),
            ("^Harley/#", "Harley/", false),
            ("^A/*end", "A/ b end", true),
            ("^A/*end$", "A/ end b end", true),
            ("^A/*end$", "A/ end b", false),
            ("a*#x", "ab12x", true),
            ("a*#x", "abx", false),
            ("aab", "aaab", true),
        ] {
            let set = PatternSet::new(vec![Pattern::parse(written).unwrap()]);
            assert_eq!(set.first_match(text.as_bytes()).is_some(), expected, "{written} on {text}");
        }
    }

    #[test]
    fn a_pattern_begins_with_text() {
        for written in ["", "^", "$", "*x", "#x", "^*"] {
            assert_eq!(Pattern::parse(written), None, "{written}");
        }
    }

    #[test]
    fn the_first_in_order_wins_wherever_it_is_found() {
        let set =
            PatternSet::new(["zz", "^abc", "ab", "a"].map(|written| Pattern::parse(written).unwrap()).into());
        assert_eq!(set.first_match(b"abc zz"), Some(0));
        assert_eq!(set.first_match(b"abc"), Some(1));
        assert_eq!(set.first_match(b"xabc"), Some(2));
        assert_eq!(set.first_match(b"b"), None);
    }
}
