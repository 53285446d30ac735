//! Chapters in the ID3v2 tag at the beginning of an audio file: CHAP frames.
//!
//! Formats: ID3v2.3.0 and ID3v2.4.0 (id3.org) and the chapter frame addendum 1.0. A tag is a header of ten bytes with
//! the length of the rest, then frames: four letters, a length, flags, content. A CHAP frame holds an element id, the
//! start and end in milliseconds, two byte offsets, and frames of its own, of which TIT2 is the title.
//!
//! All CHAP frames are taken, whether a table of contents (CTOC) names them or not; frames within them are looked
//! at once and no deeper. No other frame is looked into, nothing is inflated, and no length is believed beyond the
//! bytes that are there, so that reading takes time and memory in proportion to the tag, whatever it says.

use std::borrow::Cow;

use nom::bytes::complete::{take, take_till};
use nom::number::complete::{be_u16, be_u32};
use nom::{IResult, Parser};

use super::document::{ChaptersError, Entry};

/// How a tag begins.
pub(super) const MAGIC: &[u8] = b"ID3";
/// Length of a tag's header, and of a frame's in these versions.
pub(super) const HEADER_BYTES: usize = 10;

/// Of a tag.
const UNSYNCHRONISED: u8 = 0x80;
const EXTENDED_HEADER: u8 = 0x40;

/// The versions that have chapters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V3,
    V4,
}

/// What a tag says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    version: Version,
    flags: u8,
    /// Length of all that follows the header.
    pub(super) body_bytes: usize,
}

impl Header {
    /// Reads the first [`HEADER_BYTES`] of a tag.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ChaptersError> {
        let [b'I', b'D', b'3', major, _, flags, size @ ..] = bytes else { return Err(ChaptersError::Tag) };
        let version = match major {
            3 => Version::V3,
            4 => Version::V4,
            _ => return Err(ChaptersError::TagVersion(*major)),
        };
        let size = <[u8; 4]>::try_from(size).map_err(|_| ChaptersError::Tag)?;
        Ok(Self { version, flags: *flags, body_bytes: synchsafe(u32::from_be_bytes(size)) as usize })
    }

    /// The chapters in the tag whose body this is, in its order.
    ///
    /// # Errors
    /// The body is shorter than the header says, or a frame goes beyond its end.
    pub(super) fn entries(self, body: &[u8]) -> Result<Vec<Entry>, ChaptersError> {
        let body = body.get(..self.body_bytes).ok_or(ChaptersError::Tag)?;
        let whole = self.version == Version::V3 && self.flags & UNSYNCHRONISED != 0;
        let body = if whole { resynchronised(body) } else { Cow::Borrowed(body) };
        let mut rest = self.after_extended_header(&body).map_err(|_| ChaptersError::Tag)?;
        let mut entries = Vec::new();
        while let Some(frame) = self.next_frame(&mut rest).map_err(|_| ChaptersError::Tag)? {
            if frame.id == b"CHAP" {
                entries.push(self.entry(&frame, entries.len() + 1));
            }
        }
        Ok(entries)
    }

    fn after_extended_header(self, body: &[u8]) -> Result<&[u8], Damaged<'_>> {
        if self.flags & EXTENDED_HEADER == 0 {
            return Ok(body);
        }
        let (rest, size) = be_u32(body)?;
        match self.version {
            Version::V3 => skip(rest, size),
            Version::V4 => skip(body, synchsafe(size)), // it counts itself
        }
    }

    /// None at the end, or where only padding is left.
    fn next_frame<'a>(self, rest: &mut &'a [u8]) -> Result<Option<Frame<'a>>, Damaged<'a>> {
        if rest.len() < HEADER_BYTES || rest[0] == 0 {
            return Ok(None);
        }
        let frame;
        (*rest, frame) = self.frame(rest)?;
        Ok(Some(frame))
    }

    fn frame(self, bytes: &[u8]) -> IResult<&[u8], Frame<'_>> {
        let (rest, (id, size, flags)) = (take(4_usize), be_u32, be_u16).parse(bytes)?;
        let size = if self.version == Version::V4 { synchsafe(size) } else { size };
        let (rest, content) = take(size)(rest)?;
        Ok((rest, Frame { id, flags: FrameFlags(flags), content }))
    }

    fn entry(self, frame: &Frame<'_>, number: usize) -> Entry {
        let found = frame.plain_content(self).and_then(|content| self.chapter(&content));
        let (start_ms, title) = found.map_or((None, String::new()), |(start, title)| (Some(start), title));
        Entry { number, start_ms, title, is_shown: true }
    }

    /// Start in milliseconds and title of a CHAP frame's content.
    fn chapter(self, content: &[u8]) -> Option<(u64, String)> {
        let (mut rest, (start, _end_and_offsets)) = chapter_times(content).ok()?;
        let mut title = None;
        while let Some(frame) = self.next_frame(&mut rest).ok()? {
            if frame.id == b"TIT2" && title.is_none() {
                title = Some(text(frame.content));
            }
        }
        let start = Some(start).filter(|&start| start != u32::MAX)?; // u32::MAX: only byte offsets are given
        Some((start.into(), title.unwrap_or_default()))
    }
}

