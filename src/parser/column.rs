//! One value of a line of a format string: how it looks, what it means, how it is put into a draft.

use super::draft::Draft;
use super::field::Field;
use super::meaning::{Meaning, Rank};
use super::strftime::{Parts, Pattern};
use super::time;
use super::value::{self, Kind, Reading, Value};

/// What a directive of a format string gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) content: Content,
    pub(super) rank: Rank,
    /// Text that stands for something else: what an `if()` prints for a condition, or where there is nothing.
    pub(super) substitutes: Vec<(String, Substitute)>,
    /// It was escaped before it was printed.
    pub(super) escaped: bool,
    /// Quotes around it are not part of it, however many.
    pub(super) unquoted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing that is of use; it only looks like this.
    Unused(Shape),
    Value(Meaning),
    /// `GET /path HTTP/1.1`: method and URL.
    RequestLine,
    /// The start, or parts of it.
    Start(Pattern),
}

/// What the values of a column look like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looks {
    pub(super) shape: Shape,
    /// No line can do without it.
    pub(super) required: bool,
}

impl Looks {
    /// Every value looks as it should.
    pub(super) fn are_any(self) -> bool {
        matches!(self.shape, Shape::Anything | Shape::Query) && !self.required
    }
}

/// What another text is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Substitute {
    Absent,
    Zero,
    True,
    False,
}

/// What a value may look like; so that one that is not escaped is found between others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Anything at all: what clients send.
    Anything,
    /// What may follow a path: `?a=b` or nothing.
    Query,
    /// No quotes: names of cities.
    Name,
    /// Neither quotes nor white space.
    Word,
    /// Digits, perhaps with a sign and a decimal point.
    Decimal,
    /// As the content says, digit for digit.
    Exact,
}

impl Column {
    pub(super) fn new(content: Content, rank: Rank) -> Self {
        Self { content, rank, substitutes: Vec::new(), escaped: false, unquoted: false }
    }

    pub(super) fn unused(shape: Shape) -> Self {
        Self::new(Content::Unused(shape), Rank::Spare)
    }

    /// The meanings it gives.
    pub(super) fn meanings(&self) -> &[Meaning] {
        match &self.content {
            Content::Unused(_) => &[],
            Content::Value(meaning) => std::slice::from_ref(meaning),
            Content::RequestLine => &[Meaning::Method, Meaning::Url],
            Content::Start(_) => &[Meaning::StartParts],
        }
    }

    pub(super) fn is_useful(&self) -> bool {
        !self.meanings().is_empty()
    }

    pub(super) fn shape(&self) -> Shape {
        use Meaning as M;
        match &self.content {
            Content::Unused(shape) => *shape,
            Content::RequestLine => Shape::Anything,
            Content::Start(_) => Shape::Exact,
            Content::Value(meaning) => match meaning {
                M::Url | M::UserAgent | M::Referer | M::Range | M::ContentRange | M::ForwardedBy => {
                    Shape::Anything
                }
                M::Id | M::Method | M::Host | M::Country | M::Pop | M::Server | M::CacheState => Shape::Word,
                M::Region | M::ProxyType | M::ProxyDescription => Shape::Name,
                _ => Shape::Exact,
            },
        }
    }

    fn is_required(&self) -> bool {
        let required =
            |meaning: &Meaning| meaning.field().is_some_and(|field| Field::REQUIRED.contains(&field));
        self.meanings().iter().any(required)
    }

    /// What values look like.
    pub(super) fn looks(&self) -> Looks {
        Looks { shape: self.shape(), required: self.is_required() }
    }

    /// Whether a value looks as it should, which is of this column's shape. What is absent does so where it may be
    /// `missing`. Leaves the parts of a start, if it is one.
    pub(super) fn accepts(
        &self,
        shape: Shape,
        value: Value<'_>,
        missing: bool,
        parts: &mut Option<Parts>,
    ) -> bool {
        let value = self.plain(value);
        let text = value.text;
        if !value.is_text() {
            return missing;
        }
        match shape {
            Shape::Anything if self.content == Content::RequestLine => ends_in_protocol(text).is_some(),
            Shape::Anything | Shape::Query => true,
            Shape::Name => !any(text, |byte| byte == b'"'),
            Shape::Word => !any(text, |byte| byte == b'"' || byte.is_ascii_whitespace()),
            Shape::Decimal => !any(text, |byte| !matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'?')),
            Shape::Exact => match &self.content {
                Content::Start(pattern) => {
                    *parts = pattern.read(text);
                    parts.is_some()
                }
                Content::Value(meaning) => looks_exact(*meaning, value),
                Content::Unused(_) | Content::RequestLine => true,
            },
        }
    }

    /// Puts a value into the draft. `parts` are those of the start, where they were read before.
    pub(super) fn put<'a>(&self, value: Value<'a>, parts: Option<Parts>, draft: &mut Draft<'a>) {
        if let Content::Unused(_) = self.content {
            return;
        }
        let value = self.plain(value);
        match &self.content {
            Content::Unused(_) => {}
            Content::Value(meaning) => draft.set(*meaning, self.rank, value),
            Content::RequestLine => {
                let (method, url) = request_line(value.text);
                draft.set(Meaning::Method, self.rank, Value { text: method, ..value });
                draft.set(Meaning::Url, self.rank, Value { text: url, ..value });
            }
            Content::Start(pattern) => {
                draft.set(Meaning::StartParts, self.rank, value);
                let known = draft.start_parts.unwrap_or_default();
                let parts = parts.or_else(|| pattern.read(value.text));
                draft.start_parts = parts.map(|parts| parts.or(known));
            }
        }
    }

    /// The value without quotes that are not its own, and what it stands for.
    #[inline(always)]
    fn plain<'a>(&self, value: Value<'a>) -> Value<'a> {
        if !self.unquoted && !self.escaped && self.substitutes.is_empty() {
            value
        } else {
            self.undone(value)
        }
    }

    fn undone<'a>(&self, value: Value<'a>) -> Value<'a> {
        let mut text = value.text;
        while self.unquoted
            && let [b'"', inner @ .., b'"'] = text
        {
            text = inner;
        }
        let substitute = self.substitutes.iter().find(|(printed, _)| printed.as_bytes() == text);
        let plain = |text| Value { kind: Kind::Plain, text };
        match substitute.map(|(_, substitute)| substitute) {
            None if self.escaped && text.contains(&b'\\') => Value { kind: Kind::Escaped, text },
            None => Value { text, ..value },
            Some(Substitute::Absent) => Value::default(),
            Some(Substitute::Zero) => plain(b"0"),
            Some(Substitute::True) => plain(b"true"),
            Some(Substitute::False) => plain(b"false"),
        }
    }
}

