//! What may go, when it goes, and what happens when nothing may.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::journal::{FullReason, JournalError, Operation, Status, Verdict, Writer};

const HOUR: i64 = 3600;

/// Segments of two records each, a day's retention.
fn two_a_segment() -> Settings {
    Settings { segment_bytes: ByteCount(5000), keep: Duration::from_secs(86_400), ..settings() }
}

/// Appends a record of 2,000 bytes received at that hour.
async fn append_at(journal: &Journal<Value>, hour: i64) -> Result<JournalPosition, JournalError> {
    journal.writer.append(batch(hour * HOUR, vec![1; 2000]), 0).await
}

async fn maintain(journal: &Journal<Value>, hour: i64) {
    journal.writer.maintain(Timestamp::from_seconds(hour * HOUR).unwrap()).await.unwrap();
}

/// Waits for what the journal does by itself.
async fn wait_until(writer: &Writer<Value>, is_so: impl Fn(&Status) -> bool) {
    let began = super::super::status::moment();
    while !is_so(&writer.status()) {
        assert!(began.elapsed() < Duration::from_secs(60), "never so: {:?}", writer.status());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn first_positions(folder: &Path) -> Vec<u64> {
    segments(folder).iter().map(|name| name[..20].parse().unwrap()).collect()
}

#[tokio::test]
async fn only_what_is_committed_and_old_goes() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), two_a_segment());
    for hour in 0..8 {
        append_at(&journal, hour).await.unwrap();
    }
    // (committed, now, what is held); the newest of segment 2 is of hour 3.
    let table: [(u64, i64, &[u64]); 7] = [
        (0, 1000, &[0, 2, 4, 6]),
        (1, 1000, &[0, 2, 4, 6]),
        (3, 24, &[0, 2, 4, 6]),
        (3, 25, &[2, 4, 6]),
        (3, 1000, &[2, 4, 6]),
        (5, 26, &[2, 4, 6]),
        (5, 27, &[4, 6]),
    ];
    for (committed, now, held) in table {
        journal.writer.set_committed(JournalPosition(committed)).unwrap();
        maintain(&journal, now).await;
        assert_eq!(first_positions(folder.path()), held, "committed {committed}, hour {now}");
        assert_eq!(journal.writer.status().first.0, held[0]);
    }
    assert_eq!(contents(&journal.reader).iter().map(|(n, _)| *n).collect::<Vec<_>>(), [4, 5, 6, 7]);
}

#[tokio::test]
async fn nothing_is_committed_in_advance() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), two_a_segment());
    journal.writer.set_committed(JournalPosition(100)).unwrap();
    append_at(&journal, 0).await.unwrap();
    maintain(&journal, 1000).await;
    assert_eq!(contents(&journal.reader).len(), 1);
    assert_eq!(journal.writer.status().committed, JournalPosition(0));
}

#[tokio::test]
async fn ages_are_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), two_a_segment());
    for hour in 0..6 {
        append_at(&journal, hour).await.unwrap();
    }
    journal.writer.close().await;
    let journal = open(folder.path(), two_a_segment());
    maintain(&journal, 1000).await;
    assert_eq!(first_positions(folder.path()), [0, 2, 4], "nothing goes before it is said what is committed");
    journal.writer.set_committed(JournalPosition(6)).unwrap();
    // A segment is taken to be as old as the next one's first record, the last is known: hours 2, 4 and 5.
    for (now, held) in [(25, &[0, 2, 4][..]), (26, &[2, 4]), (28, &[4]), (29, &[])] {
        maintain(&journal, now).await;
        assert_eq!(first_positions(folder.path()), held, "hour {now}");
    }
}

#[tokio::test]
async fn a_quiet_journal_keeps_nothing_too_long_and_still_knows_its_position() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), two_a_segment());
    append_at(&journal, 0).await.unwrap();
    journal.writer.set_committed(JournalPosition(1)).unwrap();
    maintain(&journal, 23).await;
    assert_eq!(first_positions(folder.path()), [0]);
    maintain(&journal, 24).await;
    assert_eq!(first_positions(folder.path()), [0_u64; 0]);
    let status = journal.writer.status();
    assert_eq!((status.bytes, status.segments, status.first), (ByteCount::ZERO, 0, JournalPosition(1)));
    journal.writer.close().await;

    let again = open(folder.path(), two_a_segment());
    assert_eq!(again.report.next, JournalPosition(1));
    assert_eq!(append_at(&again, 30).await.unwrap(), JournalPosition(1));
}

