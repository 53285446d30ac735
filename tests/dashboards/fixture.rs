//! A Postgres that the service filled from generated traffic, and a reader of it that may do what Grafana may.
//!
//! Twelve days up to now, so that there are launches to compare with. Chapters are put in by hand: the generated
//! catalogue has none.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use castmeter::clock::{Clock, SystemClock};
use castmeter::units::Timestamp;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::postgres::Server;
use crate::service::{Setup, castmeter, wait_for};

const DAYS: u64 = 12;
const LINES_PER_DAY: u64 = 4_000;
const SECONDS_PER_DAY: u64 = 86_400;

const NEW_CHAPTERS: &str = include_str!("chapters.sql");

/// What the reader is called.
const READER: &str = "dashboards_reader";

pub struct Fixture {
    /// As the owner of the tables.
    url: String,
    now: Timestamp,
}

impl Fixture {
    /// Filled, and the service ended.
    pub async fn filled(folder: &Path) -> Self {
        let server = Server::shared();
        let url = server.database().await;
        let now = SystemClock::new().now();
        let catalog = folder.join("catalog.csv");
        let feeds = traffic(&["--feeds", "--catalog-out", &catalog.display().to_string()]);
        let titled = folder.join("titled.csv");
        give_titles(&catalog, &titled);
        let feeds: Vec<String> = feeds.trim().split(',').map(|feed| format!("{feed:?}")).collect();
        let titled = titled.display().to_string();
        let config = format!("catalog = {titled:?}\nfeeds = [{}]\n", feeds.join(", "));
        let setup = Setup { database_url: Some(url.clone()), config, ..Setup::new(folder) };
        let service = setup.start();
        service.wait_until_ready();
        traffic(&[&format!("http://{}/fastly", service.http), "--once"]);
        let records = |stage| {
            service.get(service.admin, "/metrics").1.lines().find_map(|line| {
                line.strip_prefix(&format!("castmeter_journal_position_records{{stage=\"{stage}\"}} "))
                    .map(str::to_owned)
            })
        };
        wait_for("all lines to be counted", || records("counted") == records("written"));
        assert!(service.metric("castmeter_lines_received_total") > (LINES_PER_DAY * (DAYS - 1)) as f64);
        for (text, days_ago) in [("deploy v1.2", 0), ("the origin moved", 3)] {
            let at = now.minus(Duration::from_secs(days_ago * SECONDS_PER_DAY + 60)).to_string();
            let admin = format!("http://{}/", service.admin);
            let arguments = ["annotate", text, "--tag=deploy", "--admin", &admin, "--at", &at];
            assert!(castmeter().args(arguments).output().unwrap().status.success());
        }
        assert!(service.stop().success());
        let mut owner = PgConnection::connect(&url).await.unwrap();
        for statement in [NEW_CHAPTERS, &format!("CREATE ROLE {READER} LOGIN IN ROLE castmeter_reader")] {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut owner).await.unwrap();
        }
        owner.close().await.unwrap();
        Self { url, now }
    }

    /// When the traffic ended.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// When it began, on that day or before.
    pub fn start(&self) -> Timestamp {
        self.now.minus(Duration::from_secs(DAYS * SECONDS_PER_DAY))
    }

    /// As dashboards are to connect.
    pub async fn reader(&self) -> PgConnection {
        let url = self.url.replacen("postgres://postgres@", &format!("postgres://{READER}@"), 1);
        assert_ne!(url, self.url);
        PgConnection::connect(&url).await.unwrap()
    }
}

/// Runs `castmeter traffic`; gives what it prints.
fn traffic(more: &[&str]) -> String {
    let output = castmeter()
        .args(["traffic", "--seed=3", "--listeners=3000", "--episodes=60", "--shows=3"])
        .args([format!("--days={}", DAYS - 1), format!("--lines-per-day={LINES_PER_DAY}")])
        .args(more)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The generated catalogue has no titles. Some get one that only correct quoting survives.
fn give_titles(catalog: &Path, titled: &Path) {
    let catalog = std::fs::read_to_string(catalog).unwrap();
    let mut file = std::fs::File::create(titled).unwrap();
    for (number, row) in catalog.lines().enumerate() {
        match number {
            0 => writeln!(file, "{row},title").unwrap(),
            _ if number % 3 == 0 => writeln!(file, "{row},").unwrap(),
            _ => writeln!(file, "{row},\"It's number {number}, \"\"50 %\"\" of $1\"").unwrap(),
        }
    }
}
