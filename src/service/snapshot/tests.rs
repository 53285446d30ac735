//! Snapshots' files, which of them are used and kept, and a counter that goes on from one.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::config::Config;
use crate::journal::{self, Entry, Fed, Journal, Record, RecordKind};
use crate::rollup::{Scope, Span};
use crate::service::counter::{Counter, Handoff, Lines, State, Sums};
use crate::service::rules::{RULES_VERSION, Rules};
use crate::units::{Encoding, Timestamp};

const SECRET: Secret = [7; 16];
const DAY: i64 = 86_400;
/// 2026-11-02.
const MONDAY: i64 = 1_793_577_600;

fn identity() -> Identity {
    Identity::new(JournalId([1; 16]), &SECRET)
}

fn head(position: u64) -> Head {
    Head { identity: identity(), rules_version: RULES_VERSION, position: JournalPosition(position) }
}

/// A folder with snapshots of a number each: its position.
fn folder_with(positions: &[u64]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for &position in positions {
        save(folder.path(), &head(position), &position).unwrap();
    }
    folder
}

fn chosen(folder: &Path, identity: Identity, committed: u64) -> (Option<u64>, Vec<String>) {
    let mut passed_over = Vec::new();
    let pass_over = |_: &Path, error: &SnapshotError| passed_over.push(error.to_string());
    let found = choose(folder, identity, JournalPosition(committed), pass_over, |state: u64, _| Ok(state));
    assert!(found.as_ref().is_none_or(|(head, state)| head.position.0 == *state));
    (found.map(|(_, state)| state), passed_over)
}

fn held(folder: &Path) -> Vec<u64> {
    list(folder).unwrap().into_iter().map(|(position, _)| position.0).collect()
}

#[test]
fn the_newest_that_the_store_has_reached() {
    let folder = folder_with(&[5, 90, 1_000]);
    for (committed, expected, passed_over) in
        [(4, None, 3), (5, Some(5), 2), (89, Some(5), 2), (90, Some(90), 1), (5_000, Some(1_000), 0)]
    {
        let (found, notes) = chosen(folder.path(), identity(), committed);
        assert_eq!((found, notes.len()), (expected, passed_over), "{committed}: {notes:?}");
    }
    assert_eq!(newest(folder.path(), identity()), JournalPosition(1_000));
    assert_eq!(newest(&folder.path().join("none"), identity()), JournalPosition::START);
}

#[test]
fn one_of_another_journal_or_secret_is_passed_over() {
    let folder = folder_with(&[5]);
    for (identity, note) in [
        (Identity::new(JournalId([2; 16]), &SECRET), "it is of the journal"),
        (Identity::new(JournalId([1; 16]), &[8; 16]), "it was taken under another secret"),
    ] {
        let (found, notes) = chosen(folder.path(), identity, 9);
        assert_eq!(found, None);
        assert!(notes[0].contains(note), "{notes:?}");
    }
}

/// Whatever happens to its bytes, a snapshot is what was saved or is not used.
#[test]
fn any_damage_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let state: Vec<u64> = (0..40).map(|at| at * 7_777).collect();
    let path = save(folder.path(), &head(3), &state).unwrap();
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(load::<Vec<u64>>(&path, identity()).unwrap(), (head(3), state));
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        for bytes in [&flipped[..], &whole[..at], &[&whole[..], b"x"].concat()] {
            std::fs::write(&path, bytes).unwrap();
            assert!(load::<Vec<u64>>(&path, identity()).is_err(), "{at}");
        }
    }
}

#[test]
fn texts_longer_than_any_buffer_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let state = ("x".repeat(1 << 20), vec![String::new(), "caf\u{e9}".to_owned()], 7_u8);
    let path = save(folder.path(), &head(3), &state).unwrap();
    assert_eq!(load::<(String, Vec<String>, u8)>(&path, identity()).unwrap().1, state);
}

