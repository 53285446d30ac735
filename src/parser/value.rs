//! A value as it stands in a line, and the small readings every format shares.
//!
//! Absent is decided here once for all formats: `null`, an empty string, `-`, `(null)` and an empty
//! number. Numbers are plain digits, as a number or as text; signs, fractions, exponents and overflow
//! are no numbers.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::json::unescape;
use crate::event::{Text, Unescaped};

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
    pub(super) fn unescaped(self) -> Cow<'a, [u8]> {
        match self.kind {
            Kind::Escaped => Cow::Owned(unescape(self.text)),
            _ => Cow::Borrowed(self.text),
        }
    }

    /// The value as text, unescaped; `None` where it is absent or not plain.
    #[inline(always)]
    pub(super) fn text(self, room: &'a Unescaped) -> Option<Text<'a>> {
        match self.kind {
            Kind::Absent | Kind::Nested => None,
            Kind::Plain => present(self.text),
            Kind::Escaped => present(room.keep(unescape(self.text))),
        }
    }

    /// Whether there is a text in it.
    pub(super) fn is_text(self) -> bool {
        match self.kind {
            Kind::Absent | Kind::Nested => false,
            Kind::Plain | Kind::Escaped => !means_absent(&self.unescaped()),
        }
    }

    /// The value as `parse` understands it.
    #[inline(always)]
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

/// Text that stands for itself, unless it means absent.
#[inline(always)]
pub(super) fn present(text: &[u8]) -> Option<Text<'_>> {
    (!means_absent(text)).then_some(text)
}

#[inline(always)]
fn means_absent(text: &[u8]) -> bool {
    match text.len() {
        0 => true,
        1 => text == b"-",
        6 => text == b"(null)",
        _ => false,
    }
}

/// So many digits always fit a `u64`.
const LONGEST_THAT_FITS: usize = 19;

/// Plain digits that fit a `u64`.
#[inline]
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let (number, rest) = leading_number(text)?;
    rest.is_empty().then_some(number)
}

const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);

/// The high bit of each byte that is not 0 to 9; those behind the first such byte may be wrong.
#[inline(always)]
fn no_digits(digits: u64) -> u64 {
    (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080
}

/// Neighbours are added up to pairs, pairs to fours, fours to eight.
#[inline(always)]
fn sum_of_eight(digits: u64) -> u64 {
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours * 10_000 + (fours >> 32)) & 0xffff_ffff
}

/// The number that `input` begins with, and what follows it.
#[inline(always)]
pub(super) fn leading_number(input: &[u8]) -> Option<(u64, &[u8])> {
    let (mut sum, mut rest) = (0, input);
    // Two words of eight digits always fit.
    for _ in 0..2 {
        let Some((word, after)) = rest.split_first_chunk() else { break };
        let digits = u64::from_le_bytes(*word) ^ ZEROS;
        let length = no_digits(digits).trailing_zeros() as usize / 8;
        if length < 8 {
            // What follows the digits is shifted out, and zeros in before them.
            let shifted = if length == 0 { 0 } else { digits << (64 - 8 * length) };
            let number = sum * POWERS_OF_TEN[length] + sum_of_eight(shifted);
            let (_, rest) = rest.split_at(length);
            return (rest.len() < input.len()).then_some((number, rest));
        }
        sum = sum * 100_000_000 + sum_of_eight(digits);
        rest = after;
    }
    let mut length = input.len() - rest.len();
    while let Some(digit) = input.get(length).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10)
    {
        if length == LONGEST_THAT_FITS {
            return long_leading_number(input);
        }
        sum = sum * 10 + u64::from(digit);
        length += 1;
    }
    (length > 0).then(|| (sum, &input[length..]))
}

const POWERS_OF_TEN: [u64; 8] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

#[cold]
fn long_leading_number(input: &[u8]) -> Option<(u64, &[u8])> {
    let length = input.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = input.split_at(length);
    Some((long_number(digits)?, rest))
}

#[cold]
fn long_number(text: &[u8]) -> Option<u64> {
    let all_digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| all_digits)?.parse().ok()
}

/// Plain digits that are a [`storable`] count.
pub(super) fn byte_count(text: &[u8]) -> Option<u64> {
    number(text).and_then(storable)
}

/// A count that a database's signed 64-bit sum can take: a response of 8 EiB is no response.
#[inline]
pub(super) fn storable(count: u64) -> Option<u64> {
    i64::try_from(count).is_ok().then_some(count)
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
    if let Some(address) = ipv4(text) {
        return Some(address.into());
    }
    match ipv6(text) {
        Some(address) => Some(address.into()),
        // Also what has an IPv4 address in it.
        None => std::str::from_utf8(text).ok()?.parse().ok(),
    }
}

/// As clients' addresses mostly are: groups of hexadecimal digits alone, at most one gap. None does not mean that it is none.
fn ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    let mut groups = [0u16; 8];
    let (mut count, mut gap) = (0, None);
    let mut rest = text;
    if let Some(after) = rest.strip_prefix(b"::") {
        (rest, gap) = (after, Some(0));
    }
    while !rest.is_empty() {
        let (group, after) = group(rest)?;
        *groups.get_mut(count)? = group;
        count += 1;
        rest = match after {
            [] => &[],
            [b':', b':', after @ ..] if gap.is_none() => {
                gap = Some(count);
                after
            }
            [b':', after @ ..] if !after.is_empty() => after,
            _ => return None,
        };
    }
    match gap {
        None if count == 8 => {}
        Some(gap) if count < 8 => {
            groups.copy_within(gap..count, 8 - (count - gap));
            groups[gap..8 - (count - gap)].fill(0);
        }
        _ => return None,
    }
    Some(groups.into())
}