#[tokio::test]
async fn a_reader_goes_on_behind_what_was_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path(), Settings { handoff_batches: 1, ..two_a_segment() });
    for hour in 0..6 {
        append_at(&journal, hour).await.unwrap();
    }
    let mut cursor = journal.reader.read_from(JournalPosition(0));
    assert_eq!(record_of(cursor.next().unwrap().unwrap()).unwrap().0, 0);
    journal.writer.set_committed(JournalPosition(4)).unwrap();
    maintain(&journal, 1000).await;
    let rest = cursor.map(|found| record_of(found.unwrap()).unwrap().0);
    assert!([4, 5].into_iter().eq(rest.filter(|position| *position != 1)), "1 may still be in an open file");
    let fed = std::iter::from_fn(|| journal.feed.next_now()).count();
    assert_eq!(fed, 3, "the feed had the first in memory, then 4 and 5");
}

#[tokio::test]
async fn a_feed_that_waits_holds_no_file_that_was_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path(), Settings { handoff_batches: 1, ..two_a_segment() });
    for _ in 0..2 {
        append_at(&journal, 0).await.unwrap();
    }
    for _ in 0..2 {
        journal.feed.next().await.unwrap().unwrap();
    }
    assert!(tokio::time::timeout(Duration::ZERO, journal.feed.next()).await.is_err(), "nothing more");
    journal.writer.set_committed(JournalPosition(2)).unwrap();
    maintain(&journal, 1000).await;
    assert_eq!(first_positions(folder.path()), [0_u64; 0]);
    let open_files = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = open_files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    let held =
        targets.filter(|target| target.starts_with(folder.path()) && !target.ends_with("journal.lock"));
    assert_eq!(held.collect::<Vec<_>>(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn a_disk_without_space_for_a_note_is_full_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), two_a_segment());
    append_at(&journal, 0).await.unwrap();
    journal.writer.close().await;
    let no_space = |operation: Operation, _: &Path| match operation {
        Operation::Create => Verdict::Fail(ErrorKind::StorageFull),
        _ => Verdict::Proceed,
    };
    let journal = open(folder.path(), Settings { faults: Some(Arc::new(no_space)), ..two_a_segment() });
    journal.writer.set_committed(JournalPosition(1)).unwrap();
    let refused = append_at(&journal, 1).await.unwrap_err();
    assert!(matches!(refused, JournalError::Full(FullReason::Disk)), "{refused}");
    assert_eq!(contents(&journal.reader).len(), 1);
}

#[tokio::test]
async fn the_bound_is_kept_and_what_is_not_committed_stays() {
    let folder = tempfile::tempdir().unwrap();
    let bound = Settings::LEAST_MAX_BYTES;
    let journal = open(folder.path(), Settings { max_bytes: bound, ..two_a_segment() });
    let mut appended = 0;
    let refused = loop {
        match append_at(&journal, 0).await {
            Ok(position) => appended = position.0 + 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, JournalError::Full(FullReason::Bound)), "{refused}");
    let status = journal.writer.status();
    assert_eq!((status.full, status.refused, status.next.0), (Some(FullReason::Bound), 1, appended));
    assert!(status.bytes <= bound && status.bytes.0 + 2200 > bound.0, "{status:?}");
    assert_eq!(contents(&journal.reader).len() as u64, appended, "nothing went");

    // As soon as something is committed there is room, without anyone appending.
    journal.writer.set_committed(JournalPosition(2)).unwrap();
    wait_until(&journal.writer, |status| status.full.is_none()).await;
    assert_eq!(append_at(&journal, 0).await.unwrap(), JournalPosition(appended));
    assert_eq!(first_positions(folder.path())[0], 2);

    // All committed, however young: the journal never fills up.
    for _ in 0..100 {
        let position = append_at(&journal, 0).await.unwrap();
        journal.writer.set_committed(position.next()).unwrap();
        assert!(journal.writer.status().bytes <= bound);
    }
}

