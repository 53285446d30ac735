//! What can be configured, with every default.

use std::net::{Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::{ConfigError, in_plain_words};
use super::layers::Layers;
use super::values::span;
use crate::attribution::{Filters, Policy, Reason, Thresholds, Window};
use crate::journal;
use crate::receiver::{HttpSettings, Secret, SyslogSettings, TokenSettings};
use crate::store;
use crate::units::ByteCount;

/// Everything.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub data_dir: PathBuf,
    pub database_url: Option<Secret>,
    /// A CSV or an RSS feed: a file or an `http(s)` URL.
    pub catalog: Option<String>,
    #[serde(deserialize_with = "span")]
    pub catalog_refresh_interval: Duration,
    /// Paths of feeds on the CDN.
    pub feeds: Vec<String>,
    /// RSS feeds that episodes are read from.
    pub rss: Vec<FeedSource>,
    pub token: Option<Secret>,
    pub log_format: String,
    /// What one source sends, where that differs from the rest.
    pub source: Vec<SourceSettings>,
    #[serde(deserialize_with = "span")]
    pub lateness: Duration,
    #[serde(deserialize_with = "span")]
    pub redelivery_window: Duration,
    #[serde(deserialize_with = "span")]
    pub drain_timeout: Duration,
    pub http: HttpSettings,
    pub syslog: SyslogSettings,
    pub admin: Admin,
    pub store: Store,
    pub journal: Journal,
    pub state: State,
    pub counting: Counting,
    pub lists: Lists,
    pub metrics: Metrics,
    pub logging: Logging,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: "./castmeter-data".into(),
            database_url: None,
            catalog: None,
            catalog_refresh_interval: Duration::from_secs(600),
            feeds: Vec::new(),
            rss: Vec::new(),
            token: None,
            log_format: "json".to_owned(),
            source: Vec::new(),
            lateness: Duration::from_secs(6 * 3600),
            redelivery_window: Duration::from_secs(3600),
            drain_timeout: Duration::from_secs(20),
            http: HttpSettings::default(),
            syslog: SyslogSettings::default(),
            admin: Admin::default(),
            store: Store::default(),
            journal: Journal::default(),
            state: State::default(),
            counting: Counting::default(),
            lists: Lists::default(),
            metrics: Metrics::default(),
            logging: Logging::default(),
        }
    }
}

/// A feed that episodes are read from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedSource {
    /// A file or an `http(s)` URL.
    pub url: String,
    /// The show's slug; else it is made of the feed's title.
    pub show: Option<String>,
}

/// What one source sends.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSettings {
    pub name: String,
    pub log_format: String,
}

/// `[admin]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    pub listen: SocketAddr,
    /// How long the store may fail until `/readyz` says that too much waits for it.
    #[serde(deserialize_with = "span")]
    pub ready_backlog: Duration,
}

impl Default for Admin {
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 9310));
        Self { listen, ready_backlog: Duration::from_secs(600) }
    }
}

/// `[store]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    #[serde(deserialize_with = "span")]
    pub flush_interval: Duration,
    /// What this instance is called in the database; a label for people.
    pub instance: String,
}

impl Default for Store {
    fn default() -> Self {
        Self { flush_interval: Duration::from_secs(5), instance: "castmeter".to_owned() }
    }
}

/// `[journal]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Journal {
    #[serde(deserialize_with = "span")]
    pub sync_interval: Duration,
    #[serde(deserialize_with = "span")]
    pub keep: Duration,
    pub max_bytes: u64,
}

impl Default for Journal {
    fn default() -> Self {
        let journal::Settings { sync_interval, keep, max_bytes, .. } = journal::Settings::default();
        Self { sync_interval, keep, max_bytes: max_bytes.0 }
    }
}

impl Journal {
    fn settings(&self) -> journal::Settings {
        journal::Settings {
            sync_interval: self.sync_interval,
            keep: self.keep,
            max_bytes: ByteCount(self.max_bytes),
            ..journal::Settings::default()
        }
    }
}

/// `[state]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct State {
    #[serde(deserialize_with = "span")]
    pub snapshot_interval: Duration,
}

impl Default for State {
    fn default() -> Self {
        Self { snapshot_interval: Duration::from_secs(300) }
    }
}

/// `[counting]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Counting {
    pub window: String,
    pub listen_seconds: u32,
    /// Bits a second.
    pub assumed_bitrate: u32,
    pub filters_off: Vec<String>,
    pub key_rotation_days: u16,
    pub max_episodes: usize,
}

impl Default for Counting {
    fn default() -> Self {
        Self {
            window: Window::default().name().to_owned(),
            listen_seconds: 60,
            assumed_bitrate: 128_000,
            filters_off: Vec::new(),
            key_rotation_days: 0,
            max_episodes: 100_000,
        }
    }
}

/// `[lists]`: files.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lists {
    pub datacenters: Vec<PathBuf>,
    pub blocked: Vec<PathBuf>,
    pub blocked_agents: Vec<String>,
    /// User-agent lists that come before the built-in table.
    pub agents: Vec<PathBuf>,
    /// User-agent lists that come after the built-in table.
    pub agents_under: Vec<PathBuf>,
    pub included: Vec<IncludedNetwork>,
}

