//! What kind of page led to a download, from the `Referer` header: a closed set of classes.
//!
//! Most players send none. Only the host is looked at, against short lists of names that hardly change; what is on none
//! is `other`. The order of the cases is the order in which ties between requests are broken: absent first.

use std::fmt;

use memchr::memmem;

/// The class of a referrer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Referrer {
    /// No header, or nothing in it that is an address.
    #[default]
    None,
    /// A page on the host that was asked for the file, or on the same site.
    OwnSite,
    /// The web player of an app, a directory or a podcast host.
    Player,
    Search,
    Social,
    Other,
}

/// A name stands for itself and for all below it.
const PLAYERS: [&str; 44] = [
    "acast.com",
    "antennapod.org",
    "art19.com",
    "audacy.com",
    "audible.com",
    "ausha.co",
    "blubrry.com",
    "buzzsprout.com",
    "captivate.fm",
    "castbox.fm",
    "castro.fm",
    "deezer.com",
    "fireside.fm",
    "fountain.fm",
    "goodpods.com",
    "iheart.com",
    "libsyn.com",
    "listennotes.com",
    "megaphone.fm",
    "music.amazon.com",
    "music.youtube.com",
    "omny.fm",
    "overcast.fm",
    "pandora.com",
    "pca.st",
    "player.fm",
    "pocketcasts.com",
    "podbay.fm",
    "podbean.com",
    "podcastaddict.com",
    "podcasts.apple.com",
    "podcasts.google.com",
    "podchaser.com",
    "podigee.io",
    "podimo.com",
    "podverse.fm",
    "radio.net",
    "redcircle.com",
    "rss.com",
    "simplecast.com",
    "spotify.com",
    "spreaker.com",
    "transistor.fm",
    "tunein.com",
];
const SOCIAL: [&str; 24] = [
    "bsky.app",
    "discord.com",
    "facebook.com",
    "instagram.com",
    "linkedin.com",
    "lnkd.in",
    "mastodon.social",
    "news.ycombinator.com",
    "pinterest.com",
    "reddit.com",
    "snapchat.com",
    "t.co",
    "t.me",
    "threads.net",
    "tiktok.com",
    "tumblr.com",
    "twitter.com",
    "vk.com",
    "web.whatsapp.com",
    "weibo.com",
    "whatsapp.com",
    "x.com",
    "youtu.be",
    "youtube.com",
];
const SEARCH: [&str; 8] = [
    "baidu.com",
    "bing.com",
    "duckduckgo.com",
    "ecosia.org",
    "kagi.com",
    "qwant.com",
    "search.brave.com",
    "startpage.com",
];
/// With a domain of their own in each country.
const SEARCH_EVERYWHERE: [&[u8]; 3] = [b"google", b"yahoo", b"yandex"];

impl Referrer {
    pub const ALL: [Self; 6] =
        [Self::None, Self::OwnSite, Self::Player, Self::Search, Self::Social, Self::Other];

