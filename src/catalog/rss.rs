//! A podcast feed (RSS 2.0 with Apple's `itunes:` names) into episodes.
//!
//! An item with an audio or video enclosure is an episode:
//!
//! | of the episode | comes from |
//! |---|---|
//! | host, path | `enclosure url`, measurement prefixes taken off, percent-decoded once, without query |
//! | size | `enclosure length`; 0 and 1 are what feeds write who do not know it |
//! | duration | `itunes:duration`: seconds, `mm:ss` or `hh:mm:ss` |
//! | published | `pubDate` |
//! | show | the configured name, else the channel's title as a slug |
//! | slug | the file's name, as without a catalogue, so that history goes on when a feed is added |
//! | identity | `guid`, where no other item has it; else host and path |
//! | chapters | the file at `podcast:chapters url` (Podcast Namespace) |
//!
//! Where several items' files have one name (`…/audio.mp3`), each slug is told apart by its identity. Where
//! several items share one file (a rerun), the one published first is the episode: the later date would make
//! requests before it pre-release. Other enclosures of an item (`podcast:alternateEnclosure`) are other files, of
//! other sizes: name them in a CSV to count them. Values that cannot be read are unknown, and reported.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use quick_xml::events::Event;

use super::item::{Item, Listing, MAX_SLUG_BYTES, distinguished, one_line, shortened, slugified};
use super::problem::{Cost, Fault, Place, Problem};
use super::values::{self, Unreadable};
use super::{chapters, time, url};
use crate::attribution::Episode;
use crate::units::Timestamp;

/// Elements within elements beyond which a document is no feed; the parser recurses once for each.
const MAX_DEPTH: usize = 64;
/// Titles are cut to this.
const MAX_TITLE_BYTES: usize = 500;

/// Why a document gave no episodes.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    #[error("it is no RSS feed: {0}")]
    Rss(::rss::Error),
    #[error("its elements are nested more than {MAX_DEPTH} deep, as no feed's are")]
    Depth,
    #[error("none of its items has an audio or video enclosure")]
    NoEpisodes,
}

/// Reads a feed. `name` is what problems call it; `show` is the slug of the show, if it has one already.
///
/// # Errors
/// It is no RSS, or no item of it is an episode.
pub(super) fn parse(bytes: &[u8], name: &str, show: Option<&str>) -> Result<Listing, FeedError> {
    check_depth(bytes)?;
    let channel = ::rss::Channel::read_from(bytes).map_err(FeedError::Rss)?;
    let show_title = one_line(&channel.title, MAX_TITLE_BYTES);
    let show = show.map_or_else(|| show_slug(&show_title, name), str::to_owned);
    let mut problems = Vec::new();
    let mut items = Vec::new();
    for (index, item) in channel.items.iter().enumerate() {
        let mut reading = Reading { source: name, number: index + 1, item, problems: &mut problems };
        if let Some(mut found) = reading.item() {
            found.episode.show.clone_from(&show);
            found.episode.show_title.clone_from(&show_title);
            items.push(found);
        }
    }
    if items.is_empty() {
        return Err(FeedError::NoEpisodes);
    }
    let mut items = first_published(items);
    make_identities_unique(&mut items);
    make_slugs_unique(&mut items);
    Ok(Listing { items, problems })
}

/// The parser recurses into elements it does not know; a document made for it could overflow the stack.
fn check_depth(bytes: &[u8]) -> Result<(), FeedError> {
    let mut reader = quick_xml::Reader::from_reader(bytes);
    let (mut depth, mut buffer) = (0_usize, Vec::new());
    loop {
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(_)) => depth += 1,
            Ok(Event::End(_)) => depth = depth.saturating_sub(1),
            Ok(Event::Eof) | Err(_) => return Ok(()), // what is wrong here, the parser says better
            Ok(_) => {}
        }
        if depth > MAX_DEPTH {
            return Err(FeedError::Depth);
        }
        buffer.clear();
    }
}

