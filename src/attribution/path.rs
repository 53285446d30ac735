//! The path of a logged URL, as the catalogue's paths are written.
//!
//! The scheme and authority of an absolute URL and the query string are dropped, then percent-escapes are decoded
//! once; an escape that is none (`%zz`) stays as it stands. Nothing else is normalised: no `..`, no doubled slash.

use std::borrow::Cow;

/// The path part of a URL, still escaped.
pub fn raw_path(url: &[u8]) -> &[u8] {
    let url = match url.first() {
        Some(b'/') => url,
        _ => after_authority(url).unwrap_or(url),
    };
    &url[..memchr::memchr(b'?', url).unwrap_or(url.len())]
}

/// Whether the URL is a path as it is decoded: nearly all have neither a query nor an escape.
pub fn is_decoded_path(url: &[u8]) -> bool {
    url.first() == Some(&b'/') && memchr::memchr2(b'?', b'%', url).is_none()
}

/// The path of a URL, decoded; `room` is for one with escapes.
pub fn decoded_path<'a>(url: &'a [u8], room: &'a mut Vec<u8>) -> &'a [u8] {
    let path = raw_path(url);
    if memchr::memchr(b'%', path).is_none() {
        return path;
    }
    room.clear();
    room.extend(percent_encoding::percent_decode(path));
    room
}

/// What follows `http://host` or `https://host`.
fn after_authority(url: &[u8]) -> Option<&[u8]> {
    let rest = [&b"http://"[..], b"https://"].into_iter().find_map(|scheme| {
        let (start, rest) = url.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })?;
    let end = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
    Some(&rest[end..])
}

/// Decodes percent-escapes once.
pub fn percent_decoded(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', raw).is_none() {
        return Cow::Borrowed(raw);
    }
    percent_encoding::percent_decode(raw).into()
}

/// The slugs a path gives without a catalogue: its folder's name and its file's name.
///
/// None where the file's name does not end as audio does, or where the path is longer than a database index takes.
pub fn derived_slugs(path: &[u8]) -> Option<(String, String)> {
    const AUDIO: [&[u8]; 7] = [b"mp3", b"m4a", b"m4b", b"aac", b"ogg", b"opus", b"flac"];
    const MAX_PATH_BYTES: usize = 2_048;
    let (folders, file) = match memchr::memrchr(b'/', path) {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&path[..0], path),
    };
    let extension = &file[memchr::memrchr(b'.', file)? + 1..];
    if path.len() > MAX_PATH_BYTES || !AUDIO.iter().any(|audio| audio.eq_ignore_ascii_case(extension)) {
        return None;
    }
    let folder = &folders[memchr::memrchr(b'/', folders).map_or(0, |at| at + 1)..];
    Some((slug(folder), slug(file)))
}

/// Text that every store and every label takes: UTF-8 without control characters.
fn slug(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().map(|char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_urls() {
        for (url, expected) in [
            ("/a/b.mp3", "/a/b.mp3"),
            ("/a/b.mp3?x=1?y", "/a/b.mp3"),
            ("/a%3Fb.mp3?x", "/a%3Fb.mp3"),
            ("https://cdn.example.com/a.mp3?x", "/a.mp3"),
            ("HTTP://cdn.example.com/a.mp3", "/a.mp3"),
            ("https://cdn.example.com?x=/a.mp3", ""),
            ("a.mp3", "a.mp3"),
            ("", ""),
            ("?", ""),
        ] {
            assert_eq!(raw_path(url.as_bytes()), expected.as_bytes(), "{url}");
        }
    }

    #[test]
    fn escapes_are_decoded_once() {
        for (raw, expected) in [
            ("/plain", "/plain"),
            ("/a%20b", "/a b"),
            ("/a%2520b", "/a%20b"),
            ("/%C3%a9", "/é"),
            ("/100%", "/100%"),
            ("/%4", "/%4"),
            ("/%zz%41", "/%zzA"),
            ("/%%41", "/%A"),
            ("/a+b", "/a+b"),
        ] {
            assert_eq!(percent_decoded(raw.as_bytes()).as_ref(), expected.as_bytes(), "{raw}");
        }
    }

    #[test]
    fn both_at_once() {
        let mut room = Vec::new();
        for url in
            ["/a/b.mp3", "/a/b.mp3?x=%41", "/a%20b.mp3?x", "https://host/a%20b", "/100%", "a%20b", "", "?"]
        {
            let path = percent_decoded(raw_path(url.as_bytes())).into_owned();
            assert_eq!(decoded_path(url.as_bytes(), &mut room), path, "{url}");
        }
    }

    #[test]
    fn slugs_without_a_catalogue() {
        let check = |path: &str, expected: Option<(&str, &str)>| {
            let expected = expected.map(|(show, episode)| (show.to_owned(), episode.to_owned()));
            assert_eq!(derived_slugs(path.as_bytes()), expected, "{path}");
        };
        check("/uploads/gotime/go-time-19.mp3", Some(("gotime", "go-time-19.mp3")));
        check("/show/One.MP3", Some(("show", "One.MP3")));
        check("/one.opus", Some(("", "one.opus")));
        check("/show/one.mp3/", None);
        check("/show/one.mp3.jpg", None);
        check("/show.mp3/cover", None);
        check("/show/mp3", None);
        check("/a\0b/c.mp3", Some(("a\u{fffd}b", "c.mp3")));
        check(&format!("/{}.mp3", "x".repeat(3000)), None);
    }
}
