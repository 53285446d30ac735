//! Lists of the operator's own, in the open `user-agents-v2` format.
//!
//! JSON: an object whose `entries` have a `name` and a `pattern` (a regular expression), perhaps a `device` and a
//! `category`; other keys are ignored. `category` says the class, by this table:
//!
//! | category | class |
//! |---|---|
//! | `app`, `browser`, `bot`, `crawler`, `validator`, `unknown` | the same |
//! | `library`, `media_library` | media library |
//! | `scripted_library`, `script` | scripted library |
//! | `feed_fetcher`, `feed` | feed fetcher |
//!
//! An entry without one takes the class its file's name says, as the open lists are cut into files: `bots…` bot,
//! `browsers…` browser, `libraries…` media library, anything else app.
//!
//! Patterns are tried on the agent as logged and with its escapes undone, for both are written in the wild.
//! Entries are tried in order. The text comes from the caller: nothing here opens a file.

use regex::bytes::{Regex, RegexSet, RegexSetBuilder};
use serde::Deserialize;

use super::kinds::{AgentClass, DeviceClass};

/// A list before it is read: its file's name, for messages and for the class, and its text.
#[derive(Clone, Copy, Debug)]
pub struct ListText<'a> {
    pub file: &'a str,
    pub json: &'a str,
}

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error("{file}: not a list of agents (an object with `entries` of `name` and `pattern`): {source}")]
    Json { file: Box<str>, source: serde_json::Error },
    #[error("{file}: entry {entry:?}: the pattern is no regular expression this program knows: {source}")]
    Pattern { file: Box<str>, entry: Box<str>, source: Box<regex::Error> },
    #[error(
        "{file}: entry {entry:?}: no category {category:?}; it is one of app, browser, library, bot, crawler, \
             validator, feed_fetcher, scripted_library"
    )]
    Category { file: Box<str>, entry: Box<str>, category: Box<str> },
    #[error(
        "{file}: entry {entry:?}: no device {device:?}; it is one of phone, tablet, desktop, speaker, car, tv, \
             watch, console"
    )]
    Device { file: Box<str>, entry: Box<str>, device: Box<str> },
    #[error("{file}: its patterns together are too large: {source}")]
    TooLarge { file: Box<str>, source: Box<regex::Error> },
}

/// Bytes that all patterns of one list may take once compiled.
const COMPILED_LIMIT_BYTES: usize = 256 << 20;

#[derive(Deserialize)]
struct Json {
    entries: Vec<JsonEntry>,
    version: Option<String>,
}

#[derive(Deserialize)]
struct JsonEntry {
    name: String,
    pattern: String,
    device: Option<String>,
    category: Option<String>,
}

/// One entry, understood.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: Box<str>,
    pub pattern: Box<str>,
    pub class: AgentClass,
    pub device: DeviceClass,
}

/// A list, ready for use.
#[derive(Debug)]
pub struct List {
    pub file: Box<str>,
    pub version: Option<Box<str>>,
    pub entries: Vec<Entry>,
    patterns: RegexSet,
}

impl List {
    pub fn read(text: ListText<'_>) -> Result<Self, ListError> {
        let file = || Box::from(text.file);
        let json: Json =
            serde_json::from_str(text.json).map_err(|source| ListError::Json { file: file(), source })?;
        let default_class = class_of_file(text.file);
        let entries = json
            .entries
            .into_iter()
            .map(|entry| entry.understand(text.file, default_class))
            .collect::<Result<Vec<_>, _>>()?;
        let patterns = RegexSetBuilder::new(entries.iter().map(|entry| &*entry.pattern))
            .size_limit(COMPILED_LIMIT_BYTES)
            .build()
            .map_err(|source| blame(text.file, &entries, source))?;
        Ok(Self { file: file(), version: json.version.map(Into::into), entries, patterns })
    }

    /// The index of the first entry whose pattern matches the agent in either form.
    pub fn first_match(&self, raw: &[u8], readable: &[u8]) -> Option<usize> {
        let of = |text| self.patterns.matches(text).iter().next();
        let first = of(raw);
        if raw == readable {
            return first;
        }
        first.into_iter().chain(of(readable)).min()
    }
}

