//! The receivers' settings: each bound by name and unit. Sizes are integers of bytes, spans are texts such
//! as `"10s"` or `"200ms"`.

use std::fmt;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use thiserror::Error;

use super::admission::Bounds;
use super::decode::Limits;
use super::tls::TlsError;
use crate::units::ByteCount;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// HTTP: `[http]` in the configuration file.
///
/// Memory is at most `in_flight_bytes` + `connections` × (`head_bytes` + what HTTP/2 clients send unread, 2 MiB if
/// they try) + 8 MiB per processor to inflate zstd. An idle plain connection holds some 12 KiB.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// Where to listen; `[::]` takes IPv4 too.
    pub listen: SocketAddr,
    /// Without it, plain HTTP, as behind a load balancer.
    pub tls: Option<TlsSettings>,
    /// The path that batches are sent to, exactly.
    pub path: String,
    /// The Fastly services that may send here. Without any, all may.
    pub service_ids: Vec<String>,
    /// What lines are called that come without a token, if none is configured.
    pub source: String,
    /// If there are any, each request needs one.
    pub tokens: Vec<TokenSettings>,
    /// Besides `Authorization`, a header that may hold the token and nothing else.
    pub token_header: Option<String>,

    /// In all. Where they are taken, a newer connection displaces the oldest one that has delivered no batch yet, those
    /// without a valid token first.
    pub connections: usize,
    /// From one IPv4 address or IPv6 network of 64 bits; otherwise alike.
    pub connections_per_address: usize,
    /// For the first request's head, from the connection or the end of its TLS handshake.
    #[serde(deserialize_with = "span")]
    pub head_timeout: Duration,
    /// For a body, from the end of the head.
    #[serde(deserialize_with = "span")]
    pub body_timeout: Duration,
    /// How long a connection may stay without a request in progress; it is closed within twice that.
    #[serde(deserialize_with = "span")]
    pub keep_alive_timeout: Duration,
    /// How long requests may take to end once the service shuts down.
    #[serde(deserialize_with = "span")]
    pub drain_timeout: Duration,

    /// A request's head; over HTTP/1 also how much is read at once. At least 8192.
    pub head_bytes: u32,
    /// A body as received.
    pub body_bytes: u64,
    /// Lines in a body, or elements of its JSON array; empty lines are none.
    pub lines: u64,
    /// A body inflated.
    pub inflated_bytes: u64,
    /// Inflated over received, above 4 MiB inflated.
    pub inflation_ratio: u32,
    /// All bodies, as received and inflated, from their receipt until they are counted.
    pub in_flight_bytes: u64,
    pub in_flight_bytes_per_address: u64,
    /// HTTP/2 requests at a time on one connection.
    pub streams_per_connection: u32,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv6Addr::UNSPECIFIED, 8080)),
            tls: None,
            path: "/fastly".to_owned(),
            service_ids: Vec::new(),
            source: "http".to_owned(),
            tokens: Vec::new(),
            token_header: None,
            connections: 4_096,
            connections_per_address: 1_024,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(60),
            keep_alive_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(20),
            head_bytes: 64 * 1024,
            body_bytes: 100 * MIB,
            lines: 10_000,
            inflated_bytes: 256 * MIB,
            inflation_ratio: 200,
            in_flight_bytes: 1024 * MIB,
            in_flight_bytes_per_address: 512 * MIB,
            streams_per_connection: 32,
        }
    }
}

impl HttpSettings {
    pub(super) fn check(&self) -> Result<(), SetupError> {
        if !self.path.starts_with('/') {
            return Err(SetupError::Path { path: self.path.clone() });
        }
        at_least("connections", self.connections as u64, 1)?;
        at_least("connections_per_address", self.connections_per_address as u64, 1)?;
        at_least("head_bytes", self.head_bytes.into(), 8 * KIB)?;
        at_least("body_bytes", self.body_bytes, 1)?;
        at_least("lines", self.lines, 1)?;
        at_least("inflated_bytes", self.inflated_bytes, 1)?;
        at_least("inflation_ratio", self.inflation_ratio.into(), 1)?;
        // One body of the largest size, as received and inflated, must be possible.
        let least = self.body_bytes.saturating_add(self.inflated_bytes);
        at_least("in_flight_bytes_per_address", self.in_flight_bytes_per_address, least)?;
        at_least("in_flight_bytes", self.in_flight_bytes, least)?;
        at_least("streams_per_connection", self.streams_per_connection.into(), 1)
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            connections: self.connections,
            connections_per_address: self.connections_per_address,
            in_flight_bytes: self.in_flight_bytes,
            in_flight_bytes_per_address: self.in_flight_bytes_per_address,
        }
    }

    pub(super) fn limits(&self) -> Limits {
        Limits { inflated: ByteCount(self.inflated_bytes), ratio: self.inflation_ratio }
    }
}

