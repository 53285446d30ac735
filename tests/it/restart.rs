//! Restarts of the real binary: from state snapshots whole, damaged and missing, beside a store that is where it was,
//! behind, or away. What was acknowledged counts once, whatever a start begins with.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sqlx::{Connection, SqliteConnection};

use crate::counted::{as_counted, assert_same, counted};
use crate::service::{Service, Setup, wait_for};
use crate::tables::tables;

/// For `count`, beside the lines.
const NO_OPTIONS: [&str; 0] = [];
const SNAPSHOTS: &str = "[state]\nsnapshot_interval = \"1ms\"\n";
const NO_DATABASE: &str = "postgres://nobody@127.0.0.1:1/none";
const BEGUN: &str = "counting begins";
const REPLAYED: &str = "the journal is replayed";
const PASSED_OVER: &str = "a state snapshot is passed over";

fn line(listener: usize, episode: usize, agent: &str) -> String {
    format!(
        r#"{{"v":1,"start_us":17676072{listener:02}000000,"ip":"192.0.2.{listener}","url":"/show/{episode}.mp3","status":206,"body_bytes":600000,"range":"bytes={}-","ua":"{agent}"}}"#,
        episode * 300_000
    )
}

/// The `part`-th of several bodies: the same listeners and episodes in each, so that sessions go on from one to the next.
fn body(part: usize) -> Vec<u8> {
    let agent = "Overcast/3.0 (+http://overcast.fm/; iOS podcast app)";
    let lines = (0..40).map(|at| line(at % 10, (at + part) % 4, agent) + "\n");
    lines.collect::<String>().into_bytes()
}

fn all_bodies(parts: usize) -> Vec<u8> {
    (0..parts).flat_map(body).collect()
}

fn post(service: &Service, body: &[u8]) {
    assert_eq!(service.post(&[], body).0, 200);
}

fn snapshots(setup: &Setup) -> Vec<PathBuf> {
    let files = std::fs::read_dir(setup.folder.join("data/state")).into_iter().flatten();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "snapshot"));
    paths.sort();
    paths
}

fn position(path: &Path) -> u64 {
    path.file_stem().unwrap().to_str().unwrap().parse().unwrap()
}

fn text<'a>(fields: &'a Value, name: &str) -> &'a str {
    fields[name].as_str().unwrap()
}

async fn assert_counts(setup: &Setup, lines: &[u8]) {
    assert_same(&as_counted(&tables(&setup.database_url()).await), &counted(&NO_OPTIONS, lines));
}

/// Counts `parts` bodies with a snapshot kept after each, and stops in order.
fn with_two_snapshots(folder: &Path) -> Setup {
    let setup = Setup { config: SNAPSHOTS.to_owned(), ..Setup::new(folder) };
    let service = setup.start();
    for part in 0..3 {
        post(&service, &body(part));
        service.wait_for_lines(40 * (part as u64 + 1));
        wait_for("a snapshot", || snapshots(&setup).len() > part.min(1));
    }
    assert!(service.stop().success());
    assert_eq!(snapshots(&setup).len(), 2, "the last two are kept: {:?}", snapshots(&setup));
    setup
}

/// Starts again, counts one more body, and stops; gives what the start said.
async fn go_on(setup: &Setup, lines: &[u8]) -> (Value, Value, usize) {
    let service = setup.start();
    let begun = service.wait_for_log(BEGUN);
    post(&service, &body(3));
    let replayed = service.wait_for_log(REPLAYED);
    let passed_over = service.logged(PASSED_OVER).len();
    assert!(service.stop().success());
    assert_counts(setup, &[lines, &body(3)].concat()).await;
    (begun, replayed, passed_over)
}

