//! Appending, reading back, opening again, sharing an fsync.

use super::*;
use crate::journal::{Entry, JournalError};

#[tokio::test]
async fn what_was_appended_is_read_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), settings());
    let records = [
        batch(10, "one"),
        Record { kind: RecordKind::Rules, source: "".into(), encoding: Encoding::Identity, ..batch(11, "") },
        Record { source: "ü".repeat(127).into(), encoding: Encoding::Zstd, ..batch(-5, vec![0; 70_000]) },
    ];
    for (index, record) in records.iter().enumerate() {
        let position = journal.writer.append(record.clone(), 0).await.unwrap();
        assert_eq!(position, JournalPosition(index as u64));
    }
    let expected = |range: std::ops::Range<usize>| {
        let entry =
            |index: usize| Entry { position: JournalPosition(index as u64), record: records[index].clone() };
        range.map(|index| Found::Entry(entry(index))).collect::<Vec<_>>()
    };
    assert_eq!(read(&journal.reader, 0), expected(0..3));
    assert_eq!(read(&journal.reader, 2), expected(2..3));
    assert_eq!(read(&journal.reader, 3), []);

    journal.writer.close().await;
    let again = open(folder.path(), settings());
    assert_eq!((again.report.next, again.report.first), (JournalPosition(3), JournalPosition(0)));
    assert_eq!((again.report.cuts.len(), again.report.damages.len()), (0, 0));
    assert_eq!(again.report.id, journal.report.id);
    assert_eq!(again.writer.append(batch(12, "four"), 0).await.unwrap(), JournalPosition(3));
    assert_eq!(read(&again.reader, 0)[..3], expected(0..3));
    assert_eq!(contents(&again.reader)[3], (3, Bytes::from("four")));
}

#[tokio::test]
async fn segments_are_closed_before_they_grow_too_large() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { segment_bytes: ByteCount(10_000), ..settings() };
    let journal = open(folder.path(), settings);
    for _ in 0..9 {
        journal.writer.append(batch(0, vec![7; 3000]), 0).await.unwrap();
    }
    journal.writer.append(batch(0, vec![7; 20_000]), 0).await.unwrap();
    let expected = [0, 3, 6, 9].map(|first| format!("{first:020}.segment"));
    assert_eq!(segments(folder.path()), expected);
    assert_eq!(contents(&journal.reader).len(), 10);
    assert_eq!(journal.writer.status().segments, 4);
    let files = segments(folder.path());
    let on_disk = files.iter().map(|name| std::fs::metadata(folder.path().join(name)).unwrap().len()).sum();
    assert_eq!(journal.writer.status().bytes, ByteCount(on_disk));
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), Settings { max_bytes: ByteCount(100_000), ..settings() });
    let too_large = journal.writer.append(batch(0, vec![0; 50_001]), 0).await.unwrap_err();
    assert!(matches!(too_large, JournalError::TooLarge { bound: ByteCount(50_000), .. }), "{too_large}");
    let record = Record { source: "x".repeat(256).into(), ..batch(0, "") };
    let too_long = journal.writer.append(record, 0).await.unwrap_err();
    assert!(matches!(too_long, JournalError::SourceTooLong { bytes: 256 }), "{too_long}");
    journal.writer.close().await;
    assert!(matches!(journal.writer.append(batch(0, ""), 0).await, Err(JournalError::Closed)));
    assert!(!journal.writer.status().running);
}

#[tokio::test]
async fn one_process_writes() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), settings());
    let Err(error) = Journal::<Value>::open(folder.path(), settings()) else { panic!("opened twice") };
    assert!(matches!(error, JournalError::InUse { .. }), "{error}");
    journal.writer.close().await;
    open(folder.path(), settings());
}

async fn syncs_for_a_hundred_at_once(sync_interval: Duration) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let gate = Arc::new(Gate::default());
    let journal = open(folder.path(), Settings { sync_interval, faults: Some(gate.clone()), ..settings() });
    let mut tickets = Vec::new();
    for number in 0..100 {
        tickets.push(journal.writer.submit(batch(0, number.to_string()), 0).await.unwrap());
    }
    gate.reached().await;
    assert_eq!(journal.writer.status().next, JournalPosition::START, "nothing is durable before its fsync");
    assert_eq!(contents(&journal.reader), [], "and nothing can be read");
    gate.set_open(true);
    for (number, ticket) in tickets.into_iter().enumerate() {
        assert_eq!(ticket.await.unwrap(), JournalPosition(number as u64));
    }
    let payloads = contents(&journal.reader).into_iter().map(|(_, payload)| payload);
    assert!(payloads.eq((0..100).map(|number| Bytes::from(number.to_string()))));
    journal.writer.status().syncs
}

#[tokio::test]
async fn all_that_wait_share_an_fsync() {
    let syncs = syncs_for_a_hundred_at_once(Duration::from_millis(5)).await;
    assert!((1..=2).contains(&syncs), "{syncs} fsyncs: one for what came first, one for what came meanwhile");
}

#[tokio::test]
async fn without_an_interval_each_batch_has_its_own_fsync() {
    assert_eq!(syncs_for_a_hundred_at_once(Duration::ZERO).await, 100);
}
