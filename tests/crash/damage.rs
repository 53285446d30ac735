//! Bytes of a stopped service's files gone bad: what they held is lost, is told and kept aside, and nothing else.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use crate::counted::{as_counted, assert_same};
use crate::load::{AHEAD, Sent};
use crate::numbers::{Numbers, fresh_seed};
use crate::service::{Service, wait_for};
use crate::stage::{Stage, Store, now};
use crate::tables::tables;
use crate::traffic::Shape;

#[test]
fn a_flipped_byte_of_the_journal_costs_its_batch() {
    // Whether or not the batch was committed before.
    for is_committed in [true, false] {
        let mut numbers = Numbers::new(fresh_seed());
        let mut stage = Stage::new(Store::Sqlite, Shape { lines: 5_000, ..Shape::SUSTAINED }, &mut numbers);
        if !is_committed {
            stage.setup.config.push_str("[store]\nflush_interval = \"1h\"\n");
        }
        let service = stage.start();
        service.wait_until_ready();
        stage.load.wait_for_answers(usize::MAX);
        if is_committed {
            assert!(service.stop().success());
        } else {
            drop(service);
        }

        if is_committed {
            // Else nobody would read it again.
            fs::remove_dir_all(stage.setup.data().join("state")).unwrap();
        }
        // The journal's last record would be taken for one that a crash has torn.
        let bad = numbers.within(0..=stage.traffic.batches.len() - 1 - AHEAD);
        let (segment, offset) = find(&stage.journal(), &stage.traffic.batches[bad].body);
        let mut bytes = fs::read(&segment).unwrap();
        let at = offset + numbers.within(0..=stage.traffic.batches[bad].body.len() - 1);
        bytes[at] ^= 1 << numbers.within(0..=7);
        fs::write(&segment, bytes).unwrap();

        let service = stage.start();
        service.wait_until_ready();
        wait_for("the damage to be told", || service.metric("castmeter_journal_damages_total") == 1.0);
        let aside: Vec<_> = fs::read_dir(stage.journal().join("aside")).unwrap().collect();
        assert_eq!(aside.len(), 1, "{aside:?}");
        let (ended, outcome) = stage.drain(service);
        assert!(outcome.sent.iter().all(|sent| *sent == Sent::Acknowledged));

        let is_left = |(index, _): &(usize, _)| is_committed || *index != bad;
        let left = ended.traffic.batches.iter().enumerate().filter(is_left);
        let lines: Vec<u8> = left.flat_map(|(_, batch)| batch.lines.clone()).collect();
        let found = now(tables(&ended.setup.database_url()));
        assert_same(&as_counted(&found), &ended.traffic.counted(&lines));
    }
}

/// Each time the files of the state are broken in another way; the journal has what is needed.
#[test]
fn broken_state_snapshots_cost_only_time() {
    type Break = fn(&Path);
    let truncate: Break = |file| {
        let file = OpenOptions::new().write(true).open(file).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    };
    let flip: Break = |file| {
        let mut bytes = fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(file, bytes).unwrap();
    };
    let empty: Break = |file| fs::write(file, b"").unwrap();

    let mut stage = Stage::new(Store::Sqlite, Shape::SUSTAINED, &mut Numbers::new(fresh_seed()));
    stage.setup.config.push_str("[store]\nflush_interval = \"5ms\"\n[state]\nsnapshot_interval = \"50ms\"\n");
    let ways = [(truncate, 1), (flip, 1), (empty, 1), (truncate, 2), (flip, 2)];
    let mut broken = BTreeSet::new();
    for (part, (spoil, files)) in (1..).zip(ways) {
        stage.load.go_on_to(part, ways.len() + 1);
        let service = start_past(&broken, &stage);
        stage.load.wait_for_more(60);
        wait_for("a new state", || newest_states(&stage, 1).is_disjoint(&broken));
        // Killed and stopped in turns: the newest state is behind the journal, or at its end.
        if part % 2 == 0 {
            drop(service);
        } else {
            assert!(service.stop().success());
        }
        stage.load.aim(None);
        // A bit that is flipped twice is as it was.
        let newest = &newest_states(&stage, files) - &broken;
        newest.iter().for_each(|state| spoil(state));
        broken.extend(newest);
    }
    let service = start_past(&broken, &stage);
    let report = stage.end(service);
    report.expect_clean("states broken");
}

/// Starts the service, which must tell of the newest states that they are broken.
fn start_past(broken: &BTreeSet<PathBuf>, stage: &Stage) -> Service {
    let newest = newest_states(stage, 2);
    let service = stage.start();
    service.wait_until_ready();
    let is_told = |state: &&PathBuf| {
        let told = service.logged("a state snapshot is passed over");
        told.iter().any(|fields| fields["path"] == *state.to_str().unwrap())
    };
    let newest_broken: Vec<_> = newest.iter().rev().take_while(|state| broken.contains(*state)).collect();
    wait_for(&format!("word of {newest_broken:?}"), || newest_broken.iter().all(is_told));
    service
}

fn newest_states(stage: &Stage, files: usize) -> BTreeSet<PathBuf> {
    // There is no folder before the first state.
    let listed = fs::read_dir(stage.setup.data().join("state")).into_iter().flatten();
    let mut states: Vec<_> = listed.map(|file| file.unwrap().path()).collect();
    states.retain(|path| path.extension().is_some_and(|it| it == "snapshot"));
    states.sort();
    states.into_iter().rev().take(files).collect()
}

/// The segment that holds these bytes, and where.
fn find(journal: &Path, body: &[u8]) -> (PathBuf, usize) {
    let files = fs::read_dir(journal).unwrap().map(|file| file.unwrap().path());
    let mut segments = files.filter(|path| path.extension().is_some_and(|it| it == "segment"));
    segments
        .find_map(|path| {
            let at = memchr::memmem::find(&fs::read(&path).unwrap(), body)?;
            Some((path, at))
        })
        .expect("the batch is in the journal")
}
