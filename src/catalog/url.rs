//! URLs of files: their host and path, and what measurement services put before them.
//!
//! A measurement service counts a download by standing before the file's URL and redirecting to it:
//! `https://prefix.example/e/cdn.example.com/show/1.mp3`. Several may stand before one another. The CDN sees the
//! last URL only, so every known prefix is taken off. What a service puts between its own host and the next one
//! differs (`/e/`, `/track/<id>/`, `/redirect.mp3/`, `/e/https://`) and has changed over the years; therefore only
//! hosts are listed, and the URL goes on at the first segment that can be a host. Hosts that serve or stitch the
//! audio themselves (Megaphone, Simplecast, Art19) are no prefixes and not listed.

use percent_encoding::percent_decode_str;

use super::values::{Unreadable, is_digits};

/// Hosts that redirect to the URL in their path; subdomains count as well.
const MEASUREMENT_HOSTS: [&str; 32] = [
    "a.pdcst.to", // Voxalyze
    "adbarker.com",
    "adswizz.podscribe.com",
    "arttrk.com", // ArtsAI, Claritas
    "bktrks.co",  // Backtracks
    "chrt.fm",    // Chartable, closed in 2024; still in feeds
    "chtbl.com",  // Chartable
    "claritaspod.com",
    "clrtpod.com", // Claritas
    "cohst.app",   // CoHost
    "flex.acast.com",
    "growx.podkite.com",
    "gum.fm", // Gumball
    "letscast.fm",
    "m.pfxes.com",
    "media.blubrry.com",
    "mgln.ai", // Magellan
    "op3.dev",
    "pdcds.co", // Podcards
    "pdcn.co",  // Podcorn
    "pdrl.fm",  // Podroll
    "pdst.fm",  // Podsights
    "pfx.veritonicmetrics.com",
    "podderapp.com",
    "podscribe.com",
    "podtrac.com",
    "prefix.up.audio",
    "prfx.byspotify.com", // Spotify Ad Analytics
    "pscrb.fm",           // Podscribe
    "swap.fm",
    "t.glystn.com",
    "vpixl.com",
];

/// How many of its own segments a prefix may have before the next host.
const MAX_OWN_SEGMENTS: usize = 5;

/// Endings that make a segment a file, such as podtrac's `redirect.mp3`, and not a host.
const MEDIA_ENDINGS: [&str; 14] =
    ["mp3", "m4a", "m4b", "mp4", "m4v", "mov", "aac", "ogg", "oga", "opus", "flac", "wav", "webm", "wma"];

/// Whether the path ends as audio or video does.
pub(super) fn has_media_ending(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| is_media_ending(ending))
}

fn is_media_ending(text: &str) -> bool {
    MEDIA_ENDINGS.iter().any(|ending| ending.eq_ignore_ascii_case(text))
}

/// Where the CDN serves the file of a feed's URL: its host and its path, prefixes taken off. See [`split_url`].
pub(super) fn file_address(url: &str) -> Option<(String, String)> {
    let mut rest = after_scheme(url)?.to_owned();
    while let Some(inner) = without_prefix(&rest) {
        rest = inner;
    }
    split_url(&format!("https://{rest}"))
}

/// What follows the measurement host that `rest` (a URL after its scheme) begins with, if it does.
fn without_prefix(rest: &str) -> Option<String> {
    let (authority, path) = rest.split_once('/')?;
    let host = host_name(authority);
    if !MEASUREMENT_HOSTS.iter().any(|listed| is_or_is_under(&host, listed)) {
        return None;
    }
    let path_only = &path[..path.find(['?', '#']).unwrap_or(path.len())];
    let mut start = 0;
    for segment in path_only.split('/').take(MAX_OWN_SEGMENTS + 1) {
        if is_host(segment) {
            return Some(path[start..].to_owned());
        }
        start += segment.len() + 1;
    }
    None
}

fn is_or_is_under(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|left| left.is_empty() || left.ends_with('.'))
}

/// Whether a segment can be a host's name: letters, digits and hyphens, dots between, ending in letters.
fn is_host(segment: &str) -> bool {
    let name = host_name(segment);
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let ends_as_host = |ending: &str| {
        ending.len() >= 2 && ending.bytes().all(|byte| byte.is_ascii_alphabetic()) && !is_media_ending(ending)
    };
    name.split('.').all(label) && name.rsplit_once('.').is_some_and(|(_, ending)| ends_as_host(ending))
}

/// An authority's host in lower case, without user, port and final dot.
pub(super) fn host_name(authority: &str) -> String {
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let host = host.rsplit_once(':').map_or(host, |(name, port)| if is_digits(port) { name } else { host });
    host.trim_end_matches('.').to_ascii_lowercase()
}

fn after_scheme(url: &str) -> Option<&str> {
    let (scheme, rest) = url.trim().split_once("://")?;
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")).then_some(rest)
}

/// The host ([`host_name`]) and the path of an absolute URL. The path is percent-decoded once; query and
/// fragment are dropped. None where it is no `http` or `https` URL with a path to a file, or where its path
/// holds control characters or is not UTF-8.
pub(super) fn split_url(url: &str) -> Option<(String, String)> {
    let rest = after_scheme(url)?;
    let rest = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
    let (authority, _) = rest.split_once('/')?;
    let path = percent_decode_str(&rest[authority.len()..]).decode_utf8().ok()?;
    let host = host_name(authority);
    let is_file = path.len() > 1 && !path.contains(char::is_control);
    (!host.is_empty() && is_file).then(|| (host, path.into_owned()))
}