fn show_slug(title: &str, source: &str) -> String {
    let slug = slugified(title);
    if slug.is_empty() { distinguished("show".to_owned(), source) } else { slug }
}

/// One item, being read.
struct Reading<'a> {
    source: &'a str,
    /// Counted from 1, as the feed has them.
    number: usize,
    item: &'a ::rss::Item,
    problems: &'a mut Vec<Problem>,
}

impl Reading<'_> {
    /// Still without its show. None where the item is no episode, or its URL no file's; the latter is reported.
    fn item(&mut self) -> Option<Item> {
        let enclosure = self.item.enclosure().filter(|enclosure| is_media(enclosure))?;
        let Some((host, path)) = url::file_address(&enclosure.url) else {
            self.report(Fault::Url(enclosure.url.clone()), Cost::Episode);
            return None;
        };
        let duration = self.item.itunes_ext().and_then(|itunes| itunes.duration()).unwrap_or_default();
        let episode = Episode {
            show: String::new(),
            show_title: String::new(),
            slug: file_name(&path),
            title: one_line(self.item.title().unwrap_or_default(), MAX_TITLE_BYTES),
            path,
            host: Some(host),
            size: self
                .value(&enclosure.length, values::whole_number, Fault::ByteCount)
                .filter(|&size| size > 1),
            duration_ms: self.value(duration, values::duration_ms, Fault::Duration),
            audio_start: 0,
            published_at: self.value(self.item.pub_date().unwrap_or_default(), time::feed_time, Fault::Time),
            chapters: None,
        };
        let guid = self.item.guid().map_or("", |guid| guid.value().trim());
        Some(Item { identity: guid.to_owned(), episode, chapters_at: self.chapters_at() })
    }

    /// `<podcast:chapters url="…" type="application/json+chapters"/>`. The type is not looked at: it is often wrong.
    fn chapters_at(&mut self) -> Option<String> {
        let elements = self.item.extensions().get("podcast")?.get("chapters")?;
        let url = elements.iter().find_map(|element| element.attrs().get("url"))?.trim();
        chapters::location(url, None).unwrap_or_else(|Unreadable| {
            self.report(Fault::ChaptersUrl(url.to_owned()), Cost::Value);
            None
        })
    }

    fn value<T>(
        &mut self,
        text: &str,
        read: impl Fn(&str) -> Result<Option<T>, Unreadable>,
        fault: impl Fn(String) -> Fault,
    ) -> Option<T> {
        read(text.trim()).unwrap_or_else(|Unreadable| {
            self.report(fault(text.to_owned()), Cost::Value);
            None
        })
    }

    fn report(&mut self, fault: Fault, cost: Cost) {
        let title = one_line(self.item.title().unwrap_or_default(), MAX_TITLE_BYTES);
        let place = Place::Item { number: self.number, title };
        self.problems.push(Problem { source: self.source.to_owned(), place, fault, cost });
    }
}

/// Audio or video by its type; or by its file's name, for types are often missing or wrong.
fn is_media(enclosure: &::rss::Enclosure) -> bool {
    let kind = enclosure.mime_type.trim().to_ascii_lowercase();
    let file = &enclosure.url[..enclosure.url.find(['?', '#']).unwrap_or(enclosure.url.len())];
    kind.starts_with("audio/") || kind.starts_with("video/") || url::has_media_ending(file)
}

/// The last part of the path that is not empty.
fn file_name(path: &str) -> String {
    let name = path.rsplit('/').find(|part| !part.trim().is_empty()).unwrap_or(path);
    shortened(name.trim().to_owned(), MAX_SLUG_BYTES)
}

