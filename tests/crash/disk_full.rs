//! The disk full under load: senders are asked to come back, the operator is told, and all goes on by itself.

use std::fs;

use crate::judge::judge_tables;
use crate::numbers::{Numbers, fresh_seed};
use crate::small_disk::SmallDisk;
use crate::stage::{Stage, Store, now};
use crate::tables::tables;
use crate::traffic::Shape;

/// The journal leaves 256 MiB free.
const MEBIBYTES: u32 = 320;

/// With SQLite, which is on the same disk.
#[test]
fn a_full_disk_loses_nothing_and_recovers() {
    let mut stage = Stage::new(Store::Sqlite, Shape::SUSTAINED, &mut Numbers::new(fresh_seed()));
    let data = stage.setup.data();
    fs::create_dir(&data).unwrap();
    let Some(disk) = SmallDisk::mount(&data, MEBIBYTES) else { return };
    stage.setup.through = disk.through();
    let service = stage.start();
    service.wait_until_ready();
    let ballast = data.join("ballast");
    for part in 1..=3 {
        stage.load.go_on_to(2 * part - 1, 7);
        stage.load.wait_for_more(40);
        disk.fill(&ballast);
        // Perhaps there are none in between by now.
        stage.load.go_on_to(2 * part, 7);
        stage.load.wait_for_refusal();
        assert_eq!(service.metric("castmeter_journal_full"), 1.0);
        let (status, why) = service.get(service.admin, "/readyz");
        assert!(status == 503 && why.contains("the journal is full"), "{status} {why}");

        fs::remove_file(disk.seen(&ballast)).unwrap();
        service.wait_until_ready();
        assert_eq!(service.metric("castmeter_journal_full"), 0.0);
    }
    let (ended, outcome) = stage.drain(service);
    assert!(outcome.refused > 0);
    // SQLite does not find its way through `/proc`.
    let copy = ended.setup.folder.join("copy");
    fs::create_dir(&copy).unwrap();
    for file in fs::read_dir(disk.seen(&data)).unwrap().map(Result::unwrap) {
        if file.file_type().unwrap().is_file() {
            fs::copy(file.path(), copy.join(file.file_name())).unwrap();
        }
    }
    let tables = now(tables(&format!("sqlite:{}", copy.join("castmeter.sqlite").display())));
    // Not by the journal: committed batches have given way.
    let report = judge_tables(&ended.traffic, &outcome, &tables);
    report.expect_clean("disk full");
}
