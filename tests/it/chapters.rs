//! Chapters from a feed to the tables, through a service and either database; and what `check` says of them.

use std::path::Path;

use crate::feed_server::{Answer, Server};
use crate::postgres;
use crate::service::{Setup, castmeter, wait_for};
use crate::tables::tables;

fn feed(chapters: &str) -> Answer {
    Answer::ok(format!(
        "<rss version='2.0' xmlns:podcast='https://podcastindex.org/namespace/1.0'><channel><title>Go</title>\
         <item><title>One</title>{chapters}\
         <enclosure url='https://cdn.example/1.mp3' length='5000000' type='audio/mpeg'/></item></channel></rss>"
    ))
}

fn named(url: &str) -> Answer {
    feed(&format!("<podcast:chapters url='{url}' type='application/json+chapters'/>"))
}

async fn chapters(database_url: &str) -> Vec<String> {
    tables(database_url).await.0.into_iter().filter(|row| row.starts_with("chapter|")).collect()
}

async fn wait_for_chapters(database_url: &str, expected: &[&str]) {
    let mut waited = 0;
    while chapters(database_url).await != expected {
        assert!(waited < 1_200, "waited in vain for {expected:?}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        waited += 1;
    }
}

async fn from_a_feed_to_the_table(folder: &Path, database_url: Option<String>) {
    let server = Server::start();
    server.answer_at(
        "/1.json",
        Answer::ok(r#"{"chapters":[{"startTime":0,"title":"Intro"},{"startTime":94.5,"title":"End"}]}"#),
    );
    server.answer_at("/2.json", Answer::ok(r#"{"chapters":[{"startTime":1,"title":"Other"}]}"#));
    server.answer_at("/feed", named(&server.url("/1.json")));
    let config = format!("catalog = {:?}\ncatalog_refresh_interval = \"100ms\"\n", server.url("/feed"));
    let setup = Setup { database_url, config, ..Setup::new(folder) };
    let service = setup.start();
    service.wait_until_ready();
    let url = setup.database_url();
    wait_for_chapters(&url, &["chapter|go|1.mp3|1|0|Intro", "chapter|go|1.mp3|2|94500|End"]).await;

    server.answer_at("/feed", named(&server.url("/2.json")));
    let other = ["chapter|go|1.mp3|1|1000|Other"];
    wait_for_chapters(&url, &other).await;

    server.answer_at("/feed", named(&server.url("/gone.json")));
    wait_for("the file that is gone to be asked for", || server.requests("/gone.json") > 0);
    server.answer_at("/feed", feed(""));
    let asked = server.requests("/feed");
    wait_for("the feed without chapters to be read", || server.requests("/feed") > asked + 2);
    assert!(service.stop().success());
    assert_eq!(chapters(&url).await, other);
    // A start without network knows them still.
    drop(server);
    let service = setup.start();
    service.wait_until_ready();
    assert!(service.stop().success());
    assert_eq!(chapters(&url).await, other);
}

#[tokio::test(flavor = "multi_thread")]
async fn into_sqlite() {
    from_a_feed_to_the_table(tempfile::tempdir().unwrap().path(), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn into_postgres() {
    let database_url = postgres::Server::shared().database().await;
    from_a_feed_to_the_table(tempfile::tempdir().unwrap().path(), Some(database_url)).await;
}

#[test]
fn check_says_what_is_wrong_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "catalog.csv",
        "show,episode,path,duration_s,chapters\ngo,1,/1.mp3,60,1.json\ngo,2,/2.mp3,,2.json\ngo,3,/3.mp3,,\n",
    );
    write(
        "1.json",
        r#"{"chapters":[{"startTime":59,"title":"A"},{"startTime":60,"title":"B"},{"title":"C"}]}"#,
    );
    write("2.json", "{}");
    let check =
        castmeter().args(["check", "--catalog", "catalog.csv"]).current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8(check.stdout).unwrap();
    assert_eq!(check.status.code(), Some(0), "no episode is left out: {said}");
    for line in [
        "chapters: 1 of 2 files read; of 2 chapters in episodes of known duration 1 begin after the end\n",
        "problem: 1.json: chapters of go/1: 1 of them, the first number 3, have no start that can be read; write seconds; those are left out\n",
        "problem: 2.json: chapters of go/2: it is no JSON with chapters: missing field `chapters` at line 1 column 2; what was known of them before stands\n",
    ] {
        assert!(said.contains(line), "{line}{said}");
    }
    // Counting does not look at them.
    let mut count = castmeter();
    count.args(["count", "--catalog", "catalog.csv", "catalog.csv"]).current_dir(folder.path());
    let stderr = String::from_utf8(count.output().unwrap().stderr).unwrap();
    assert!(!stderr.contains("chapters"), "{stderr}");
}
