//! Numbers of subscribers that services report in the user agents they fetch feeds with.
//!
//! The common forms are `Overcast/1.0 Podcast Sync (3040 subscribers; feed-id=1; +http://overcast.fm/)`,
//! `Feedly/1.0 (+http://www.feedly.com/fetcher.html; 540 subscribers; …)`, `Feedbin feed-id:1 - 142 subscribers`: a number
//! before the word `subscribers` or `readers`, of several the largest. The service is what the agent begins with, up to
//! its version or its first punctuation.

use memchr::memmem;

/// What an agent says of its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported<'a> {
    pub service: &'a [u8],
    pub subscribers: u32,
}

const WORDS: [&[u8]; 2] = [b"subscriber", b"reader"];

/// None where the agent reports no number.
pub fn reported(user_agent: &[u8]) -> Option<Reported<'_>> {
    let numbers = WORDS.iter().flat_map(|word| {
        memmem::find_iter(user_agent, word).filter_map(|at| number_before(&user_agent[..at]))
    });
    Some(Reported { subscribers: numbers.max()?, service: service(user_agent) })
}

/// The number that a text ends in, but for spaces; `1,234` is one.
fn number_before(text: &[u8]) -> Option<u32> {
    let text = text.trim_ascii_end();
    let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit() || **byte == b',').count();
    let number = &text[text.len() - digits..];
    let digits = number.iter().filter(|byte| byte.is_ascii_digit());
    let value = digits
        .clone()
        .fold(0_u32, |sum, digit| sum.saturating_mul(10).saturating_add(u32::from(digit - b'0')));
    (digits.count() > 0).then_some(value)
}

fn service(user_agent: &[u8]) -> &[u8] {
    // In a browser's clothes the name comes after `compatible; `.
    let compatible = b"compatible; ";
    let agent = match memmem::find(user_agent, compatible) {
        Some(at) if user_agent.starts_with(b"Mozilla/") => &user_agent[at + compatible.len()..],
        _ => user_agent,
    };
    let ends = [&b" - "[..], b" feed", b" Feed Fetcher", b" Page Fetcher"];
    let phrase = ends.iter().filter_map(|end| memmem::find(agent, end));
    let mark = agent.iter().position(|byte| b"/(;:,+".contains(byte));
    let end = phrase.chain(mark).min().unwrap_or(agent.len());
    agent[..end].trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_as_they_are_seen() {
        for (agent, expected) in [
            (
                "Overcast/1.0 Podcast Sync (3040 subscribers; feed-id=1; +http://overcast.fm/)",
                Some(("Overcast", 3040)),
            ),
            (
                "Feedly/1.0 (+http://www.feedly.com/fetcher.html; 540 subscribers; like FeedFetcher-Google)",
                Some(("Feedly", 540)),
            ),
            ("Feedbin feed-id:1373711 - 142 subscribers", Some(("Feedbin", 142))),
            (
                "NewsBlur Feed Fetcher - 54 subscribers - http://www.newsblur.com/site/1",
                Some(("NewsBlur", 54)),
            ),
            ("NewsBlur Page Fetcher - 5 subscribers", Some(("NewsBlur", 5))),
            (
                "Inoreader/1.0 (+http://www.inoreader.com/feed-fetcher; 13 subscribers; )",
                Some(("Inoreader", 13)),
            ),
            (
                "Mozilla/5.0 (compatible; theoldreader.com; 1 subscriber; feed-id=2)",
                Some(("theoldreader.com", 1)),
            ),
            ("Feed Wrangler/1.0 (3 subscribers; feed-id=9)", Some(("Feed Wrangler", 3))),
            (
                "Netvibes (http://www.netvibes.com/; 1,234 subscribers; 9 subscribers)",
                Some(("Netvibes", 1234)),
            ),
            ("SomeService/2 (12 readers)", Some(("SomeService", 12))),
            ("X (99999999999999999999 subscribers)", Some(("X", u32::MAX))),
            ("(7 subscribers)", Some(("", 7))),
            ("PocketCasts/1.0 (Pocket Casts Feed Parser; +http://pocketcasts.com/)", None),
            ("Tiny Reader/1.0 (no subscribers yet, )", None),
            ("MyReader 3 reads", None),
            ("", None),
        ] {
            let found = reported(agent.as_bytes());
            let found = found.map(|it| (std::str::from_utf8(it.service).unwrap(), it.subscribers));
            assert_eq!(found, expected, "{agent}");
        }
    }
}
