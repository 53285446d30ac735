//! The numbers that CSV files and feeds share: byte counts and durations.
//!
//! Total functions of text that tell "unknown" from "unreadable": `Ok(None)` is a value that says it is not
//! known (empty, or 0 where 0 makes no sense), `Err(Unreadable)` is one that says nothing. Times and URLs, in
//! files of their own, keep to the same.

/// Text that is not a value of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Digits; a spreadsheet's `.0` behind them is forgiven. Empty is unknown.
pub(super) fn whole_number(text: &str) -> Result<Option<u64>, Unreadable> {
    if text.is_empty() {
        return Ok(None);
    }
    let (digits, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if !is_digits(digits) || !fraction.bytes().all(|byte| byte == b'0') {
        return Err(Unreadable);
    }
    digits.parse().map(Some).map_err(|_| Unreadable)
}

/// Whole milliseconds of `1834`, `1834.5`, `30:34` or `00:30:34.5`. Half a millisecond is rounded up. Empty
/// and 0 are unknown.
pub(super) fn duration_ms(text: &str) -> Result<Option<u64>, Unreadable> {
    if text.is_empty() {
        return Ok(None);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let fields: Vec<&str> = whole.split(':').collect();
    if fields.len() > 3 || !is_digits(fraction) || !fields.iter().all(|field| is_digits(field)) {
        return Err(Unreadable);
    }
    let seconds = fields.iter().try_fold(0_u64, |sum, field| {
        let field = field.parse().map_err(|_| Unreadable)?;
        sum.checked_mul(60).and_then(|sum| sum.checked_add(field)).ok_or(Unreadable)
    })?;
    let milliseconds = seconds
        .checked_mul(1_000)
        .and_then(|whole| whole.checked_add(fraction_milliseconds(fraction)))
        .ok_or(Unreadable)?;
    Ok((milliseconds > 0).then_some(milliseconds))
}

/// The digits after a decimal point, as milliseconds: `5` is 500, `0005` is 1.
fn fraction_milliseconds(digits: &str) -> u64 {
    let digit = |at: usize| digits.as_bytes().get(at).map_or(0, |byte| u64::from(byte - b'0'));
    digit(0) * 100 + digit(1) * 10 + digit(2) + u64::from(digit(3) >= 5)
}

pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers() {
        for (text, expected) in [
            ("", Ok(None)),
            ("0", Ok(Some(0))),
            ("48000000", Ok(Some(48_000_000))),
            ("48000000.0", Ok(Some(48_000_000))),
            ("18446744073709551615", Ok(Some(u64::MAX))),
            ("18446744073709551616", Err(Unreadable)),
            ("-1", Err(Unreadable)),
            ("+1", Err(Unreadable)),
            ("1.5", Err(Unreadable)),
            ("1e6", Err(Unreadable)),
            ("1,000", Err(Unreadable)),
            (".0", Err(Unreadable)),
        ] {
            assert_eq!(whole_number(text), expected, "{text:?}");
        }
    }

    #[test]
    fn durations_in_whole_milliseconds() {
        for (text, expected) in [
            ("", Ok(None)),
            ("0", Ok(None)),
            ("00:00:00", Ok(None)),
            ("0.0004", Ok(None)),
            ("1834", Ok(Some(1_834_000))),
            ("1834.5", Ok(Some(1_834_500))),
            ("60.0", Ok(Some(60_000))),
            ("0.0005", Ok(Some(1))),
            ("1.9999", Ok(Some(2_000))),
            ("30:34", Ok(Some(1_834_000))),
            ("00:30:34", Ok(Some(1_834_000))),
            ("1:00:00.25", Ok(Some(3_600_250))),
            ("90:00", Ok(Some(5_400_000))),
            ("1:2:3:4", Err(Unreadable)),
            ("1:", Err(Unreadable)),
            (":30", Err(Unreadable)),
            ("1.", Err(Unreadable)),
            ("-5", Err(Unreadable)),
            ("30m", Err(Unreadable)),
            ("18446744073709551615", Err(Unreadable)),
        ] {
            assert_eq!(duration_ms(text), expected, "{text:?}");
        }
    }
}