/// Of items that share a file, the one that was published first; where that is not known, the later in the feed.
fn first_published(items: Vec<Item>) -> Vec<Item> {
    let mut kept: Vec<Item> = Vec::with_capacity(items.len());
    let mut by_file = HashMap::with_capacity(items.len());
    for item in items {
        let file = (item.episode.host.clone(), item.episode.path.clone());
        match by_file.entry(file) {
            Entry::Vacant(entry) => {
                entry.insert(kept.len());
                kept.push(item);
            }
            Entry::Occupied(entry) => {
                let other = &mut kept[*entry.get()];
                let published = |item: &Item| item.episode.published_at.map_or(i64::MAX, Timestamp::micros);
                if published(&item) <= published(other) {
                    *other = item;
                }
            }
        }
    }
    kept
}

/// An item without a guid, or with one that another has too, is recognised by its file.
fn make_identities_unique(items: &mut [Item]) {
    let counts = counts(items, |item| &item.identity);
    for item in items {
        if item.identity.is_empty() || counts[&item.identity] > 1 {
            item.identity =
                format!("{}{}", item.episode.host.as_deref().unwrap_or_default(), item.episode.path);
        }
    }
}

fn make_slugs_unique(items: &mut [Item]) {
    let counts = counts(items, |item| &item.episode.slug);
    for Item { identity, episode, .. } in items {
        if counts[&episode.slug] > 1 {
            episode.slug = distinguished(std::mem::take(&mut episode.slug), identity);
        }
    }
}

