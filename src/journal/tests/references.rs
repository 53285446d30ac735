//! What a restart and references to earlier records keep from being dropped.

use super::*;
use crate::journal::{JournalError, Redelivery};

fn bounded() -> Settings {
    Settings { segment_bytes: ByteCount(5000), max_bytes: ByteCount(64 << 10), ..settings() }
}

async fn fill(journal: &Journal<Value>, records: usize) {
    for _ in 0..records {
        journal.writer.append(batch(0, vec![1; 4000]), 0).await.unwrap();
    }
}

async fn refer(journal: &Journal<Value>, first: u64) -> Result<JournalPosition, JournalError> {
    let payload = Redelivery { first: JournalPosition(first), digest: [7; 32] }.to_payload();
    journal.writer.append(Record { kind: RecordKind::Redelivered, ..batch(0, payload) }, 0).await
}

#[tokio::test]
async fn what_a_restart_needs_stays_though_it_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), Settings { keep: Duration::from_secs(60), ..bounded() });
    fill(&journal, 15).await;
    journal.writer.need_from(JournalPosition(2)).unwrap();
    journal.writer.set_committed(JournalPosition(15)).unwrap();
    journal.writer.maintain(Timestamp::from_seconds(1_000).unwrap()).await.unwrap();
    let status = journal.writer.status();
    assert_eq!((status.first, status.committed), (JournalPosition(2), JournalPosition(15)));
    assert_eq!(journal.writer.kept_from(), JournalPosition(2));
    journal.writer.need_from(JournalPosition(u64::MAX)).unwrap();
    journal.writer.maintain(Timestamp::from_seconds(1_000).unwrap()).await.unwrap();
    assert_eq!(journal.writer.status().first, JournalPosition(15));
    assert_eq!(journal.writer.kept_from(), JournalPosition(15));
}

#[tokio::test]
async fn what_a_reference_needs_stays_until_the_reference_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), bounded());
    fill(&journal, 6).await;
    let at = refer(&journal, 2).await.unwrap();
    journal.writer.set_committed(at).unwrap();
    fill(&journal, 9).await;
    assert_eq!(journal.writer.status().first, JournalPosition(0), "there was room for all");
    fill(&journal, 2).await;
    // Dropped to make room, as far as the reference lets them.
    assert_eq!(journal.writer.status().first, JournalPosition(2));
    assert!(matches!(journal.writer.append(batch(0, vec![1; 4000]), 0).await, Err(JournalError::Full(_))));
    assert_eq!(journal.reader.read_at(JournalPosition(2)).unwrap().unwrap().record.payload.len(), 4000);

    journal.writer.set_committed(at.next()).unwrap();
    fill(&journal, 1).await;
    assert_eq!(journal.writer.status().first, JournalPosition(3));
    assert_eq!(journal.reader.read_at(JournalPosition(2)).unwrap(), None);
}

#[tokio::test]
async fn a_reference_of_an_earlier_process_holds_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), bounded());
    fill(&journal, 6).await;
    let at = refer(&journal, 2).await.unwrap();
    journal.writer.close().await;
    let journal = open(folder.path(), bounded());
    journal.writer.note_reference(at, JournalPosition(2)).unwrap();
    journal.writer.set_committed(at).unwrap();
    fill(&journal, 11).await;
    assert_eq!(journal.writer.status().first, JournalPosition(2));
}

#[tokio::test]
async fn a_reference_to_what_is_gone_or_never_was_is_sent_back() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), bounded());
    fill(&journal, 4).await;
    journal.writer.set_committed(JournalPosition(4)).unwrap();
    fill(&journal, 13).await;
    let first = journal.writer.status().first;
    assert!(first > JournalPosition(0));
    let next = journal.writer.status().next;
    for gone in [0, first.0 - 1, next.0] {
        assert!(
            matches!(refer(&journal, gone).await, Err(JournalError::FirstGone { first }) if first.0 == gone)
        );
    }
    assert_eq!(refer(&journal, first.0).await.unwrap(), next, "those sent back took no position");
}
