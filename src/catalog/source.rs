//! One source of episodes: where it is, what it last gave, and how it fares.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::chapters::Answer;
use super::fetch::{self, Document, FetchError, Validators};
use super::item::{Item, Listing};
use super::kept::{self, Kept};
use super::known::{Change, Format, KnownEpisodes};
use super::problem::{Cost, Error, Fault, Place, Problem};
use super::{Settings, csv, rss};
use crate::units::Timestamp;

/// A CSV or an RSS feed (told apart by their first character) to take episodes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub location: Location,
    /// The slug of a feed's show; without it, its title's. Once given, it stays when the title changes. A CSV names
    /// its shows itself.
    pub show: Option<String>,
}

impl Source {
    /// A source at a path or URL.
    pub fn at(location: &str) -> Self {
        Self { location: Location::from(location), show: None }
    }
}

/// Where a source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    File(PathBuf),
    /// `http` or `https`.
    Url(String),
}

impl From<&str> for Location {
    fn from(text: &str) -> Self {
        let is_url =
            |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        if is_url("http://") || is_url("https://") {
            Self::Url(text.to_owned())
        } else {
            Self::File(text.into())
        }
    }
}

impl Location {
    /// The scheme of a URL that cannot be asked, such as `ftp`. A file's name that looks like one is written `./ftp://…`.
    pub fn foreign_scheme(text: &str) -> Option<&str> {
        let (scheme, _) = text.split_once("://")?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'.' | b'-'));
        (is_scheme && matches!(Self::from(text), Self::File(_))).then_some(scheme)
    }
}

/// A URL is shown without user, password and query: those of private feeds are secrets.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Url(url) => {
                let url = &url[..url.find(['?', '#']).unwrap_or(url.len())];
                let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                let host = authority.rsplit('@').next().unwrap_or(authority);
                write!(f, "{scheme}://{host}{path}")
            }
        }
    }
}

/// How a source fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStatus {
    /// Its location, without secrets.
    pub source: String,
    /// How many episodes of it are known, listed or not.
    pub episodes: usize,
    /// When it last gave episodes, or said that nothing changed.
    pub refreshed_at: Option<Timestamp>,
    /// Why it did not, if it has not since.
    pub error: Option<String>,
}

/// A source and what is known from it.
#[derive(Debug)]
pub(super) struct Watched {
    source: Source,
    format: Format,
    known: KnownEpisodes,
    problems: Vec<Problem>,
    validators: Validators,
    refreshed_at: Option<Timestamp>,
    error: Option<String>,
}

impl Watched {
    /// A source of which the kept copy is known, if there is one.
    pub(super) fn new(source: Source, settings: &Settings) -> Self {
        let mut watched = Self {
            source,
            format: Format::Rss,
            known: KnownEpisodes::default(),
            problems: Vec::new(),
            validators: Validators::default(),
            refreshed_at: None,
            error: None,
        };
        let kept = settings.kept_dir.as_deref().map(|folder| kept::read(folder, &watched.key()));
        match kept.unwrap_or(Ok(None)) {
            Ok(None) => {}
            Ok(Some(kept)) => {
                watched.format = kept.format;
                watched.refreshed_at = Some(kept.refreshed_at);
                watched.known = KnownEpisodes::from_list(kept.list);
            }
            Err(error) => watched.error = Some(error.to_string()),
        }
        watched
    }

