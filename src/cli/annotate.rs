//! `castmeter annotate`: a note for graphs, through the service that runs.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use super::admin::{AdminArgs, agent};
use super::output::stdout;

/// Longer than the store may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Note what happened, for graphs to show: castmeter annotate "deploy v1.2" --tag deploy
///
/// Asks the running service, on its admin port, to store the note. Publications of episodes need none: the catalogue
/// tells them.
#[derive(Debug, Args)]
pub struct Annotate {
    /// What happened
    text: String,
    /// A word to choose notes by; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// When it happened, as 2026-11-01T05:00:00Z; without it: now
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    #[command(flatten)]
    admin: AdminArgs,
}

impl Annotate {
    pub fn run(self) -> Result<(), Failure> {
        let url = self.admin.url("/api/annotations")?;
        let mut note = json!({ "text": self.text, "tags": self.tags });
        if let Some(at) = self.at {
            note["at"] = at.into();
        }
        let failed = |error: ureq::Error| Failure::Failed(format!("{url}: {error}"));
        let request = agent(TIMEOUT).post(&url).header("content-type", "application/json");
        let mut answer = request.send(note.to_string()).map_err(failed)?;
        let body = answer.body_mut().read_to_string().map_err(failed)?;
        if !answer.status().is_success() {
            let error = serde_json::from_str::<Value>(&body).ok();
            let error = error.as_ref().and_then(|error| error["error"].as_str()).unwrap_or(body.trim());
            return Err(Failure::Failed(format!("{url}: {}: {error}", answer.status())));
        }
        let mut out = stdout();
        out.write_all(body.as_bytes())?;
        Ok(out.flush()?)
    }
}
