//! `castmeter traffic`: generated traffic for a service that runs: the last days at once, then as it happens.
//!
//! For trying dashboards and set-ups. The lines are those of `generate`; their times are real, so that there is
//! something to see today.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::Args;

use super::Failure;
use super::admin::agent;
use super::output::stdout;
use crate::clock::{Clock, SystemClock};
use crate::generate::{self, Generator, Options};
use crate::units::Timestamp;

const DAY: Duration = Duration::from_secs(86_400);
/// The traffic goes on for so long; episodes come out up to then.
const DAYS_AHEAD: u32 = 7;
const MOST_BYTES_PER_BATCH: usize = 1 << 20;
/// As often as Fastly sends, about.
const PAUSE: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(60);

/// Send generated traffic to a running service: the last days at once, then as it happens
///
/// Nobody's listeners: not for a service whose numbers matter.
#[derive(Debug, Args)]
pub struct Traffic {
    /// Where to post it, as http://HOST:8080/fastly; without it only the catalogue or the feeds are written
    url: Option<String>,
    /// How many days back it begins
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(..=365))]
    days: u32,
    #[arg(long, default_value_t = 100_000)]
    lines_per_day: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 60)]
    episodes: u32,
    #[arg(long, default_value_t = 3)]
    shows: u32,
    #[arg(long, default_value_t = 20_000)]
    listeners: u32,
    /// End when the present is reached
    #[arg(long)]
    once: bool,
    /// What the service asks for, if it has a token
    #[arg(long, env = "CASTMETER_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Write the catalogue that matches the traffic first
    #[arg(long, value_name = "FILE")]
    catalog_out: Option<PathBuf>,
    /// Print the traffic's feed paths, as `feeds` in the configuration takes them
    #[arg(long)]
    feeds: bool,
}

impl Traffic {
    pub fn run(self) -> Result<(), Failure> {
        let clock = SystemClock::new();
        let options = self.options(clock.now());
        if let Some(path) = &self.catalog_out {
            let failed = |cause| Failure::Failed(format!("cannot write {}: {cause}", path.display()));
            let mut file = BufWriter::new(File::create(path).map_err(failed)?);
            generate::write_catalog(&options, &mut file).and_then(|()| file.flush()).map_err(failed)?;
        }
        if self.feeds {
            writeln!(stdout(), "{}", generate::feeds(&options).join(","))?;
        }
        match &self.url {
            Some(url) => self.send(url, &options, &clock),
            None => Ok(()),
        }
    }

    /// Begins at midnight, so that runs of one day have one catalogue.
    fn options(&self, now: Timestamp) -> Options {
        let days = self.days + DAYS_AHEAD;
        Options {
            lines: self.lines_per_day * u64::from(days),
            seed: self.seed,
            episodes: self.episodes,
            shows: self.shows,
            listeners: self.listeners,
            start: now.minus(DAY * self.days).day().start(),
            days,
            ..Options::default()
        }
    }

    fn send(&self, url: &str, options: &Options, clock: &SystemClock) -> Result<(), Failure> {
        let mut generator = Generator::new(options);
        let mut batch = Vec::new();
        let mut goes_on = true;
        while goes_on {
            let is_past = generator.now() <= clock.now();
            if is_past && batch.len() < MOST_BYTES_PER_BATCH {
                goes_on = generator.next_line(&mut batch);
                continue;
            }
            self.post(url, &batch)?;
            batch.clear();
            if !is_past {
                if self.once {
                    return Ok(());
                }
                thread::sleep(PAUSE);
            }
        }
        self.post(url, &batch)
    }

    /// Until it is taken, as Fastly does.
    fn post(&self, url: &str, batch: &[u8]) -> Result<(), Failure> {
        if batch.is_empty() {
            return Ok(());
        }
        let agent = agent(TIMEOUT);
        loop {
            let mut request = agent.post(url);
            if let Some(token) = &self.token {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            match request.send(batch) {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) if answer.status().is_client_error() => {
                    return Err(Failure::Failed(format!("{url}: {}", answer.status())));
                }
                Ok(answer) => eprintln!("{url}: {}; trying again", answer.status()),
                Err(error) => eprintln!("{url}: {error}; trying again"),
            }
            thread::sleep(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_days_ago_and_goes_on_for_a_week() {
        #[derive(clap::Parser)]
        struct Cli {
            #[command(flatten)]
            traffic: Traffic,
        }
        let cli = <Cli as clap::Parser>::parse_from(["traffic", "--days=3", "--lines-per-day=100"]);
        let now = Timestamp::from_seconds(20_000 * 86_400 + 3_600).unwrap();
        let options = cli.traffic.options(now);
        assert_eq!(options.start.to_string(), "2024-10-01T00:00:00Z");
        assert_eq!((options.days, options.lines), (10, 1_000));
    }
}
