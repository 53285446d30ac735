//! Chapters from files and over HTTP: fetched seldom and no further than need be, kept, and never lost to a failure.

use std::fs;

use castmeter::attribution::Episode;
use castmeter::catalog::{Catalog, ChapterFiles, Refresh, Settings, Source};

use super::server::{Answer, Server};
use super::{at, settings};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// A feed; each item is a name and where its chapters are.
fn feed(items: &[(&str, &str)]) -> String {
    let item = |(name, chapters): &(&str, &str)| {
        let chapters = match *chapters {
            "" => String::new(),
            url => format!("<podcast:chapters url='{url}' type='application/json+chapters'/>"),
        };
        format!(
            "<item><title>{name}</title><guid>{name}</guid>{chapters}\
             <enclosure url='https://cdn.example/{name}.mp3' length='9' type='audio/mpeg'/></item>"
        )
    };
    let items: String = items.iter().map(item).collect();
    format!(
        "<rss version='2.0' xmlns:podcast='https://podcastindex.org/namespace/1.0'>\
         <channel><title>Go</title>{items}</channel></rss>"
    )
}

fn json(titles: &[&str]) -> String {
    let chapter =
        |(number, title): (usize, &&str)| format!("{{\"startTime\":{},\"title\":\"{title}\"}}", number * 60);
    let chapters: Vec<_> = titles.iter().enumerate().map(chapter).collect();
    format!("{{\"version\":\"1.2.0\",\"chapters\":[{}]}}", chapters.join(","))
}

/// A tag of one chapter, ID3v2.4.
fn tag(title: &str) -> Vec<u8> {
    let frame = |id: &str, content: &[u8]| {
        let size = [0, 0, 0, u8::try_from(content.len()).unwrap()];
        [id.as_bytes(), &size, &[0, 0], content].concat()
    };
    let content = [b"c\0", &[0; 16][..], &frame("TIT2", &[b"\x03", title.as_bytes()].concat())].concat();
    let body = frame("CHAP", &content);
    [b"ID3\x04\0\0\0\0\0", &[u8::try_from(body.len()).unwrap()][..], &body].concat()
}

/// Each episode's slug and the titles of its chapters.
fn titles(catalog: &Catalog) -> Vec<String> {
    let titles = |episode: &Episode| match &episode.chapters {
        None => format!("{}: unknown", episode.slug),
        Some(chapters) => {
            let titles: Vec<_> = chapters.iter().map(|chapter| &*chapter.title).collect();
            format!("{}: {}", episode.slug, titles.join(", "))
        }
    };
    catalog.episodes().iter().map(titles).collect()
}

fn told(refresh: &Refresh) -> Vec<String> {
    assert!(refresh.errors.is_empty(), "{:?}", refresh.errors);
    refresh.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_feed_s_chapters_are_read_once_a_day_and_stay_when_they_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start();
    let url = server.url("/1.json?token=x");
    server.answer_at("/feed", Answer::ok(feed(&[("1", &url), ("2", "")])));
    let chapters = |answer| server.answer_at("/1.json?token=x", answer);
    chapters(Answer::ok(json(&["Intro", "End"])).header("ETag", "\"v1\""));
    let source = Source::at(&server.url("/feed"));
    let mut catalog = Catalog::open([source.clone()], settings(folder.path()), at(0)).unwrap();

    let refresh = catalog.refresh(at(1));
    assert_eq!((told(&refresh), refresh.changed), (vec![], true));
    assert_eq!(refresh.changes.last().unwrap().to_string(), "go/1.mp3: 2 chapters, new or changed");
    assert_eq!(titles(&catalog), ["1.mp3: Intro, End", "2.mp3: unknown"]);
    assert_eq!(catalog.chapter_files(), ChapterFiles { named: 1, read: 1 });
    let request = server.last_request();
    assert!(
        request.contains("range: bytes=0-8388617\r\n") && !request.contains("if-none-match"),
        "{request}"
    );

    assert!(!catalog.refresh(at(DAY)).changed);
    assert_eq!(server.requests("/1.json?token=x"), 1, "not before a day has passed");
    chapters(Answer::status(304));
    assert!(!catalog.refresh(at(DAY + 1)).changed);
    assert!(server.last_request().contains("if-none-match: \"v1\"\r\n"));

    chapters(Answer::ok(json(&["Intro", "Middle", "End"])));
    assert!(catalog.refresh(at(2 * DAY + 1)).changed);
    assert_eq!(titles(&catalog)[0], "1.mp3: Intro, Middle, End");
    for (answer, days, expected) in [
        (Answer::status(404), 3, "http status: 404"),
        (Answer::ok("<html>Sign in</html>"), 4, "it is neither JSON with chapters nor audio"),
        (Answer::ok(json(&["Intro"])).cut_short(), 5, "disconnected"),
        (Answer::HangUp, 6, "disconnected"),
    ] {
        chapters(answer);
        let refresh = catalog.refresh(at(days * DAY + 1));
        let [problem] = &told(&refresh)[..] else { panic!("{expected}") };
        assert!(!refresh.changed && problem.contains(expected), "{expected}: {problem}");
        let name = format!("{}: chapters of go/1.mp3: ", server.url("/1.json"));
        assert!(problem.starts_with(&name), "without secrets: {problem}");
        assert!(problem.ends_with("; what was known of them before stands"), "{problem}");
        assert_eq!(catalog.problems().count(), 1);
        assert_eq!(titles(&catalog)[0], "1.mp3: Intro, Middle, End", "{expected}");
    }
    // The feed does not name them any more; then the program starts anew, without network.
    server.answer_at("/feed", Answer::ok(feed(&[("1", "")])));
    catalog.refresh(at(6 * DAY + 2));
    let before = titles(&catalog);
    assert_eq!(before[0], "1.mp3: Intro, Middle, End");
    drop((catalog, server));
    let mut catalog = Catalog::open([source], settings(folder.path()), at(7 * DAY)).unwrap();
    assert_eq!(titles(&catalog), before);
    assert_eq!(catalog.refresh(at(6 * DAY + HOUR)).problems.len(), 0, "asked for too lately to fail");
}