/// The set does not say which pattern is at fault; so each is tried alone.
fn blame(file: &str, entries: &[Entry], whole: regex::Error) -> ListError {
    entries
        .iter()
        .find_map(|entry| Regex::new(&entry.pattern).err().map(|source| (entry, source)))
        .map_or_else(
            || ListError::TooLarge { file: file.into(), source: Box::new(whole) },
            |(entry, source)| ListError::Pattern {
                file: file.into(),
                entry: entry.name.clone(),
                source: Box::new(source),
            },
        )
}

impl JsonEntry {
    fn understand(self, file: &str, default_class: AgentClass) -> Result<Entry, ListError> {
        let name: Box<str> = self.name.into();
        let class = match &self.category {
            None => default_class,
            Some(category) => class_of_category(category).ok_or_else(|| ListError::Category {
                file: file.into(),
                entry: name.clone(),
                category: (**category).into(),
            })?,
        };
        let device = match &self.device {
            None => DeviceClass::Unknown,
            Some(device) => device_of_word(device).ok_or_else(|| ListError::Device {
                file: file.into(),
                entry: name.clone(),
                device: (**device).into(),
            })?,
        };
        Ok(Entry { name, pattern: self.pattern.into(), class, device })
    }
}

fn class_of_category(category: &str) -> Option<AgentClass> {
    match category {
        "library" => Some(AgentClass::MediaLibrary),
        "script" => Some(AgentClass::ScriptedLibrary),
        "feed" => Some(AgentClass::FeedFetcher),
        _ => AgentClass::from_name(category),
    }
}

/// The project's own words, and those of the open lists.
fn device_of_word(word: &str) -> Option<DeviceClass> {
    match word {
        "mobile" => Some(DeviceClass::Phone),
        "computer" | "pc" => Some(DeviceClass::Desktop),
        "smart_speaker" => Some(DeviceClass::Speaker),
        "smart_tv" => Some(DeviceClass::Tv),
        "auto" => Some(DeviceClass::Car),
        "mp3_player" => Some(DeviceClass::Phone),
        _ => DeviceClass::from_name(word),
    }
}

fn class_of_file(file: &str) -> AgentClass {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    for (start, class) in [
        ("bots", AgentClass::Bot),
        ("browsers", AgentClass::Browser),
        ("libraries", AgentClass::MediaLibrary),
    ] {
        if name.starts_with(start) {
            return class;
        }
    }
    AgentClass::App
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, json: &str) -> Result<List, ListError> {
        List::read(ListText { file, json })
    }

    #[test]
    fn classes_come_from_the_category_or_the_file() {
        for (file, category, expected) in [
            ("apps.json", "", AgentClass::App),
            ("/etc/lists/bots.json", "", AgentClass::Bot),
            ("libraries.runtime.json", "", AgentClass::MediaLibrary),
            ("libraries.json", r#","category":"bot""#, AgentClass::Bot),
            ("mine.json", r#","category":"script""#, AgentClass::ScriptedLibrary),
            ("mine.json", r#","category":"library""#, AgentClass::MediaLibrary),
            ("browsers.json", "", AgentClass::Browser),
        ] {
            let json = format!(
                r#"{{"comments":["x"],"entries":[{{"name":"N","pattern":"^N","svg":"x"{category}}}]}}"#
            );
            assert_eq!(read(file, &json).unwrap().entries[0].class, expected, "{file} {category}");
        }
    }

    #[test]
    fn the_first_entry_that_matches_either_form() {
        let list = read(
            "mine.json",
            r#"{"entries":[{"name":"A","pattern":"^Two Words/"},{"name":"B","pattern":"%20"}]}"#,
        )
        .unwrap();
        assert_eq!(list.first_match(b"Two%20Words/1", b"Two Words/1"), Some(0));
        assert_eq!(list.first_match(b"x%20y", b"x y"), Some(1));
        assert_eq!(list.first_match(b"xy", b"xy"), None);
    }

    #[test]
    fn errors_name_the_file_and_the_entry() {
        for (json, expected) in [
            ("[]", "mine.json: not a list of agents"),
            (
                r#"{"entries":[{"name":"A","pattern":"a"},{"name":"Bad","pattern":"(?=x)"}]}"#,
                r#"mine.json: entry "Bad""#,
            ),
            (
                r#"{"entries":[{"name":"Odd","pattern":"a","category":"host"}]}"#,
                r#"entry "Odd": no category "host""#,
            ),
            (
                r#"{"entries":[{"name":"Odd","pattern":"a","device":"toaster"}]}"#,
                r#"entry "Odd": no device "toaster""#,
            ),
        ] {
            let message = read("mine.json", json).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
