//! `castmeter generate`: realistic traffic, the same for the same options.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Failure;
use super::output::stdout;
use crate::generate::{self, Options, OutputFormat};
use crate::units::{Timestamp, UtcDay};

/// Write realistic Fastly log lines to standard output, the same for the same options
#[derive(Debug, Args)]
pub struct Generate {
    #[arg(long, default_value_t = 1_000_000)]
    lines: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[arg(long, default_value_t = 1_500, value_parser = clap::value_parser!(u32).range(1..))]
    episodes: u32,
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..))]
    shows: u32,
    #[arg(long, default_value_t = 300_000, value_parser = clap::value_parser!(u32).range(1..))]
    listeners: u32,
    /// First UTC day of the traffic
    #[arg(long, value_name = "YYYY-MM-DD", default_value = "2026-11-01")]
    start: chrono::NaiveDate,
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    days: u32,
    /// Also write the catalogue that matches the traffic
    #[arg(long, value_name = "FILE")]
    catalog_out: Option<PathBuf>,
    /// Print the traffic's feed paths, as `feeds` in the configuration takes them, instead of lines
    #[arg(long)]
    feeds: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// Version 1 JSON
    #[default]
    Json,
    /// changelog.com's CSV behind Fastly's classic prefix (--log-format changelog-csv)
    Csv,
    /// Version 1 JSON behind Fastly's classic syslog prefix
    Syslog,
}

impl Generate {
    pub fn run(self) -> Result<(), Failure> {
        let options = self.options()?;
        if let Some(path) = &self.catalog_out {
            let failed = |cause| Failure::Failed(format!("cannot write {}: {cause}", path.display()));
            let mut file = BufWriter::new(File::create(path).map_err(failed)?);
            generate::write_catalog(&options, &mut file).and_then(|()| file.flush()).map_err(failed)?;
        }
        let mut out = stdout();
        if self.feeds {
            writeln!(out, "{}", generate::feeds(&options).join(","))?;
        } else {
            generate::write_lines(&options, &mut out)?;
        }
        Ok(out.flush()?)
    }

    fn options(&self) -> Result<Options, Failure> {
        let epoch = Timestamp::default().to_utc().date_naive();
        if self.start < epoch {
            let day = self.start;
            return Err(Failure::Usage(format!(
                "--start: {day} is before 1970-01-01, the first day there is"
            )));
        }
        let days = i32::try_from((self.start - epoch).num_days());
        let start = days.map_err(|_| Failure::Usage("--start: no such day".to_owned()))?;
        Ok(Options {
            lines: self.lines,
            seed: self.seed,
            format: match self.format {
                Format::Json => OutputFormat::Json,
                Format::Csv => OutputFormat::Csv,
                Format::Syslog => OutputFormat::Syslog,
            },
            episodes: self.episodes,
            shows: self.shows,
            listeners: self.listeners,
            start: UtcDay(start).start(),
            days: self.days,
        })
    }
}