fn counts(items: &[Item], key: impl Fn(&Item) -> &String) -> HashMap<String, usize> {
    let mut counts = HashMap::with_capacity(items.len());
    for item in items {
        *counts.entry(key(item).clone()).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(items: &str) -> String {
        format!(
            "<rss version='2.0' xmlns:itunes='http://www.itunes.com/dtds/podcast-1.0.dtd'><channel>\
             <title>Go Time</title>{items}</channel></rss>"
        )
    }

    fn item(url: &str, kind: &str, rest: &str) -> String {
        format!("<item><title>One</title><enclosure url='{url}' length='9' type='{kind}'/>{rest}</item>")
    }

    fn read(items: &str) -> Listing {
        parse(feed(items).as_bytes(), "feed", None).expect("a feed")
    }

    #[test]
    fn only_audio_and_video_is_an_episode() {
        for (url, kind, expected) in [
            ("https://h/1.mp3", "audio/mpeg", true),
            ("https://h/1", "Audio/MPEG", true),
            ("https://h/1.mp4", "video/mp4", true),
            ("https://h/1.MP3?x=1.pdf", "", true),
            ("https://h/1.mp3", "application/octet-stream", true),
            ("https://h/1.pdf", "application/pdf", false),
            ("https://h/1.jpg", "image/jpeg", false),
            ("https://h/1.pdf?x=1.mp3", "", false),
        ] {
            let found = parse(feed(&item(url, kind, "")).as_bytes(), "feed", None).is_ok();
            assert_eq!(found, expected, "{url} {kind}");
        }
    }

    #[test]
    fn files_of_one_name_get_slugs_apart() {
        let items = [("a", "g1"), ("b", "g2"), ("c", "")].map(|(folder, guid)| {
            item(&format!("https://h/{folder}/audio.mp3"), "", &format!("<guid>{guid}</guid>"))
        });
        let other = item("https://h/d/special.mp3", "", "<guid>g4</guid>");
        let slugs =
            |items: &str| read(items).items.into_iter().map(|item| item.episode.slug).collect::<Vec<_>>();
        let forward = slugs(&(items.concat() + &other));
        assert_eq!(forward[3], "special.mp3");
        assert!(forward[..3].iter().all(|slug| slug.starts_with("audio.mp3-")), "{forward:?}");
        let mut backward = slugs(&(other + &items.iter().rev().cloned().collect::<String>()));
        backward.reverse();
        assert_eq!(forward, backward, "a slug does not depend on the order of items");
    }

    #[test]
    fn chapters_are_named_by_their_url() {
        let url = |attributes: &str| {
            let listing = read(&item("https://h/1.mp3", "", &format!("<podcast:chapters {attributes}/>")));
            (listing.items[0].chapters_at.clone(), listing.problems.len())
        };
        let found = (Some("https://h/1.json?a=1&b=2".to_owned()), 0);
        assert_eq!(url("url=' https://h/1.json?a=1&amp;b=2 ' type='application/json+chapters'"), found);
        assert_eq!(url("url='https://h/1.json?a=1&amp;b=2' type='text/plain'"), found);
        assert_eq!(url("type='application/json+chapters'"), (None, 0));
        assert_eq!(url("url=''"), (None, 0));
        assert_eq!(url("url='/etc/passwd'"), (None, 1));
        assert_eq!(read(&item("https://h/1.mp3", "", "")).items[0].chapters_at, None);
    }

    #[test]
    fn a_guid_that_is_not_unique_is_none() {
        let items =
            ["1", "2"].map(|name| item(&format!("https://h/{name}.mp3"), "", "<guid>same</guid>")).concat();
        let identities: Vec<_> = read(&items).items.into_iter().map(|item| item.identity).collect();
        assert_eq!(identities, ["h/1.mp3", "h/2.mp3"]);
    }

    #[test]
    fn a_rerun_keeps_its_first_date() {
        let dates = [
            "<pubDate>Mon, 02 Nov 2026 05:00:00 GMT</pubDate>",
            "",
            "<pubDate>Thu, 02 Nov 2023 05:00:00 GMT</pubDate>",
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let listing = read(&order.map(|at| item("https://h/1.mp3", "", dates[at])).concat());
            let dates: Vec<_> =
                listing.items.iter().map(|item| item.episode.published_at.unwrap().to_string()).collect();
            assert_eq!(dates, ["2023-11-02T05:00:00Z"], "{order:?}");
        }
    }

    #[test]
    fn each_problem_names_its_item() {
        let text = feed(
            "<item><title>Bad\nURL</title><enclosure url='cdn/1.mp3' length='9' type='audio/mpeg'/></item>\
             <item><title>Two</title><pubDate>soon</pubDate><itunes:duration>long</itunes:duration>\
             <enclosure url='https://h/2.mp3' length='12 MB' type='audio/mpeg'/></item>",
        );
        let listing = parse(text.as_bytes(), "feed.xml", Some("go")).unwrap();
        assert_eq!(listing.items.len(), 1);
        assert_eq!(listing.items[0].episode.show, "go", "the configured name goes before the title");
        let problems: Vec<_> = listing.problems.iter().map(ToString::to_string).collect();
        let [url, size, duration, date] = &problems[..] else { panic!("{problems:?}") };
        assert_eq!(
            url,
            "feed.xml: item 1 (Bad URL): \"cdn/1.mp3\" is no URL of a file; write https://host/path; the episode is left out"
        );
        assert!(size.starts_with("feed.xml: item 2 (Two): \"12 MB\" is no number of bytes"), "{size}");
        assert!(
            duration.contains("\"long\" is no duration") && date.contains("\"soon\" is no time"),
            "{problems:?}"
        );
    }

    #[test]
    fn what_is_no_feed_is_an_error() {
        let nested = feed(&format!("<item>{}</item>", "<a:b>".repeat(100_000)));
        for (text, expected) in [
            ("", "it is no RSS feed"),
            ("<html><body>Sign in to the wireless network</body></html>", "it is no RSS feed"),
            ("<rss><channel><title>Go", "it is no RSS feed"),
            (&feed(""), "none of its items has an audio or video enclosure"),
            (&feed("<item><title>A blog post</title></item>"), "none of its items"),
            (&nested, "its elements are nested more than 64 deep"),
        ] {
            let error = parse(text.as_bytes(), "feed", None).expect_err(expected).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>, inner: String, url: String) {
            let _ = parse(&bytes, "feed", None);
            let _ = parse(feed(&inner).as_bytes(), "feed", None);
            let escaped = url.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&apos;");
            let _ = parse(feed(&item(&format!("https://{escaped}"), "audio/mpeg", "")).as_bytes(), "feed", None);
        }
    }
}
