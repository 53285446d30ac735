//! `castmeter methodology`: the description of methodology that the guideline asks every measurer for.

use std::io::Write;

use clap::Args;

use super::Failure;
use super::config::ConfigArgs;
use super::output::stdout;
use crate::service::rules::Rules;

/// Describe how this configuration counts (Markdown)
#[derive(Debug, Args)]
pub struct Methodology {
    #[command(flatten)]
    config: ConfigArgs,
}

impl Methodology {
    pub fn run(self) -> Result<(), Failure> {
        let rules = Rules::read(&self.config.load()?, None)?;
        let mut out = stdout();
        out.write_all(rules.methodology()?.as_bytes())?;
        Ok(out.flush()?)
    }
}
