//! `castmeter journal`: what was received, looked at from outside.
//!
//! Nothing is changed, and a service may be writing meanwhile. Addresses are in what `cat` prints.

mod cat;
mod ls;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Failure;
use crate::config::{Config, ConfigError, Layers};
use crate::journal::{Damage, JournalError};
use crate::units::Timestamp;

/// Look at the journal: what was received, and whether all of it can be read
///
/// May be used while the service runs; changes nothing.
#[derive(Debug, Args)]
pub struct Journal {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Ls(ls::Ls),
    Cat(cat::Cat),
    Verify(verify::Verify),
}

impl Journal {
    pub fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Ls(command) => command.run(),
            Command::Cat(command) => command.run(),
            Command::Verify(command) => command.run(),
        }
    }
}

/// Where the journal is.
#[derive(Debug, Args)]
struct Place {
    /// The service's data folder [default: the configuration's]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Configuration file (TOML) that names the data folder
    #[arg(long, value_name = "FILE", env = "CASTMETER_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
}

impl Place {
    fn folder(&self) -> Result<PathBuf, ConfigError> {
        let data_dir = match (&self.data_dir, &self.config) {
            (Some(folder), _) => folder.clone(),
            (None, file) => {
                let mut layers = file.as_deref().map(Layers::read_file).transpose()?.unwrap_or_default();
                layers.set_variables(|name| std::env::var(name).ok())?;
                Config::from_layers(layers)?.data_dir
            }
        };
        Ok(data_dir.join("journal"))
    }

    /// What `look` finds in the folder; that there is no journal is the caller's mistake.
    fn look<T>(
        &self,
        look: impl FnOnce(&std::path::Path) -> Result<Option<T>, JournalError>,
    ) -> Result<T, Failure> {
        let folder = self.folder()?;
        let none = || Failure::Usage(format!("there is no journal in {}", folder.display()));
        if !folder.is_dir() {
            return Err(none());
        }
        look(&folder).map_err(Failure::failed)?.ok_or_else(none)
    }
}

/// `2026-11-01T05:00:00.123456Z`
fn instant(at: Timestamp) -> String {
    at.to_utc().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

fn describe(damage: &Damage) -> String {
    let Damage { segment, offset, bytes, flaw, lost } = damage;
    format!(
        "{:020}.segment, byte {offset}: {bytes} bytes cannot be read ({}), {lost} record{} lost",
        segment.0,
        flaw.name(),
        if *lost == 1 { "" } else { "s" },
    )
}

/// The journal is damaged: what could be read was.
fn unreadable(places: u64) -> Failure {
    let places = if places == 1 { "one place".to_owned() } else { format!("{places} places") };
    Failure::Failed(format!("{places} of the journal could not be read"))
}
