//! Everything counting depends on besides the lines: catalogue, lists, windows, thresholds, formats.
//!
//! Read from the configuration and the files it names, as plain data that can be written to the journal: state is
//! a deterministic function of the journal, so a change of the rules is a record at the position where it took effect.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::attribution::agent::{self, AgentTable};
use crate::attribution::{
    BadNetwork, Closing, Engine, Episode, Lists, Memory, Mode, NetworkList, Policy, Redelivery, Registry,
    Secret,
};
use crate::config::{Config, ConfigError, Counting, IncludedNetwork};
use crate::parser::LineParser;
use crate::units::UtcDay;

/// The version of the counting rules this binary implements. Records of another version are not replayed into state.
pub const RULES_VERSION: u32 = 1;

/// How long an included network's validation holds.
const VALIDATION_DAYS: i32 = 90;

/// The rules, as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    pub version: u32,
    pub(super) counting: Counting,
    pub(super) lateness: Duration,
    pub(super) redelivery_window: Duration,
    /// Paths on the CDN.
    pub feeds: Vec<String>,
    pub max_line_bytes: usize,
    pub(super) datacenters: Vec<ListText>,
    pub(super) blocked: Vec<ListText>,
    blocked_agents: Vec<String>,
    pub(super) included: Vec<IncludedNetwork>,
    pub(super) agents: Vec<ListText>,
    pub(super) agents_under: Vec<ListText>,
    log_format: String,
    log_formats: BTreeMap<String, String>,
    /// None: paths name the episodes.
    pub catalog: Option<Vec<Episode>>,
}

/// A list file as it was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ListText {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl Rules {
    /// Reads the files that the configuration names. `catalog`: None where paths name the episodes.
    pub fn read(config: &Config, catalog: Option<Vec<Episode>>) -> Result<Self, ConfigError> {
        let lists = &config.lists;
        let rules = Self {
            version: RULES_VERSION,
            counting: config.counting.clone(),
            lateness: config.lateness,
            redelivery_window: config.redelivery_window,
            feeds: config.feeds.clone(),
            max_line_bytes: config.syslog.line_bytes,
            datacenters: read_lists("lists.datacenters", &lists.datacenters)?,
            blocked: read_lists("lists.blocked", &lists.blocked)?,
            blocked_agents: lists.blocked_agents.clone(),
            included: lists.included.clone(),
            agents: read_lists("lists.agents", &lists.agents)?,
            agents_under: read_lists("lists.agents_under", &lists.agents_under)?,
            log_format: config.log_format.clone(),
            log_formats: config.source.iter().map(|it| (it.name.clone(), it.log_format.clone())).collect(),
            catalog,
        };
        rules.agent_table()?;
        rules.offline_policy()?;
        rules.parsers()?;
        Ok(rules)
    }

    /// An engine that counts files, where days never close.
    pub fn offline_engine(&self, policy: Policy, secret: Secret) -> Result<Engine, ConfigError> {
        self.engine(policy, secret)
    }

    /// An engine that counts what the service receives.
    pub fn service_engine(&self, secret: Secret) -> Result<Engine, ConfigError> {
        self.engine(self.service_policy()?, secret)
    }

    fn engine(&self, policy: Policy, secret: Secret) -> Result<Engine, ConfigError> {
        let mut registry = Registry::new(self.mode(), self.feeds.iter().map(String::as_str));
        registry.update(self.catalog.iter().flatten().cloned());
        Ok(Engine::new(policy, registry, Arc::new(self.agent_table()?), secret))
    }

    /// For files, where days never close.
    pub fn offline_policy(&self) -> Result<Policy, ConfigError> {
        Ok(Policy { lists: self.lists()?, ..self.counting.policy()? })
    }

    pub fn service_policy(&self) -> Result<Policy, ConfigError> {
        let memory = Memory { ids: Memory::MAX_IDS, window: Some(self.redelivery_window) };
        let closing = Closing::After { lateness: self.lateness };
        Ok(Policy { closing, redelivery: Redelivery(memory), ..self.offline_policy()? })
    }

    pub fn mode(&self) -> Mode {
        match self.catalog {
            Some(_) => Mode::Catalog,
            None => Mode::Derived { max_episodes: self.counting.max_episodes },
        }
    }

    /// Included networks that nobody has looked at for long: people may not listen from there any more.
    pub fn stale_networks(&self, today: UtcDay) -> impl Iterator<Item = &IncludedNetwork> {
        let oldest = UtcDay(today.0 - VALIDATION_DAYS).to_date();
        self.included.iter().filter(move |network| network.validated_on < oldest)
    }

    /// As the journal keeps them: JSON.
    pub fn to_payload(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain data with text keys")
    }

    pub fn from_payload(payload: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(payload)
    }

    pub fn agent_table(&self) -> Result<AgentTable, ConfigError> {
        let names =
            |lists: &[ListText]| lists.iter().map(|list| list.path.display().to_string()).collect::<Vec<_>>();
        let (over, under) = (names(&self.agents), names(&self.agents_under));
        AgentTable::with_lists(&agent_lists(&self.agents, &over), &agent_lists(&self.agents_under, &under))
            .map_err(|error| ConfigError::invalid("lists.agents", error.to_string()))
    }

    fn lists(&self) -> Result<Lists, ConfigError> {
        let mut included = NetworkList::default();
        for network in &self.included {
            let invalid = |error: BadNetwork| ConfigError::invalid("lists.included", error.to_string());
            included.add(&network.network).map_err(invalid)?;
        }
        Ok(Lists {
            datacenters: networks("lists.datacenters", &self.datacenters)?,
            blocked: networks("lists.blocked", &self.blocked)?,
            blocked_agents: self.blocked_agents.clone(),
            included,
        })
    }

    /// The parser of each source that has a format of its own, and that of all others.
    pub fn parsers(&self) -> Result<Parsers, ConfigError> {
        let own = self.log_formats.iter().map(|(name, format)| {
            let key = format!("source.{name}.log_format");
            Ok((name.clone(), parser(&key, format)?))
        });
        Ok(Parsers {
            own: own.collect::<Result<_, ConfigError>>()?,
            other: parser("log_format", &self.log_format)?,
        })
    }
}

