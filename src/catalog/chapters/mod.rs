//! Chapters of episodes, from the files that catalogues name: which of them to read when, and what became of it.
//!
//! Thousands of files change hardly ever. So a file is read when it is first named, a URL then asked again once a day
//! (conditionally) and within the hour where it gave nothing; local files are looked at in each refresh. Only so many
//! are read in a refresh: those never read before go first, the newest episodes' before others, then those that were
//! left alone longest.
//!
//! What always holds: a file that fails costs nothing but news of it; the chapters known before stand.

mod document;
mod id3;
mod json;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use document::ChaptersError;
use document::Contents;

use super::fetch::{self, FetchError, Validators};
use super::known::{ChangeKind, Known};
use super::problem::{Cost, Fault, Place, Problem};
use super::source::Location;
use super::values::Unreadable;
use crate::attribution::Episode;
use crate::units::Timestamp;

/// After this a URL that was read is asked again.
const RECHECK: Duration = Duration::from_secs(24 * 60 * 60);
/// After this a URL that gave nothing yet is.
const RETRY: Duration = Duration::from_secs(60 * 60);
/// How long reading one file may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Where the chapters of an episode are, and how reading them fares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChapterFile {
    /// A URL, or a path; None where the catalogue names none.
    at: Option<String>,
    /// When it was last asked for.
    asked_at: Option<Timestamp>,
    /// Whether the episode's chapters are from it.
    is_read: bool,
    /// Of the last good answer. As for sources, not kept: what newer programs can read, they read once.
    #[serde(skip)]
    validators: Validators,
    #[serde(skip)]
    problems: Vec<Problem>,
}

/// What reading a file gave; None where it is what it was.
pub(super) type Answer = Result<Option<(Contents, Validators)>, ChaptersError>;

impl ChapterFile {
    pub(super) fn named(at: Option<String>) -> Self {
        Self { at, ..Self::default() }
    }

    pub(super) fn at(&self) -> Option<&str> {
        self.at.as_deref()
    }

    /// What is wrong with it as last read.
    pub(super) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    pub(super) fn is_read(&self) -> bool {
        self.is_read
    }

    /// Whether asking for it costs somebody else something.
    pub(super) fn is_remote(&self) -> bool {
        self.at().is_some_and(is_url)
    }

    /// Takes in where it is now. A file at another place is another file.
    pub(super) fn rename(&mut self, at: Option<String>) {
        if self.at != at {
            *self = Self::named(at);
        }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let (Some(at), Some(asked_at)) = (&self.at, self.asked_at) else { return self.at.is_some() };
        let pause = if self.is_read { RECHECK } else { RETRY };
        !is_url(at) || now < asked_at || now.since(asked_at) >= pause
    }

    /// Takes in what reading it gave. Gives what is new of its faults, and of the episode's chapters.
    pub(super) fn take_in(
        &mut self,
        answer: &Answer,
        episode: &mut Episode,
        now: Timestamp,
    ) -> (Vec<Problem>, Option<ChangeKind>) {
        self.asked_at = Some(now);
        let mut change = None;
        let problems = match answer {
            Ok(None) => return (Vec::new(), None),
            Ok(Some((contents, validators))) => {
                self.is_read = true;
                self.validators.clone_from(validators);
                if episode.chapters.as_ref() != Some(&contents.chapters) {
                    episode.chapters = Some(contents.chapters.clone());
                    change = Some(ChangeKind::Chapters(contents.chapters.len()));
                }
                faults(contents).map(|fault| self.problem(episode, fault, Cost::SomeChapters)).collect()
            }
            Err(error) => vec![self.problem(episode, Fault::Unread(error.to_string()), Cost::Chapters)],
        };
        let before = std::mem::replace(&mut self.problems, problems);
        let new = self.problems.iter().filter(|problem| !before.contains(problem));
        (new.cloned().collect(), change)
    }

    fn problem(&self, episode: &Episode, fault: Fault, cost: Cost) -> Problem {
        let place = Place::Chapters { show: episode.show.clone(), episode: episode.slug.clone() };
        let source = Location::from(self.at().unwrap_or_default()).to_string();
        Problem { source, place, fault, cost }
    }
}

fn faults(contents: &Contents) -> impl Iterator<Item = Fault> {
    let Contents { without_start, too_many, .. } = contents;
    let starts =
        without_start.first().map(|&first| Fault::ChapterStarts { count: without_start.len(), first });
    let too_many = (*too_many > 0)
        .then_some(Fault::TooManyChapters { max_chapters: document::MAX_CHAPTERS, left_out: *too_many });
    starts.into_iter().chain(too_many)
}

fn is_url(at: &str) -> bool {
    matches!(Location::from(at), Location::Url(_))
}

/// Where the file is that a catalogue names by a URL, or by a path in `folder`. Without a folder only URLs are
/// taken: what comes over the network may not name files of this machine. Empty is none.
pub(super) fn location(text: &str, folder: Option<&Path>) -> Result<Option<String>, Unreadable> {
    match folder {
        _ if text.is_empty() => Ok(None),
        _ if is_url(text) => Ok(Some(text.to_owned())),
        Some(folder) => Ok(Some(folder.join(text).to_string_lossy().into_owned())),
        None => Err(Unreadable),
    }
}

/// A file to read now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: String,
    validators: Validators,
    /// When it was last asked for, and when its newest episode was published.
    asked_at: Option<Timestamp>,
    published_at: Option<Timestamp>,
}

/// The files of these episodes that are to be read now, each once, at most `max_files`.
pub(super) fn due<'a>(
    episodes: impl Iterator<Item = &'a Known>,
    now: Timestamp,
    max_files: usize,
) -> Vec<Due> {
    let mut files = HashMap::new();
    for Known { chapter_file: file, episode, .. } in episodes {
        let Some(at) = file.at().filter(|_| file.is_due(now)) else { continue };
        // Unchanged means: as it was read for this episode.
        let validators = if file.is_read { file.validators.clone() } else { Validators::default() };
        let (asked_at, published_at) = (file.asked_at, episode.published_at);
        match files.entry(at) {
            Entry::Vacant(entry) => {
                entry.insert(Due { at: at.to_owned(), validators, asked_at, published_at });
            }
            Entry::Occupied(entry) => {
                let due = entry.into_mut();
                due.asked_at = due.asked_at.min(asked_at);
                due.published_at = due.published_at.max(published_at);
                if due.validators != validators {
                    due.validators = Validators::default();
                }
            }
        }
    }
    let mut files: Vec<Due> = files.into_values().collect();
    files.sort_by(|a, b| {
        let key = |due: &Due| (due.asked_at, Reverse(due.published_at));
        key(a).cmp(&key(b)).then_with(|| a.at.cmp(&b.at))
    });
    files.truncate(max_files);
    files
}

impl Due {
    /// Reads the file as far as need be. Takes nothing in yet.
    pub(super) fn read(&self, agent: &ureq::Agent) -> Answer {
        match Location::from(&*self.at) {
            Location::File(path) => {
                let file = File::open(path).map_err(FetchError::File)?;
                Ok(Some((document::read(file)?, Validators::default())))
            }
            Location::Url(url) => {
                let Some((body, validators)) =
                    fetch::beginning(agent, &url, &self.validators, document::MAX_BYTES)?
                else {
                    return Ok(None);
                };
                Ok(Some((document::read(body)?, validators)))
            }
        }
    }
}

#[cfg(test)]
mod tests;