    /// `host` is the one that was asked for the file.
    pub fn of(referer: Option<&[u8]>, host: Option<&[u8]>) -> Self {
        let Some(page) = referer.and_then(host_of) else { return Self::None };
        let is_on = |names: &[&str]| names.iter().any(|name| is_within(page, name.as_bytes()));
        let label = |label: &[u8]| SEARCH_EVERYWHERE.iter().any(|name| name.eq_ignore_ascii_case(label));
        if host.is_some_and(|host| is_same_site(page, without_port(host))) {
            Self::OwnSite
        } else if is_on(&PLAYERS) {
            Self::Player
        } else if is_on(&SEARCH) || page.split(|byte| *byte == b'.').any(label) {
            Self::Search
        } else if is_on(&SOCIAL) {
            Self::Social
        } else {
            Self::Other
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::OwnSite => "own_site",
            Self::Player => "player",
            Self::Search => "search",
            Self::Social => "social",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Referrer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The host of an address such as `https://user@host:port/path`; None where there is none.
fn host_of(address: &[u8]) -> Option<&[u8]> {
    let rest = &address[memmem::find(address, b"://")? + 3..];
    let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
    let authority = &rest[..end];
    let host = without_port(&authority[memchr::memrchr(b'@', authority).map_or(0, |at| at + 1)..]);
    (!host.is_empty()).then_some(host)
}

fn without_port(host: &[u8]) -> &[u8] {
    match memchr::memrchr(b':', host) {
        Some(at) if host[at + 1..].iter().all(u8::is_ascii_digit) => &host[..at],
        _ => host,
    }
}

/// `host` is `name` or below it.
fn is_within(host: &[u8], name: &[u8]) -> bool {
    let Some(before) = host.len().checked_sub(name.len()) else { return false };
    host[before..].eq_ignore_ascii_case(name) && (before == 0 || host[before - 1] == b'.')
}

/// One is below the other, or both are right below the same name. `www.` does not matter.
fn is_same_site(a: &[u8], b: &[u8]) -> bool {
    let bare = |host: &[u8]| usize::from(host.len() > 4 && host[..4].eq_ignore_ascii_case(b"www.")) * 4;
    let (a, b) = (&a[bare(a)..], &b[bare(b)..]);
    let below = |host: &[u8], site: &[u8]| site.contains(&b'.') && is_within(host, site);
    below(a, b)
        || below(b, a)
        || parent(a).is_some_and(|site| parent(b).is_some_and(|it| it.eq_ignore_ascii_case(site)))
}

/// What a host is right below, unless that looks like a suffix anyone may register under: `com`, `co.uk`.
fn parent(host: &[u8]) -> Option<&[u8]> {
    let site = &host[memchr::memchr(b'.', host)? + 1..];
    let dot = memchr::memchr(b'.', site)?;
    let is_registry = dot <= 3 && site.len() - dot - 1 == 2;
    (!is_registry).then_some(site)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        for (referer, expected) in [
            ("", Referrer::None),
            ("-", Referrer::None),
            ("about:blank", Referrer::None),
            ("https:///x", Referrer::None),
            ("https://cdn.example.com/ep", Referrer::OwnSite),
            ("https://example.com", Referrer::OwnSite),
            ("http://www.Example.com:8080/?q", Referrer::OwnSite),
            ("https://player.example.com/a", Referrer::OwnSite),
            ("https://example.org/", Referrer::Other),
            ("https://notexample.com/", Referrer::Other),
            ("https://podcasts.apple.com/us/podcast/1", Referrer::Player),
            ("https://open.spotify.com/", Referrer::Player),
            ("https://podcasts.google.com/feed", Referrer::Player),
            ("https://www.google.co.uk/", Referrer::Search),
            ("https://duckduckgo.com", Referrer::Search),
            ("https://t.co/abc", Referrer::Social),
            ("https://cat.co/abc", Referrer::Other),
            ("https://old.reddit.com/r/x", Referrer::Social),
            ("https://user:secret@x.com:443/", Referrer::Social),
            ("android-app://com.google.android.googlequicksearchbox/", Referrer::Search),
        ] {
            let found = Referrer::of(Some(referer.as_bytes()), Some(b"cdn.example.com"));
            assert_eq!(found, expected, "{referer}");
        }
        assert_eq!(Referrer::of(None, Some(b"cdn.example.com")), Referrer::None);
        assert_eq!(Referrer::of(Some(b"https://example.com/"), None), Referrer::Other);
        let british = Referrer::of(Some(b"https://one.co.uk/"), Some(b"two.co.uk"));
        assert_eq!(british, Referrer::Other);
    }

    #[test]
    fn a_shared_suffix_is_no_site() {
        assert!(is_same_site(b"a.show.co.uk", b"b.show.co.uk"));
        assert!(!is_same_site(b"a.com", b"b.com"));
        assert!(!is_same_site(b"localhost", b"a.localhost"));
    }
}
