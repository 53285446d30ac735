//! Tables of files and what they say; which files are read when.

use std::io::Read;

use super::document::{self, Contents};
use super::*;
use crate::catalog::item::Item;

fn read(bytes: &[u8]) -> Result<Contents, String> {
    document::read(bytes).map_err(|error| error.to_string())
}

/// Of a file that has no faults: `start title`, one after another.
fn chapters(bytes: &[u8]) -> Vec<String> {
    let contents = read(bytes).unwrap();
    assert_eq!((contents.without_start, contents.too_many), (vec![], 0));
    contents.chapters.iter().map(|chapter| format!("{} {}", chapter.start_ms, chapter.title)).collect()
}

fn json(chapters: &str) -> String {
    format!("{{\"version\":\"1.2.0\",\"chapters\":[{chapters}]}}")
}

/// Of ID3v2.3, or of ID3v2.4 where its length is below 128.
fn frame(id: &str, flags: u16, content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).unwrap().to_be_bytes();
    [id.as_bytes(), &size, &flags.to_be_bytes(), content].concat()
}

/// The content of a CHAP frame.
fn chapter(start_ms: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    let times = [start_ms, start_ms + 1, u32::MAX, u32::MAX].map(u32::to_be_bytes).concat();
    [b"ch1\0", &*times, &frames.concat()].concat()
}

fn titled(start_ms: u32, encoding: u8, title: &[u8]) -> Vec<u8> {
    frame("CHAP", 0, &chapter(start_ms, &[frame("TIT2", 0, &[&[encoding], title].concat())]))
}

fn tag(version: u8, flags: u8, body: &[u8]) -> Vec<u8> {
    let size = [21, 14, 7, 0].map(|shift| (body.len() >> shift) as u8 & 0x7f);
    [b"ID3", &[version, 0, flags][..], &size, body].concat()
}

