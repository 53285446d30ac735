//! The catalogue as the service uses it: real files, a real HTTP server on a free port, real copies on disk.
//!
//! The feeds in `tests/data/feeds` are made up, with the habits of real ones: prefixes upon prefixes, lengths of 0
//! and 1, dates in several spellings, items without audio, one file twice.

mod chapters;
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use castmeter::attribution::Episode;
use castmeter::catalog::{Catalog, Location, Settings, Source};
use castmeter::units::Timestamp;
use server::{Answer, Server};

fn feed_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/feeds").join(name)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).unwrap()
}

fn settings(folder: &Path) -> Settings {
    Settings { kept_dir: Some(folder.to_owned()), max_document_bytes: 100_000, ..Settings::default() }
}

fn lines(episodes: &[Episode]) -> Vec<String> {
    let number = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
    let line = |e: &Episode| {
        let published = e.published_at.map_or("-".to_owned(), |time| time.to_string());
        let host = e.host.as_deref().unwrap_or("*");
        let (size, duration) = (number(e.size), number(e.duration_ms));
        format!("{}/{} | {host}{} | {size} | {duration} | {published} | {}", e.show, e.slug, e.path, e.title)
    };
    episodes.iter().map(line).collect()
}

/// A feed of one show; each item is a name and a length.
fn feed(items: &[(&str, u64)]) -> String {
    let item = |(name, length): &(&str, u64)| {
        format!(
            "<item><title>{name}</title><guid>{name}</guid>\
             <enclosure url='https://cdn.example/{name}.mp3' length='{length}' type='audio/mpeg'/></item>"
        )
    };
    let items: String = items.iter().map(item).collect();
    format!("<?xml version='1.0'?><rss version='2.0'><channel><title>Show</title>{items}</channel></rss>")
}

#[test]
fn real_looking_feeds_give_these_episodes_and_problems() {
    let source = |name| Source { location: Location::File(feed_file(name)), show: None };
    let named = Source { show: Some("cafe".into()), ..source("cafe-latin1.xml") };
    let sources = [source("night-train.xml"), source("market-hour.xml"), named];
    let catalog = Catalog::open(sources, Settings::default(), at(0)).unwrap();
    assert_eq!(
        lines(catalog.episodes()),
        [
            "night-train-stories-rails/nt-42 brenner.mp3 | media.nighttrain.example/audio/nt-42 brenner.mp3 | 39472128 | 2467000 | 2026-11-02T04:00:00Z | Through the Brenner, again",
            "night-train-stories-rails/narvik.mp4 | media.nighttrain.example/video/narvik.mp4 | 812340000 | 3721500 | 2026-10-19T05:00:00Z | Live in Narvik (video)",
            "night-train-stories-rails/prologue.mp3 | media.nighttrain.example/audio/prologue.mp3 | - | 58000 | 2026-10-05T09:00:00Z | Prologue",
            "market-hour/audio.mp3-bc6a77ec | cdn.markethour.example/ep/0001/audio.mp3 | - | 1798000 | 2026-11-03T12:05:00Z | Copper, up",
            "market-hour/audio.mp3-c51a2833 | cdn.markethour.example/ep/0002/audio.mp3 | - | 1800000 | 2026-10-27T02:05:00Z | Tin, sideways",
            "market-hour/zinc.mp3 | cdn.markethour.example/primers/zinc.mp3 | 31200000 | - | 2026-10-20T04:05:00Z | Zinc — a primer",
            "cafe/grüße.m4a | cdn.cafe.example/folgen/grüße.m4a | 20480000 | - | 2026-10-31T23:00:00Z | Grüße aus Köln",
        ]
    );
    let problems: Vec<_> = catalog.problems().map(ToString::to_string).collect();
    let file = feed_file("market-hour.xml");
    let expected = [
        "item 2 (Tin, sideways): \"28,800,000\" is no number of bytes; write digits only; taken as unknown",
        "item 3 (Zinc — a primer): \"about half an hour\" is no duration; write seconds (1834 or 1834.5) or hh:mm:ss; taken as unknown",
        "item 4 (Missing its host): \"/ep/0004/audio.mp3\" is no URL of a file; write https://host/path; the episode is left out",
    ];
    assert_eq!(problems, expected.map(|problem| format!("{}: {problem}", file.display())));
}

