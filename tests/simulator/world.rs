//! A simulated world: senders, a service that crashes and starts again, a disk and a store that fail, a clock that
//! jumps. Everything that happens follows from the seed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use castmeter::attribution::{Episode, Window};
use castmeter::clock::Clock;
use castmeter::config::{Config, Counting};
use castmeter::journal;
use castmeter::service::rules::Rules;
use castmeter::store::{self, Store};
use castmeter::units::{ByteCount, JournalPosition, Timestamp};
use tempfile::TempDir;

use crate::canary::Canary;
use crate::clock::WorldClock;
use crate::database::{CommitFaults, Tables};
use crate::dice::Dice;
use crate::disk::SimulatedDisk;
use crate::figures::Figures;
use crate::ledger::{Catalogue, Ledger};
use crate::plain::{ASSUMED_BYTES_OF_A_MINUTE, EPISODES, MONDAY};
use crate::process::{Committer, Process, Setup};
use crate::reference;
use crate::sender::Sender;

/// What has to hold, or what did not.
pub type Checked<T = ()> = Result<T, String>;

/// What happened, step by step; outlives a world that panics.
pub type Trace = Arc<Mutex<Vec<String>>>;

pub struct World {
    pub dice: Dice,
    pub trace: Trace,
    pub figures: Figures,
    pub canary: Option<Canary>,
    pub counting: reference::Rules,
    pub clock: Arc<WorldClock>,
    pub disk: Arc<SimulatedDisk>,
    pub commits: Arc<CommitFaults>,
    pub ledger: Ledger,
    pub sender: Sender,
    /// What the operator's files say now.
    pub catalogue: Catalogue,
    pub process: Option<Process>,
    pub zombie: Option<Zombie>,
    /// The database file as it was once, and how far it had come.
    pub backup: Option<(Vec<u8>, JournalPosition)>,
    /// The furthest the store has been seen.
    pub committed: JournalPosition,
    /// Rules that were in force at the start are not noted yet.
    pub are_rules_due: bool,
    /// The journal keeps little, or has to give way: only with snapshots can counting go on from what remains.
    pub is_tight: bool,
    rules: Rules,
    journal: journal::Settings,
    snapshot_interval: Duration,
    folder: TempDir,
}

/// A process that has lost its journal to another and does not know it yet.
pub struct Zombie {
    pub committer: Committer,
    pub store: Store,
}

impl World {
    pub fn new(seed: u64, canary: Option<Canary>, trace: Trace) -> Self {
        let mut dice = Dice::new(seed);
        let closes = dice.percent(30);
        let window = if closes { Window::Calendar } else { dice.pick(&Window::ALL) };
        let redelivery_window = Duration::from_secs(3_600 * dice.between(1, 5));
        let lateness =
            if closes { Duration::from_secs(6 * 3_600) } else { Duration::from_secs(400 * 86_400) };
        // Some are published while the world runs.
        let published_minute =
            EPISODES.map(|_| if dice.percent(70) { -100_000 } else { dice.below(2_000) as i64 });
        let counting = reference::Rules {
            window,
            lateness: closes.then_some(lateness),
            redelivery_window,
            published_minute,
        };
        let config = Config {
            counting: Counting {
                window: window.name().to_owned(),
                assumed_bitrate: (ASSUMED_BYTES_OF_A_MINUTE / 60 * 8) as u32,
                ..Counting::default()
            },
            feeds: vec!["/night/feed".to_owned()],
            lateness,
            redelivery_window,
            ..Config::default()
        };
        let disk = Arc::new(SimulatedDisk::new(canary == Some(Canary::AnsweredBeforeDurable)));
        let is_tight = dice.percent(50);
        let journal = journal::Settings {
            // Not zero: what waits shares an fsync. So short that it is always due.
            sync_interval: Duration::from_nanos(1),
            segment_bytes: ByteCount(dice.between(4, 40) << 10),
            keep: if is_tight { Duration::from_secs(3_600) } else { Duration::from_secs(1_000 * 86_400) },
            min_free_bytes: ByteCount::ZERO,
            handoff_batches: dice.between(1, 20) as usize,
            faults: Some(disk.clone()),
            ..journal::Settings::default()
        };
        let mut catalogue: Vec<_> = EPISODES.iter().copied().enumerate().collect();
        catalogue.retain(|_| dice.percent(70));
        Self {
            trace,
            figures: Figures { seeds: 1, ..Figures::default() },
            canary,
            counting,
            clock: Arc::new(WorldClock::starting_at(MONDAY + 2 * 3_600 + dice.below(36 * 3_600) as i64)),
            disk,
            commits: Arc::default(),
            ledger: Ledger::default(),
            sender: Sender::new(closes),
            catalogue: Catalogue(catalogue),
            process: None,
            zombie: None,
            backup: None,
            committed: JournalPosition::START,
            are_rules_due: false,
            is_tight,
            snapshot_interval: Duration::from_secs(dice.between(1, 3_600)),
            rules: Rules::read(&config, Some(Vec::new())).expect("the configuration is right"),
            journal,
            folder: tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder"),
            dice,
        }
    }