/// Syslog: `[syslog]` in the configuration file.
///
/// Memory is at most `connections` × (2 × `batch_bytes` + 3 × `line_bytes` + 512 KiB) + `in_flight_bytes`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyslogSettings {
    /// Where to listen; `[::]` takes IPv4 too.
    pub listen: SocketAddr,
    /// Without it, plain TCP.
    pub tls: Option<TlsSettings>,
    /// Where to take datagrams too, if anywhere. Fastly sends none, and some may be lost.
    pub listen_udp: Option<SocketAddr>,
    /// What lines are called that come without a token, if none is configured.
    pub source: String,
    /// If there are any, each line must begin with one.
    pub tokens: Vec<TokenSettings>,
    /// Whether messages are told apart by a count before each (RFC 6587 §3.4.1) instead of by newlines. Never
    /// guessed: a line may begin with digits.
    pub octet_counting: bool,

    /// As for HTTP, with those giving way that have delivered nothing.
    pub connections: usize,
    pub connections_per_address: usize,
    /// How long a connection may stay silent.
    #[serde(deserialize_with = "span")]
    pub idle_timeout: Duration,
    /// How long connections are still read from once the service shuts down.
    #[serde(deserialize_with = "span")]
    pub drain_timeout: Duration,

    /// A line without its token and its end. Counting must be given the same bound.
    pub line_bytes: usize,
    /// A batch is handed on once it has this size, or
    pub batch_bytes: usize,
    /// once its first line is this old.
    #[serde(deserialize_with = "span")]
    pub batch_interval: Duration,
    /// All batches from when they are handed on until they are counted.
    pub in_flight_bytes: u64,
}

impl Default for SyslogSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv6Addr::UNSPECIFIED, 5514)),
            tls: None,
            listen_udp: None,
            source: "syslog".to_owned(),
            tokens: Vec::new(),
            octet_counting: false,
            connections: 1_024,
            connections_per_address: 256,
            idle_timeout: Duration::from_secs(600),
            drain_timeout: Duration::from_secs(20),
            line_bytes: 64 * 1024,
            batch_bytes: 512 * 1024,
            batch_interval: Duration::from_millis(200),
            in_flight_bytes: 256 * MIB,
        }
    }
}

impl SyslogSettings {
    pub(super) fn check(&self) -> Result<(), SetupError> {
        at_least("connections", self.connections as u64, 1)?;
        at_least("connections_per_address", self.connections_per_address as u64, 1)?;
        at_least("line_bytes", self.line_bytes as u64, 1)?;
        at_least("batch_bytes", self.batch_bytes as u64, 1)?;
        // A batch may be a line larger than its bound, and its memory twice that.
        let largest_batch = self.batch_bytes.saturating_add(self.line_bytes).saturating_add(2) as u64;
        at_least("in_flight_bytes", self.in_flight_bytes, largest_batch.saturating_mul(2))
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            connections: self.connections,
            connections_per_address: self.connections_per_address,
            in_flight_bytes: self.in_flight_bytes,
            in_flight_bytes_per_address: self.in_flight_bytes,
        }
    }
}

/// A listener's certificate, in PEM files that are read again when they change.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The certificate and those that it depends on.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// If given, clients must show a certificate that one of these authorities signed: over HTTP to send batches,
    /// though not for the ownership challenge; over syslog to connect.
    pub client_authority: Option<PathBuf>,
    #[serde(default = "ten_seconds", deserialize_with = "span")]
    pub handshake_timeout: Duration,
    /// How often the files are looked at.
    #[serde(default = "ten_seconds", deserialize_with = "span")]
    pub reload_interval: Duration,
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

/// One token and the source it stands for. Exactly one of `token`, `file` and `env` says where it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSettings {
    pub source: String,
    pub token: Option<Secret>,
    /// A file that holds the token; white space around it does not count.
    pub file: Option<PathBuf>,
    /// An environment variable that holds the token.
    pub env: Option<String>,
}

impl TokenSettings {
    /// A token given as it is.
    pub fn plain(source: &str, token: &str) -> Self {
        Self { source: source.to_owned(), token: Some(Secret(token.to_owned())), ..Self::default() }
    }

    pub(super) fn read(&self) -> Result<Vec<u8>, SetupError> {
        let source_name = || self.source.clone();
        let token = match (&self.token, &self.file, &self.env) {
            (Some(token), None, None) => token.0.clone(),
            (None, Some(path), None) => std::fs::read_to_string(path).map_err(|cause| {
                SetupError::TokenFile { source_name: source_name(), path: path.clone(), cause }
            })?,
            (None, None, Some(name)) => std::env::var(name)
                .map_err(|_| SetupError::TokenEnv { source_name: source_name(), name: name.clone() })?,
            _ => return Err(SetupError::TokenPlace { source_name: source_name() }),
        };
        match token.trim().as_bytes() {
            [] => Err(SetupError::EmptyToken { source_name: source_name() }),
            token => Ok(token.to_vec()),
        }
    }
}