type Damaged<'a> = nom::Err<nom::error::Error<&'a [u8]>>;

#[derive(Debug)]
struct Frame<'a> {
    id: &'a [u8],
    flags: FrameFlags,
    content: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The content without what the flags put before it or make of it. None where it is compressed or encrypted.
    fn plain_content(&self, tag: Header) -> Option<Cow<'a, [u8]>> {
        let flags = self.flags.of(tag.version);
        if flags.is_encoded {
            return None;
        }
        let content = self.content.get(flags.prefix_bytes..)?;
        let unsynchronised =
            flags.is_unsynchronised || (tag.version == Version::V4 && tag.flags & UNSYNCHRONISED != 0);
        Some(if unsynchronised { resynchronised(content) } else { Cow::Borrowed(content) })
    }
}

#[derive(Clone, Copy, Debug)]
struct FrameFlags(u16);

/// What a frame's flags mean.
struct Meaning {
    is_encoded: bool,
    is_unsynchronised: bool,
    /// Bytes before the content: a group's id, the length of the data.
    prefix_bytes: usize,
}

impl FrameFlags {
    fn of(self, version: Version) -> Meaning {
        let has = |flag: u16| self.0 & flag != 0;
        match version {
            Version::V3 => Meaning {
                is_encoded: has(0x80) || has(0x40),
                is_unsynchronised: false,
                prefix_bytes: usize::from(has(0x20)),
            },
            Version::V4 => Meaning {
                is_encoded: has(0x08) || has(0x04),
                is_unsynchronised: has(0x02),
                prefix_bytes: usize::from(has(0x40)) + if has(0x01) { 4 } else { 0 },
            },
        }
    }
}

/// The element id, then start, end and two offsets; gives the start and what else there was.
fn chapter_times(content: &[u8]) -> IResult<&[u8], (u32, &[u8])> {
    let (rest, _element) = take_till(|byte| byte == 0)(content)?;
    let (rest, _end_of_element) = take(1_usize)(rest)?;
    (be_u32, take(12_usize)).parse(rest)
}

fn skip(bytes: &[u8], count: u32) -> Result<&[u8], Damaged<'_>> {
    let (rest, _skipped) = take(count)(bytes)?;
    Ok(rest)
}

/// 28 bits, seven in each byte.
const fn synchsafe(size: u32) -> u32 {
    (size & 0x7f) | ((size & 0x7f00) >> 1) | ((size & 0x7f_0000) >> 2) | ((size & 0x7f00_0000) >> 3)
}

/// Takes out the zero that was put behind each 0xff so that no player takes the tag for audio.
fn resynchronised(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut after_ff = false;
    for &byte in bytes {
        if !(after_ff && byte == 0) {
            plain.push(byte);
        }
        after_ff = byte == 0xff;
    }
    Cow::Owned(plain)
}

/// The first string of a text frame.
fn text(content: &[u8]) -> String {
    let Some((encoding, text)) = content.split_first() else { return String::new() };
    let until_zero = || text.split(|&byte| byte == 0).next().unwrap_or_default();
    match encoding {
        0 => until_zero().iter().copied().map(char::from).collect(), // ISO 8859-1
        3 => String::from_utf8_lossy(until_zero()).into_owned(),
        1 | 2 => {
            let (big_endian, text) = match text {
                [0xfe, 0xff, text @ ..] => (true, text),
                [0xff, 0xfe, text @ ..] => (false, text),
                text => (*encoding == 2, text),
            };
            let read = if big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
            let (units, _odd) = text.as_chunks::<2>();
            let units = units.iter().map(|unit| read(*unit)).take_while(|&unit| unit != 0);
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        _ => String::new(),
    }
}
