//! What is wrong with a source, where, and what would be right.
//!
//! A [`Problem`] costs one value, one row, one feed item or an episode's chapters, never the catalogue: it is returned beside the
//! episodes, for `check` to fail on and for the service to log and count. An [`Error`] means that a source
//! gave nothing at all.

use std::path::PathBuf;
use std::{fmt, io};

use super::fetch::FetchError;
use super::rss::FeedError;

/// Why a source gave no episodes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "{file}: the first line has no column {column}; it must name the columns, separated by commas: \
         show,episode,path,bytes,duration_s,published_at,audio_start (the first three are required)"
    )]
    MissingColumn { file: String, column: &'static str },
    #[error("{file}: the column {column} is named twice in the first line; name each column once")]
    RepeatedColumn { file: String, column: &'static str },
    #[error("{name}: it lists no episode; write one a row, or leave the catalogue out to count by path")]
    NoEpisodes { name: String },
    #[error("{name}: {error}")]
    Feed { name: String, error: FeedError },
    #[error("{name}: {error}")]
    Fetch { name: String, error: FetchError },
    #[error("{name}: of more than {max_episodes} episodes, the most allowed, {left_out} are left out")]
    TooManyEpisodes { name: String, max_episodes: usize, left_out: usize },
    #[error("cannot read the kept copy {}: {error}; it is written anew when its source is read", path.display())]
    Kept { path: PathBuf, error: io::Error },
    #[error("cannot keep a copy in {}: {error}; a start without network will not know the newest episodes", path.display())]
    Keep { path: PathBuf, error: io::Error },
}

impl Error {
    /// The source, as it is shown, where the error is one source's own.
    pub fn of_source(&self) -> Option<&str> {
        match self {
            Self::MissingColumn { file: name, .. }
            | Self::RepeatedColumn { file: name, .. }
            | Self::NoEpisodes { name }
            | Self::Feed { name, .. }
            | Self::Fetch { name, .. }
            | Self::TooManyEpisodes { name, .. } => Some(name),
            Self::Kept { .. } | Self::Keep { .. } => None,
        }
    }
}

/// One thing in a source that could not be used as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file or feed, as the operator named it.
    pub source: String,
    pub place: Place,
    pub fault: Fault,
    pub cost: Cost,
}

/// Where in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A CSV's line, counted from 1 with the header, and its column where one is to blame.
    Line { line: u64, column: Option<&'static str> },
    /// A feed's item, counted from 1, and its title.
    Item { number: usize, title: String },
    /// The file of an episode's chapters.
    Chapters { show: String, episode: String },
}

/// What is wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("is followed by no episode; write one a row")]
    NoRows,
    #[error("is longer than {max_bytes} bytes; write a shorter one")]
    TooLong { max_bytes: usize },
    #[error("is empty, but every episode needs one")]
    Empty,
    #[error("is not UTF-8; save the file as UTF-8")]
    NotUtf8,
    #[error("holds a line break or another control character; was a quote never closed?")]
    Control,
    #[error("{0:?} is no path; write it as it is served, such as /show/episode.mp3")]
    Path(String),
    #[error("{0:?} is no URL of a file; write https://host/path")]
    Url(String),
    #[error("{0:?} is no number of bytes; write digits only")]
    ByteCount(String),
    #[error("{0:?} is no duration; write seconds (1834 or 1834.5) or hh:mm:ss")]
    Duration(String),
    #[error("{0:?} is no time; write RFC 3339, such as 2026-11-01T05:00:00Z")]
    Time(String),
    #[error("has more fields than the header; a value that holds a comma needs quotes")]
    ExtraFields,
    #[error("names the episode {show}/{slug} of line {line} again")]
    RepeatedEpisode { show: String, slug: String, line: u64 },
    #[error("{0:?} is no URL of chapters; write https://host/path")]
    ChaptersUrl(String),
    /// A file of chapters gave none; why, as its error says.
    #[error("{0}")]
    Unread(String),
    #[error("{count} of them, the first number {first}, have no start that can be read; write seconds")]
    ChapterStarts { count: usize, first: usize },
    #[error("there are more than {max_chapters}, the most allowed: {left_out} too many")]
    TooManyChapters { max_chapters: usize, left_out: usize },
    #[error("has the path {path} of line {line} again")]
    RepeatedPath { path: String, line: u64 },
}

/// What the fault costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    Value,
    Episode,
    /// The earlier of two that contradict each other.
    Earlier,
    /// Nothing that was there.
    Nothing,
    /// The news in a file of chapters.
    Chapters,
    /// Those chapters that the fault is about.
    SomeChapters,
}

impl Cost {
    /// Whether an episode is missing in the catalogue for it.
    pub fn is_an_episode(self) -> bool {
        match self {
            Self::Episode | Self::Earlier => true,
            Self::Value | Self::Nothing | Self::Chapters | Self::SomeChapters => false,
        }
    }
}

/// `catalogue.csv: line 3: duration_s "soon" is no duration; …`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}; {}", self.source, self.place, self.fault, self.cost)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { line, column: Some(column) } => write!(f, "line {line}: {column}"),
            Self::Line { line, column: None } => write!(f, "line {line}:"),
            Self::Item { number, title } => write!(f, "item {number} ({title}):"),
            Self::Chapters { show, episode } => write!(f, "chapters of {show}/{episode}:"),
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value => "taken as unknown",
            Self::Episode => "the episode is left out",
            Self::Earlier => "the later holds",
            Self::Nothing => "no episode is known from it yet",
            Self::Chapters => "what was known of them before stands",
            Self::SomeChapters => "those are left out",
        })
    }
}
