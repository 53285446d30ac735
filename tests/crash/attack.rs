//! SIGKILL, over and over, at random instants.

use std::env;
use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use castmeter::journal::inspect;
use sqlx::{Connection, SqliteConnection};

use crate::judge::Report;
use crate::numbers::{Numbers, fresh_seed};
use crate::service::{Service, wait_for};
use crate::stage::{Stage, Store, now};
use crate::traffic::Shape;

/// Each round begins with an empty journal and an empty database.
const KILLS_OF_A_ROUND: usize = 25;
const LINES_A_KILL: usize = 2_000;

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

pub struct Round {
    numbers: Numbers,
    kills: usize,
    shape: Shape,
    /// How the service is set: how often it syncs and commits.
    settings: &'static str,
    sabotage: Option<Sabotage>,
}

impl Round {
    /// Rounds differ by their number.
    pub fn new(seed: u64, kills: usize, number: usize) -> Self {
        let settings = match number % 3 {
            0 => "[store]\nflush_interval = \"50ms\"\n",
            1 => {
                "[store]\nflush_interval = \"5ms\"\n[journal]\nsync_interval = \"0s\"\nmax_bytes = 67108864\n"
            }
            _ => {
                "[store]\nflush_interval = \"1s\"\n[journal]\nsync_interval = \"20ms\"\nmax_bytes = 67108864\n"
            }
        };
        let with_changes = number % 2 == 1;
        let lines = (LINES_A_KILL * kills.max(4)) as u64;
        let shape = Shape { lines, pause: Duration::ZERO, with_stream: with_changes, with_changes };
        Self { numbers: Numbers::new(seed), kills, shape, settings, sabotage: None }
    }

    pub fn sabotaged(self, sabotage: Sabotage) -> Self {
        Self { sabotage: Some(sabotage), ..self }
    }

    pub fn run(mut self, store: Store) -> Report {
        let mut stage = Stage::new(store, self.shape, &mut self.numbers);
        stage.setup.config.push_str(self.settings);
        stage.is_expected_to_fail = self.sabotage.is_some();
        let mut replayed = 0;
        for kill in 0..self.kills {
            let newcomer = self.shape.with_changes && kill == self.kills / 2;
            if newcomer {
                stage.traffic.add_newcomer();
            }
            self.live_and_die(&stage, newcomer);
            if let Some(sabotage) = self.sabotage {
                sabotage.commit(&stage);
            }
            replayed += records(&stage);
            if self.shape.with_changes && self.numbers.once_in(3) {
                stage.traffic.change_catalog(&mut self.numbers);
            }
        }
        let service = stage.start();
        let mut report = stage.end(service);
        report.kills = self.kills;
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
        if self.sabotage.is_some() {
            // What is to be broken must be there.
            let service = stage.start();
            wait_for_some(&mut self.numbers);
            wait_for("a commit", || service.metric("castmeter_store_commits_total") > 0.0);
            return self.kill(service, stage, 0..=0);
        }
        match self.numbers.within(0..=3) {
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
            // While it counts and commits: the store is there.
            1 => {
                let service = stage.start();
                service.wait_until_ready();
                wait_for_some(&mut self.numbers);
                self.kill(service, stage, 0..=150_000);
            }
            // While it receives.
            _ => {
                let service = stage.start();
                wait_for_some(&mut self.numbers);
                self.kill(service, stage, 0..=30_000);
            }
        }
        if self.shape.with_changes && self.numbers.once_in(3) {
            traffic.change_catalog(&mut self.numbers);
        }
    }

    fn kill(&mut self, service: Service, stage: &Stage, after_micros: std::ops::RangeInclusive<usize>) {
        if self.shape.with_changes && self.numbers.once_in(3) {
            stage.traffic.change_catalog(&mut self.numbers);
        }
        thread::sleep(self.numbers.micros(after_micros));
        drop(service);
        stage.load.aim(None);
    }
}

/// How many the journal holds.
fn records(stage: &Stage) -> u64 {
    // There may not be any yet.
    let listing = stage.journal().exists().then(|| inspect::list(&stage.journal()).unwrap());
    listing.iter().flatten().flat_map(|listing| &listing.segments).map(|segment| segment.records).sum()
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