/// Whether some byte is so. All are looked at, many at once: most texts are short, and none is found in nearly all.
#[inline(always)]
fn any(text: &[u8], is_so: impl Fn(u8) -> bool) -> bool {
    text.iter().fold(false, |found, byte| found | is_so(*byte))
}

/// Whether a value that is there is one of those that `meaning` may have.
fn looks_exact(meaning: Meaning, value: Value<'_>) -> bool {
    use Meaning as M;
    let good = |reading: Reading<()>| reading == Reading::Good(());
    good(value.read(|text| match meaning {
        M::Start => time::any(text).map(drop),
        M::StartMicroseconds => time::in_microseconds(text).map(drop),
        M::Address => value::address(text).map(drop),
        M::Status => value::status(text).filter(|status| (100..1_000).contains(status)).map(drop),
        M::Completed | M::Edge | M::Inner => value::boolean(text).map(drop),
        M::ElapsedSeconds => time::seconds_as_micros(text).map(drop),
        M::Asn if text == b"?" => Some(()),
        _ => value::number(text).map(drop),
    }))
}

/// Method and URL of `GET /path HTTP/1.1`; a URL may have spaces in it.
fn request_line(line: &[u8]) -> (&[u8], &[u8]) {
    let Some(space) = memchr::memchr(b' ', line) else { return (line, b"") };
    let (method, rest) = (&line[..space], &line[space + 1..]);
    (method, ends_in_protocol(rest).unwrap_or(rest))
}

/// What stands before ` HTTP/1.1`.
fn ends_in_protocol(line: &[u8]) -> Option<&[u8]> {
    let last = memchr::memrchr(b' ', line)?;
    line[last + 1..].starts_with(b"HTTP/").then_some(&line[..last])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_lines() {
        for (line, expected) in [
            ("GET /a.mp3 HTTP/1.1", ("GET", "/a.mp3")),
            ("HEAD /a b.mp3 HTTP/2", ("HEAD", "/a b.mp3")),
            ("GET /a.mp3", ("GET", "/a.mp3")),
            ("GET HTTP/1.1", ("GET", "HTTP/1.1")),
            ("garbage", ("garbage", "")),
            ("", ("", "")),
        ] {
            assert_eq!(request_line(line.as_bytes()), (expected.0.as_bytes(), expected.1.as_bytes()));
        }
    }

    #[test]
    fn shapes_tell_values_from_what_is_between_them() {
        let value = |text: &'static str| Value { kind: Kind::Plain, text: text.as_bytes() };
        for (content, good, bad) in [
            (Content::Value(Meaning::Status), "206", "20x"),
            (Content::Value(Meaning::Status), "(null)", "1206"),
            (Content::Value(Meaning::BodyBytes), "-", "1,2"),
            (Content::Value(Meaning::Address), "2001:db8::1", "1.2.3.4 -"),
            (Content::Value(Meaning::Start), "[14/Oct/2016:16:56:40 +0000]", "14/Oct/2016:16:56:40"),
            (Content::Value(Meaning::Edge), "0", "2"),
            (Content::Value(Meaning::Method), "GET", "GET /"),
            (Content::Start(Pattern::epoch(1)), "1793509323", "17x"),
            (Content::Unused(Shape::Name), "São Paulo, SP", "a\"b"),
            (Content::Unused(Shape::Decimal), "-33.900", "\"b"),
        ] {
            let column = Column::new(content, Rank::Usual);
            let accepts = |text| column.accepts(column.shape(), value(text), true, &mut None);
            assert!(accepts(good), "{column:?} {good}");
            assert!(!accepts(bad), "{column:?} {bad}");
        }
    }
}