#[test]
fn the_last_two_that_the_store_has_reached_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let second = Duration::from_secs(1);
    std::fs::write(folder.path().join("7.draft"), "half").unwrap();
    let mut keeper = Keeper::new(folder.path().to_owned(), identity(), 10 * second, None, Duration::ZERO);
    assert!(!folder.path().join("7.draft").exists());
    let take = |keeper: &mut Keeper, position, seconds| {
        let (position, now) = (JournalPosition(position), seconds * second);
        let due = keeper.is_due(position, now);
        if due {
            keeper.take(position, &position.0, now).unwrap();
        }
        due
    };
    let (start, behind) = (JournalPosition::START, JournalPosition(99));
    assert!(!take(&mut keeper, start.0, 99), "nothing was counted");
    assert_eq!(keeper.holds_from(behind), Some(start), "a restart would count all of it again");
    assert!(!take(&mut keeper, 5, 9));
    assert!(take(&mut keeper, 5, 10));
    assert_eq!(keeper.holds_from(behind), Some(start), "of what the store has not reached nothing is known");
    assert!(!take(&mut keeper, 8, 99), "one waits for the store");
    keeper.store_reached(JournalPosition(4)).unwrap();
    assert!(!take(&mut keeper, 8, 99));
    keeper.store_reached(JournalPosition(5)).unwrap();
    assert_eq!(keeper.holds_from(behind), Some(JournalPosition(5)));
    assert!(!take(&mut keeper, 5, 99), "nothing came since");
    for (position, seconds, kept, holds_from) in
        [(8, 99, vec![5, 8], 5), (11, 109, vec![8, 11], 8), (12, 119, vec![11, 12], 11)]
    {
        assert!(take(&mut keeper, position, seconds));
        keeper.store_reached(JournalPosition(position)).unwrap();
        assert_eq!(
            (held(folder.path()), keeper.holds_from(behind)),
            (kept, Some(JournalPosition(holds_from)))
        );
    }

    assert_eq!(keeper.holds_from(JournalPosition(12)), Some(JournalPosition(12)), "nothing came since");

    // The next process keeps the two, too.
    let restored = Some(JournalPosition(12));
    let keeper = Keeper::new(folder.path().to_owned(), identity(), second, restored, Duration::ZERO);
    assert_eq!(keeper.holds_from(behind), Some(JournalPosition(11)));
}

#[test]
fn one_that_cannot_be_written_holds_nothing_back() {
    let folder = folder_with(&[5]);
    let (restored, behind) = (Some(JournalPosition(5)), JournalPosition(99));
    let states = folder.path().to_owned();
    let mut keeper = Keeper::new(states, identity(), Duration::ZERO, restored, Duration::ZERO);
    assert_eq!(keeper.holds_from(behind), restored);
    let blocked = folder.path().join(format!("{:020}.snapshot", 9));
    std::fs::create_dir(&blocked).unwrap();
    assert!(keeper.take(JournalPosition(9), &0_u64, Duration::ZERO).is_err());
    assert_eq!(keeper.holds_from(behind), None, "a journal on a full disk has to drop what it can");
    std::fs::remove_dir(&blocked).unwrap();
    keeper.take(JournalPosition(9), &0_u64, Duration::ZERO).unwrap();
    assert_eq!(keeper.holds_from(behind), restored);
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(MONDAY + seconds).unwrap()
}

fn rules(window: &str) -> Rules {
    let mut config = Config { feeds: vec!["/feed".to_owned()], ..Config::default() };
    config.counting.window = window.to_owned();
    Rules::read(&config, None).unwrap()
}

fn line(start: i64, response: &str) -> String {
    let start = MONDAY + start;
    format!(
        r#"{{"v":1,"start_us":{start}000000,"ip":"192.0.2.1","url":"/show/one.mp3","ua":"Pocket Casts","country":"DE","id":"id","body_bytes":600000,{response}}}"#
    )
}