    pub(super) fn location(&self) -> &Location {
        &self.source.location
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    pub(super) fn known(&self) -> &KnownEpisodes {
        &self.known
    }

    /// What is wrong in the document as last read.
    pub(super) fn listing_problems(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }

    /// As above, and with files of chapters.
    pub(super) fn problems(&self) -> impl Iterator<Item = &Problem> {
        let of_chapters = self.known.list().iter().flat_map(|known| known.chapter_file.problems());
        self.problems.iter().chain(of_chapters)
    }

    pub(super) fn status(&self) -> SourceStatus {
        SourceStatus {
            source: self.name(),
            episodes: self.known.list().len(),
            refreshed_at: self.refreshed_at,
            error: self.error.clone(),
        }
    }

    /// Gets the document; takes nothing in yet.
    pub(super) fn fetch(&self, agent: &ureq::Agent, max_bytes: u64) -> Result<Document, FetchError> {
        match &self.source.location {
            Location::File(path) => fetch::file(path, max_bytes),
            Location::Url(url) => fetch::url(agent, url, &self.validators, max_bytes),
        }
    }

    /// Takes in what [`Self::fetch`] gave. Whatever is wrong with it, what was known stays known.
    ///
    /// # Errors
    /// The document gave no episodes, or they are taken in but could not be kept, or not all of them.
    pub(super) fn take_in(
        &mut self,
        fetched: Result<Document, FetchError>,
        settings: &Settings,
        now: Timestamp,
    ) -> (Vec<Change>, Result<(), Error>) {
        let (changes, result) = match self.read(fetched) {
            Ok(None) => (Vec::new(), Ok(())),
            Ok(Some((format, listing))) => self.renew(format, listing, settings, now),
            Err(error) => {
                self.error = Some(error.to_string());
                return (Vec::new(), Err(error));
            }
        };
        self.refreshed_at = Some(now);
        self.error = result.as_ref().err().map(ToString::to_string);
        (changes, result)
    }

    /// None where nothing changed.
    fn read(&mut self, fetched: Result<Document, FetchError>) -> Result<Option<(Format, Listing)>, Error> {
        let name = self.name();
        let (bytes, validators) = match fetched.map_err(|error| Error::Fetch { name: name.clone(), error })? {
            Document::Unchanged => return Ok(None),
            Document::Read { bytes, validators } => (bytes, validators),
        };
        let (format, listing) = if is_xml(&bytes) {
            let show = self.source.show.as_deref().or(self.known.show());
            let listing = rss::parse(&bytes, &name, show).map_err(|error| Error::Feed { name, error })?;
            (Format::Rss, listing)
        } else {
            (Format::Csv, self.csv_listing(&bytes, &name)?)
        };
        self.validators = validators; // only now: a document that is no use must be sent again
        Ok(Some((format, listing)))
    }

    fn renew(
        &mut self,
        format: Format,
        listing: Listing,
        settings: &Settings,
        now: Timestamp,
    ) -> (Vec<Change>, Result<(), Error>) {
        let before = self.known.clone();
        let (changes, left_out) = self.known.update(listing.items, format, settings.max_episodes);
        self.format = format;
        self.problems = listing.problems;
        let mut result = Ok(());
        if self.known != before
            && let Some(folder) = &settings.kept_dir
        {
            result = self.keep(folder, now);
        }
        if left_out > 0 {
            let max_episodes = settings.max_episodes;
            result = result.and(Err(Error::TooManyEpisodes { name: self.name(), max_episodes, left_out }));
        }
        (changes, result)
    }

    fn keep(&self, folder: &Path, refreshed_at: Timestamp) -> Result<(), Error> {
        let kept = Kept { format: self.format, refreshed_at, list: self.known.list().to_vec() };
        kept::write(folder, &self.key(), &self.name(), &kept)
    }

    fn csv_listing(&self, bytes: &[u8], name: &str) -> Result<Listing, Error> {
        let folder = match &self.source.location {
            Location::File(path) => path.parent(),
            Location::Url(_) => None,
        };
        let csv::CsvCatalog { rows, mut problems } = csv::parse(bytes, name, folder)?;
        if rows.is_empty() {
            // A file without rows yet; but one that takes all episodes away, or has nothing but faults, is a mistake.
            if !self.known.list().is_empty() || !problems.is_empty() {
                return Err(Error::NoEpisodes { name: name.to_owned() });
            }
            problems.push(Problem {
                source: name.to_owned(),
                place: Place::Line { line: 1, column: None },
                fault: Fault::NoRows,
                cost: Cost::Nothing,
            });
        }
        let identified = |csv::CsvEpisode { episode, chapters_at }| Item {
            identity: format!("{}/{}", episode.show, episode.slug),
            episode,
            chapters_at,
        };
        Ok(Listing { items: rows.into_iter().map(identified).collect(), problems })
    }

    /// Takes in what reading files of chapters gave, each by where it is. Gives what is new.
    ///
    /// # Errors
    /// The chapters are taken in, but could not be kept.
    pub(super) fn take_chapters(
        &mut self,
        answers: &HashMap<&str, Answer>,
        settings: &Settings,
        now: Timestamp,
    ) -> (Vec<Change>, Vec<Problem>, Result<(), Error>) {
        let (mut changes, mut problems, mut is_worth_keeping) = (Vec::new(), Vec::new(), false);
        for known in self.known.iter_mut() {
            let Some(answer) = known.chapter_file.at().and_then(|at| answers.get(at)) else { continue };
            let (new, kind) = known.chapter_file.take_in(answer, &mut known.episode, now);
            is_worth_keeping |= kind.is_some() || known.chapter_file.is_remote();
            changes.extend(kind.map(|kind| known.change(kind)));
            problems.extend(new);
        }
        let result = match &settings.kept_dir {
            Some(folder) if is_worth_keeping => self.keep(folder, self.refreshed_at.unwrap_or(now)),
            _ => Ok(()),
        };
        (changes, problems, result)
    }

    fn name(&self) -> String {
        self.source.location.to_string()
    }

    /// What the kept copy goes by: the whole location, secrets included.
    fn key(&self) -> String {
        match &self.source.location {
            Location::File(path) => path.to_string_lossy().into_owned(),
            Location::Url(url) => url.clone(),
        }
    }
}

/// Whether the document begins as XML does, in UTF-8 or UTF-16.
fn is_xml(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    bytes.starts_with(b"<") || bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_shown_without_secrets() {
        for (text, shown) in [
            ("catalog.csv", "catalog.csv"),
            ("https://h.example/feed.xml", "https://h.example/feed.xml"),
            ("https://me:pass@h.example/feed.xml?token=abc#x", "https://h.example/feed.xml"),
            ("HTTPS://h.example?token=abc", "HTTPS://h.example"),
        ] {
            assert_eq!(Location::from(text).to_string(), shown);
        }
        assert!(matches!(Location::from("http/feed.xml"), Location::File(_)));
    }

    #[test]
    fn schemes_that_cannot_be_asked_are_told() {
        for (text, expected) in [
            ("ftp://h.example/feed.xml", Some("ftp")),
            ("s3+x://bucket/feed.xml", Some("s3+x")),
            ("https://h.example/feed.xml", None),
            ("HTTP://h.example/feed.xml", None),
            ("./ftp://feed.xml", None),
            ("/srv/a://b", None),
            ("catalog.csv", None),
        ] {
            assert_eq!(Location::foreign_scheme(text), expected, "{text}");
        }
    }

    #[test]
    fn a_csv_without_rows_is_empty_unless_it_held_some() {
        let settings = Settings::default();
        let mut watched = Watched::new(Source::at("c.csv"), &settings);
        let header = b"show,episode,path\n,,\n";
        let empty = watched.csv_listing(header, "c.csv").unwrap();
        assert!(empty.items.is_empty());
        let said = empty.problems[0].to_string();
        assert!(said.starts_with("c.csv: line 1: is followed by no episode"), "{said}");
        let broken = b"show,episode,path\ngo,,/1.mp3\n";
        assert!(matches!(watched.csv_listing(broken, "c.csv"), Err(Error::NoEpisodes { .. })));

        let some = Document::Read {
            bytes: b"show,episode,path\ngo,1,/1.mp3\n".to_vec(),
            validators: Validators::default(),
        };
        watched.take_in(Ok(some), &settings, Timestamp::default()).1.unwrap();
        assert!(matches!(watched.csv_listing(header, "c.csv"), Err(Error::NoEpisodes { .. })));
    }

    #[test]
    fn feeds_begin_as_xml() {
        for (bytes, expected) in [
            (&b"<rss"[..], true),
            (b"\xef\xbb\xbf\n <?xml", true),
            (b"\xff\xfe<\0", true),
            (b"show,episode", false),
            (b"\xef\xbb\xbfshow,episode", false),
            (b"", false),
        ] {
            assert_eq!(is_xml(bytes), expected, "{bytes:?}");
        }
    }
}