#[test]
fn json_chapters() {
    for (text, expected) in [
        ("", &[][..]),
        (r#"{"startTime":0,"title":"Intro"},{"startTime":94.5,"title":"Two"}"#, &["0 Intro", "94500 Two"]),
        (r#"{"startTime":0.0004,"title":"A"},{"startTime":1.0006,"title":"B"}"#, &["0 A", "1001 B"]),
        (r#"{"startTime":9,"title":"B"},{"startTime":1,"title":"A"}"#, &["1000 A", "9000 B"]),
        (r#"{"startTime":1,"title":"A","toc":false},{"startTime":2,"title":"B","toc":true}"#, &["2000 B"]),
        (r#"{"startTime":1,"title":"A"},{"startTime":1,"title":"B"}"#, &["1000 B"]),
        (
            r#"{"startTime":1,"title":" A\n\u0000 b "},{"startTime":2,"title":" "},{"startTime":3}"#,
            &["1000 A b"],
        ),
        (r#"{"startTime":1,"title":"A","img":"x","location":{"osm":1}}"#, &["1000 A"]),
    ] {
        assert_eq!(chapters(json(text).as_bytes()), expected, "{text}");
    }
    let with_mark = ["\u{feff}  ", &json(r#"{"startTime":1,"title":"A"}"#)].concat();
    assert_eq!(chapters(with_mark.as_bytes()), ["1000 A"]);
}

#[test]
fn chapters_that_cannot_be_placed_are_left_out() {
    let good = r#"{"startTime":2,"title":"B"}"#;
    for bad in ["-1", "1e10", "\"1:00\"", "null", "{}"] {
        let text = json(&format!("{good},{{\"startTime\":{bad},\"title\":\"A\"}},7,{good}"));
        let contents = read(text.as_bytes()).unwrap();
        assert_eq!((contents.chapters.len(), contents.without_start), (1, vec![2, 3]), "{bad}");
    }
    let many: Vec<_> = (0..502).rev().map(|n| format!("{{\"startTime\":{n},\"title\":\"{n}\"}}")).collect();
    let contents = read(json(&many.join(",")).as_bytes()).unwrap();
    assert_eq!((contents.chapters.len(), contents.too_many), (500, 2));
    assert_eq!(contents.chapters[499].title, "499", "those at the end are too many");
    let long = format!("{{\"startTime\":1,\"title\":\"{}\"}}", "é".repeat(500));
    assert_eq!(read(json(&long).as_bytes()).unwrap().chapters[0].title, "é".repeat(100));
}

#[test]
fn titles_in_every_encoding() {
    let utf16 = |units: &[u16], read: fn(u16) -> [u8; 2]| -> Vec<u8> {
        units.iter().flat_map(|unit| read(*unit)).collect()
    };
    let one = |content: &[u8], encoding: u8| chapters(&tag(3, 0, &titled(7, encoding, content)));
    assert_eq!(one(b"caf\xe9\0more", 0), ["7 café"]);
    assert_eq!(one("café".as_bytes(), 3), ["7 café"]);
    assert_eq!(one(&utf16(&[0xfeff, 0x63, 0xe9, 0, 0x61], u16::to_le_bytes), 1), ["7 cé"]);
    assert_eq!(one(&utf16(&[0xfeff, 0xd83c, 0xdf99], u16::to_be_bytes), 1), ["7 🎙"]);
    assert_eq!(one(&utf16(&[0x63, 0xe9], u16::to_be_bytes), 2), ["7 cé"]);
    assert_eq!(one(&[b"\xff\xfe", &b"\x00\xd8a"[..]].concat(), 1), ["7 \u{fffd}"], "half a character");
    assert_eq!(one(b"x", 9), [""; 0], "no such encoding, hence no title");
    assert_eq!(one(b"", 3), [""; 0]);
}

#[test]
fn chapters_in_a_tag() {
    let (one, two) = (titled(0, 3, b"One"), titled(60_000, 3, b"Two"));
    let title = frame("TIT2", 0, b"\x03The episode");
    let toc = frame("CTOC", 0, b"toc\0\x03\x01ch1\0");
    let body = [title.clone(), toc, two.clone(), one.clone(), vec![0; 300]].concat();
    for version in [3, 4] {
        assert_eq!(chapters(&tag(version, 0, &body)), ["0 One", "60000 Two"], "ID3v2.{version}");
        assert_eq!(chapters(&tag(version, 0, &title)), [""; 0], "a tag without chapters has none");
        assert_eq!(chapters(&tag(version, 0, b"")), [""; 0]);
    }
    let image = frame("APIC", 0, b"\0image/png\0\0\0\x89PNG");
    let content = chapter(5, &[image, frame("TIT2", 0, b"\x03First"), frame("TIT2", 0, b"\x03Second")]);
    assert_eq!(chapters(&tag(3, 0, &frame("CHAP", 0, &content))), ["5 First"]);
    // Lengths of more than 127 differ between the versions.
    let long = "x".repeat(150);
    let inner = frame("TIT2", 0, &[b"\x03", long.as_bytes()].concat());
    assert_eq!(
        chapters(&tag(3, 0, &frame("CHAP", 0, &chapter(1, std::slice::from_ref(&inner))))),
        [format!("1 {long}")]
    );
    let synchsafe = |frame: &[u8]| {
        let size = frame.len() - 10;
        [&frame[..6], &[(size >> 7) as u8, size as u8 & 0x7f], &frame[8..]].concat()
    };
    let outer = synchsafe(&frame("CHAP", 0, &chapter(1, &[synchsafe(&inner)])));
    assert_eq!(chapters(&tag(4, 0, &outer)), [format!("1 {long}")]);
}

#[test]
fn flags_of_tags_and_frames() {
    let one = titled(0xff00, 3, b"One");
    let content = &one[10..];
    let expected = ["65280 One"];
    // 00 00 ff 00 00 00 …: a zero goes behind each ff, and comes out again.
    let unsynchronised = |bytes: &[u8]| -> Vec<u8> {
        bytes.iter().flat_map(|&byte| if byte == 0xff { vec![0xff, 0] } else { vec![byte] }).collect()
    };
    assert_eq!(chapters(&tag(3, 0x80, &unsynchronised(&one))), expected);
    assert_eq!(chapters(&tag(4, 0x80, &frame("CHAP", 0x02, &unsynchronised(content)))), expected);
    assert_eq!(chapters(&tag(4, 0, &frame("CHAP", 0x02, &unsynchronised(content)))), expected);
    assert_eq!(
        chapters(&tag(3, 0x40, &[b"\0\0\0\x06\0\0\0\0\0\0", &*one].concat())),
        expected,
        "extended header"
    );
    assert_eq!(chapters(&tag(4, 0x40, &[b"\0\0\0\x06\x01\0", &*one].concat())), expected, "it counts itself");
    assert_eq!(chapters(&tag(3, 0, &frame("CHAP", 0x20, &[b"g", content].concat()))), expected, "group");
    let prefixed = frame("CHAP", 0x41, &[b"g\0\0\0\x30", content].concat());
    assert_eq!(chapters(&tag(4, 0, &prefixed)), expected, "group and length");
    for (version, flags) in [(3, 0x80), (3, 0x40), (4, 0x08), (4, 0x04)] {
        let body = [frame("CHAP", flags, content), one.clone()].concat();
        let contents = read(&tag(version, 0, &body)).unwrap();
        assert_eq!((contents.chapters.len(), contents.without_start), (1, vec![1]), "{version} {flags}");
    }
    let offsets_only = frame("CHAP", 0, &[b"a\0", &[0xff; 16][..]].concat());
    assert_eq!(read(&tag(3, 0, &offsets_only)).unwrap().without_start, [1]);
}

#[test]
fn what_is_no_file_of_chapters_is_an_error() {
    let whole = tag(3, 0, &titled(0, 3, b"One"));
    let huge =
        tag(3, 0, &[]).iter().enumerate().map(|(at, &byte)| if at < 6 { byte } else { 0x7f }).collect();
    let lying = tag(3, 0, &[b"CHAP\xff\xff\xff\xff\0\0", &[0; 40][..]].concat());
    let padded = [b"{\"chapters\":[", &[b' '; 1 << 20][..], b"]}"].concat();
    for (bytes, expected) in [
        (b"".to_vec(), "it is no JSON with chapters: EOF"),
        (b"{}".to_vec(), "it is no JSON with chapters: missing field `chapters`"),
        (b"{\"chapters\":{}}".to_vec(), "it is no JSON with chapters: invalid type"),
        (b"{\"chapters\":[".to_vec(), "it is no JSON with chapters: EOF"),
        ([b"{\"chapters\":", &*b"[".repeat(10_000)].concat(), "it is no JSON with chapters: recursion limit"),
        (padded, "it is larger than 1048576 bytes"),
        (b"<!DOCTYPE html>".to_vec(), "it is neither JSON"),
        (b"\xff\xfb\x90\x00".to_vec(), "it is neither JSON"),
        (b"ID3".to_vec(), "its ID3v2 tag is damaged"),
        (whole[..whole.len() - 1].to_vec(), "its ID3v2 tag is damaged"),
        (lying, "its ID3v2 tag is damaged"),
        (tag(3, 0x40, b"\0\0"), "its ID3v2 tag is damaged"),
        (tag(2, 0, b""), "its tag is ID3v2.2, which has no chapters"),
        (huge, "it is larger than 8388608 bytes"),
    ] {
        let error = read(&bytes).expect_err(expected);
        assert!(error.starts_with(expected), "{error}");
    }
}

/// A reader that must not be read beyond its bytes.
struct Guarded<'a>(&'a [u8]);

impl Read for Guarded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        assert!(!self.0.is_empty(), "read beyond the tag");
        let count = buffer.len().min(self.0.len()).min(7);
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

#[test]
fn of_audio_only_the_tag_is_read() {
    let tag = tag(3, 0, &titled(0, 3, b"One"));
    assert_eq!(document::read(Guarded(&tag)).unwrap().chapters.len(), 1);
}

#[test]
fn frames_within_frames_are_looked_at_once() {
    let mut inner = Vec::new();
    for _ in 0..4_000 {
        inner = frame("CHAP", 0, &chapter(0, &[inner]));
    }
    assert_eq!(read(&tag(3, 0, &inner)).unwrap(), Contents::default());
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(body: Vec<u8>, flags: u8, version in 2_u8..6, entry: String, start: f64) {
        let _ = read(&body);
        let _ = read(&tag(version, flags, &body));
        let _ = read(&tag(version, flags, &frame("CHAP", flags.into(), &body)));
        let text = serde_json::json!({"chapters": [{"startTime": start, "title": entry}]}).to_string();
        let contents = read(text.as_bytes()).unwrap();
        proptest::prop_assert!(contents.chapters.iter().all(|chapter| !chapter.title.is_empty()));
    }
}

// Which files are read when.

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).unwrap()
}

fn known(slug: &str, chapters_at: &str, published_at: i64) -> Known {
    let path = format!("/{slug}.mp3");
    let published_at = Some(at(published_at));
    let episode = Episode { published_at, ..crate::attribution::testing::episode("go", slug, &path) };
    let chapters_at = Some(chapters_at.to_owned()).filter(|at| !at.is_empty());
    Known::new(Item { identity: slug.to_owned(), episode, chapters_at })
}

fn names(episodes: &[Known], now: i64, max_files: usize) -> Vec<String> {
    due(episodes.iter(), at(now), max_files).into_iter().map(|file| file.at).collect()
}

fn answer(known: &mut Known, answer: &Answer, now: i64) -> (Vec<String>, Option<ChangeKind>) {
    let (problems, change) = known.chapter_file.take_in(answer, &mut known.episode, at(now));
    (problems.iter().map(ToString::to_string).collect(), change)
}

fn contents(titles: &[&str]) -> Contents {
    let chapter =
        |(start_ms, title): (u64, &&str)| crate::attribution::Chapter { start_ms, title: (*title).into() };
    Contents { chapters: (0..).zip(titles).map(chapter).collect(), ..Contents::default() }
}

const HOUR: i64 = 3_600;

#[test]
fn the_newest_go_first_and_each_file_once() {
    let mut episodes = [
        known("old", "https://h/1", 1),
        known("none", "", 9),
        known("new", "https://h/2", 5),
        known("same", "https://h/1", 3),
    ];
    assert_eq!(names(&episodes, 10, 9), ["https://h/2", "https://h/1"]);
    assert_eq!(names(&episodes, 10, 1), ["https://h/2"]);
    answer(&mut episodes[2], &Ok(Some((contents(&["A"]), Validators::default()))), 10);
    assert_eq!(names(&episodes, 11, 1), ["https://h/1"]);
    // Never asked for goes before asked for, however old; and among those, what was left alone longest.
    for (episode, now) in [(0, 20), (3, 20)] {
        answer(&mut episodes[episode], &Err(ChaptersError::Neither), now);
    }
    episodes[1].chapter_file.rename(Some("https://h/3".into()));
    assert_eq!(names(&episodes, 30 * HOUR, 9), ["https://h/3", "https://h/2", "https://h/1"]);
}

#[test]
fn urls_are_left_alone_for_long_and_local_files_are_not() {
    let mut url = [known("1", "https://h/1", 1)];
    answer(&mut url[0], &Err(ChaptersError::Neither), 0);
    assert_eq!((names(&url, HOUR - 1, 9).len(), names(&url, HOUR, 9).len()), (0, 1), "gave nothing yet");
    answer(&mut url[0], &Ok(Some((contents(&[]), Validators::default()))), 0);
    assert_eq!((names(&url, 24 * HOUR - 1, 9).len(), names(&url, 24 * HOUR, 9).len()), (0, 1), "was read");
    assert_eq!(names(&url, -1, 9).len(), 1, "a clock that was set back stops nothing");
    let mut file = [known("1", "/chapters/1.json", 1)];
    answer(&mut file[0], &Ok(Some((contents(&[]), Validators::default()))), 0);
    assert_eq!(names(&file, 1, 9).len(), 1);
}

#[test]
fn what_fails_takes_nothing_away_and_is_told_once() {
    let mut known = known("1", "https://me:secret@h/1?token=x", 1);
    let error = || Err(ChaptersError::Neither);
    let told = "https://h/1: chapters of go/1: it is neither JSON with chapters nor audio that begins with an ID3v2 tag; \
                what was known of them before stands";
    assert_eq!(answer(&mut known, &error(), 1), (vec![told.to_owned()], None));
    assert_eq!(answer(&mut known, &error(), 2), (vec![], None));
    let good = Ok(Some((contents(&["A", "B"]), Validators::default())));
    assert_eq!(answer(&mut known, &good, 3), (vec![], Some(ChangeKind::Chapters(2))));
    assert_eq!(known.chapter_file.problems(), []);
    assert_eq!(answer(&mut known, &good, 4).1, None, "the same again is no change");
    assert_eq!(answer(&mut known, &error(), 5), (vec![told.to_owned()], None));
    assert_eq!(known.episode.chapters.as_ref().map(Vec::len), Some(2));
    assert_eq!(answer(&mut known, &Ok(None), 6), (vec![], None));
    let empty = Ok(Some((contents(&[]), Validators::default())));
    assert_eq!(answer(&mut known, &empty, 7).1, Some(ChangeKind::Chapters(0)));
    assert_eq!(known.episode.chapters, Some(vec![]), "a file may say that there are none any more");

    let faulty = Contents { without_start: vec![3, 5], too_many: 9, ..contents(&["A"]) };
    let (problems, _) = answer(&mut known, &Ok(Some((faulty, Validators::default()))), 8);
    assert_eq!(
        problems,
        [
            "https://h/1: chapters of go/1: 2 of them, the first number 3, have no start that can be read; write seconds; those are left out",
            "https://h/1: chapters of go/1: there are more than 500, the most allowed: 9 too many; those are left out",
        ]
    );
}

#[test]
fn files_that_catalogues_name() {
    let folder = Some(Path::new("/etc/castmeter"));
    for (text, folder, expected) in [
        ("", folder, Ok(None)),
        ("", None, Ok(None)),
        ("https://h/1.json", folder, Ok(Some("https://h/1.json"))),
        ("https://h/1.json", None, Ok(Some("https://h/1.json"))),
        ("chapters/1.json", folder, Ok(Some("/etc/castmeter/chapters/1.json"))),
        ("/audio/1.mp3", folder, Ok(Some("/audio/1.mp3"))),
        ("1.json", Some(Path::new("")), Ok(Some("1.json"))),
        ("chapters/1.json", None, Err(Unreadable)),
        ("file:///etc/passwd", None, Err(Unreadable)),
    ] {
        assert_eq!(location(text, folder), expected.map(|it| it.map(str::to_owned)), "{text}");
    }
}