/// What a journal would feed.
fn batch(received: i64, lines: &[String]) -> Fed<Handoff> {
    let body = Bytes::from(lines.join("\n"));
    let handoff = Lines {
        source: "cdn".into(),
        received_at: at(received),
        digest: Some(crate::service::bodies::digest(&body)),
        lines: body,
        tail_is_cut: false,
    };
    Fed::Live { position: JournalPosition::START, value: Handoff::Lines(handoff) }
}

fn stored(position: u64, kind: RecordKind, payload: String) -> Fed<Handoff> {
    let record = Record {
        kind,
        source: "cdn".into(),
        encoding: Encoding::Identity,
        received_at: at(0),
        payload: payload.into(),
    };
    Fed::Stored(Entry { position: JournalPosition(position), record })
}

fn reader(folder: &Path) -> journal::Reader {
    Journal::<Handoff>::open(folder, journal::Settings::default()).unwrap().reader
}

fn new_counter(window: &str, committed: u64, folder: &Path) -> Counter {
    Counter::new(&rules(window), SECRET, JournalPosition(committed), reader(folder)).unwrap()
}

fn feed(counter: &mut Counter, fed: impl IntoIterator<Item = Fed<Handoff>>) {
    for fed in fed {
        let next = counter.position().next();
        counter.count(fed, next).unwrap();
    }
}

/// Lines counted as valid since the last call.
fn valid(counter: &mut Counter) -> i64 {
    let mut given = Sums::default();
    counter.give(&mut given);
    let fates =
        given.delta.fate_days.iter().filter(|((_, _, fate), _)| *fate == crate::attribution::Fate::Valid);
    fates.map(|(_, sum)| sum.requests).sum()
}

