//! SIGKILL, over and over, at random instants.

use std::env;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use sqlx::{Connection, SqliteConnection};

use crate::judge::Report;
use crate::numbers::{Numbers, fresh_seed};
use crate::service::{Service, wait_for};
use crate::stage::{Stage, Store, now};
use crate::traffic::Shape;

/// Each round begins with an empty journal and an empty database.
const KILLS_OF_A_ROUND: usize = 25;
const LINES_A_KILL: usize = 1_500;

/// What is broken on purpose, to see that it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// The last batches were acknowledged and are not on the disk, as if they had not been synced.
    JournalEnd,
    /// The sums are in the store and the position is not, as if they were not committed together.
    Position,
}

/// `CRASH_KILLS`, or so many; at least two rounds, for they differ.
pub fn attack(store: Store, kills: usize) -> Report {
    let number = |name| {
        env::var(name).ok().map(|text| text.parse::<u64>().unwrap_or_else(|_| panic!("{name}={text}")))
    };
    let kills = number("CRASH_KILLS").map_or(kills, |kills| kills as usize);
    let seed = number("CRASH_SEED").unwrap_or_else(fresh_seed);
    eprintln!("{store:?}: CRASH_SEED={seed} CRASH_KILLS={kills}");
    let mut report = Report::default();
    let rounds = kills.div_ceil(KILLS_OF_A_ROUND).max(2);
    for round in 0..rounds {
        let kills = kills * (round + 1) / rounds - kills * round / rounds;
        report += Round::new(seed + round as u64, kills, round).run(store);
        assert!(report.is_clean(), "{store:?}, round {round}, CRASH_SEED={seed}: {report}");
    }
    eprintln!("{store:?}: {report}");
    report
}

const FREQUENT: &str = "[store]\nflush_interval = \"5ms\"\n[journal]\nsync_interval = \"0s\"\n\
                        [state]\nsnapshot_interval = \"100ms\"\n";
const USUAL: &str = "[store]\nflush_interval = \"25ms\"\n[journal]\nmax_bytes = 67108864\n\
                     [state]\nsnapshot_interval = \"400ms\"\n";
const RARE: &str = "[store]\nflush_interval = \"500ms\"\n[journal]\nsync_interval = \"20ms\"\n";

pub struct Round {
    numbers: Numbers,
    kills: usize,
    shape: Shape,
    /// How the service is set: how often it syncs, commits and saves its state.
    settings: &'static str,
    sabotage: Option<Sabotage>,
    /// Kills of services that had committed since they started.
    after_commits: usize,
}

impl Round {
    /// Rounds differ by their number.
    pub fn new(seed: u64, kills: usize, number: usize) -> Self {
        let (settings, pause_millis) = match number % 3 {
            0 => (FREQUENT, 4),
            1 => (USUAL, 4),
            // Much is received before any of it is committed.
            _ => (RARE, 0),
        };
        let with_changes = number % 2 == 1;
        let lines = (LINES_A_KILL * kills.max(4)) as u64;
        let pause = Duration::from_millis(pause_millis);
        let shape = Shape { lines, pause, with_repeats: true, with_stream: with_changes, with_changes };
        Self { numbers: Numbers::new(seed), kills, shape, settings, sabotage: None, after_commits: 0 }
    }

    pub fn sabotaged(self, sabotage: Sabotage) -> Self {
        Self { sabotage: Some(sabotage), ..self }
    }

    pub fn run(mut self, store: Store) -> Report {
        let mut stage = Stage::new(store, self.shape, &mut self.numbers);
        stage.setup.config.push_str(self.settings);
        stage.is_expected_to_fail = self.sabotage.is_some();
        for kill in 0..self.kills {
            let newcomer = self.shape.with_changes && kill == self.kills / 2;
            if newcomer {
                stage.traffic.add_newcomer();
            }
            self.live_and_die(&stage, newcomer);
            if let Some(sabotage) = self.sabotage {
                sabotage.commit(&stage);
            }
            if self.shape.with_changes && self.numbers.once_in(2) {
                stage.traffic.change_catalog(&mut self.numbers);
            }
        }
        let service = stage.start();
        service.wait_until_ready();
        let replayed = replayed(stage.setup.log.as_deref().expect("it is written to a file"));
        let mut report = stage.end(service);
        report.kills = self.kills;
        report.after_commits = self.after_commits;
        report.replayed = replayed;
        report
    }

    /// One life of the service.
    fn live_and_die(&mut self, stage: &Stage, newcomer: bool) {
        let Stage { load, traffic, .. } = stage;
        let portion = 2 * traffic.batches.len() / (self.kills + 1);
        let wait_for_some = |numbers: &mut Numbers| {
            load.wait_for_answers(load.answers() + numbers.within(1..=portion.max(1)));
        };
        if newcomer {
            // Its lines may only come once it is known to be an episode.
            let service = stage.start();
            service.wait_until_ready();
            load.release_newcomer();
            wait_for_some(&mut self.numbers);
            return self.kill(service, stage, 0..=30_000);
        }
        // What is to be broken must be there.
        let moment = if self.sabotage.is_some() { 2 } else { self.numbers.within(0..=3) };
        match moment {
            // While it starts and replays.
            0 => {
                let (early, late) = (self.numbers.micros(0..=60_000), self.numbers.micros(0..=60_000));
                let starting = stage.setup.begin();
                // Killed before it listens, if it takes longer.
                if let Some(addresses) = starting.addresses(early) {
                    load.aim(Some(addresses));
                    thread::sleep(late);
                }
                drop(starting);
                load.aim(None);
            }
            // While it receives, and perhaps still replays.
            1 => {
                let service = stage.start();
                wait_for_some(&mut self.numbers);
                self.kill(service, stage, 0..=30_000);
            }
            // While it commits what it counted.
            _ => {
                let service = stage.start();
                wait_for_some(&mut self.numbers);
                wait_for("a commit", || service.metric("castmeter_store_commits_total") > 0.0);
                self.after_commits += 1;
                self.kill(service, stage, 0..=30_000);
            }
        }
        if self.shape.with_changes && self.numbers.once_in(2) {
            traffic.change_catalog(&mut self.numbers);
        }
    }

    fn kill(&mut self, service: Service, stage: &Stage, after_micros: std::ops::RangeInclusive<usize>) {
        if self.shape.with_changes && self.numbers.once_in(2) {
            stage.traffic.change_catalog(&mut self.numbers);
        }
        thread::sleep(self.numbers.micros(after_micros));
        drop(service);
        stage.load.aim(None);
    }
}

/// Records that services said to have replayed.
fn replayed(log: &Path) -> u64 {
    let log = fs::read_to_string(log).unwrap();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let told = lines.filter(|line| line["fields"]["message"] == "the journal is replayed");
    told.map(|line| line["fields"]["records"].as_u64().expect("a number of records")).sum()
}

impl Sabotage {
    fn commit(self, stage: &Stage) {
        match self {
            Self::JournalEnd => {
                let segments = fs::read_dir(stage.journal()).unwrap().map(|file| file.unwrap().path());
                let newest: PathBuf =
                    segments.filter(|path| path.extension().is_some_and(|it| it == "segment")).max().unwrap();
                let file = OpenOptions::new().write(true).open(newest).unwrap();
                file.set_len(file.metadata().unwrap().len() / 2).unwrap();
            }
            Self::Position => now(async {
                let mut database = SqliteConnection::connect(&stage.setup.database_url()).await.unwrap();
                sqlx::query("UPDATE instance SET position = 0").execute(&mut database).await.unwrap();
                database.close().await.unwrap();
            }),
        }
    }
}
