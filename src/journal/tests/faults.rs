//! A disk that fails at any point, a process that dies at any point: what was acknowledged is there, nothing twice.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Mutex;

use proptest::prelude::*;

use super::*;
use crate::journal::{Fed, JournalError, Operation, Verdict};

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "segment")
}

/// Lets operations on segments fail by their number, from the first append on.
fn failing(plan: impl Fn(usize, Operation) -> bool + Send + Sync + 'static) -> Settings {
    let number = Mutex::new(0);
    let faults = move |operation: Operation, path: &Path| {
        if !is_segment(path) {
            return Verdict::Proceed;
        }
        let mut number = number.lock().unwrap();
        *number += 1;
        if plan(*number, operation) { Verdict::Fail(ErrorKind::Other) } else { Verdict::Proceed }
    };
    Settings { faults: Some(Arc::new(faults)), ..settings() }
}

async fn append(journal: &Journal<Value>, payload: &'static str) -> Result<u64, JournalError> {
    journal.writer.append(batch(0, payload), 0).await.map(|position| position.0)
}

fn text(contents: &[(u64, Bytes)]) -> Vec<(u64, &str)> {
    contents.iter().map(|(position, payload)| (*position, std::str::from_utf8(payload).unwrap())).collect()
}

#[tokio::test]
async fn a_failed_fsync_is_not_tried_again_on_the_same_file() {
    // Operations: create, file head, first record, its sync, second record (5), its sync (6).
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), failing(|number, _| number == 6));
    assert_eq!(append(&journal, "one").await.unwrap(), 0);
    assert_eq!(append(&journal, "two").await.unwrap(), 1);
    assert_eq!(segments(folder.path()).len(), 2, "the second went to a new file");
    assert_eq!(journal.writer.status().failed_syncs, 1);
    assert_eq!(text(&contents(&journal.reader)), [(0, "one"), (1, "two")]);
    assert_eq!(read(&journal.reader, 0).len(), 2);
}

#[tokio::test]
async fn a_file_that_cannot_be_removed_is_put_aside_when_its_name_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    // Creating succeeds, the file head and the removal fail, all of it twice; then the disk is well again.
    let settings = failing(|number, operation| number <= 6 && operation != Operation::Create);
    let journal = open(folder.path(), settings);
    assert!(matches!(append(&journal, "one").await, Err(JournalError::Io { action: "write to", .. })));
    assert_eq!(append(&journal, "two").await.unwrap(), 0);
    assert_eq!(text(&contents(&journal.reader)), [(0, "two")]);
    assert_eq!(fs::read_dir(folder.path().join("aside")).unwrap().count(), 2);
}

/// The first record's segment refuses everything from its second record's fsync on, its truncation too: what it still
/// holds of that record must never be read, as the record was refused (`again`: or written elsewhere).
async fn stale_bytes(new_segments_fail: bool) -> (tempfile::TempDir, Result<u64, JournalError>) {
    let folder = tempfile::tempdir().unwrap();
    let faults = move |operation: Operation, path: &Path| {
        let first = path.file_name().is_some_and(|name| name == "00000000000000000000.segment");
        let after = fs::metadata(path).is_ok_and(|found| found.len() > 64 + 46 + 3);
        let refuses = matches!(operation, Operation::Sync | Operation::Truncate) && after;
        let none_new = new_segments_fail && is_segment(path) && operation == Operation::Create;
        if first && refuses || !first && none_new {
            Verdict::Fail(ErrorKind::Other)
        } else {
            Verdict::Proceed
        }
    };
    let journal = open(folder.path(), Settings { faults: Some(Arc::new(faults)), ..settings() });
    append(&journal, "one").await.unwrap();
    let second = append(&journal, "two").await;
    let expected = if second.is_ok() { 2 } else { 1 };
    assert_eq!(contents(&journal.reader).len(), expected);
    let old = fs::metadata(folder.path().join("00000000000000000000.segment")).unwrap().len();
    assert_eq!(old, 64 + 2 * (46 + 3), "the old file still holds the second record");
    journal.writer.close().await;
    (folder, second)
}

