//! A value as it stands in a line, and the small readings every format shares.
//!
//! Absent is decided here once for all formats: `null`, an empty string, `-`, `(null)` and an empty
//! number. Numbers are plain digits, as a number or as text; signs, fractions, exponents and overflow
//! are no numbers.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use super::json::unescape;
use crate::event::Text;

/// A value before it is known what it is for. Borrowed from the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Value<'a> {
    pub(super) kind: Kind,
    /// What stands in the line, without quotes.
    pub(super) text: &'a [u8],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// `null` or nothing at all.
    #[default]
    Absent,
    /// Stands for itself: text without escapes, a number, `true`, `false`.
    Plain,
    /// Text with escapes that are known to be good.
    Escaped,
    /// A JSON object or array, where a plain value is expected.
    Nested,
}

/// What a field's value turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading<T> {
    Absent,
    /// There is a value, but not one of this kind.
    Bad,
    Good(T),
}

impl<T> Reading<T> {
    #[inline]
    pub(super) fn good(self) -> Option<T> {
        match self {
            Self::Good(value) => Some(value),
            Self::Absent | Self::Bad => None,
        }
    }
}

impl<'a> Value<'a> {
    /// What stands in the line, without its escapes, whether or not that means absent.
    pub(super) fn unescaped(self) -> Text<'a> {
        match self.kind {
            Kind::Escaped => Cow::Owned(unescape(self.text)),
            _ => Cow::Borrowed(self.text),
        }
    }

    /// The value as text, unescaped; `None` where it is absent or not plain.
    #[inline]
    pub(super) fn text(self) -> Option<Text<'a>> {
        match self.kind {
            Kind::Absent | Kind::Nested => None,
            Kind::Plain if means_absent(self.text) => None,
            Kind::Plain => Some(Cow::Borrowed(self.text)),
            Kind::Escaped => Some(self.unescaped()).filter(|text| !means_absent(text)),
        }
    }

    /// The value as `parse` understands it.
    #[inline]
    pub(super) fn read<T>(self, parse: impl FnOnce(&[u8]) -> Option<T>) -> Reading<T> {
        let text = match self.kind {
            Kind::Absent => return Reading::Absent,
            Kind::Nested => return Reading::Bad,
            Kind::Plain => Cow::Borrowed(self.text),
            Kind::Escaped => self.unescaped(),
        };
        if means_absent(&text) {
            return Reading::Absent;
        }
        parse(&text).map_or(Reading::Bad, Reading::Good)
    }
}

#[inline]
fn means_absent(text: &[u8]) -> bool {
    text.len() <= 6 && matches!(text, b"" | b"-" | b"(null)")
}

/// Plain digits that fit a `u64`.
#[inline]
pub(super) fn number(text: &[u8]) -> Option<u64> {
    // Nineteen digits always fit.
    if text.is_empty() || text.len() > 19 {
        return long_number(text);
    }
    let mut sum = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        sum = sum * 10 + u64::from(digit);
    }
    Some(sum)
}

#[cold]
fn long_number(text: &[u8]) -> Option<u64> {
    let all_digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| all_digits)?.parse().ok()
}

/// Plain digits that a database's signed 64-bit sum can take: a response of 8 EiB is no response.
pub(super) fn byte_count(text: &[u8]) -> Option<u64> {
    number(text).filter(|count| i64::try_from(*count).is_ok())
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
    match ipv4(text) {
        Some(address) => Some(address.into()),
        None => std::str::from_utf8(text).ok()?.parse().ok(),
    }
}

/// The common case of an address, at a fifth of what the general parser takes.
fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut rest = text;
    for octet in &mut octets {
        let mut value = 0u32;
        let mut digits = 0;
        while let [digit @ b'0'..=b'9', after @ ..] = rest
            && digits < 3
        {
            value = value * 10 + u32::from(digit - b'0');
            digits += 1;
            rest = after;
        }
        let leading_zero = digits > 1 && value < 10u32.pow(digits - 1);
        *octet = u8::try_from(value).ok().filter(|_| digits > 0 && !leading_zero)?;
        rest = match rest {
            [b'.', after @ ..] => after,
            [] => rest,
            _ => return None,
        };
    }
    (rest.is_empty() && text.last() != Some(&b'.')).then(|| octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_values() {
        let value = |kind, text: &'static str| Value { kind, text: text.as_bytes() };
        for absent in [
            Value::default(),
            value(Kind::Plain, ""),
            value(Kind::Plain, "-"),
            value(Kind::Plain, "(null)"),
            value(Kind::Escaped, r"\u002d"),
        ] {
            assert_eq!((absent.text(), absent.read(number)), (None, Reading::Absent), "{absent:?}");
        }
        assert_eq!(value(Kind::Plain, " ").text().as_deref(), Some(&b" "[..]));
        let nested = value(Kind::Nested, "{}");
        assert_eq!((nested.text(), nested.read(number)), (None, Reading::Bad));
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
        let largest = i64::MAX as u64;
        assert_eq!(byte_count(b"9223372036854775807"), Some(largest));
        assert_eq!(byte_count(b"9223372036854775808"), None);
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
