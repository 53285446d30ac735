//! What an operator sees, beside a running service and after a mishap.

use std::fs;
use std::os::unix::fs::FileExt;

use super::*;
use crate::journal::Flaw;
use crate::journal::inspect::{self, SegmentRow};

/// Three records in two segments, the journal still open.
async fn three_records(folder: &Path) -> Journal<Value> {
    let journal = open(folder, Settings { segment_bytes: ByteCount(4096), ..settings() });
    for (seconds, size) in [(30, 1000), (10, 2000), (20, 3000)] {
        journal.writer.append(batch(seconds, vec![0; size]), 0).await.unwrap();
    }
    journal
}

fn row(positions: std::ops::Range<u64>, payload: u64, (oldest, newest): (i64, i64)) -> SegmentRow {
    SegmentRow {
        first: JournalPosition(positions.start),
        next: JournalPosition(positions.end),
        bytes: ByteCount(64 + payload + 46 * (positions.end - positions.start)),
        records: positions.end - positions.start,
        payload_bytes: ByteCount(payload),
        oldest: Timestamp::from_seconds(oldest),
        newest: Timestamp::from_seconds(newest),
    }
}

#[tokio::test]
async fn a_running_journal_is_listed_read_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    let journal = three_records(folder.path()).await;
    let rows = [row(0..2, 3000, (10, 30)), row(2..3, 3000, (20, 20))];
    let listing = inspect::list(folder.path()).unwrap().unwrap();
    assert_eq!((listing.id, &listing.segments[..]), (journal.report.id, &rows[..]));
    let verified = inspect::verify(folder.path()).unwrap().unwrap();
    assert_eq!((&verified.segments[..], verified.damages, verified.tail), (&rows[..], vec![], None));

    let records = inspect::records(folder.path(), JournalPosition(1)).unwrap().unwrap();
    let found = records.map(|found| record_of(found.unwrap()).unwrap()).collect::<Vec<_>>();
    assert_eq!(found, contents(&journal.reader)[1..]);
}

#[tokio::test]
async fn damage_and_a_torn_tail_are_told_apart_and_nothing_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    three_records(folder.path()).await.writer.close().await;
    let path = |first: u64| folder.path().join(format!("{first:020}.segment"));
    let file = |first| fs::OpenOptions::new().write(true).open(path(first)).unwrap();
    file(0).write_all_at(b"?", 64 + 46 + 1000 + 46 + 7).unwrap();
    file(2).set_len(64 + 46 + 2999).unwrap();
    let before = [fs::read(path(0)).unwrap(), fs::read(path(2)).unwrap()];

    let verified = inspect::verify(folder.path()).unwrap().unwrap();
    let [damage] = verified.damages[..] else { panic!("{:?}", verified.damages) };
    assert_eq!((damage.segment.0, damage.offset, damage.bytes), (0, 64 + 46 + 1000, 46 + 2000));
    assert_eq!((damage.flaw, damage.lost), (Flaw::Body, 1));
    let tail = verified.tail.unwrap();
    assert_eq!((tail.segment.0, tail.offset, tail.bytes, tail.flaw), (2, 64, 46 + 2999, Flaw::Cut));
    assert_eq!(verified.segments.iter().map(|row| row.records).collect::<Vec<_>>(), [1, 0]);
    assert_eq!(
        inspect::list(folder.path()).unwrap().unwrap().segments[0].records,
        2,
        "bodies are not looked at"
    );

    assert_eq!(before, [fs::read(path(0)).unwrap(), fs::read(path(2)).unwrap()]);
    assert!(!folder.path().join("aside").exists());
}

#[test]
fn a_folder_without_a_journal_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(inspect::list(folder.path()).unwrap(), None);
    assert_eq!(inspect::verify(folder.path()).unwrap(), None);
    assert!(inspect::records(folder.path(), JournalPosition::START).unwrap().is_none());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(inspect::list(&folder.path().join("missing")).is_err());
}