#[test]
fn an_unchanged_feed_is_not_sent_again() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    server.answer(
        Answer::ok(feed(&[("1", 100)]))
            .header("ETag", "\"v1\"")
            .header("Last-Modified", "Mon, 02 Nov 2026 05:00:00 GMT"),
    );
    let mut catalog =
        Catalog::open([Source::at(&server.url("/feed"))], settings(folder.path()), at(0)).unwrap();
    assert!(!catalog.is_complete() && catalog.episodes().is_empty());

    let refresh = catalog.refresh(at(1));
    assert!(refresh.changed && refresh.errors.is_empty() && catalog.is_complete());
    assert_eq!(refresh.changes.iter().map(ToString::to_string).collect::<Vec<_>>(), ["show/1.mp3: added"]);
    let first = server.last_request();
    assert!(!first.contains("if-none-match") && first.contains("user-agent: castmeter/"), "{first}");

    server.answer(Answer::status(304));
    let refresh = catalog.refresh(at(2));
    assert!(!refresh.changed && refresh.changes.is_empty() && refresh.errors.is_empty());
    let second = server.last_request();
    assert!(second.contains("if-none-match: \"v1\"\r\n"), "{second}");
    assert!(second.contains("if-modified-since: mon, 02 nov 2026 05:00:00 gmt\r\n"), "{second}");
    let status = catalog.statuses().next().unwrap();
    assert_eq!((status.episodes, status.refreshed_at, status.error), (1, Some(at(2)), None));

    server.answer(Answer::ok(feed(&[("2", 100), ("1", 101)])));
    let changes: Vec<_> = catalog.refresh(at(3)).changes.iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["show/2.mp3: added", "show/1.mp3: 100 bytes became 101"]);
    server.answer(Answer::ok(feed(&[("2", 100)])));
    let refresh = catalog.refresh(at(4));
    assert_eq!((refresh.changed, refresh.changes.len(), catalog.episodes().len()), (false, 1, 2));
}

#[test]
fn a_source_that_fails_empties_nothing() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let good = feed(&[("1", 100), ("2", 200)]);
    let large = feed(&[("1", 100)]).replace("Show", &"x".repeat(200_000));
    server.answer(Answer::ok(&good).header("ETag", "\"v1\""));
    let mut catalog =
        Catalog::open([Source::at(&server.url("/feed"))], settings(folder.path()), at(0)).unwrap();
    catalog.refresh(at(1));
    let before = lines(catalog.episodes());
    assert_eq!(before.len(), 2);

    for (answer, expected) in [
        (Answer::status(500), "500"),
        (Answer::status(404), "404"),
        (Answer::status(204), "it answered 204"),
        (Answer::ok("<html><body>Sign in</body></html>"), "it is no RSS feed"),
        (Answer::ok(feed(&[])), "none of its items has an audio or video enclosure"),
        (Answer::ok(""), "the first line has no column show"),
        (Answer::ok("show,episode,path\n"), "it lists no episode"),
        (Answer::ok(&good[..good.len() / 2]), "it is no RSS feed"),
        (Answer::ok(&good).cut_short(), "disconnected"),
        (Answer::ok(&large), "it is larger than 100000 bytes"),
        (Answer::gzip(&large), "it is larger than 100000 bytes"),
        (Answer::redirect("/again"), "redirect"),
        (Answer::HangUp, "disconnected"),
    ] {
        server.answer(answer);
        let refresh = catalog.refresh(at(2));
        let [error] = &refresh.errors[..] else { panic!("{expected}: {:?}", refresh.errors) };
        let error = error.to_string();
        assert!(error.starts_with(&server.url("/feed")) && error.contains(expected), "{expected}: {error}");
        assert!(!refresh.changed && lines(catalog.episodes()) == before, "{expected}");
        let status = catalog.statuses().next().unwrap();
        assert_eq!((status.refreshed_at, status.error), (Some(at(1)), Some(error)), "{expected}");
        assert!(server.last_request().contains("if-none-match: \"v1\""), "{expected}: asked for again");
    }

    server.answer(Answer::gzip(&good));
    assert!(catalog.refresh(at(3)).errors.is_empty());
    assert_eq!(catalog.statuses().next().unwrap().error, None);
}

#[test]
fn a_source_that_does_not_answer_is_given_up() {
    let server = Server::start();
    server.answer(Answer::Silence);
    let settings = Settings { timeout: Duration::from_millis(300), ..Settings::default() };
    let mut catalog = Catalog::open([Source::at(&server.url("/feed"))], settings, at(0)).unwrap();
    let error = catalog.refresh(at(1)).errors.remove(0).to_string();
    assert!(error.contains("timeout"), "{error}");
}

#[test]
fn a_start_without_network_knows_what_was_known() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start();
    let source = Source::at(&server.url("/feed"));
    server.answer(Answer::ok(feed(&[("1", 100)])));
    let mut catalog = Catalog::open([source.clone()], settings(folder.path()), at(0)).unwrap();
    catalog.refresh(at(1));
    server.answer(Answer::ok(feed(&[("2", 200)])));
    catalog.refresh(at(2));
    let before = lines(catalog.episodes());
    assert_eq!(before.len(), 2, "an episode that is no longer listed is kept as well");
    drop((catalog, server));

    let mut catalog = Catalog::open([source], settings(folder.path()), at(9)).unwrap();
    assert!(catalog.is_complete());
    assert_eq!(lines(catalog.episodes()), before);
    assert_eq!(catalog.statuses().next().unwrap().refreshed_at, Some(at(2)));
    assert_eq!(catalog.refresh(at(10)).errors.len(), 1);
    assert_eq!(lines(catalog.episodes()), before);
}