fn agent_lists<'a>(lists: &'a [ListText], names: &'a [String]) -> Vec<agent::ListText<'a>> {
    lists.iter().zip(names).map(|(list, file)| agent::ListText { file, json: &list.text }).collect()
}

/// Parsers by source.
#[derive(Clone, Debug)]
pub struct Parsers {
    own: BTreeMap<String, LineParser>,
    pub other: LineParser,
}

impl Parsers {
    pub fn of(&self, source: &str) -> &LineParser {
        self.own.get(source).unwrap_or(&self.other)
    }
}

fn parser(key: &str, format: &str) -> Result<LineParser, ConfigError> {
    LineParser::from_spec(format).map_err(|error| ConfigError::invalid(key, error.to_string()))
}

fn read_lists(key: &str, paths: &[PathBuf]) -> Result<Vec<ListText>, ConfigError> {
    let read = |path: &PathBuf| match std::fs::read_to_string(path) {
        Ok(text) => Ok(ListText { path: path.clone(), text }),
        Err(cause) => Err(unreadable(key, path, &cause)),
    };
    paths.iter().map(read).collect()
}

fn networks(key: &str, lists: &[ListText]) -> Result<NetworkList, ConfigError> {
    let mut networks = NetworkList::default();
    for list in lists {
        let file = list.path.display().to_string();
        if let Some((line, error)) = networks.add_file(&file, &list.text).first() {
            return Err(ConfigError::invalid(key, format!("{file} line {line}: {error}")));
        }
    }
    Ok(networks)
}

fn unreadable(key: &str, path: &Path, cause: &std::io::Error) -> ConfigError {
    ConfigError::invalid(key, format!("cannot read {}: {cause}", path.display()))
}
