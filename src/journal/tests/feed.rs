//! The feed and readers: every record once, in order, whoever is fast or slow.

use super::*;
use crate::journal::{Fed, Feed};

/// Where each record came from, in the order given out: (position, handed over or not).
fn drain(feed: &mut Feed<Value>) -> Vec<(u64, Option<Value>)> {
    let fed = std::iter::from_fn(|| feed.next_now()).map(|fed| match fed.unwrap() {
        Fed::Live { position, value } => (position.0, Some(value)),
        Fed::Stored(entry) => (entry.position.0, None),
        Fed::Damage(damage) => panic!("{damage:?}"),
    });
    fed.collect()
}

async fn append(journal: &Journal<Value>, values: std::ops::Range<Value>) {
    for value in values {
        journal.writer.append(batch(0, value.to_string()), value).await.unwrap();
    }
}

/// Waits until the journal's thread has handed on what it answered.
async fn settle(journal: &Journal<Value>) {
    let next = journal.writer.status().next.0;
    while journal.feed.offered() < next {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_finds_no_room_in_memory_is_read_back_in_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path(), Settings { handoff_batches: 3, ..settings() });
    append(&journal, 0..8).await;
    settle(&journal).await;
    let expected = (0..8).map(|n| (n, (n < 3).then_some(n as Value))).collect::<Vec<_>>();
    assert_eq!(drain(&mut journal.feed), expected);
    append(&journal, 8..10).await;
    settle(&journal).await;
    assert_eq!(drain(&mut journal.feed), [(8, Some(8)), (9, Some(9))]);
    assert_eq!(journal.feed.position(), JournalPosition(10));
}

#[tokio::test]
async fn replay_and_the_live_stream_are_one_sequence() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), Settings { segment_bytes: ByteCount(4096), ..settings() });
    for value in 0..20 {
        journal.writer.append(batch(0, vec![0; 1000]), value).await.unwrap();
    }
    journal.writer.close().await;

    let mut again = open(folder.path(), Settings { handoff_batches: 2, ..settings() });
    again.feed.start_at(JournalPosition(5));
    append(&again, 20..24).await;
    settle(&again).await;
    let mut expected = (5..20).map(|n| (n, None)).collect::<Vec<_>>();
    expected.extend([(20, Some(20)), (21, Some(21)), (22, None), (23, None)]);
    assert_eq!(drain(&mut again.feed), expected);
}

#[tokio::test]
async fn what_is_covered_is_left_out_in_memory_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path(), settings());
    append(&journal, 0..4).await;
    settle(&journal).await;
    journal.feed.start_at(JournalPosition(2));
    assert_eq!(drain(&mut journal.feed), [(2, Some(2)), (3, Some(3))]);
}

#[tokio::test]
async fn the_feed_waits_for_more_and_ends_with_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), Settings { handoff_batches: 1, ..settings() });
    let Journal { writer, mut feed, .. } = journal;
    let counting = std::thread::spawn(move || {
        let mut positions = Vec::new();
        while let Some(fed) = feed.blocking_next() {
            match fed.unwrap() {
                Fed::Live { position, .. } => positions.push(position.0),
                Fed::Stored(entry) => positions.push(entry.position.0),
                Fed::Damage(damage) => panic!("{damage:?}"),
            }
        }
        positions
    });
    for value in 0..50 {
        writer.append(batch(0, "x"), value).await.unwrap();
    }
    writer.close().await;
    assert_eq!(counting.join().unwrap(), (0..50).collect::<Vec<_>>());
}

#[tokio::test]
async fn positions_after_a_lost_end_go_on_behind_the_stores() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path(), settings());
    append(&journal, 0..2).await;
    journal.writer.skip_to(JournalPosition(10)).unwrap();
    append(&journal, 2..3).await;
    journal.writer.skip_to(JournalPosition(4)).unwrap();
    append(&journal, 3..4).await;
    settle(&journal).await;
    let expected = [(0, Some(0)), (1, Some(1)), (10, Some(2)), (11, Some(3))];
    assert_eq!(drain(&mut journal.feed), expected);
    assert_eq!(contents(&journal.reader).iter().map(|(n, _)| *n).collect::<Vec<_>>(), [0, 1, 10, 11]);
    journal.writer.close().await;
    let mut again = open(folder.path(), settings());
    assert_eq!(drain(&mut again.feed), [(0, None), (1, None), (10, None), (11, None)]);
}

/// Readers follow eight appenders and see whole records in order, and never more than is durable.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_follow_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path(), Settings { segment_bytes: ByteCount(8192), ..settings() });
    let reader = journal.reader.clone();
    let following = std::thread::spawn(move || {
        let mut cursor = reader.read_from(JournalPosition::START);
        let mut seen = Vec::new();
        while seen.len() < 400 {
            match cursor.next() {
                Some(found) => seen.extend(record_of(found.unwrap())),
                None => std::thread::yield_now(),
            }
        }
        seen
    });
    let appenders = (0_u32..8).map(|appender| {
        let writer = journal.writer.clone();
        tokio::spawn(async move {
            let mut placed = Vec::new();
            for number in 0_u32..50 {
                let payload = Bytes::from(format!("{appender}/{number}").repeat(40));
                let position = writer.append(batch(0, payload.clone()), 0).await.unwrap();
                placed.push((position.0, payload));
            }
            placed
        })
    });
    let mut expected = Vec::new();
    for appender in appenders.collect::<Vec<_>>() {
        let placed = appender.await.unwrap();
        assert!(placed.is_sorted(), "an appender's records keep their order");
        expected.extend(placed);
    }
    expected.sort();
    assert_eq!(following.join().unwrap(), expected);
    assert_eq!(contents(&journal.reader), expected);
}
