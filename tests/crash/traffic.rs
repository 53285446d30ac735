//! Generated traffic with request ids, cut into batches, and the catalogue that goes with it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use castmeter::generate::{self, Options};
use castmeter::units::UtcDay;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::counted::{counted, counted_hours};
use crate::numbers::Numbers;

/// What a batch of lines is sent as, and what its sender does when no answer comes.
pub struct Batch {
    /// Whole lines.
    pub lines: Vec<u8>,
    /// As it is sent, each time the same bytes.
    pub body: Vec<u8>,
    pub gzip: bool,
    /// Never sent again: then all of it or nothing must be counted.
    pub abandoned_unanswered: bool,
}

impl Batch {
    fn new(lines: &[&[u8]], numbers: &mut Numbers) -> Self {
        let lines = lines.concat();
        let gzip = numbers.once_in(2);
        let body = if gzip {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&lines).unwrap();
            encoder.finish().unwrap()
        } else {
            lines.clone()
        };
        Self { lines, body, gzip, abandoned_unanswered: numbers.once_in(4) }
    }
}

/// What traffic there is to be.
#[derive(Clone, Copy)]
pub struct Shape {
    pub lines: u64,
    /// What each sender waits after an answer, so that there is load for longer.
    pub pause: Duration,
    /// Some of the lines go over syslog.
    pub with_stream: bool,
    /// The catalogue changes, and has an episode more from some time on. No day closes.
    pub with_changes: bool,
}

impl Shape {
    /// Enough lines for a second or two over HTTP, and a catalogue that stays.
    pub const SUSTAINED: Self =
        Self { lines: 25_000, pause: Duration::from_millis(20), with_stream: false, with_changes: false };
}

/// The traffic of a run.
pub struct Traffic {
    /// In the order of the lines.
    pub batches: Vec<Batch>,
    /// Requests for the episode that is not in the catalogue at first.
    pub newcomer: Vec<Batch>,
    /// Lines for a syslog connection.
    pub stream: Vec<u8>,
    /// None of the machine's other services takes lines with it.
    pub token: String,
    pub shape: Shape,
    feeds: String,
    catalog: Mutex<Catalog>,
}

struct Catalog {
    path: PathBuf,
    rows: Vec<csv::StringRecord>,
    /// Still to be added.
    newcomer: Option<csv::StringRecord>,
}

const NEWCOMER: &str = "newcomer";

impl Traffic {
    /// Writes the catalogue to a file in `folder`.
    pub fn generate(folder: &Path, shape: Shape, numbers: &mut Numbers) -> Self {
        let options = |lines, episodes, shows, seed| Options {
            lines,
            seed,
            episodes,
            shows,
            listeners: 4_000,
            start: UtcDay(20_458).start(), // 2026-01-05
            ..Options::default()
        };
        let usual = options(shape.lines, 60, 12, numbers.next());
        let lines = lines_of(&usual);
        let lines: Vec<&[u8]> = lines.split_inclusive(|byte| *byte == b'\n').collect();
        let (stream, posted): (Vec<_>, Vec<_>) =
            lines.chunks(50).enumerate().partition(|(at, _)| shape.with_stream && at % 10 == 9);
        let posted: Vec<&[u8]> = posted.into_iter().flat_map(|(_, lines)| lines).copied().collect();

        let new = options(if shape.with_changes { 600 } else { 0 }, 1, 1, numbers.next());
        let show = |text: &str| text.replace("ledger", NEWCOMER);
        let new_lines = show(&String::from_utf8(lines_of(&new)).expect("generated lines are UTF-8"));
        let new_lines: Vec<&[u8]> = new_lines.as_bytes().split_inclusive(|byte| *byte == b'\n').collect();
        let newcomer = rows_of(&new).pop().map(|row| row.iter().map(show).collect());

        let mut feeds = generate::feeds(&usual);
        feeds.push(format!("/podcast/{NEWCOMER}/feed"));
        let catalog = Catalog { path: folder.join("catalog.csv"), rows: rows_of(&usual), newcomer };
        catalog.write();
        Self {
            batches: cut(&posted, numbers),
            newcomer: cut(&new_lines, numbers),
            stream: stream.into_iter().flat_map(|(_, lines)| lines.concat()).collect(),
            token: format!("token-{:016x}-", numbers.next()),
            shape,
            feeds: feeds.join(","),
            catalog: Mutex::new(catalog),
        }
    }

