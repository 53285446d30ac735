//! `castmeter annotate`: a note for graphs, through the service that runs.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use super::config::ConfigArgs;
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
    /// The service's admin port, as http://HOST:PORT; without it: where admin.listen says, on this machine
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Annotate {
    pub fn run(self) -> Result<(), Failure> {
        let admin = match self.admin {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{}", reachable(self.config.load()?.admin.listen)),
        };
        let mut note = json!({ "text": self.text, "tags": self.tags });
        if let Some(at) = self.at {
            note["at"] = at.into();
        }
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .build()
            .new_agent();
        let url = format!("{admin}/api/annotations");
        let failed = |error: ureq::Error| Failure::Failed(format!("{url}: {error}"));
        let request = agent.post(&url).header("content-type", "application/json");
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

/// A service that listens on all addresses is asked on this machine's own.
fn reachable(mut listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() {
        let local = if listen.is_ipv6() { [0, 0, 0, 0, 0, 0, 0, 1].into() } else { [127, 0, 0, 1].into() };
        listen.set_ip(local);
    }
    listen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_asked_on_this_machine() {
        for (listen, expected) in [
            ("[::]:9310", "[::1]:9310"),
            ("0.0.0.0:9310", "127.0.0.1:9310"),
            ("192.0.2.1:9310", "192.0.2.1:9310"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), expected);
        }
    }
}