/// Sums stop, not the service: a batch that no database takes would hold up all that come after it, at each start again.
#[tokio::test(flavor = "multi_thread")]
async fn no_number_in_a_line_stops_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new(folder.path());
    let claiming = |bytes: i64| {
        let of = |url: &str| {
            line(1, 1, "Overcast/3").replace("/show/1.mp3", url).replace("600000", &bytes.to_string())
        };
        [of("/show/1.mp3"), of("/nothing")].join("\n")
    };
    for bytes in [i64::MAX, 1, i64::MAX] {
        let service = setup.start();
        post(&service, claiming(bytes).as_bytes());
        service.wait_for_lines(2);
        assert!(service.stop().success());
    }
    let sums = tables(&setup.database_url()).await;
    assert!(format!("{sums:?}").contains("9007199254740991"), "{sums:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_orderly_stop_nothing_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let setup = with_two_snapshots(folder.path());
    let newest = position(&snapshots(&setup)[1]);
    let (begun, replayed, passed_over) = go_on(&setup, &all_bodies(3)).await;
    assert_eq!(
        (text(&begun, "state"), text(&begun, "committed")),
        (&*newest.to_string(), &*newest.to_string())
    );
    assert_eq!((&replayed["records"], passed_over), (&Value::from(0), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_only_what_came_since_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let setup = with_two_snapshots(folder.path());
    let service = Setup { config: String::new(), ..Setup::new(folder.path()) }.start();
    post(&service, &body(3));
    service.wait_for_lines(40);
    drop(service);
    let newest = position(&snapshots(&setup)[1]);
    let service = setup.start();
    assert_eq!(text(&service.wait_for_log(BEGUN), "state"), newest.to_string());
    let replayed = service.wait_for_log(REPLAYED);
    // The rules that a start notes, and the body.
    assert_eq!(replayed["records"], 2);
    assert!(service.stop().success());
    assert_counts(&setup, &all_bodies(4)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_snapshot_is_passed_over_for_the_one_before() {
    type Harm = fn(&mut Vec<u8>);
    let harms: [(&str, Harm); 4] = [
        ("cut short", |bytes| bytes.truncate(bytes.len() / 2)),
        ("a bit flipped", |bytes| *bytes.last_mut().unwrap() ^= 4),
        ("a head flipped", |bytes| bytes[50] ^= 1),
        ("another format", |bytes| {
            bytes[8] += 1;
            let checksum = crc32c::crc32c(&bytes[..68]);
            bytes[68..72].copy_from_slice(&checksum.to_le_bytes());
        }),
    ];
    for (name, harm) in harms {
        let folder = tempfile::tempdir().unwrap();
        let setup = with_two_snapshots(folder.path());
        let [older, newest] = &snapshots(&setup)[..] else { panic!("two are kept") };
        let mut bytes = std::fs::read(newest).unwrap();
        harm(&mut bytes);
        std::fs::write(newest, bytes).unwrap();
        let (begun, _, passed_over) = go_on(&setup, &all_bodies(3)).await;
        assert_eq!((text(&begun, "state"), passed_over), (&*position(older).to_string(), 1), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_snapshot_all_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let setup = with_two_snapshots(folder.path());
    std::fs::remove_dir_all(folder.path().join("data/state")).unwrap();
    let (begun, replayed, _) = go_on(&setup, &all_bodies(3)).await;
    assert_eq!(text(&begun, "state"), "none");
    // The rules that the start noted, and three bodies.
    assert_eq!(replayed["records"], 4);
}

/// A store put back from a backup: what lies between it and the newest snapshot is counted again.
#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_ahead_of_the_store_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup { config: SNAPSHOTS.to_owned(), ..Setup::new(folder.path()) };
    let database = folder.path().join("data/castmeter.sqlite");
    let backup = folder.path().join("backup");
    let service = setup.start();
    post(&service, &body(0));
    assert!(service.stop().success());
    back_up(&database, &backup).await;
    let older = position(snapshots(&setup).last().unwrap());
    let service = setup.start();
    post(&service, &body(1));
    post(&service, &body(2));
    assert!(service.stop().success());
    for file in ["castmeter.sqlite-wal", "castmeter.sqlite-shm"] {
        // Most often gone with the last connection; they are not the backup's.
        let _ = std::fs::remove_file(folder.path().join("data").join(file));
    }
    std::fs::copy(&backup, &database).unwrap();
    let newest = position(snapshots(&setup).last().unwrap());
    let (begun, _, passed_over) = go_on(&setup, &all_bodies(3)).await;
    assert!(passed_over >= 1, "one stands at {newest}");
    assert!([older.to_string(), "none".to_owned()].contains(&text(&begun, "state").to_owned()), "{begun}");
}

/// As SQLite does it, whatever of the database is still in its log.
async fn back_up(database: &Path, backup: &Path) {
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", database.display())).await.unwrap();
    sqlx::query("VACUUM INTO $1").bind(backup.to_str()).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// The journal's end is gone with its disk, and the store knows more: what comes next is not taken for what is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_behind_the_store_loses_nothing_new() {
    let folder = tempfile::tempdir().unwrap();
    let setup = with_two_snapshots(folder.path());
    let journal = folder.path().join("data/journal");
    for file in std::fs::read_dir(&journal).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "segment") {
            std::fs::remove_file(file).unwrap();
        }
    }
    for snapshot in snapshots(&setup) {
        std::fs::remove_file(snapshot).unwrap();
    }
    // Its state is lost with the records, so these are listeners and episodes of their own.
    let new = line(77, 9, "Pocket Casts").into_bytes();
    let service = setup.start();
    // Perhaps before anybody can tell how far the store is.
    post(&service, &new);
    // Else it could not tell either when it stops.
    service.wait_until_ready();
    assert!(service.stop().success());
    assert_counts(&setup, &[all_bodies(3), new].concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_comes_again_is_noted_as_a_reference() {
    let folder = tempfile::tempdir().unwrap();
    let away = Setup { database_url: Some(NO_DATABASE.to_owned()), ..Setup::new(folder.path()) };
    let setup = Setup::new(folder.path());
    let service = away.start();
    for part in [0, 0, 1, 0] {
        post(&service, &body(part));
    }
    // Nothing is counted yet; the process that does it has all from the files.
    drop(service);
    let kinds = |kind| {
        let records = castmeter::journal::inspect::records(
            &folder.path().join("data/journal"),
            castmeter::units::JournalPosition::START,
        );
        let found = records.unwrap().unwrap().map(|found| match found.unwrap() {
            castmeter::journal::Found::Entry(entry) => entry.record.kind,
            castmeter::journal::Found::Damage(damage) => panic!("{damage:?}"),
        });
        found.filter(|found| *found == kind).count()
    };
    use castmeter::journal::RecordKind;
    assert_eq!((kinds(RecordKind::Batch), kinds(RecordKind::Redelivered)), (2, 2));

    let service = setup.start();
    service.wait_for_lines(160);
    // A restart forgets where the first one is, not that there was one.
    post(&service, &body(1));
    assert!(service.stop().success());
    assert_eq!(kinds(RecordKind::Batch), 3);
    let rows = as_counted(&tables(&setup.database_url()).await);
    let expected = counted(&NO_OPTIONS, &all_bodies(2));
    let fate = |rows: &[String], fate: &str| {
        let row = rows.iter().find_map(|row| row.strip_prefix(&format!("fate|{fate}|")));
        row.unwrap_or("0").split('|').next().unwrap().to_owned()
    };
    assert_eq!(fate(&rows, "ignored|redelivered"), "120");
    assert_eq!(fate(&rows, "valid|"), fate(&expected, "valid|"));
    let days = |rows: &[String]| {
        rows.iter().filter(|row| row.starts_with("episode_day")).cloned().collect::<Vec<_>>()
    };
    assert!(!days(&rows).is_empty());
    assert_same(&days(&rows), &days(&expected));
}

/// With the store away too, lines count by the rules of the configuration they came under.
#[tokio::test(flavor = "multi_thread")]
async fn rules_hold_for_the_lines_that_came_under_them() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new(folder.path());
    let bot = |listener| line(listener, 0, "Googlebot/2.1 (+http://www.google.com/bot.html)").into_bytes();
    let service = setup.start();
    post(&service, &bot(1));
    assert!(service.stop().success());
    let lenient = Setup {
        config: "[counting]\nfilters_off = [\"bot\"]\n".to_owned(),
        database_url: Some(NO_DATABASE.to_owned()),
        ..Setup::new(folder.path())
    };
    let service = lenient.start();
    post(&service, &bot(2));
    post(&service, &bot(3));
    drop(service);
    let service = setup.start();
    post(&service, &bot(4));
    assert!(service.stop().success());
    let rows = as_counted(&tables(&setup.database_url()).await);
    let fates: Vec<&str> = rows.iter().filter_map(|row| row.strip_prefix("fate|")).collect();
    assert_eq!(fates, ["ignored|bot|2|1200000", "valid||2|1200000"]);
}
