//! An agent's bytes, made ready for matching. The agent itself, as logged, stays what listeners are told
//! apart by; this form is only looked at.
//!
//! Agents arrive percent-encoded (`BBC%20Sounds/1.13`, localised app names), with `+` for spaces
//! (`Mozilla/5.0+(Linux;…`), in quotes, or with their header's name before them. All of that is undone once.
//! Bytes that are not UTF-8 stay as they are. Only the first [`MAX_LEN`] bytes are looked at: what names a
//! program stands early, and matching stays cheap whatever is sent.

use std::borrow::Cow;

/// No known agent needs more. In bytes.
pub const MAX_LEN: usize = 2_048;

/// The part of the agent that is matched, borrowed where nothing had to be undone.
pub fn readable(agent: &[u8]) -> Cow<'_, [u8]> {
    let bare = strip_junk(&agent[..agent.len().min(MAX_LEN)]);
    let plus_is_space = !bare.contains(&b' ') && bare.windows(2).any(|pair| pair == b"+(");
    if !plus_is_space && !bare.contains(&b'%') {
        return Cow::Borrowed(bare);
    }
    let mut decoded = Vec::with_capacity(bare.len());
    let mut rest = bare;
    while let Some((&byte, tail)) = rest.split_first() {
        let (byte, used) = match (byte, tail) {
            (b'%', &[high, low, ..]) => hex_pair(high, low).map_or((b'%', 1), |byte| (byte, 3)),
            (b'+', _) if plus_is_space => (b' ', 1),
            _ => (byte, 1),
        };
        decoded.push(byte);
        rest = &rest[used..];
    }
    Cow::Owned(decoded)
}

fn strip_junk(agent: &[u8]) -> &[u8] {
    let is_junk =
        |byte: &u8| byte.is_ascii_whitespace() || byte.is_ascii_control() || matches!(byte, b'"' | b'\'');
    let trim = |mut text: &'_ [u8]| -> (usize, usize) {
        let start = text.iter().position(|byte| !is_junk(byte)).unwrap_or(text.len());
        text = &text[start..];
        (start, start + text.iter().rposition(|byte| !is_junk(byte)).map_or(0, |last| last + 1))
    };
    let (start, end) = trim(agent);
    let bare = &agent[start..end];
    let name = b"user-agent:";
    if bare.len() >= name.len() && bare[..name.len()].eq_ignore_ascii_case(name) {
        let value = &bare[name.len()..];
        let (start, end) = trim(value);
        return &value[start..end];
    }
    bare
}

fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_undone() {
        for (agent, expected) in [
            ("Overcast/3.0 (+http://overcast.fm/)", "Overcast/3.0 (+http://overcast.fm/)"),
            ("BBC%20Sounds/1 CFNetwork/1", "BBC Sounds/1 CFNetwork/1"),
            ("AppName%2F1.0", "AppName/1.0"),
            ("100%/1 50%2 %zz %", "100%/1 50%2 %zz %"),
            ("%D0%9F/1", "П/1"),
            ("Mozilla/5.0+(Linux;+Android)", "Mozilla/5.0 (Linux; Android)"),
            ("RTL+", "RTL+"),
            (" \"'Mozilla/5.0\" \r\n", "Mozilla/5.0"),
            ("User-Agent: curl/8", "curl/8"),
            ("user-agent:\"x\"", "x"),
            ("\"", ""),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8_lossy(&readable(agent.as_bytes())), expected, "{agent}");
        }
    }

    #[test]
    fn only_the_beginning_is_looked_at() {
        assert_eq!(readable(&[b'a'; 5_000]).len(), MAX_LEN);
        assert_eq!(&*readable(b"\xff\xfe/1"), b"\xff\xfe/1");
    }
}