#[test]
fn a_file_at_another_place_is_read_at_once() {
    let server = Server::start();
    let feed_of =
        |chapters: &str| server.answer_at("/feed", Answer::ok(feed(&[("1", &server.url(chapters))])));
    feed_of("/1.json");
    server.answer_at("/1.json", Answer::ok(json(&["Old"])));
    let mut catalog = Catalog::open([Source::at(&server.url("/feed"))], Settings::default(), at(0)).unwrap();
    catalog.refresh(at(1));
    feed_of("/2.json");
    assert_eq!(told(&catalog.refresh(at(2))).len(), 1);
    assert_eq!(titles(&catalog), ["1.mp3: Old"], "until the new ones are there");
    server.answer_at("/2.json", Answer::ok(json(&["New"])));
    catalog.refresh(at(3));
    assert_eq!((server.requests("/2.json"), titles(&catalog)), (1, vec!["1.mp3: Old".to_owned()]));
    catalog.refresh(at(2 + HOUR));
    assert_eq!(titles(&catalog), ["1.mp3: New"]);
}

#[test]
fn of_audio_only_the_beginning_is_fetched() {
    let server = Server::start();
    let audio = [tag("One"), vec![0x55; 64 << 20]].concat();
    server.answer_at("/1.mp3", Answer::ok(audio)); // this server knows no ranges
    server.answer_at("/feed", Answer::ok(feed(&[("1", &server.url("/1.mp3"))])));
    let mut catalog = Catalog::open([Source::at(&server.url("/feed"))], Settings::default(), at(0)).unwrap();
    assert_eq!(told(&catalog.refresh(at(1))), [""; 0]);
    assert_eq!(titles(&catalog), ["1.mp3: One"]);
    let sent = server.sent_bytes("/1.mp3");
    assert!(sent < 32 << 20, "{sent} bytes of 64 MiB");
}

#[test]
fn so_many_files_in_one_refresh_and_none_where_none_are_wanted() {
    let server = Server::start();
    let urls: Vec<_> = (0..5).map(|n| server.url(&format!("/{n}.json"))).collect();
    let names = ["0", "1", "2", "3", "4"];
    let items: Vec<_> = names.iter().zip(&urls).map(|(name, url)| (*name, &**url)).collect();
    server.answer(Answer::ok(json(&["A"])));
    server.answer_at("/feed", Answer::ok(feed(&items)));
    let open = |max_chapter_files| {
        let settings = Settings { max_chapter_files, ..Settings::default() };
        Catalog::open([Source::at(&server.url("/feed"))], settings, at(0)).unwrap()
    };
    let mut catalog = open(2);
    for (now, read) in [(1, 2), (2, 4), (3, 5), (4, 5)] {
        catalog.refresh(at(now));
        assert_eq!(catalog.chapter_files(), ChapterFiles { named: 5, read });
    }
    assert!((0..5).all(|n| server.requests(&format!("/{n}.json")) == 1));
    let mut catalog = open(0);
    catalog.refresh(at(1));
    assert_eq!(catalog.chapter_files(), ChapterFiles { named: 5, read: 0 });
}

#[test]
fn a_csv_names_files_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let (csv, json_path) = (folder.path().join("catalog.csv"), folder.path().join("one.json"));
    let write = |text: &str| fs::write(&csv, format!("show,episode,path,chapters\n{text}")).unwrap();
    write("go,1,/1.mp3,one.json\ngo,2,/2.mp3,two.mp3\ngo,3,/3.mp3,three.json\ngo,4,/4.mp3,\n");
    fs::write(&json_path, json(&["One"])).unwrap();
    fs::write(folder.path().join("two.mp3"), [&*tag("Two"), b"audio"].concat()).unwrap();
    let mut catalog =
        Catalog::open([Source::at(csv.to_str().unwrap())], settings(&folder.path().join("kept")), at(0))
            .unwrap();
    assert_eq!(titles(&catalog)[0], "1: unknown", "a start does not wait for them");
    let problem = told(&catalog.refresh(at(1))).remove(0);
    assert!(problem.contains("three.json: chapters of go/3: cannot read it: No such file"), "{problem}");
    assert_eq!(titles(&catalog), ["1: One", "2: Two", "3: unknown", "4: unknown"]);

    fs::write(&json_path, json(&["One", "More"])).unwrap();
    assert_eq!(told(&catalog.refresh(at(2))), [""; 0], "told once");
    assert_eq!(titles(&catalog)[0], "1: One, More", "local files are looked at each time");
    fs::remove_file(&json_path).unwrap();
    catalog.refresh(at(3));
    assert_eq!(titles(&catalog)[0], "1: One, More");
    let reopened =
        Catalog::open([Source::at(csv.to_str().unwrap())], settings(&folder.path().join("kept")), at(4))
            .unwrap();
    assert_eq!(titles(&reopened), titles(&catalog));
    write("go,1,/1.mp3,\n");
    catalog.refresh(at(5));
    assert_eq!(titles(&catalog), ["1: unknown"], "a CSV is its operator's word");
}
