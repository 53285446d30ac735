//! Crashes and bad disks: whatever happens to the files, what is intact comes back in order, nothing else does, and
//! no position is given out twice.

use std::fs;
use std::ops::Range;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::journal::{Damage, Flaw, OpenReport};

/// A journal of records in small segments, closed in order.
struct Written {
    folder: tempfile::TempDir,
    payloads: Vec<Bytes>,
    /// Where each record lies: its file and its bytes there.
    places: Vec<(PathBuf, Range<u64>)>,
}

/// What came back after the journal was opened again.
struct Reopened {
    report: OpenReport,
    records: Vec<(u64, Bytes)>,
    damages: Vec<Damage>,
    /// The position a record got that was appended after that, before and after one more start.
    appended: u64,
    records_after: Vec<(u64, Bytes)>,
}

fn small_segments() -> Settings {
    Settings { segment_bytes: ByteCount(4096), ..settings() }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

fn write(payloads: Vec<Bytes>) -> Written {
    write_with(small_segments(), payloads)
}

fn write_with(settings: Settings, payloads: Vec<Bytes>) -> Written {
    let folder = quick_folder();
    runtime().block_on(async {
        let journal = open(folder.path(), settings);
        let mut tickets = Vec::new();
        for payload in &payloads {
            tickets.push(journal.writer.submit(batch(0, payload.clone()), 0).await.unwrap());
        }
        for ticket in tickets {
            ticket.await.unwrap();
        }
        journal.writer.close().await;
    });
    let mut places: Vec<(PathBuf, Range<u64>)> = Vec::new();
    for (position, payload) in payloads.iter().enumerate() {
        let own = folder.path().join(format!("{position:020}.segment"));
        let (path, start) = match places.last() {
            Some((path, last)) if !own.exists() => (path.clone(), last.end),
            _ => (own, 64),
        };
        places.push((path, start..start + 46 + payload.len() as u64));
    }
    Written { folder, payloads, places }
}

fn reopen(written: &Written) -> Reopened {
    let folder = written.folder.path();
    runtime().block_on(async {
        let journal = open(folder, small_segments());
        let (records, damages) = split(read(&journal.reader, 0));
        let appended = journal.writer.append(batch(0, "new"), 0).await.unwrap().0;
        let counted = journal.writer.status();
        assert_eq!(split(read(&journal.reader, 0)).1, damages, "told again, but counted once");
        assert_eq!(counted.damages, damages.len() as u64);
        assert_eq!(counted.lost_records, damages.iter().map(|damage| damage.lost).sum::<u64>());
        assert_eq!(journal.writer.status().lost_records, counted.lost_records);
        journal.writer.close().await;
        let again = open(folder, small_segments());
        let (records_after, _) = split(read(&again.reader, 0));
        again.writer.close().await;
        Reopened { report: journal.report, records, damages, appended, records_after }
    })
}

fn split(found: Vec<Found>) -> (Vec<(u64, Bytes)>, Vec<Damage>) {
    let mut damages = Vec::new();
    let mut records = Vec::new();
    for found in found {
        match found {
            Found::Damage(damage) => damages.push(damage),
            Found::Entry(entry) => records.push((entry.position.0, entry.record.payload)),
        }
    }
    (records, damages)
}

impl Written {
    /// The records that lie outside of these bytes of a file.
    fn outside(&self, file: &Path, bytes: &Range<u64>) -> Vec<(u64, Bytes)> {
        let untouched = |(path, place): &(PathBuf, Range<u64>)| {
            path != file || place.end <= bytes.start || bytes.end <= place.start
        };
        let kept =
            self.places.iter().zip(&self.payloads).enumerate().filter(|(_, (place, _))| untouched(place));
        kept.map(|(position, (_, payload))| (position as u64, payload.clone())).collect()
    }

    fn last_file(&self) -> &Path {
        &self.places.last().unwrap().0
    }

    /// A file and an offset in it, chosen by a number out of all bytes of the journal.
    fn byte(&self, choice: usize) -> (PathBuf, u64) {
        let mut files = segments(self.folder.path());
        files.push("journal.id".to_owned());
        let paths = files.iter().map(|name| self.folder.path().join(name));
        let sizes = paths.map(|path| (fs::metadata(&path).unwrap().len(), path)).collect::<Vec<_>>();
        let mut offset = choice as u64 % sizes.iter().map(|(size, _)| size).sum::<u64>();
        for (size, path) in sizes {
            if offset < size {
                return (path, offset);
            }
            offset -= size;
        }
        unreachable!("the offset is below the sum of the sizes")
    }

    /// Overwrites bytes of a file; those beyond its end are left out. Returns what changed.
    fn overwrite(&self, file: &Path, offset: u64, bytes: &[u8]) -> Range<u64> {
        let mut content = fs::read(file).unwrap();
        let start = usize::try_from(offset).unwrap();
        let end = content.len().min(start + bytes.len());
        content[start..end].copy_from_slice(&bytes[..end - start]);
        fs::write(file, content).unwrap();
        offset..end as u64
    }
}

impl Reopened {
    /// What must hold after any mishap: `intact` came back, as it was, and what is new stands behind.
    fn check(&self, written: &Written, intact: &[(u64, Bytes)]) {
        let genuine = |(position, payload): &(u64, Bytes)| {
            written.payloads.get(usize::try_from(*position).unwrap()) == Some(payload)
        };
        assert!(self.records.iter().all(genuine), "only what was appended comes back");
        assert!(self.records.is_sorted_by_key(|(position, _)| *position));
        let missing = intact.iter().filter(|record| !self.records.contains(record)).collect::<Vec<_>>();
        assert!(missing.is_empty(), "intact, but not read: {missing:?}");
        let mut after = self.records.clone();
        after.push((self.appended, Bytes::from("new")));
        assert_eq!(self.records_after, after);
    }
}

fn payloads() -> impl Strategy<Value = Vec<Bytes>> {
    let sizes = prop_oneof![3 => 0_usize..80, 2 => 80_usize..1500, 1 => 1500_usize..9000];
    let payload = (sizes, any::<u8>()).prop_map(|(size, byte)| Bytes::from(vec![byte; size]));
    prop::collection::vec(payload, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// A crash: the last file ends anywhere.
    #[test]
    fn a_torn_tail_is_cut(payloads in payloads(), choice: prop::sample::Index) {
        let written = write(payloads);
        let file = written.last_file().to_owned();
        let length = fs::metadata(&file).unwrap().len();
        let cut = choice.index(usize::try_from(length).unwrap() + 1) as u64;
        fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(cut).unwrap();

        let reopened = reopen(&written);
        let intact = written.outside(&file, &(cut..length));
        reopened.check(&written, &intact);
        assert_eq!(reopened.records, intact);
        assert_eq!(reopened.damages, []);
        let ends = written.places.iter().filter(|(path, _)| *path == file).map(|(_, place)| place.end);
        let at_a_boundary = cut == 0 || cut == 64 || cut == length || ends.into_iter().any(|end| end == cut);
        assert_eq!(reopened.report.cuts.is_empty(), at_a_boundary, "{:?}", reopened.report.cuts);
    }

    /// A bad disk: one bit of any file is another.
    #[test]
    fn a_flipped_bit_costs_one_record_at_most(payloads in payloads(), choice: usize, bit in 0_u8..8) {
        let written = write(payloads);
        let (file, offset) = written.byte(choice);
        let was = fs::read(&file).unwrap()[usize::try_from(offset).unwrap()];
        let changed = written.overwrite(&file, offset, &[was ^ (1 << bit)]);

        let reopened = reopen(&written);
        let intact = written.outside(&file, &changed);
        reopened.check(&written, &intact);
        assert_eq!(reopened.records, intact, "and the one that was hit is not given out");
        assert!(reopened.appended >= written.payloads.len() as u64, "no position twice");
        let lost = written.payloads.len() - intact.len();
        let cut = reopened.report.cuts.len();
        assert_eq!(reopened.damages.iter().map(|damage| damage.lost).sum::<u64>() + cut as u64, lost as u64);
    }

    /// A worse disk: a stretch of anything anywhere.
    #[test]
    fn a_bad_stretch_costs_what_it_hits(
        payloads in payloads(),
        choice: usize,
        garbage in prop_oneof![
            prop::collection::vec(any::<u8>(), 1..3000),
            (1_usize..3000).prop_map(|length| vec![0; length]),
        ],
    ) {
        let written = write(payloads);
        let (file, offset) = written.byte(choice);
        let changed = written.overwrite(&file, offset, &garbage);
        let reopened = reopen(&written);
        reopened.check(&written, &written.outside(&file, &changed));
        assert!(reopened.appended >= written.payloads.len() as u64, "no position twice");
    }
}

#[test]
fn damage_is_told_counted_and_kept_aside() {
    let payloads = [2000, 10, 2000, 20, 30].map(|size| Bytes::from(vec![b'x'; size]));
    // One at a time, so that segments are cut between records and not between groups.
    let each_alone = Settings { sync_interval: Duration::ZERO, ..small_segments() };
    let written = write_with(each_alone, payloads.to_vec());
    let first = written.places[0].0.clone();
    // Record 1 in its payload, 3's head in the second segment.
    written.overwrite(&first, written.places[1].1.end - 1, b"?");
    let second = written.places[2].0.clone();
    assert_ne!(first, second);
    written.overwrite(&second, written.places[3].1.start + 9, b"?");

    let expected = |position: usize, segment: u64, flaw| {
        let place = &written.places[position].1;
        Damage {
            segment: JournalPosition(segment),
            offset: place.start,
            bytes: place.end - place.start,
            flaw,
            lost: 1,
        }
    };
    let reopened = reopen(&written);
    assert_eq!(reopened.damages, [expected(1, 0, Flaw::Body), expected(3, 2, Flaw::Head)]);
    assert_eq!(reopened.report.damages, [expected(3, 2, Flaw::Head)], "of the last segment only");
    assert_eq!(reopened.records.iter().map(|(position, _)| *position).collect::<Vec<_>>(), [0, 2, 4]);
    for damage in &reopened.damages {
        let name = format!("{:020}-{}.damaged", damage.segment.0, damage.offset);
        let kept = fs::read(written.folder.path().join("aside").join(name)).unwrap();
        assert_eq!(kept.len() as u64, damage.bytes);
    }
}

#[test]
fn the_next_record_is_found_however_far_away() {
    // The search goes in strides of 1 MiB; the next record's marker lies across the end of the first.
    for before in [0, 1, 4, 7, 8] {
        let size = (1 << 20) + 1 - 46 - before;
        let written = write_with(settings(), vec![Bytes::from(vec![0; size]), Bytes::from("next")]);
        written.overwrite(written.last_file(), written.places[0].1.start + 8, b"?");
        let found = reopen(&written).records.iter().map(|(position, _)| *position).collect::<Vec<_>>();
        assert_eq!(found, [1], "{before} bytes before the end of a stride");
    }
}

#[tokio::test]
async fn a_reader_goes_on_behind_damage_at_the_very_end() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Arc::new(Gate::default());
    gate.set_open(true);
    let journal = open(folder.path(), Settings { faults: Some(gate.clone()), ..settings() });
    for payload in ["one", "two"] {
        journal.writer.append(batch(0, payload), 0).await.unwrap();
    }
    let file = folder.path().join(&segments(folder.path())[0]);
    let disk = fs::OpenOptions::new().write(true).open(&file).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&disk, b"?", 64 + 49 + 5).unwrap();

    // A third one is written, but not durable yet.
    gate.set_open(false);
    let third = journal.writer.submit(batch(0, "three"), 0).await.unwrap();
    gate.reached().await;
    let mut cursor = journal.reader.read_from(JournalPosition::START);
    let seen = split(cursor.by_ref().map(Result::unwrap).collect());
    assert_eq!((seen.0, seen.1.len(), seen.1[0].lost), (vec![(0, Bytes::from("one"))], 1, 1));
    gate.set_open(true);
    assert_eq!(third.await.unwrap(), JournalPosition(2));
    let seen = split(cursor.by_ref().map(Result::unwrap).collect());
    assert_eq!(seen.0, [(2, Bytes::from("three"))]);
}

