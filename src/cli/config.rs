//! The configuration's keys as flags, and the layers put together.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};

use crate::config::{Config, ConfigError, KEYS, Layers, Origin};

/// `--config FILE` and a flag for each key of the table.
#[derive(Clone, Debug, Default)]
pub struct ConfigArgs {
    file: Option<PathBuf>,
    /// Place in [`KEYS`], and the text given.
    flags: Vec<(usize, String)>,
}

impl ConfigArgs {
    /// File, environment and flags, the later over the earlier.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let mut layers = match &self.file {
            Some(path) => Layers::read_file(path)?,
            None => Layers::default(),
        };
        layers.set_variables(|name| std::env::var(name).ok())?;
        for (at, text) in &self.flags {
            layers.set(&KEYS[*at], text, Origin::Flag(KEYS[*at].flag()))?;
        }
        Config::from_layers(layers)
    }
}

impl clap::FromArgMatches for ConfigArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.file = matches.get_one("config").cloned();
        let given = |(at, key): (usize, &crate::config::Key)| {
            Some((at, matches.get_one::<String>(key.name)?.clone()))
        };
        self.flags = KEYS.iter().enumerate().filter_map(given).collect();
        Ok(())
    }
}

impl clap::Args for ConfigArgs {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .env("CASTMETER_CONFIG")
            .hide_env_values(true)
            .value_parser(clap::value_parser!(PathBuf))
            .help("Configuration file (TOML)");
        KEYS.iter().fold(command.arg(file), |command, key| {
            // The environment is a layer of its own, so that an error can tell where a value came from.
            let help = format!("{} [env: {}]", key.help, key.variable());
            let arg = Arg::new(key.name).long(key.flag()).value_name(key.value).help(help);
            command.arg(arg.help_heading("Configuration"))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
