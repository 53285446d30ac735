//! Automated agents that no table names, told by the words they use of themselves.
//!
//! The last resort, and only of what stands there as a word: `bot` ends a name (`ExampleBot/1.0`,
//! `examplebot`) but is not one inside another (`Roboto`, `CUBOT`, a maker of phones). A contact address alone is
//! no sign, for many apps carry one; in a browser's clothes (`Mozilla/5.0 … +http…`) it is, for browsers never do.
//! The tables come first, so whatever shows a device's media stack is settled before a word is looked at.

use memchr::memmem;

use super::kinds::AgentClass;

/// Why an agent is taken for automated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    /// A word that ends in `bot`, or is `robot`, `spider`, `crawler`, …
    CrawlerWord,
    /// A word that ends in `downloader`, `fetcher`, `transcriber`, …
    TaskWord,
    /// `Mozilla/` with a contact address.
    BrowserWithAddress,
    /// `Mozilla/5.0 (compatible; …` without any browser's engine.
    Compatible,
}

impl Guess {
    pub const ALL: [Self; 4] =
        [Self::CrawlerWord, Self::TaskWord, Self::BrowserWithAddress, Self::Compatible];

    pub const fn class(self) -> AgentClass {
        match self {
            Self::CrawlerWord => AgentClass::Crawler,
            Self::TaskWord | Self::BrowserWithAddress | Self::Compatible => AgentClass::Bot,
        }
    }

    /// What stands in the place of a pattern when the decision is explained.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::CrawlerWord => "a word such as bot, crawler, spider",
            Self::TaskWord => "a word such as downloader, fetcher, transcriber",
            Self::BrowserWithAddress => "Mozilla/ with a contact address",
            Self::Compatible => "Mozilla/ (compatible; …) without a browser's engine",
        }
    }
}

/// Words and names that end like a crawler's and are none.
const NOT_BOTS: [&str; 8] = ["cubot", "talbot", "abbot", "cabot", "turbot", "sabot", "ribot", "jabot"];
const CRAWLER_ENDINGS: [&str; 8] =
    ["bot", "bots", "crawler", "crawlers", "spider", "spiders", "slurp", "scraper"];
const TASK_ENDINGS: [&str; 13] = [
    "downloader",
    "importer",
    "indexer",
    "transcriber",
    "transcribe",
    "archiver",
    "fetcher",
    "harvester",
    "validator",
    "checker",
    "analyzer",
    "healthcheck",
    "prefetch",
];
/// Engines that stand in an honest `(compatible; …` of old.
const ENGINES: [&str; 6] = ["MSIE", "Trident", "Konqueror", "AppleWebKit", "Opera", "Gecko/"];

pub fn guess(text: &[u8]) -> Option<Guess> {
    let words = || text.split(|byte| !byte.is_ascii_alphanumeric()).map(without_digits);
    if words().any(is_crawler_word) {
        return Some(Guess::CrawlerWord);
    }
    if words().any(|word| ends_in(word, &TASK_ENDINGS)) {
        return Some(Guess::TaskWord);
    }
    let says = |what: &str| memmem::find(text, what.as_bytes()).is_some();
    if !text.starts_with(b"Mozilla/") {
        return None;
    }
    if says("+http") {
        return Some(Guess::BrowserWithAddress);
    }
    (says("(compatible; ") && !ENGINES.into_iter().any(says)).then_some(Guess::Compatible)
}

/// The name an agent begins with, if it is a crawler's by its ending.
pub fn crawler_name(text: &[u8]) -> Option<&[u8]> {
    let name = text.split(|byte| !byte.is_ascii_alphanumeric()).next().unwrap_or_default();
    is_crawler_word(without_digits(name)).then_some(name)
}

fn is_crawler_word(word: &[u8]) -> bool {
    ends_in(word, &CRAWLER_ENDINGS) && !is_one_of(word, &NOT_BOTS)
}

/// `crawler2` is a crawler too.
fn without_digits(word: &[u8]) -> &[u8] {
    let end = word.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |last| last + 1);
    &word[..end]
}

fn ends_in(word: &[u8], endings: &[&str]) -> bool {
    endings.iter().any(|ending| {
        word.len() >= ending.len()
            && word[word.len() - ending.len()..].eq_ignore_ascii_case(ending.as_bytes())
    })
}

fn is_one_of(word: &[u8], words: &[&str]) -> bool {
    words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_not_parts_of_words() {
        for (agent, expected) in [
            ("ExampleBot/1.0", Some(Guess::CrawlerWord)),
            ("examplebot/1.0 (+http://example.com)", Some(Guess::CrawlerWord)),
            ("EXAMPLE-BOT", Some(Guess::CrawlerWord)),
            ("my_crawler2", Some(Guess::CrawlerWord)),
            ("a web spider", Some(Guess::CrawlerWord)),
            ("Mozilla/5.0 (Linux; Android 8.1; CUBOT_P20 Build/O11019) Mobile Safari/537.36", None),
            ("Roboto/1.0", None),
            ("Botanica/2", None),
            ("SpiderManFan/1.0", None),
            ("podcast-shipper-downloader/1", Some(Guess::TaskWord)),
            ("AudioFetcher2/1", Some(Guess::TaskWord)),
            ("Downloads/1", None),
            ("SomeApp/1.0 (+https://example.com)", None),
            ("Mozilla/5.0 (X11; Linux) Chrome/9 (+https://example.com)", Some(Guess::BrowserWithAddress)),
            ("Mozilla/5.0 (compatible; Example/1.0)", Some(Guess::Compatible)),
            ("Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.1; Trident/6.0)", None),
            ("", None),
        ] {
            assert_eq!(guess(agent.as_bytes()), expected, "{agent}");
        }
    }
}