/// The group of up to four digits that `input` begins with, and what follows them.
#[inline(always)]
fn group(input: &[u8]) -> Option<(u16, &[u8])> {
    let digit = |byte: u8| u16::from(HEX[usize::from(byte)]);
    if let Some((four, after)) = input.split_first_chunk() {
        let [a, b, c, d] = four.map(digit);
        if (a | b | c | d) < 16 {
            return Some((a << 12 | b << 8 | c << 4 | d, after));
        }
    }
    let digit = |at: usize| input.get(at).map_or(16, |byte| digit(*byte));
    let [a, b, c] = [digit(0), digit(1), digit(2)];
    match (a < 16, b < 16, c < 16) {
        (true, true, true) => Some((a << 8 | b << 4 | c, &input[3..])),
        (true, true, false) => Some((a << 4 | b, &input[2..])),
        (true, false, _) => Some((a, &input[1..])),
        (false, ..) => None,
    }
}

/// What each byte is as a hexadecimal digit; 16 where it is none.
const HEX: [u8; 256] = {
    let mut values = [16; 256];
    let mut digit = 0;
    while digit < 16 {
        values[b"0123456789abcdef"[digit] as usize] = digit as u8;
        values[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    values
};

/// The common case of an address, at a fifth of what the general parser takes.
fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let (a, rest) = octet(text)?;
    let (b, rest) = octet(rest.strip_prefix(b".")?)?;
    let (c, rest) = octet(rest.strip_prefix(b".")?)?;
    let (d, rest) = octet(rest.strip_prefix(b".")?)?;
    rest.is_empty().then(|| Ipv4Addr::new(a, b, c, d))
}

/// Up to three digits without a leading zero, and what follows them.
#[inline(always)]
fn octet(input: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |byte: &u8| byte.wrapping_sub(b'0');
    let (first, rest) = input.split_first()?;
    let first = digit(first);
    let Some((second, after)) =
        rest.split_first().map(|(byte, rest)| (digit(byte), rest)).filter(|(digit, _)| *digit < 10)
    else {
        return (first < 10).then_some((first, rest));
    };
    if !(1..10).contains(&first) {
        return None;
    }
    let two = first * 10 + second;
    match after.split_first().map(|(byte, rest)| (digit(byte), rest)) {
        Some((third, after)) if third < 10 => {
            let three = u8::try_from(u16::from(two) * 10 + u16::from(third)).ok()?;
            Some((three, after))
        }
        _ => Some((two, after)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            assert_eq!(
                (absent.text(&Unescaped::default()), absent.read(number)),
                (None, Reading::Absent),
                "{absent:?}"
            );
        }
        let room = Unescaped::default();
        assert_eq!(value(Kind::Plain, " ").text(&room), Some(&b" "[..]));
        assert_eq!(value(Kind::Escaped, r"\n").text(&room), Some(&b"\n"[..]));
        assert_eq!(value(Kind::Escaped, r"\t").text(&room), Some(&b"\t"[..]));
        let nested = value(Kind::Nested, "{}");
        assert_eq!((nested.text(&room), nested.read(number)), (None, Reading::Bad));
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
        for good in
            ["1.2.3.4", "2001:db8::1", "::ffff:1.2.3.4", "::", "1::", "1:2:3:4:5:6:7:8", "2001:DB8::aBcD:0"]
        {
            assert_eq!(address(good.as_bytes()), good.parse().ok(), "{good}");
        }
        for bad in [
            "1.2.3",
            "1.2.3.256",
            "01.2.3.4",
            "1.2.3.4:80",
            "[::1]",
            "fe80::1%eth0",
            " 1.2.3.4",
            "host",
            "1:2:3:4:5:6:7:",
            ":1",
            "1:::2",
            "1::2::3",
            "12345::",
            "",
        ] {
            assert!(address(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(address(&[0xff]).is_none());
    }

    proptest! {
        /// The same as the standard library's readers make of it.
        #[test]
        fn any_address(groups in prop::collection::vec(prop::sample::select(vec!["", ":", "0", "f", "2001", "aBc", "12345", "g", "1.2.3.4", "::"]), 0..9)) {
            for text in [groups.join(":"), groups.concat()] {
                prop_assert_eq!(address(text.as_bytes()), text.parse().ok(), "{}", text);
            }
        }

        #[test]
        fn any_ipv6_address(bits: u128, zeros: u128) {
            let address_of = |bits| std::net::Ipv6Addr::from_bits(bits).to_string();
            for text in [address_of(bits), address_of(bits & zeros), address_of(bits & 0xffff)] {
                prop_assert_eq!(address(text.as_bytes()), text.parse().ok());
            }
        }

        #[test]
        fn any_number(value: u64, text in "[0-9]{0,20}[ -~]{0,2}[0-9]{0,14}") {
            prop_assert_eq!(number(value.to_string().as_bytes()), Some(value));
            let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            prop_assert_eq!(number(text.as_bytes()), text.parse().ok().filter(|_| is_plain));
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            let leading = leading_number(text.as_bytes()).map(|(number, rest)| (number, rest.len()));
            prop_assert_eq!(leading, text[..digits].parse().ok().map(|number| (number, text.len() - digits)));
        }
    }
}