/// A network that the filters for data centres, VPNs and blocked addresses do not apply to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncludedNetwork {
    /// CIDR.
    pub network: String,
    /// `2026-11-01`: when somebody last made sure that people listen from there.
    pub validated_on: chrono::NaiveDate,
}

/// `[metrics]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    pub max_episodes: usize,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { max_episodes: 5_000 }
    }
}

/// `[logging]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Logging {
    pub format: LogFormat,
}

/// How the service's own log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl Config {
    /// The merged layers as a configuration.
    pub fn from_layers(layers: Layers) -> Result<Self, ConfigError> {
        let config: Self = serde_path_to_error::deserialize(layers.values.clone()).map_err(|error| {
            let key = error.path().to_string();
            ConfigError::Invalid {
                origin: layers.origin(&key),
                key,
                wrong: in_plain_words(error.into_inner().message()),
            }
        })?;
        config.validate().map_err(|error| error.at_its_origin(&layers))?;
        Ok(config)
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let bounds = [
            (self.data_dir.as_os_str().is_empty(), "data_dir", "a folder; the default is castmeter-data"),
            (self.store.flush_interval.is_zero(), "store.flush_interval", "longer than 0; the default is 5s"),
            (
                self.catalog_refresh_interval.is_zero(),
                "catalog_refresh_interval",
                "longer than 0; the default is 10m",
            ),
            (self.counting.listen_seconds == 0, "counting.listen_seconds", "at least 1; the default is 60"),
            (
                self.counting.assumed_bitrate < 8,
                "counting.assumed_bitrate",
                "at least 8; the default is 128000",
            ),
        ];
        if let Some((_, key, bound)) = bounds.into_iter().find(|(is_wrong, ..)| *is_wrong) {
            return Err(ConfigError::invalid(key, format!("must be {bound}")));
        }
        let database = store::Kind::of(&self.database_url());
        database.map_err(|error| ConfigError::invalid("database_url", error.to_string()))?;
        self.counting.policy().map(drop)
    }

    /// SQLite in the data folder where nothing else is said.
    pub fn database_url(&self) -> String {
        match &self.database_url {
            Some(url) => url.0.clone(),
            None => format!("sqlite:{}", self.data_dir.join("castmeter.sqlite").display()),
        }
    }

    /// The journal's settings. What open days need is kept, whatever `journal.keep` says: their sessions are had back
    /// from it after a restart.
    pub fn journal(&self) -> journal::Settings {
        const OPEN_AT_MOST: Duration = Duration::from_secs(48 * 3600);
        let settings = self.journal.settings();
        journal::Settings { keep: settings.keep.max(self.lateness.saturating_add(OPEN_AT_MOST)), ..settings }
    }

    /// The format of a source's lines.
    pub fn log_format(&self, source: &str) -> &str {
        let own = self.source.iter().find(|settings| settings.name == source);
        own.map_or(&self.log_format, |settings| &settings.log_format)
    }

    /// The HTTP receiver's settings with the plain token among its tokens.
    pub fn http(&self) -> HttpSettings {
        let mut settings = self.http.clone();
        settings.tokens.extend(self.plain_token(&settings.source));
        settings
    }

    /// The syslog receiver's settings with the plain token among its tokens.
    pub fn syslog(&self) -> SyslogSettings {
        let mut settings = self.syslog.clone();
        settings.tokens.extend(self.plain_token(&settings.source));
        settings
    }

    fn plain_token(&self, source: &str) -> Option<TokenSettings> {
        self.token.as_ref().map(|token| TokenSettings::plain(source, &token.0))
    }

    /// A path in the data folder.
    pub fn data(&self, name: &str) -> PathBuf {
        self.data_dir.join(Path::new(name))
    }
}

impl Counting {
    /// The counting policy of an offline count, without the lists, which are files.
    pub fn policy(&self) -> Result<Policy, ConfigError> {
        let windows = Window::ALL.map(Window::name);
        let window = Window::ALL.into_iter().find(|window| window.name() == self.window);
        let window = window.ok_or_else(|| {
            let wrong = format!("`{}` is no window; write {}", self.window, windows.join(", "));
            ConfigError::invalid("counting.window", wrong)
        })?;
        Ok(Policy {
            window,
            thresholds: Thresholds {
                listen_ms: u64::from(self.listen_seconds) * 1000,
                assumed_bytes_per_second: u64::from(self.assumed_bitrate) / 8,
            },
            filters: self.filters()?,
            key_rotation_days: NonZeroU16::new(self.key_rotation_days),
            ..Policy::default()
        })
    }

    fn filters(&self) -> Result<Filters, ConfigError> {
        let mut filters = Filters::default();
        for name in &self.filters_off {
            let reason = Reason::ALL.into_iter().find(|reason| reason.name() == name);
            if !reason.is_some_and(|reason| filters.switch_off(reason)) {
                let names = Filters::SWITCHABLE.map(Reason::name).join(", ");
                let wrong = format!("`{name}` cannot be switched off; these can: {names}");
                return Err(ConfigError::invalid("counting.filters_off", wrong));
            }
        }
        Ok(filters)
    }
}
