//! The generated days by every way there is: each ends in the same table.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;

use serde_json::Value;

use crate::counted::{as_counted, assert_same, counted};
use crate::postgres::Server;
use crate::service::{Setup, castmeter};
use crate::tables::tables;

const LINES: u64 = 20_000;
const TRAFFIC: &[&str] = &["--seed=7", "--listeners=4000", "--episodes=60", "--start=2026-01-05", "--days=3"];

/// Lines and their catalogue, in a folder.
struct Traffic {
    lines: Vec<u8>,
    feeds: String,
    catalog: String,
}

impl Traffic {
    fn generate(folder: &Path) -> Self {
        let catalog = folder.join("catalog.csv").display().to_string();
        let generate = |more: &[&str]| {
            let output = castmeter().arg("generate").args(TRAFFIC).args(more).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            output.stdout
        };
        let lines = generate(&[&format!("--lines={LINES}"), "--catalog-out", &catalog]);
        let feeds = String::from_utf8(generate(&["--feeds"])).unwrap().trim().to_owned();
        Self { lines, feeds, catalog }
    }

    fn config(&self) -> String {
        let feeds: Vec<String> = self.feeds.split(',').map(|feed| format!("{feed:?}")).collect();
        let catalog = &self.catalog;
        format!(
            "catalog = {catalog:?}\nfeeds = [{}]\n[http]\nsource = \"cdn\"\n[syslog]\nsource = \"cdn\"\n",
            feeds.join(", ")
        )
    }

    /// Batches of whole lines.
    fn batches(&self, lines: usize) -> Vec<Vec<u8>> {
        let all: Vec<&[u8]> = self.lines.split_inclusive(|byte| *byte == b'\n').collect();
        all.chunks(lines).map(<[&[u8]]>::concat).collect()
    }

    /// What `count` says, as the published tables' rows.
    fn counted(&self) -> Vec<String> {
        counted(&["--catalog", &self.catalog, "--feeds", &self.feeds], &self.lines)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn four_ways_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let traffic = Traffic::generate(folder.path());
    let counted = traffic.counted();
    assert!(counted.len() > 100, "{counted:#?}");

    let way = |name: &str, database_url| {
        let folder = folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        Setup { database_url, config: traffic.config(), ..Setup::new(&folder) }
    };
    let over_http = |setup: &Setup| {
        let service = setup.start();
        for batch in traffic.batches(700) {
            assert_eq!(service.post(&[], &batch).0, 200);
        }
        assert!(service.stop().success());
    };
    let sqlite = way("sqlite", None);
    over_http(&sqlite);
    let over_sqlite = tables(&sqlite.database_url()).await;
    assert_same(&as_counted(&over_sqlite), &counted);

    let postgres = way("postgres", Some(Server::shared().database().await));
    over_http(&postgres);
    assert_same(&tables(&postgres.database_url()).await.0, &over_sqlite.0);

    let syslog = way("syslog", None);
    let service = syslog.start();
    let mut stream = TcpStream::connect(service.syslog).unwrap();
    stream.write_all(&traffic.lines).unwrap();
    drop(stream);
    service.wait_for_lines(LINES);
    assert!(service.stop().success());
    assert_same(&tables(&syslog.database_url()).await.0, &over_sqlite.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let traffic = Traffic::generate(folder.path());
    let setup = Setup { config: traffic.config(), ..Setup::new(folder.path()) };
    for (at, part) in traffic.batches(900).chunks(9).enumerate() {
        let service = setup.start();
        for batch in part {
            assert_eq!(service.post(&[], batch).0, 200);
        }
        if at % 2 == 0 {
            assert!(service.stop().success());
        }
        // Else it is killed: what it acknowledged is in the journal.
    }
    let service = setup.start();
    service.wait_until_ready();
    assert!(service.stop().success());
    let counted = traffic.counted();
    assert_same(&as_counted(&tables(&setup.database_url()).await), &counted);
}

#[test]
fn health_metrics_and_page() {
    let folder = tempfile::tempdir().unwrap();
    let service = Setup::new(folder.path()).start();
    service.wait_until_ready();
    assert_eq!(service.get(service.admin, "/livez").0, 200);
    let line = br#"{"v":1,"start_us":1767607200000000,"ip":"192.0.2.1","url":"/show/one.mp3","status":200,"body_bytes":5000000,"ua":"Overcast/3.0 (+http://overcast.fm/; iOS podcast app)"}"#;
    assert_eq!(service.post(&[], line).0, 200);
    service.wait_for_lines(1);
    let page = service.get(service.admin, "/metrics").1;
    assert!(page.contains("castmeter_downloads_total{show=\"show\",episode=\"one.mp3\"} 1\n"), "{page}");
    assert_eq!(service.get(service.http, "/").0, 200);
    assert_eq!(service.get(service.http, "/nothing").0, 404);
    crate::service::wait_for("the page to know it", || {
        let now: Value = serde_json::from_str(&service.get(service.http, "/api/now").1).unwrap();
        now["totals"]["downloads"] == 1 && now["episodes"][0]["episode"] == "one.mp3"
    });
    assert!(service.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_sent_again_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new(folder.path());
    let line = |url: &str| {
        format!(
            r#"{{"v":1,"start_us":1767607200000000,"ip":"192.0.2.1","url":"{url}","status":200,"body_bytes":5000000,"ua":"Overcast/3.0 (+http://overcast.fm/; iOS podcast app)"}}"#
        )
    };
    let body = format!("{}\n{}\n", line("/show/one.mp3"), line("/show/two.mp3"));
    let service = setup.start();
    assert_eq!(service.post(&[], body.as_bytes()).0, 200);
    assert_eq!(service.post(&[], body.as_bytes()).0, 200);
    assert!(service.stop().success());
    // What was received before the restart is still known to have been.
    let service = setup.start();
    assert_eq!(service.post(&[], body.as_bytes()).0, 200);
    assert_eq!(service.post(&[], line("/show/one.mp3").as_bytes()).0, 200);
    assert!(service.stop().success());
    let rows = as_counted(&tables(&setup.database_url()).await);
    let fates: Vec<&String> = rows.iter().filter(|row| row.starts_with("fate|")).collect();
    assert_eq!(fates, ["fate|ignored|redelivered|4|20000000", "fate|valid||3|15000000"]);
}