#[test]
fn a_server_that_speaks_no_tls_is_an_error() {
    let server = Server::start();
    let url = server.url("/feed").replace("http:", "https:");
    let mut catalog = Catalog::open([Source::at(&url)], Settings::default(), at(0)).unwrap();
    let refresh = catalog.refresh(at(1));
    assert_eq!((refresh.errors.len(), refresh.changed), (1, false));
}

#[test]
fn redirects_are_followed() {
    let server = Server::start();
    server.answer_at("/old", Answer::redirect("/new"));
    server.answer(Answer::ok(feed(&[("1", 100)])));
    let mut catalog = Catalog::open([Source::at(&server.url("/old"))], Settings::default(), at(0)).unwrap();
    assert!(catalog.refresh(at(1)).errors.is_empty());
    assert_eq!(catalog.episodes().len(), 1);
}

#[test]
fn a_csv_and_a_feed_together() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("catalog.csv");
    fs::write(&csv, "show,episode,path,bytes,title\ngo,one,/1.mp3,111,\ngo,extra,/extra.mp3,7,Extra\n")
        .unwrap();
    let feed_path = folder.path().join("feed.xml");
    fs::write(&feed_path, feed(&[("2", 200), ("1", 100)])).unwrap();
    let sources = [&feed_path, &csv].map(|path| Source::at(path.to_str().unwrap()));
    let mut catalog = Catalog::open(sources, settings(&folder.path().join("kept")), at(0)).unwrap();
    let expected = [
        "go/one | */1.mp3 | 111 | - | - | 1",
        "go/extra | */extra.mp3 | 7 | - | - | Extra",
        "show/2.mp3 | cdn.example/2.mp3 | 200 | - | - | 2",
    ];
    assert_eq!(lines(catalog.episodes()), expected);

    fs::write(&csv, "show;episode;path\n").unwrap();
    let refresh = catalog.refresh(at(1));
    assert_eq!((refresh.errors.len(), lines(catalog.episodes())), (1, expected.map(str::to_owned).to_vec()));
    fs::write(&csv, "show,episode,path,bytes\ngo,one,/1.mp3,112\n").unwrap();
    let changes: Vec<_> = catalog.refresh(at(2)).changes.iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["go/one: 111 bytes became 112", "go/extra: removed"]);
    assert_eq!(catalog.episodes().len(), 2);
}

#[test]
fn a_file_that_gives_nothing_is_an_error_only_without_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("catalog.csv");
    let open = |kept_dir: Option<PathBuf>| {
        let settings = Settings { kept_dir, ..Settings::default() };
        Catalog::open([Source::at(csv.to_str().unwrap())], settings, at(0))
    };
    let kept = folder.path().join("kept");
    let error = open(Some(kept.clone())).unwrap_err().to_string();
    assert!(error.contains("catalog.csv: cannot read it"), "{error}");
    fs::write(&csv, "show,episode,path\ngo,1,/1.mp3\n").unwrap();
    assert_eq!(open(Some(kept.clone())).unwrap().episodes().len(), 1);
    fs::write(&csv, "nonsense").unwrap();
    let catalog = open(Some(kept)).unwrap();
    assert_eq!(catalog.episodes().len(), 1);
    assert!(catalog.statuses().next().unwrap().error.unwrap().contains("no column show"));
    assert!(open(None).is_err(), "a check has no copies");
}

/// Each once, when it is new: a service looks again every few minutes.
#[test]
fn what_goes_wrong_later_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("catalog.csv");
    let write = |rows: &str| fs::write(&csv, format!("show,episode,path,bytes\n{rows}")).unwrap();
    write("go,1,/1.mp3,many\n");
    let mut catalog = Catalog::open([Source::at(csv.to_str().unwrap())], Settings::default(), at(0)).unwrap();
    let mut told =
        |seconds| catalog.refresh(at(seconds)).problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(told(1), [""; 0], "told at the start");
    write("go,1,/1.mp3,many\ngo,2,,7\n");
    let new = told(2);
    assert!(new.len() == 1 && new[0].contains("line 3"), "{new:?}");
    assert_eq!(told(3), [""; 0]);
}

#[test]
fn no_more_episodes_than_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("feed.xml");
    fs::write(&path, feed(&[("3", 1), ("2", 1), ("1", 1)])).unwrap();
    let settings = Settings { max_episodes: 2, ..Settings::default() };
    let mut catalog = Catalog::open([Source::at(path.to_str().unwrap())], settings, at(0)).unwrap();
    assert_eq!(catalog.episodes().len(), 2);
    let error = catalog.refresh(at(1)).errors.remove(0).to_string();
    assert!(error.ends_with("of more than 2 episodes, the most allowed, 1 are left out"), "{error}");
}