/// A text that is never shown.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// What in the settings keeps a receiver from starting.
#[derive(Debug, Error)]
pub enum SetupError {
    #[error("token of source {source_name:?}: give exactly one of `token`, `file` and `env`")]
    TokenPlace { source_name: String },
    #[error("token of source {source_name:?}: cannot read {}: {cause}", path.display())]
    TokenFile { source_name: String, path: PathBuf, cause: io::Error },
    #[error("token of source {source_name:?}: environment variable {name} is not set to a text")]
    TokenEnv { source_name: String, name: String },
    #[error("token of source {source_name:?} is empty: remove it, or give it a value")]
    EmptyToken { source_name: String },
    #[error(
        "token of source {source_name:?} begins as one of source {other:?}: they could be confused, choose another"
    )]
    OverlappingToken { source_name: String, other: String },
    #[error("path {path:?}: must begin with `/`")]
    Path { path: String },
    #[error("token_header {name:?} is no header name")]
    TokenHeader { name: String },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("{name} is {value}: must be at least {least}")]
    TooSmall { name: &'static str, value: u64, least: u64 },
}

fn at_least(name: &'static str, value: u64, least: u64) -> Result<(), SetupError> {
    if value < least { Err(SetupError::TooSmall { name, value, least }) } else { Ok(()) }
}

/// A span of time as people write it.
fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(|error| {
        serde::de::Error::custom(format!("{text:?}: {error}; write a span such as \"10s\" or \"200ms\""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_over_the_defaults() {
        let http: HttpSettings = toml::from_str(
            r#"
            path = "/logs"
            body_timeout = "1m 30s"
            [[tokens]]
            source = "podcasts"
            token = "hush"
            "#,
        )
        .unwrap();
        assert_eq!((http.path.as_str(), http.body_timeout), ("/logs", Duration::from_secs(90)));
        assert_eq!(http.body_bytes, 104_857_600);
        assert_eq!(http.tokens[0].read().unwrap(), b"hush");
        assert!(!format!("{http:?}").contains("hush"));
    }

    #[test]
    fn what_cannot_be_meant_is_an_error_that_says_so() {
        let cases = [
            ("body_byte = 1", "unknown field"),
            ("body_timeout = \"soon\"", "such as"),
            ("listen = \"8080\"", "listen"),
        ];
        for (text, expected) in cases {
            let message = toml::from_str::<HttpSettings>(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn bounds_that_let_nothing_through_are_errors_that_name_them() {
        assert!(HttpSettings::default().check().is_ok() && SyslogSettings::default().check().is_ok());
        let http = [
            "path = \"fastly\"",
            "connections = 0",
            "head_bytes = 100",
            "body_bytes = 0",
            "lines = 0",
            "inflation_ratio = 0",
            "in_flight_bytes = 1000000",
            "in_flight_bytes_per_address = 1000000",
        ];
        for text in http {
            let refused = toml::from_str::<HttpSettings>(text).unwrap().check().unwrap_err().to_string();
            assert!(refused.starts_with(text.split(' ').next().unwrap()), "{text}: {refused}");
        }
        for text in
            ["connections_per_address = 0", "line_bytes = 0", "batch_bytes = 0", "in_flight_bytes = 1000"]
        {
            let refused = toml::from_str::<SyslogSettings>(text).unwrap().check().unwrap_err().to_string();
            assert!(refused.starts_with(text.split(' ').next().unwrap()), "{text}: {refused}");
        }
    }

    #[test]
    fn a_token_is_in_one_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, " from-file\n").unwrap();
        let in_file = TokenSettings { source: "s".into(), file: Some(path), ..Default::default() };
        assert_eq!(in_file.read().unwrap(), b"from-file");

        let in_env =
            |name: &str| TokenSettings { source: "s".into(), env: Some(name.into()), ..Default::default() };
        assert_eq!(in_env("PATH").read().unwrap(), std::env::var("PATH").unwrap().as_bytes());
        assert!(matches!(in_env("CASTMETER_NO_SUCH").read(), Err(SetupError::TokenEnv { .. })));

        assert!(matches!(TokenSettings::default().read(), Err(SetupError::TokenPlace { .. })));
        let twice = TokenSettings { env: Some("PATH".into()), ..TokenSettings::plain("s", "t") };
        assert!(matches!(twice.read(), Err(SetupError::TokenPlace { .. })));
        let missing = TokenSettings { file: Some("/nowhere/token".into()), ..Default::default() };
        assert!(missing.read().unwrap_err().to_string().contains("/nowhere/token"));
    }
}