#[test]
fn a_payload_cannot_pass_for_a_record() {
    let inner = write(vec![Bytes::from("forged")]);
    let forged = fs::read(inner.last_file()).unwrap().split_off(64);
    let written = write(vec![Bytes::from("before"), Bytes::from(forged), Bytes::from("after")]);
    let file = written.last_file().to_owned();
    // With its head damaged, the search for the next record runs through the payload.
    written.overwrite(&file, written.places[1].1.start, b"########");
    let reopened = reopen(&written);
    assert_eq!(reopened.records, [(0, Bytes::from("before")), (2, Bytes::from("after"))]);
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let written = write(vec![Bytes::from("x")]);
    let mut head = fs::read(written.last_file()).unwrap();
    head[8] = 2;
    let checksum = crc32c::crc32c(&head[..60]);
    head[60..64].copy_from_slice(&checksum.to_le_bytes());
    fs::write(written.last_file(), head).unwrap();
    let Err(error) = Journal::<Value>::open(written.folder.path(), settings()) else { panic!("opened") };
    assert!(
        error
            .to_string()
            .ends_with("has the journal format 2, this release reads up to 1: run the newer release")
    );
}

#[test]
fn an_identity_lost_is_restored_from_a_segment_or_refused() {
    let written = write(vec![Bytes::from("x")]);
    let id = written.folder.path().join("journal.id");
    let before = fs::read(&id).unwrap();
    fs::remove_file(&id).unwrap();
    assert_eq!(reopen(&written).records, [(0, Bytes::from("x"))]);
    assert_eq!(fs::read(&id).unwrap(), before);

    fs::write(&id, b"").unwrap();
    for name in segments(written.folder.path()) {
        // A byte that is zero in every head; those of the id are random, and may be any.
        written.overwrite(&written.folder.path().join(name), 44, b"?");
    }
    let Err(error) = Journal::<Value>::open(written.folder.path(), settings()) else { panic!("opened") };
    assert!(error.to_string().contains("restore journal.id"), "{error}");
}
