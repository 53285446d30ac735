//! A file of chapters, whatever it is: JSON, or audio with an ID3v2 tag.
//!
//! The content decides, not the name: `ID3` begins a tag, `{` begins JSON. Of audio no more than its tag is read.

use std::io::Read;

use super::{id3, json};
use crate::attribution::Chapter;
use crate::catalog::fetch::FetchError;
use crate::catalog::item::one_line;

/// The longest JSON that is read, in bytes.
const MAX_JSON_BYTES: u64 = 1 << 20;
/// The longest tag that is read, in bytes; its pictures may be many.
const MAX_TAG_BYTES: u64 = 8 << 20;
/// How much of a file is ever read, in bytes.
pub(super) const MAX_BYTES: u64 = MAX_TAG_BYTES + id3::HEADER_BYTES as u64;
/// How many chapters of an episode are taken.
pub(super) const MAX_CHAPTERS: usize = 500;
/// Titles are cut to this.
const MAX_TITLE_BYTES: usize = 200;

/// Why a file gave no chapters.
#[derive(Debug, thiserror::Error)]
pub enum ChaptersError {
    #[error("{0}")]
    Fetch(#[from] FetchError),
    #[error("it is neither JSON with chapters nor audio that begins with an ID3v2 tag")]
    Neither,
    #[error("it is no JSON with chapters: {0}")]
    Json(serde_json::Error),
    #[error("its tag is ID3v2.{0}, which has no chapters; write ID3v2.3 or ID3v2.4")]
    TagVersion(u8),
    #[error("its ID3v2 tag is damaged: it ends within a frame")]
    Tag,
}

/// One chapter as a file has it.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its place in the file, counted from 1.
    pub(super) number: usize,
    /// None where it has none that can be read.
    pub(super) start_ms: Option<u64>,
    /// May be empty.
    pub(super) title: String,
    pub(super) is_shown: bool,
}

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::catalog) struct Contents {
    /// By their start, no two at one.
    pub(super) chapters: Vec<Chapter>,
    /// The numbers of the chapters that are left out for lack of a start.
    pub(super) without_start: Vec<usize>,
    /// How many are left out because there are more than [`MAX_CHAPTERS`].
    pub(super) too_many: usize,
}

/// Reads a file of chapters, as far as need be.
///
/// # Errors
/// It cannot be read, or is no such file.
pub(super) fn read(mut reader: impl Read) -> Result<Contents, ChaptersError> {
    let mut bytes = Vec::new();
    read_on(&mut reader, &mut bytes, id3::HEADER_BYTES as u64)?;
    if bytes.starts_with(id3::MAGIC) {
        let header = id3::Header::parse(&bytes)?;
        if header.body_bytes as u64 > MAX_TAG_BYTES {
            return Err(FetchError::TooLarge { max_bytes: MAX_TAG_BYTES }.into());
        }
        bytes.clear();
        read_on(&mut reader, &mut bytes, header.body_bytes as u64)?;
        return header.entries(&bytes).map(arranged);
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes).trim_ascii_start();
    if !text.is_empty() && text[0] != b'{' {
        return Err(ChaptersError::Neither);
    }
    read_on(&mut reader, &mut bytes, MAX_JSON_BYTES)?;
    if bytes.len() as u64 > MAX_JSON_BYTES {
        return Err(FetchError::TooLarge { max_bytes: MAX_JSON_BYTES }.into());
    }
    json::entries(&bytes).map(arranged)
}

fn read_on(reader: &mut impl Read, bytes: &mut Vec<u8>, count: u64) -> Result<(), FetchError> {
    reader.take(count).read_to_end(bytes)?;
    Ok(())
}

/// What is to be shown and has a name, in order. Of several at one start the last holds.
fn arranged(entries: Vec<Entry>) -> Contents {
    let mut contents = Contents::default();
    for entry in entries.into_iter().filter(|entry| entry.is_shown) {
        let title = one_line(&entry.title, MAX_TITLE_BYTES);
        match entry.start_ms {
            None => contents.without_start.push(entry.number),
            Some(start_ms) if !title.is_empty() => contents.chapters.push(Chapter { start_ms, title }),
            Some(_) => {}
        }
    }
    let chapters = &mut contents.chapters;
    chapters.reverse();
    chapters.sort_by_key(|chapter| chapter.start_ms);
    chapters.dedup_by_key(|chapter| chapter.start_ms);
    contents.too_many = chapters.len().saturating_sub(MAX_CHAPTERS);
    chapters.truncate(MAX_CHAPTERS);
    contents
}
