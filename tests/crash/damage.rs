//! Bytes of a stopped service's files gone bad: what they held is lost, is told and kept aside, and nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use crate::counted::{as_counted, assert_same};
use crate::load::Sent;
use crate::numbers::{Numbers, fresh_seed};
use crate::service::wait_for;
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

        let bad = numbers.within(0..=stage.traffic.batches.len() - 1);
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
