//! The machine's clock stepping forth and back under load.
//!
//! `libfaketime` answers the service when it asks for the time; the monotonic clock it leaves alone, as a step does.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use castmeter::journal::inspect;
use castmeter::units::Timestamp;

use crate::numbers::{Numbers, fresh_seed};
use crate::stage::{Stage, Store};
use crate::traffic::Shape;

/// Just behind the last of the generated lines, so that days would close if they went by the clock.
const BEHIND_THE_LINES: &str = "@2026-01-08 00:00:00";
const A_YEAR_AHEAD: &str = "@2027-01-08 00:00:00";
const A_YEAR_AHEAD_SECONDS: i64 = 1_799_366_400;

#[test]
fn a_clock_that_steps_closes_no_day() {
    let mut stage = Stage::new(Store::Sqlite, Shape::SUSTAINED, &mut Numbers::new(fresh_seed()));
    // Ids are forgotten by the clock, and a day's step makes them old.
    stage.setup.config.insert_str(0, "redelivery_window = \"1000d\"\n");
    let clock = stage.setup.folder.join("clock");
    let set = |time: &str| {
        // All at once: the service may be reading it.
        fs::write(clock.with_extension("new"), time).unwrap();
        fs::rename(clock.with_extension("new"), &clock).unwrap();
    };
    set(BEHIND_THE_LINES);
    let environment = [
        ("LD_PRELOAD", library()),
        ("FAKETIME_TIMESTAMP_FILE", clock.clone().into()),
        ("FAKETIME_NO_CACHE", "1".into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ("TZ", "UTC".into()),
    ];
    stage.setup.environment.extend(environment);
    let mut service = stage.start();
    // Not further back: a line from more than 24 hours ahead of the clock has no usable time.
    let steps =
        ["@2026-01-08 20:00:00", "@2026-01-07 04:00:00", "@2026-01-08 20:00:00", "@2026-01-07 10:00:00"];
    for (part, time) in (1..).zip(steps) {
        stage.load.go_on_to(part, 7);
        stage.load.wait_for_more(20);
        set(time);
        stage.load.wait_for_more(20);
        drop(service);
        stage.load.aim(None);
        service = stage.start();
    }
    for (part, time) in [(5, A_YEAR_AHEAD), (6, BEHIND_THE_LINES)] {
        stage.load.go_on_to(part, 7);
        stage.load.wait_for_more(20);
        set(time);
        stage.load.wait_for_more(20);
    }
    let journal = inspect::list(&stage.journal()).unwrap().expect("there is a journal");
    let newest = journal.segments.iter().filter_map(|segment| segment.newest).max();
    assert!(
        newest > Timestamp::from_seconds(A_YEAR_AHEAD_SECONDS),
        "the service did not see the clock: {newest:?}"
    );
    let report = stage.end(service);
    report.expect_clean("clock steps");
}

/// Where libfaketime is; fetched if need be.
fn library() -> OsString {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(Command::new(root.join("tests/tools.sh")).status().unwrap().success(), "tests/tools.sh");
    let folders =
        fs::read_dir(root.join("target/tools/usr/lib")).unwrap().map(|folder| folder.unwrap().path());
    let mut libraries = folders.map(|folder| folder.join("faketime/libfaketime.so.1"));
    libraries.find(|path| path.exists()).expect("tests/tools.sh fetches it").into()
}