#[tokio::test]
async fn what_a_failed_segment_still_holds_is_not_read_twice() {
    let (folder, second) = stale_bytes(false).await;
    assert_eq!(second.unwrap(), 1);
    let again = open(folder.path(), settings());
    assert_eq!(text(&contents(&again.reader)), [(0, "one"), (1, "two")]);
    assert_eq!(read(&again.reader, 0).len(), 2);
}

#[tokio::test]
async fn a_record_that_was_refused_comes_back_whole_or_not_at_all() {
    let (folder, second) = stale_bytes(true).await;
    assert!(matches!(second.unwrap_err(), JournalError::Io { action: "create", .. }));
    let again = open(folder.path(), settings());
    assert_eq!(text(&contents(&again.reader)), [(0, "one"), (1, "two")]);
    assert_eq!(append(&again, "three").await.unwrap(), 2);
}

#[tokio::test]
async fn a_full_disk_does_not_keep_the_journal_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), settings());
    append(&journal, "one").await.unwrap();
    append(&journal, "two").await.unwrap();
    journal.writer.close().await;
    let file = folder.path().join(&segments(folder.path())[0]);
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(64 + 49 + 20).unwrap();

    let no_space = |operation: Operation, _: &Path| match operation {
        Operation::Create | Operation::Write { .. } => Verdict::Fail(ErrorKind::StorageFull),
        _ => Verdict::Proceed,
    };
    let full = open(folder.path(), Settings { faults: Some(Arc::new(no_space)), ..settings() });
    assert_eq!(text(&contents(&full.reader)), [(0, "one")]);
    assert!(matches!(append(&full, "three").await, Err(JournalError::Full(_))));
    full.writer.close().await;

    let again = open(folder.path(), settings());
    assert_eq!(again.report.cuts.len(), 1);
    assert_eq!(append(&again, "three").await.unwrap(), 2, "1 may have been given out");
    assert_eq!(text(&contents(&again.reader)), [(0, "one"), (2, "three")]);
}

/// A disk by plan. It remembers what was made durable, to lose the rest in a power failure.
struct PlannedDisk {
    /// What becomes of each operation, by its number; those beyond succeed.
    plan: Vec<Fault>,
    /// From this operation on nothing reaches the disk.
    dies_at: usize,
    state: Mutex<DiskState>,
}

#[derive(Default)]
struct DiskState {
    /// From then on operations are counted and the plan holds.
    begun: bool,
    operations: usize,
    durable: HashMap<PathBuf, u64>,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    None,
    Error,
    NoSpace,
    Torn(u64),
}

impl super::super::Faults for PlannedDisk {
    fn before(&self, operation: Operation, path: &Path) -> Verdict {
        if operation == Operation::FreeSpace {
            return Verdict::Proceed;
        }
        let mut state = self.state.lock().unwrap();
        let number = state.operations;
        state.operations += usize::from(state.begun);
        if state.begun && number >= self.dies_at {
            return Verdict::Fail(ErrorKind::Other);
        }
        let planned = self.plan.get(number).copied().filter(|_| state.begun);
        match planned.unwrap_or(Fault::None) {
            Fault::None => {
                if operation == Operation::Sync && is_segment(path) {
                    state.durable.insert(path.to_owned(), fs::metadata(path).unwrap().len());
                }
                Verdict::Proceed
            }
            Fault::Error => Verdict::Fail(ErrorKind::Other),
            Fault::NoSpace => Verdict::Fail(ErrorKind::StorageFull),
            Fault::Torn(written) => Verdict::Tear { written, error: ErrorKind::StorageFull },
        }
    }
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let fault = prop_oneof![
        8 => Just(Fault::None),
        1 => Just(Fault::Error),
        1 => Just(Fault::NoSpace),
        1 => (0_u64..400).prop_map(Fault::Torn),
    ];
    prop::collection::vec(fault, 0..60)
}

/// What each append was answered: its position and payload, or None.
type Answers = Vec<(Bytes, Option<u64>)>;

