//! The admin port of the service that runs, as commands ask it.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use super::Failure;
use super::config::ConfigArgs;

#[derive(Debug, Args)]
pub struct AdminArgs {
    /// The service's admin port, as http://HOST:PORT; without it: where admin.listen says, on this machine
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
}

impl AdminArgs {
    /// The URL of a path there.
    pub fn url(&self, path: &str) -> Result<String, Failure> {
        Ok(match &self.admin {
            Some(url) => format!("{}{path}", url.trim_end_matches('/')),
            None => format!("http://{}{path}", reachable(self.config.load()?.admin.listen)),
        })
    }
}

/// A client that gives up, and takes every status for an answer.
pub fn agent(timeout: Duration) -> ureq::Agent {
    let config = ureq::Agent::config_builder().timeout_global(Some(timeout)).http_status_as_error(false);
    config.build().new_agent()
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
