//! The command line: one file a command.
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 it could not be done,
//! 64 (`EX_USAGE`) the command line or the configuration is wrong.

mod admin;
mod agents;
mod annotate;
mod check;
mod check_health;
mod config;
mod count;
mod demo;
mod explain;
mod format;
mod generate;
mod inputs;
mod journal;
mod methodology;
mod output;
mod report;
mod serve;
mod tally;
mod threads;
mod traffic;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::ConfigError;

const EX_USAGE: u8 = 64;

/// Podcast downloads and listeners from streaming Fastly logs, by the IAB v2.3 rules.
#[derive(Debug, Parser)]
#[command(name = "castmeter", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Count(count::Count),
    Explain(explain::Explain),
    Generate(generate::Generate),
    Check(check::Check),
    Format(format::Format),
    Methodology(methodology::Methodology),
    Agents(agents::Agents),
    Annotate(annotate::Annotate),
    CheckHealth(check_health::CheckHealth),
    Journal(journal::Journal),
    Report(report::Report),
    Traffic(traffic::Traffic),
    Demo(demo::Demo),
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The command line asks for something that is not there to be had.
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Output(#[from] io::Error),
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Parses the command line, runs the command and tells how it went.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; a closed pipe while printing them is none either.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EX_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match execute(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has seen enough: `castmeter explain … | head`.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("castmeter: {failure}");
            match failure {
                Failure::Config(_) | Failure::Usage(_) => ExitCode::from(EX_USAGE),
                Failure::Output(_) | Failure::Failed(_) => ExitCode::FAILURE,
            }
        }
    }
}

fn execute(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(command) => command.run(),
        Command::Count(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Generate(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Format(command) => command.run(),
        Command::Methodology(command) => command.run(),
        Command::Agents(command) => command.run(),
        Command::Annotate(command) => command.run(),
        Command::CheckHealth(command) => command.run(),
        Command::Journal(command) => command.run(),
        Command::Report(command) => command.run(),
        Command::Traffic(command) => command.run(),
        Command::Demo(command) => command.run(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
