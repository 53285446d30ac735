//! A value as it stands in a line, and the small readings every format shares.
//!
//! Absent is decided here once for all formats: `null`, an empty string, `-`, `(null)` and an empty
//! number. Numbers are plain digits, as a number or as text; signs, fractions, exponents and overflow
//! are no numbers.

use std::borrow::Cow;
use std::net::IpAddr;

use super::json::unescape;
use crate::event::Text;

/// A value before it is known what it is for. Borrowed from the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// `null` or nothing at all.
    Absent,
    /// Text that stands for itself.
    Plain(&'a [u8]),
    /// What stands between the quotes of a JSON string, with escapes that are known to be good.
    Escaped(&'a [u8]),
    /// A bare JSON number, or `true` or `false`.
    Literal(&'a [u8]),
    /// A JSON object or array, where a plain value is expected.
    Nested,
}

/// What a field's value turned out to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reading<T> {
    #[default]
    Absent,
    /// There is a value, but not one of this kind.
    Bad,
    Good(T),
}

impl<T> Reading<T> {
    pub(super) fn good(self) -> Option<T> {
        match self {
            Self::Good(value) => Some(value),
            Self::Absent | Self::Bad => None,
        }
    }
}

impl<'a> Value<'a> {
    /// The value as text, unescaped; `None` where it is absent or not plain.
    pub(super) fn text(self) -> Option<Text<'a>> {
        let text = match self {
            Self::Absent | Self::Nested => return None,
            Self::Plain(text) | Self::Literal(text) => Cow::Borrowed(text),
            Self::Escaped(text) => Cow::Owned(unescape(text)),
        };
        (!means_absent(&text)).then_some(text)
    }

    /// The value as `parse` understands it.
    pub(super) fn read<T>(self, parse: impl FnOnce(&[u8]) -> Option<T>) -> Reading<T> {
        match (self, self.text()) {
            (Self::Nested, _) => Reading::Bad,
            (_, None) => Reading::Absent,
            (_, Some(text)) => parse(&text).map_or(Reading::Bad, Reading::Good),
        }
    }
}

fn means_absent(text: &[u8]) -> bool {
    matches!(text, b"" | b"-" | b"(null)")
}

/// Plain digits that fit a `u64`.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |sum, byte| match byte {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

/// Plain digits that fit an HTTP status.
pub(super) fn status(text: &[u8]) -> Option<u16> {
    number(text)?.try_into().ok()
}

pub(super) fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"true" | b"1" => Some(true),
        b"false" | b"0" => Some(false),
        _ => None,
    }
}

/// An IPv4 or IPv6 address in text form, without port, brackets or zone.
pub(super) fn address(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_values() {
        for value in [Value::Absent, Value::Plain(b""), Value::Plain(b"-"), Value::Escaped(br"\u002d")] {
            assert_eq!(value.text(), None, "{value:?}");
            assert_eq!(value.read(number), Reading::Absent, "{value:?}");
        }
        assert_eq!(Value::Plain(b"(null)").text(), None);
        assert_eq!(Value::Plain(b" ").text().as_deref(), Some(&b" "[..]));
        assert_eq!(Value::Nested.text(), None);
        assert_eq!(Value::Nested.read(number), Reading::Bad);
    }

    #[test]
    fn numbers_are_digits_that_fit() {
        for (text, expected) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-1", None),
            ("+1", None),
            ("1.0", None),
            ("1e3", None),
            (" 1", None),
            ("", None),
        ] {
            assert_eq!(number(text.as_bytes()), expected, "{text}");
        }
        assert_eq!((status(b"65535"), status(b"65536")), (Some(u16::MAX), None));
    }

    #[test]
    fn addresses() {
        for good in ["1.2.3.4", "2001:db8::1", "::ffff:1.2.3.4", "::"] {
            assert!(address(good.as_bytes()).is_some(), "{good}");
        }
        for bad in
            ["1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4:80", "[::1]", "fe80::1%eth0", " 1.2.3.4", "host"]
        {
            assert!(address(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(address(&[0xff]).is_none());
    }
}