    /// For the service's configuration.
    pub fn config(&self) -> String {
        let catalog = self.catalog.lock().unwrap().path.display().to_string();
        let feeds: Vec<&str> = self.feeds.split(',').collect();
        let (token, lateness) = (&self.token, if self.shape.with_changes { "1000h" } else { "24h" });
        format!(
            "catalog = {catalog:?}\ncatalog_refresh_interval = \"100ms\"\nfeeds = {feeds:?}\ntoken = {token:?}\n\
             lateness = \"{lateness}\"\n[http]\nsource = \"cdn\"\n[syslog]\nsource = \"cdn-syslog\"\n"
        )
    }

    /// An episode's file has another size and duration from now on.
    pub fn change_catalog(&self, numbers: &mut Numbers) {
        let mut catalog = self.catalog.lock().unwrap();
        let at = numbers.within(0..=catalog.rows.len() - 1);
        let share = numbers.within(70..=140) as u64;
        let scale = |text: &str| text.parse().map_or(text.to_owned(), |n: u64| (n * share / 100).to_string());
        let change = |(column, text): (usize, &str)| {
            if matches!(column, 3 | 4) { scale(text) } else { text.to_owned() }
        };
        catalog.rows[at] = catalog.rows[at].iter().enumerate().map(change).collect();
        catalog.write();
    }

    /// The episode that was not in the catalogue is in it from now on.
    pub fn add_newcomer(&self) {
        let mut catalog = self.catalog.lock().unwrap();
        let newcomer = catalog.newcomer.take();
        catalog.rows.extend(newcomer);
        catalog.write();
    }

    pub fn all_batches(&self) -> impl Iterator<Item = &Batch> {
        self.batches.iter().chain(&self.newcomer)
    }

    /// What `count` says of lines by the catalogue as it stands.
    pub fn counted(&self, lines: &[u8]) -> Vec<String> {
        counted(&self.options(), lines)
    }

    /// The same for downloads by the hour.
    pub fn counted_hours(&self, lines: &[u8]) -> Vec<String> {
        counted_hours(&self.options(), lines)
    }

    fn options(&self) -> [String; 4] {
        let catalog = self.catalog.lock().unwrap().path.display().to_string();
        ["--catalog".to_owned(), catalog, "--feeds".to_owned(), self.feeds.clone()]
    }
}

impl Catalog {
    /// All at once, as an operator should.
    fn write(&self) {
        let written = self.path.with_extension("new");
        let mut table = csv::Writer::from_path(&written).unwrap();
        table.write_record(HEADER).unwrap();
        self.rows.iter().for_each(|row| table.write_record(row).unwrap());
        table.flush().unwrap();
        fs::rename(&written, &self.path).unwrap();
    }
}

const HEADER: [&str; 7] = ["show", "episode", "path", "bytes", "duration_s", "published_at", "audio_start"];

fn lines_of(options: &Options) -> Vec<u8> {
    let mut lines = Vec::new();
    generate::write_lines(options, &mut lines).unwrap();
    lines
}

fn rows_of(options: &Options) -> Vec<csv::StringRecord> {
    let mut table = Vec::new();
    generate::write_catalog(options, &mut table).unwrap();
    let mut table = csv::Reader::from_reader(&table[..]);
    assert_eq!(*table.headers().unwrap(), HEADER[..]);
    table.records().map(Result::unwrap).collect()
}

/// Batches of 2 to 80 lines: the same line twice, as Fastly sends it now and then, must not be two batches of the same
/// bytes.
fn cut(lines: &[&[u8]], numbers: &mut Numbers) -> Vec<Batch> {
    let mut batches = Vec::new();
    let mut left = lines;
    while !left.is_empty() {
        let taken = numbers.within(2..=80);
        let (taken, rest) = left.split_at(if taken + 2 > left.len() { left.len() } else { taken });
        batches.push(Batch::new(taken, numbers));
        left = rest;
    }
    batches
}