/// Appends, some of them at once, while a reader follows.
async fn append_through(journal: &Journal<Value>, payloads: &[(usize, bool)]) -> Answers {
    let mut answers = Vec::new();
    let mut waiting = Vec::new();
    let mut cursor = journal.reader.read_from(JournalPosition::START);
    let mut read = Vec::new();
    for (number, &(size, wait)) in payloads.iter().enumerate() {
        let payload = Bytes::from(vec![number as u8; size]);
        waiting.push((payload.clone(), journal.writer.submit(batch(0, payload), 0).await.unwrap()));
        if wait {
            for (payload, ticket) in waiting.drain(..) {
                answers.push((payload, ticket.await.ok().map(|position| position.0)));
            }
            read.extend(cursor.by_ref().map(|found| record_of(found.unwrap()).expect("no damage")));
            assert_eq!(read, acknowledged(&answers));
        }
    }
    for (payload, ticket) in waiting {
        answers.push((payload, ticket.await.ok().map(|position| position.0)));
    }
    answers
}

fn acknowledged(answers: &Answers) -> Vec<(u64, Bytes)> {
    answers.iter().filter_map(|(payload, position)| Some(((*position)?, payload.clone()))).collect()
}

/// Takes away what was not durable, up to anywhere: how a power failure leaves files.
fn fail_power(folder: &Path, disk: &PlannedDisk, fraction: f64) {
    let state = disk.state.lock().unwrap();
    for name in segments(folder) {
        let path = folder.join(name);
        let length = fs::metadata(&path).unwrap().len();
        let durable = state.durable.get(&path).copied().unwrap_or(0).min(length);
        let kept = durable + ((length - durable) as f64 * fraction) as u64;
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(kept).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn acknowledged_means_kept(
        plan in faults(),
        dies_at in prop_oneof![Just(usize::MAX), 0_usize..80],
        begins_before_opening in prop::bool::weighted(0.1),
        payloads in prop::collection::vec((0_usize..900, any::<bool>()), 1..30),
        power_fails: bool,
        fraction in 0.0..=1.0,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let folder = quick_folder();
        let disk = Arc::new(PlannedDisk { plan, dies_at, state: Mutex::default() });
        disk.state.lock().unwrap().begun = begins_before_opening;
        let small = Settings { segment_bytes: ByteCount(4096), handoff_batches: 2, ..settings() };
        let faulty = Settings { faults: Some(disk.clone()), ..small.clone() };
        let Ok(mut journal) = Journal::<Value>::open(folder.path(), faulty) else {
            // It may refuse a disk that fails, but must not be spoilt by it.
            open(folder.path(), small);
            return Ok(());
        };
        disk.state.lock().unwrap().begun = true;
        let answers = runtime.block_on(append_through(&journal, &payloads));
        let acknowledged = acknowledged(&answers);

        // While it runs exactly what was acknowledged is read, and fed.
        prop_assert_eq!(&contents(&journal.reader), &acknowledged);
        runtime.block_on(journal.writer.close());
        let fed = std::iter::from_fn(|| journal.feed.blocking_next()).map(|fed| match fed.unwrap() {
            Fed::Live { position, .. } => position.0,
            Fed::Stored(entry) => entry.position.0,
            Fed::Damage(damage) => panic!("{damage:?}"),
        });
        prop_assert!(fed.eq(acknowledged.iter().map(|(position, _)| *position)));

        // After a crash that is still there; what failed may be too, each position once.
        if power_fails {
            fail_power(folder.path(), &disk, fraction);
        }
        let again = open(folder.path(), small);
        let kept = contents(&again.reader);
        prop_assert!(acknowledged.iter().all(|record| kept.contains(record)), "{acknowledged:?} in {kept:?}");
        prop_assert!(kept.is_sorted_by(|(earlier, _), (later, _)| earlier < later));
        let appended = |record: &(u64, Bytes)| answers.iter().any(|(payload, _)| *payload == record.1);
        prop_assert!(kept.iter().all(appended));
        let next = again.report.next.0;
        prop_assert!(kept.last().is_none_or(|(last, _)| *last < next));
        prop_assert_eq!(runtime.block_on(append(&again, "new")).unwrap(), next);
        runtime.block_on(again.writer.close());
    }
}