/// A path as a CSV gives it, which is decoded already: taken to the letter, but a missing leading `/` is
/// added. An absolute URL is cut to its path, and as a URL decoded.
pub(super) fn csv_path(text: &str) -> Result<String, Unreadable> {
    if after_scheme(text).is_some() {
        return split_url(text).map(|(_, path)| path).ok_or(Unreadable);
    }
    let path = if text.starts_with('/') { text.to_owned() } else { format!("/{text}") };
    if path.len() > 1 { Ok(path) } else { Err(Unreadable) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurement_prefixes_are_taken_off() {
        let cdn = Some(("cdn.example.com".to_owned(), "/show/1 a.mp3".to_owned()));
        for url in [
            "https://cdn.example.com/show/1%20a.mp3",
            "https://dts.podtrac.com/redirect.mp3/cdn.example.com/show/1%20a.mp3?key=1",
            "http://www.podtrac.com/pts/redirect.m4a/cdn.example.com/show/1%20a.mp3",
            "https://play.podtrac.com/npr-510318/cdn.example.com/show/1%20a.mp3",
            "https://chtbl.com/track/48D18/cdn.example.com/show/1%20a.mp3",
            "https://op3.dev/e/cdn.example.com/show/1%20a.mp3",
            "https://op3.dev/e,pg=9b1deb4d-3b7d/https://cdn.example.com/show/1%20a.mp3",
            "https://media.blubrry.com/myshow/p/cdn.example.com/show/1%20a.mp3",
            "https://mgln.ai/e/204/cdn.example.com/show/1%20a.mp3",
            "https://mgln.ai/track/cdn.example.com/show/1%20a.mp3",
            "https://2.gum.fm/cdn.example.com/show/1%20a.mp3",
            "https://growx.podkite.com/https/1234ASDF/cdn.example.com/show/1%20a.mp3",
            "https://PDST.fm/e/CDN.example.com:443/show/1%20a.mp3",
            "https://claritaspod.com/measure/arttrk.com/p/24FDE/verifi.podscribe.com/rss/p/pfx.vpixl.com/2jSe3/\
             prfx.byspotify.com/e/dts.podtrac.com/redirect.mp3/mgln.ai/e/121/cdn.example.com/show/1%20a.mp3?aid=rss_feed",
        ] {
            assert_eq!(file_address(url), cdn, "{url}");
        }
    }

    #[test]
    fn what_is_no_prefix_stays() {
        for (url, host, path) in [
            ("https://traffic.megaphone.fm/ABC123.mp3", "traffic.megaphone.fm", "/ABC123.mp3"),
            (
                "https://cdn.example.com/e/other.example.com/1.mp3",
                "cdn.example.com",
                "/e/other.example.com/1.mp3",
            ),
            ("https://notop3.dev/e/cdn.example.com/1.mp3", "notop3.dev", "/e/cdn.example.com/1.mp3"),
            ("https://media.blubrry.com/a/content.blubrry.com/a/1.mp3", "content.blubrry.com", "/a/1.mp3"),
            ("https://op3.dev/e/1.mp3", "op3.dev", "/e/1.mp3"),
            (
                "https://pdst.fm/e/a/b/c/d/e/cdn.example.com/1.mp3",
                "pdst.fm",
                "/e/a/b/c/d/e/cdn.example.com/1.mp3",
            ),
        ] {
            assert_eq!(file_address(url), Some((host.to_owned(), path.to_owned())), "{url}");
        }
    }

    #[test]
    fn urls_into_host_and_path() {
        for (url, host, path) in [
            ("https://cdn.example.com/show/1.mp3", "cdn.example.com", "/show/1.mp3"),
            ("HTTP://CDN.Example.com:8080/a.mp3?x=1#t=9", "cdn.example.com", "/a.mp3"),
            ("https://user:secret@cdn.example.com./a.mp3", "cdn.example.com", "/a.mp3"),
            ("https://cdn.example.com/a%20b%2520c.mp3", "cdn.example.com", "/a b%20c.mp3"),
            ("https://cdn.example.com/50%.mp3", "cdn.example.com", "/50%.mp3"),
            ("https://[2001:db8::1]/a.mp3", "[2001:db8::1]", "/a.mp3"),
            ("https://[2001:db8::1]:443/a.mp3", "[2001:db8::1]", "/a.mp3"),
            ("https://cdn.example.com//a/https://b.mp3", "cdn.example.com", "//a/https://b.mp3"),
        ] {
            assert_eq!(split_url(url), Some((host.to_owned(), path.to_owned())), "{url}");
        }
        for url in [
            "",
            "/a.mp3",
            "ftp://h/a.mp3",
            "https://",
            "https://h",
            "https://h/",
            "https:///a",
            "https://h/%ff",
        ] {
            assert_eq!(split_url(url), None, "{url}");
        }
    }

    #[test]
    fn paths_of_csv_files_are_decoded_already() {
        for (text, expected) in [
            ("/show/1.mp3", Ok("/show/1.mp3")),
            ("show/1.mp3", Ok("/show/1.mp3")),
            ("/a%20b.mp3", Ok("/a%20b.mp3")),
            ("/what?.mp3", Ok("/what?.mp3")),
            ("https://cdn.example.com/a%20b.mp3?x", Ok("/a b.mp3")),
            ("/", Err(Unreadable)),
            ("https://cdn.example.com", Err(Unreadable)),
        ] {
            assert_eq!(csv_path(text), expected.map(str::to_owned), "{text}");
        }
    }
}