/// The layout of a saved state may not change unnoticed: an older release's snapshot would be read as something else.
#[test]
fn a_change_of_layout_is_a_change_of_format() {
    // Each case of each type once, and no table of more than one entry, whose order would be chance.
    let lines = [
        line(0, r#""status":200,"completed":true"#),
        line(1, r#""status":206,"range":"bytes=-700000""#),
        line(2, r#""status":206,"range":"bytes=0-1,5-9""#),
        line(3, r#""status":206,"content_range":"bytes 900000-1200000/2000000""#),
        line(4, r#""status":206,"content_range":"bytes 1300000-1400000/2000000""#),
        line(5, r#""status":206,"content_range":"bytes 1500000-1600000/2000000""#),
        line(DAY, r#""status":206,"range":"bytes=5-""#),
    ];
    let more = r#""country":"DE","region":"BE","pop":"FRA","state":"HIT","referer":"https://go.example/""#;
    // No agent of the table's, which has other numbers in every release; an id that does not come again.
    let mut lines =
        lines.map(|line| line.replace("Pocket Casts", "nobody's").replace(r#""country":"DE""#, more));
    lines[1..].iter_mut().for_each(|line| *line = line.replace(r#""id":"id","#, ""));
    let mut lines = lines.to_vec();
    lines.push(lines[6].replace("/show/one.mp3", "/feed").replace("206", "200"));
    let golden = |window: &str| {
        let folder = tempfile::tempdir().unwrap();
        let mut counter = new_counter(window, 0, folder.path());
        feed(&mut counter, [batch(DAY, &lines)]);
        assert_eq!(valid(&mut counter), 7);
        let bytes = postcard::to_stdvec(&counter.state().without_rules()).unwrap();
        (bytes.len(), blake3::hash(&bytes).to_hex()[..16].to_owned())
    };
    assert_eq!(
        (FORMAT_VERSION, golden("calendar"), golden("last_touch")),
        (4, (793, "ec55f42f7955501b".to_owned()), (979, "3edd69867f61fc24".to_owned())),
        "the layout of the state has changed: raise FORMAT_VERSION if this one was ever released, and write down \
         what it is now"
    );
}

/// A day that is over is saved until the store has its sketch, and has moved on from there.
#[test]
fn listeners_are_saved_until_the_store_keeps_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut number = 0;
    let mut saved_days = |counter: &mut Counter| {
        number += 1;
        let state = postcard::from_bytes(&postcard::to_stdvec(&counter.state()).unwrap()).unwrap();
        let reader = reader(&folder.path().join(number.to_string()));
        let restored = Counter::restore(state, &head(9), SECRET, JournalPosition(9), reader);
        let mut sums = Sums::default();
        restored.unwrap().give_reach(&mut sums);
        sums.reach.keys().filter(|key| key.span == Span::Day && key.scope == Scope::All).count()
    };
    let mut counter = new_counter("calendar", 0, &folder.path().join("own"));
    let mut sums = Sums::default();
    let day = |day: i64| {
        let id = format!(r#""id":"{day}""#);
        batch(day * DAY, &[line(day * DAY, r#""status":200"#).replace(r#""id":"id""#, &id)])
    };
    feed(&mut counter, [day(0), day(9)]);
    counter.give_reach(&mut sums);
    counter.give_reach(&mut sums);
    assert_eq!(saved_days(&mut counter), 2, "nothing is kept");
    let kept = sums.reach.clone();
    sums.reach_is_kept(&kept, counter.position());
    counter.give_reach(&mut sums);
    assert_eq!(saved_days(&mut counter), 2, "a store of before, at the same position, has it not");
    feed(&mut counter, [day(9)]);
    counter.give_reach(&mut sums);
    assert_eq!(saved_days(&mut counter), 1);
}

/// Listeners who come while others are being kept still wait.
#[test]
fn listeners_who_come_meanwhile_wait() {
    let folder = tempfile::tempdir().unwrap();
    let mut counter = new_counter("calendar", 0, folder.path());
    let mut sums = Sums::default();
    feed(&mut counter, [batch(0, &[line(0, r#""status":200"#)])]);
    counter.give_reach(&mut sums);
    let kept = sums.reach.clone();
    let other = line(1, r#""status":200"#).replace("192.0.2.1", "192.0.2.2").replace(r#""id":"id","#, "");
    feed(&mut counter, [batch(1, &[other])]);
    counter.give_reach(&mut sums);
    sums.reach_is_kept(&kept, counter.position());
    assert!(sums.reach.values().all(|sketch| sketch.listeners() == Some(2)));
    assert_eq!(sums.reach.len(), kept.len());
    let kept = sums.reach.clone();
    sums.reach_is_kept(&kept, counter.position());
    assert!(sums.reach.is_empty());
}

#[test]
fn a_counter_goes_on_where_it_was_saved() {
    for window in ["calendar", "first_touch"] {
        let folder = tempfile::tempdir().unwrap();
        let mut original = new_counter(window, 0, &folder.path().join("one"));
        let one = [line(0, r#""status":200"#)];
        feed(&mut original, [batch(0, &one)]);
        let path = save(folder.path(), &head(1), &original.state()).unwrap();
        let (head, state) = load::<State<'static>>(&path, identity()).unwrap();
        let reader = reader(&folder.path().join("two"));
        let mut restored = Counter::restore(state, &head, SECRET, JournalPosition(1), reader).unwrap();
        assert_eq!((restored.position(), restored.is_foreign()), (JournalPosition(1), false));
        assert_eq!(restored.engine().open_sessions(), 1);
        let further = |counter: &mut Counter| {
            counter.give(&mut Sums::default());
            let other = line(60, r#""status":206,"range":"bytes=600000-""#).replace(r#""id":"id","#, "");
            // The same body, the same id, and a request that makes the session a download.
            feed(counter, [batch(1, &one), batch(2, &[line(1, r#""status":200"#)]), batch(3, &[other])]);
            let mut sums = Sums::default();
            counter.give(&mut sums);
            (sums.delta.episode_days, sums.delta.episode_hours, sums.delta.fate_days, sums.sources)
        };
        assert_eq!(further(&mut restored), further(&mut original));
    }
}

/// An episode that only the start's own catalogue has was none when the lines were counted first.
#[test]
fn a_replay_begins_with_the_rules_that_were_noted_first() {
    let folder = tempfile::tempdir().unwrap();
    let with = |episodes: &[&str]| {
        let mut rules = rules("calendar");
        let episode = |slug: &&str| crate::attribution::testing::episode("show", slug, "/show/one.mp3");
        rules.catalog = Some(episodes.iter().map(episode).collect());
        rules
    };
    let (then, now) = (with(&[]), with(&["one"]));
    let mut counter = Counter::new(&now, SECRET, JournalPosition::START, reader(folder.path())).unwrap();
    let one = |id: &str| line(0, r#""status":200"#).replace(r#""id":"id""#, id);
    let records = [
        stored(0, RecordKind::Rules, then.to_text()),
        stored(1, RecordKind::Stream, one(r#""id":"1""#)),
        stored(2, RecordKind::Rules, now.to_text()),
        stored(3, RecordKind::Stream, one(r#""id":"3""#)),
    ];
    let mut counted = Vec::new();
    for record in records {
        feed(&mut counter, [record]);
        counted.push(valid(&mut counter));
    }
    assert_eq!(counted, [0, 0, 0, 1]);
}

/// Committed lines that another version has counted stay as they were counted; what is not committed is counted.
#[test]
fn what_another_version_has_counted_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let body = |position, id: u64| {
        let line = line(0, r#""status":200"#).replace(r#""id":"id""#, &format!(r#""id":"{id}""#));
        stored(position, RecordKind::Batch, line)
    };
    let rules_of = |version: u32, at| {
        let mut rules = rules("calendar");
        rules.version = version;
        stored(at, RecordKind::Rules, rules.to_text())
    };

    // Told by the journal: record 1 is of this version, 3 and 5 are not; 5 is the last that is committed.
    let mut counter = new_counter("calendar", 6, &folder.path().join("one"));
    feed(&mut counter, [rules_of(RULES_VERSION, 0), body(1, 1), rules_of(RULES_VERSION + 1, 2), body(3, 3)]);
    assert!(counter.is_foreign());
    feed(&mut counter, [rules_of(RULES_VERSION + 1, 4), body(5, 5)]);
    assert_eq!((counter.skipped(), valid(&mut counter)), (2, 0));
    // Seen again: of 1 the state knows, of 3 it does not.
    feed(&mut counter, [body(6, 1), body(7, 3), rules_of(RULES_VERSION, 8), body(9, 9)]);
    assert_eq!((counter.skipped(), valid(&mut counter), counter.is_foreign()), (2, 2, false));

    // Told by the snapshot.
    let state = |counter: &mut Counter| postcard::to_stdvec(&counter.state()).unwrap();
    let saved = state(&mut counter);
    let head = Head { rules_version: RULES_VERSION + 1, ..head(10) };
    let read_back = postcard::from_bytes(&saved).unwrap();
    let committed = JournalPosition(12);
    let reader = reader(&folder.path().join("two"));
    let mut counter = Counter::restore(read_back, &head, SECRET, committed, reader).unwrap();
    feed(&mut counter, [body(10, 10), body(11, 11)]);
    assert_eq!((counter.skipped(), counter.is_foreign()), (2, true));
    feed(&mut counter, [body(12, 10), body(13, 1)]);
    assert_eq!(valid(&mut counter), 1, "10 was passed over, 1 is in the state");
}

#[test]
fn a_reference_without_its_first_copy_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut counter = new_counter("calendar", 0, folder.path());
    let payload = journal::Redelivery { first: JournalPosition(3), digest: [0; 32] }.to_payload();
    let Fed::Stored(mut entry) = stored(0, RecordKind::Redelivered, String::new()) else { panic!() };
    entry.record.payload = payload;
    let error = counter.count(Fed::Stored(entry), JournalPosition(1)).unwrap_err();
    assert!(matches!(error, CountError::FirstGone { first: JournalPosition(3) }), "{error}");
    assert_eq!(counter.position(), JournalPosition(1), "and counting goes on");
}
