//! How many files the process may have open: each connection is one.
//!
//! The soft limit is low for the sake of programs that use `select`, which this is not: it is raised to the hard one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;

/// For what is not a connection from senders: the admin port's connections, the journal, the store, feeds, libraries.
const OTHER_FILES: u64 = 1_024;

/// Raises the limit as far as it goes; says how many files may be open now, where that is bounded at all.
pub fn raise() -> Option<u64> {
    let limits = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limits.maximum, maximum: limits.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
    getrlimit(Resource::Nofile).current
}

/// Raises the limit, and says if it is too low for as many connections as there may be.
pub fn raise_for(config: &Config) {
    let wanted = (config.http.connections + config.syslog.connections) as u64 + OTHER_FILES;
    if let Some(most) = raise()
        && most < wanted
    {
        tracing::warn!(
            most,
            wanted,
            "fewer files may be open than there may be connections: raise the hard limit (ulimit -Hn, LimitNOFILE=), \
             or lower http.connections"
        );
    }
}
