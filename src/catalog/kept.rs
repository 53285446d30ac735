//! The last good copy of each source, on disk, so that a start without network knows all episodes.
//!
//! One JSON file a source in the folder it is given, named by a hash of the source's location. Files are written
//! beside and renamed over, each step synced, so that a crash leaves the old copy or the new one, whole. ETags are
//! not kept: after a start each document is read in full once, by what may be a newer program.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::known::{Format, Known};
use super::problem::Error;
use crate::attribution::{Chapter, Episode};
use crate::units::Timestamp;

/// A source's last good copy.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) format: Format,
    pub(super) refreshed_at: Timestamp,
    pub(super) list: Vec<Known>,
}

#[derive(Serialize, Deserialize)]
struct KeptFile {
    /// For people who look into the folder.
    source: String,
    format: Format,
    #[serde(with = "micros")]
    refreshed_at: Timestamp,
    episodes: Vec<Known>,
}

/// [`Episode`]'s fields, for serde.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Episode")]
pub(super) struct EpisodeFields {
    show: String,
    show_title: String,
    slug: String,
    title: String,
    path: String,
    host: Option<String>,
    size: Option<u64>,
    duration_ms: Option<u64>,
    audio_start: u64,
    #[serde(with = "optional_micros")]
    published_at: Option<Timestamp>,
    #[serde(default)]
    chapters: Option<Vec<Chapter>>,
}

/// A point in time as microseconds since the epoch.
mod micros {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.micros())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let micros = i64::deserialize(deserializer)?;
        Timestamp::from_micros(micros).ok_or_else(|| serde::de::Error::custom("a time beyond the year 9999"))
    }
}

/// The same, or null.
mod optional_micros {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp};

    pub(super) fn serialize<S: Serializer>(
        time: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(Timestamp::micros).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<i64>::deserialize(deserializer)?.and_then(Timestamp::from_micros))
    }
}

/// Writes the copy of the source at `location`; `source` is what people call it.
pub(super) fn write(folder: &Path, location: &str, source: &str, kept: &Kept) -> Result<(), Error> {
    let path = path(folder, location);
    let file = KeptFile {
        source: source.to_owned(),
        format: kept.format,
        refreshed_at: kept.refreshed_at,
        episodes: kept.list.clone(),
    };
    let bytes = serde_json::to_vec_pretty(&file).map_err(io::Error::from);
    bytes.and_then(|bytes| replace(&path, &bytes)).map_err(|error| Error::Keep { path, error })
}

/// The copy of the source at `location`, or None where there is none.
///
/// # Errors
/// There is one, but it cannot be read.
pub(super) fn read(folder: &Path, location: &str) -> Result<Option<Kept>, Error> {
    let path = path(folder, location);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes,
    };
    let file = bytes.and_then(|bytes| Ok(serde_json::from_slice::<KeptFile>(&bytes)?));
    let file = file.map_err(|error| Error::Kept { path, error })?;
    let KeptFile { format, refreshed_at, episodes: list, .. } = file;
    Ok(Some(Kept { format, refreshed_at, list }))
}

fn path(folder: &Path, location: &str) -> PathBuf {
    folder.join(format!("{}.json", super::item::hex(location, 8)))
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::chapters::ChapterFile;
    use crate::catalog::known::Address;

    fn kept() -> Kept {
        let episode = Episode {
            show: "go".into(),
            show_title: "Go \"Time\"".into(),
            slug: "1.mp3".into(),
            title: "One\u{2028}".into(),
            path: "/a b/1.mp3".into(),
            host: Some("h".into()),
            size: Some(u64::MAX),
            duration_ms: Some(1),
            audio_start: 2,
            published_at: Timestamp::from_micros(-1),
            chapters: Some(vec![Chapter { start_ms: 1_500, title: "Intro".into() }]),
        };
        let former = vec![Address { host: None, path: "/old.mp3".into() }];
        let chapter_file = ChapterFile::named(Some("https://h/1.json".into()));
        let known = Known {
            identity: "g".into(),
            episode,
            former,
            former_size: Some(3),
            listed: false,
            chapter_file,
        };
        let episode = Episode {
            host: None,
            size: None,
            duration_ms: None,
            published_at: None,
            chapters: None,
            ..known.episode.clone()
        };
        let chapter_file = ChapterFile::default();
        let bare = Known { former: vec![], former_size: None, listed: true, chapter_file, ..known.clone() };
        let bare = Known { episode, ..bare };
        Kept {
            format: Format::Rss,
            refreshed_at: Timestamp::from_micros(5).unwrap(),
            list: vec![known, bare],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("not/there/yet");
        assert_eq!(read(&inner, "https://h/feed").unwrap(), None);
        write(&inner, "https://h/feed", "feed", &kept()).unwrap();
        write(&inner, "https://h/feed", "feed", &kept()).unwrap();
        assert_eq!(read(&inner, "https://h/feed").unwrap(), Some(kept()));
        assert_eq!(read(&inner, "https://h/other").unwrap(), None);
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_copy_of_before_there_were_chapters_is_read() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "feed", "feed", &kept()).unwrap();
        let path = path(folder.path(), "feed");
        let mut file: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        for episode in file["episodes"].as_array_mut().unwrap() {
            let episode = episode.as_object_mut().unwrap();
            assert!(episode.remove("chapters").is_some() && episode.remove("chapter_file").is_some());
        }
        fs::write(&path, file.to_string()).unwrap();
        let list = read(folder.path(), "feed").unwrap().unwrap().list;
        assert_eq!((list.len(), &list[0].episode.chapters), (2, &None));
        assert_eq!(list[0].chapter_file, ChapterFile::default());
    }

    #[test]
    fn a_damaged_copy_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "feed", "feed", &kept()).unwrap();
        let path = path(folder.path(), "feed");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..text.len() / 2]).unwrap();
        let error = read(folder.path(), "feed").unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = write(file.path(), "feed", "feed", &kept()).unwrap_err();
        assert!(matches!(error, Error::Keep { .. }), "{error}");
    }
}
