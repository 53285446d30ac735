//! An agent's verdict as a row to print: what `castmeter agents` writes, one JSON object a line.

use std::borrow::Cow;

use serde::Serialize;

use super::kinds::{AgentClass, DeviceClass, Platform};
use super::table::AgentTable;

/// Why requests without a user agent are left out: whatever sends none is no player.
pub const NO_AGENT: &str = "no user agent";

/// One agent and what it was found to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentRow<'a> {
    /// As given; bytes that are not UTF-8 are replaced.
    pub user_agent: Cow<'a, str>,
    pub app: &'a str,
    pub device: DeviceClass,
    pub platform: Platform,
    pub class: AgentClass,
    /// Whether its requests are left out as a bot's.
    pub automated: bool,
    /// The list, its version and the pattern that decided; null where none did.
    pub rule: Option<String>,
}

impl AgentTable {
    pub fn describe<'a>(&'a self, user_agent: &'a [u8]) -> AgentRow<'a> {
        let agent = self.classify(user_agent);
        let is_missing = user_agent.is_empty();
        let rule = agent.rule.map(|rule| self.rule(rule).to_string());
        let rule = rule.or_else(|| is_missing.then(|| NO_AGENT.to_owned()));
        AgentRow {
            user_agent: String::from_utf8_lossy(user_agent),
            app: self.app_name(agent.app),
            device: agent.device,
            platform: agent.platform,
            class: agent.class,
            automated: is_missing || agent.class.is_automated(),
            rule,
        }
    }
}