    /// Adds to the trace. The folder has another name each time, so it is left out.
    pub fn say(&self, what: impl Into<String>) {
        let now = self.clock.now().to_utc().format("%a %H:%M:%S");
        let what = what.into().replace(&*self.folder.path().to_string_lossy(), "FOLDER");
        self.trace.lock().expect("no panic while held").push(format!("{now} {what}"));
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn setup(&self, store: Store) -> Setup {
        Setup {
            journal_folder: self.folder.path().join("journal"),
            states: self.folder.path().join("state"),
            journal: self.journal.clone(),
            snapshot_interval: self.snapshot_interval,
            redelivery_window: self.counting.redelivery_window,
            rules: self.service_rules(),
            store,
            clock: Arc::clone(&self.clock),
        }
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("castmeter.sqlite")
    }

    pub fn open_store(&self, file: &Path) -> Store {
        let settings = store::Settings { faults: Some(self.commits.clone()), ..store::Settings::default() };
        Store::open(&format!("sqlite:{}", file.display()), settings).expect("nobody else has it")
    }

    /// The rules as they are read from the configuration and the catalogue now.
    pub fn service_rules(&self) -> Rules {
        let published =
            |at: usize| Timestamp::from_seconds(MONDAY + 3_600 + self.counting.published_minute[at] * 60);
        let episodes = self.catalogue.0.iter().map(|(at, file)| Episode {
            show: "night".to_owned(),
            show_title: String::new(),
            slug: file.slug.to_owned(),
            title: String::new(),
            path: format!("/night/{}.mp3", file.slug),
            host: None,
            size: file.size,
            duration_ms: file.duration_ms,
            audio_start: file.audio_start,
            published_at: published(*at),
            chapters: None,
        });
        let mut rules = self.rules.clone();
        rules.catalog = Some(episodes.collect());
        rules
    }

    /// How far the store is. It never goes back, is never ahead of the journal, and has taken in exactly the lines
    /// that lie before.
    pub async fn check_store(&mut self) -> Checked {
        if !is_file(&self.database()) {
            return Ok(());
        }
        let mut tables = Tables::open(&self.database()).await;
        let (position, lines) = tables.position_and_lines().await;
        tables.close().await;
        if position < self.committed {
            return Err(format!("the store went back from {} to {position}", self.committed));
        }
        self.committed = position;
        if let Some(process) = &self.process {
            let end = process.journal.status().next;
            if position > end {
                return Err(format!("the store is at {position}, the journal ends at {end}"));
            }
        }
        let expected = self.ledger.lines_before(position);
        if lines != expected {
            return Err(format!("{lines} lines in the store, {expected} in the journal before {position}"));
        }
        Ok(())
    }

    /// The tables are the reference's, to the last number.
    pub async fn check_tables(&mut self) -> Checked {
        let mut tables = Tables::open(&self.database()).await;
        let (position, _) = tables.position_and_lines().await;
        let found = tables.rows().await;
        tables.close().await;
        let expected = reference::tables(self.counting, &self.ledger.journalled(position));
        match reference::difference(&found, &expected) {
            Some(difference) => Err(format!("the tables at {position}: {difference}")),
            None => {
                self.figures.comparisons += 1;
                Ok(())
            }
        }
    }
}

pub fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.len() > 0)
}