/// After some records, one kind of operation says that there is no space, then there is again.
async fn full_and_recovered(before: u64, operation: fn(Operation) -> bool, reason: FullReason) {
    let folder = tempfile::tempdir().unwrap();
    let no_space = Arc::new(AtomicBool::new(false));
    let faulty = no_space.clone();
    let faults = move |found: Operation, path: &Path| {
        let is_segment = path.extension().is_some_and(|extension| extension == "segment");
        match faulty.load(Ordering::SeqCst)
            && operation(found)
            && (is_segment || found == Operation::FreeSpace)
        {
            true => Verdict::Tear { written: 100, error: ErrorKind::StorageFull },
            false => Verdict::Proceed,
        }
    };
    let journal = open(folder.path(), Settings { faults: Some(Arc::new(faults)), ..two_a_segment() });
    for _ in 0..before {
        append_at(&journal, 0).await.unwrap();
    }
    no_space.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let error = append_at(&journal, 1).await.unwrap_err();
        assert!(matches!(&error, JournalError::Full(found) if *found == reason), "{error}");
    }
    assert_eq!(journal.writer.status().full, Some(reason));
    assert_eq!(contents(&journal.reader).len() as u64, before);

    no_space.store(false, Ordering::SeqCst);
    wait_until(&journal.writer, |status| status.full.is_none()).await;
    assert_eq!(append_at(&journal, 2).await.unwrap(), JournalPosition(before));
    journal.writer.close().await;
    let again = open(folder.path(), settings());
    assert_eq!((again.report.cuts.len(), contents(&again.reader).len() as u64), (0, before + 1));
    assert_eq!(read(&again.reader, 0).len() as u64, before + 1, "and no damage");
}

#[tokio::test]
async fn a_full_disk_recovers() {
    for before in [0, 1, 2] {
        full_and_recovered(before, |found| matches!(found, Operation::Write { .. }), FullReason::Disk).await;
        full_and_recovered(before, |found| found == Operation::Sync, FullReason::Disk).await;
    }
    full_and_recovered(2, |found| found == Operation::Create, FullReason::Disk).await;
}

#[tokio::test]
async fn the_reserve_is_left_free() {
    full_and_recovered(1, |found| found == Operation::FreeSpace, FullReason::Reserve).await;
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), Settings { min_free_bytes: ByteCount(u64::MAX / 2), ..settings() });
    let error = append_at(&journal, 0).await.unwrap_err();
    assert!(matches!(error, JournalError::Full(FullReason::Reserve)), "{error}");
}

#[tokio::test]
async fn a_full_disk_takes_back_what_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let watched = folder.path().to_owned();
    let faults = move |operation: Operation, _: &Path| match operation {
        Operation::Write { bytes } if bytes > 1000 && segments(&watched).len() > 3 => {
            Verdict::Fail(ErrorKind::StorageFull)
        }
        _ => Verdict::Proceed,
    };
    let journal = open(folder.path(), Settings { faults: Some(Arc::new(faults)), ..two_a_segment() });
    for hour in 0..6 {
        append_at(&journal, hour).await.unwrap();
    }
    assert!(matches!(append_at(&journal, 6).await, Err(JournalError::Full(FullReason::Disk))));
    journal.writer.set_committed(JournalPosition(5)).unwrap();
    assert_eq!(append_at(&journal, 6).await.unwrap(), JournalPosition(6));
    assert_eq!(contents(&journal.reader).iter().map(|(n, _)| *n).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn a_full_disk_takes_back_the_segment_being_written_if_all_of_it_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let watched = folder.path().to_owned();
    let faults = move |operation: Operation, _: &Path| match operation {
        Operation::FreeSpace if !segments(&watched).is_empty() => Verdict::Fail(ErrorKind::StorageFull),
        _ => Verdict::Proceed,
    };
    let journal = open(folder.path(), Settings { faults: Some(Arc::new(faults)), ..two_a_segment() });
    append_at(&journal, 0).await.unwrap();
    assert!(matches!(append_at(&journal, 1).await, Err(JournalError::Full(FullReason::Reserve))));
    journal.writer.set_committed(JournalPosition(1)).unwrap();
    assert_eq!(append_at(&journal, 1).await.unwrap(), JournalPosition(1));
    assert_eq!(contents(&journal.reader).iter().map(|(n, _)| *n).collect::<Vec<_>>(), [1]);
}
