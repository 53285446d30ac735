//! `castmeter check-health`: whether the service that runs is well, for whoever watches over it without an HTTP client.

use std::time::Duration;

use clap::Args;

use super::Failure;
use super::admin::{AdminArgs, agent};

/// A service that is well answers at once.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Exit with 0 if the running service takes lines and counts them, else with 1 and the reasons
///
/// Asks its /readyz, on the admin port. For a container's health check and the like.
#[derive(Debug, Args)]
pub struct CheckHealth {
    /// Ask /livez instead: only whether the process runs
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

impl CheckHealth {
    pub fn run(self) -> Result<(), Failure> {
        let url = self.admin.url(if self.live { "/livez" } else { "/readyz" })?;
        let failed = |error: ureq::Error| Failure::Failed(format!("{url}: {error}"));
        let mut answer = agent(TIMEOUT).get(&url).call().map_err(failed)?;
        let body = answer.body_mut().read_to_string().map_err(failed)?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(Failure::Failed(format!("{url}: {}: {}", answer.status(), body.trim())))
    }
}
