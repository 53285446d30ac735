//! `castmeter agents`: what a user agent is taken for.

use std::io::{self, BufRead, Write};

use clap::Args;

use super::Failure;
use super::config::ConfigArgs;
use super::output::stdout;
use crate::attribution::agent::AgentTable;
use crate::service::rules::Rules;

/// Say what user agents are taken for: app, device, platform, class (NDJSON)
#[derive(Debug, Args)]
pub struct Agents {
    /// User agents, or - for the lines of standard input
    #[arg(required = true, value_name = "UA")]
    agents: Vec<String>,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Agents {
    pub fn run(self) -> Result<(), Failure> {
        let rules = Rules::read(&self.config.load()?, None)?;
        let table = rules.agent_table()?;
        let mut out = stdout();
        for agent in &self.agents {
            if agent == "-" {
                for line in io::stdin().lock().split(b'\n') {
                    let line = line?;
                    print(&table, line.strip_suffix(b"\r").unwrap_or(&line), &mut out)?;
                }
            } else {
                print(&table, agent.as_bytes(), &mut out)?;
            }
        }
        Ok(out.flush()?)
    }
}

fn print(table: &AgentTable, user_agent: &[u8], out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &table.describe(user_agent))?;
    out.write_all(b"\n")
}
