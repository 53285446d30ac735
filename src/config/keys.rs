//! Every key that can also be given as a flag and as an environment variable.
//!
//! One table, so that a key is called the same everywhere: `http.listen` in the file is `--http-listen` and
//! `CASTMETER_HTTP_LISTEN`. Keys that hold lists of tables (tokens, sources, feeds to read) stand in the file only.

/// How the text of a flag or variable becomes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// Separated by commas.
    List,
    Integer,
    /// `true` or `false`.
    Boolean,
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As in the file, dotted.
    pub name: &'static str,
    pub kind: Kind,
    /// The value's name in `--help`.
    pub value: &'static str,
    pub help: &'static str,
}

impl Key {
    /// `http-listen`
    pub fn flag(&self) -> String {
        self.name.replace(['.', '_'], "-")
    }

    /// `CASTMETER_HTTP_LISTEN`; the database is called what every tool calls it.
    pub fn variable(&self) -> String {
        match self.name {
            "database_url" => "DATABASE_URL".to_owned(),
            name => format!("CASTMETER_{}", name.replace('.', "_").to_ascii_uppercase()),
        }
    }
}

const fn text(name: &'static str, value: &'static str, help: &'static str) -> Key {
    Key { name, kind: Kind::Text, value, help }
}

const fn list(name: &'static str, value: &'static str, help: &'static str) -> Key {
    Key { name, kind: Kind::List, value, help }
}

const fn integer(name: &'static str, value: &'static str, help: &'static str) -> Key {
    Key { name, kind: Kind::Integer, value, help }
}

const fn boolean(name: &'static str, help: &'static str) -> Key {
    Key { name, kind: Kind::Boolean, value: "true|false", help }
}

/// In the order of `--help`.
pub const KEYS: &[Key] = &[
    text("data_dir", "FOLDER", "Journal, secret and the embedded database [default: ./castmeter-data]"),
    text("database_url", "URL", "sqlite:PATH or postgres://… [default: SQLite in the data folder]"),
    text(
        "catalog",
        "FILE",
        "Episodes: a CSV (show,episode,path,bytes,duration_s,published_at,audio_start) or a feed",
    ),
    text(
        "catalog_refresh_interval",
        "SPAN",
        "How often the catalogue's sources are looked at [default: 10m]",
    ),
    list("feeds", "PATHS", "Paths of your feeds on the CDN: their lines are `feed`, whatever they look like"),
    text("token", "TOKEN", "Bearer token that senders must show; none: anyone may send"),
    text(
        "log_format",
        "FORMAT",
        "How lines look: json, changelog-csv or a Fastly format string [default: json]",
    ),
    text("lateness", "SPAN", "How long after its end a day takes lines, by event time [default: 6h]"),
    text("redelivery_window", "SPAN", "How long lines and bodies are remembered as received [default: 1h]"),
    text("drain_timeout", "SPAN", "Longest orderly shutdown [default: 20s]"),
    text("http.listen", "ADDRESS", "Where batches are posted to [default: [::]:8080]"),
    text("syslog.listen", "ADDRESS", "Where syslog over TCP arrives [default: [::]:5514]"),
    text("admin.listen", "ADDRESS", "/metrics, /livez and /readyz [default: [::]:9310]"),
    text("store.flush_interval", "SPAN", "How often sums are committed [default: 5s]"),
    text("store.instance", "NAME", "What this instance is called in the database [default: castmeter]"),
    text("journal.sync_interval", "SPAN", "Least time between two fsyncs; 0s: one each batch [default: 5ms]"),
    text("journal.keep", "SPAN", "How long committed batches are kept [default: 72h]"),
    integer("journal.max_bytes", "BYTES", "Most the journal may hold [default: 20 GiB]"),
    text(
        "state.snapshot_interval",
        "SPAN",
        "How often what counting knows is saved for a restart [default: 5m]",
    ),
    text("counting.window", "WINDOW", "calendar, first_touch or last_touch [default: calendar]"),
    integer("counting.listen_seconds", "SECONDS", "Playing time that makes a download [default: 60]"),
    integer("counting.assumed_bitrate", "BIT/S", "Where an episode's duration is unknown [default: 128000]"),
    list("counting.filters_off", "REASONS", "Of watch, bot, datacenter, vpn, blocked, pre_release"),
    integer(
        "counting.key_rotation_days",
        "DAYS",
        "New listener keys every so many days; 0: never [default: 0]",
    ),
    integer(
        "counting.max_episodes",
        "EPISODES",
        "Most episodes known by path without a catalogue [default: 100000]",
    ),
    list("lists.datacenters", "FILES", "Hosting providers' networks (CIDR) and AS numbers, one a line"),
    list("lists.blocked", "FILES", "Networks never counted, one a line"),
    list("lists.blocked_agents", "TEXTS", "User agents never counted: those that contain one of these"),
    list(
        "lists.agents",
        "FILES",
        "User-agent lists (user-agents-v2 JSON) that come before the built-in table",
    ),
    list("lists.agents_under", "FILES", "User-agent lists that come after the built-in table"),
    integer("metrics.max_episodes", "EPISODES", "Most episodes with metrics of their own [default: 5000]"),
    text("logging.format", "FORMAT", "text or json [default: text]"),
    // Bounds and the like, which most never touch.
    text("admin.ready_backlog", "SPAN", "How long the store may fail until /readyz says 503 [default: 10m]"),
    text("http.path", "PATH", "Where batches are sent to, exactly [default: /fastly]"),
    list("http.service_ids", "IDS", "Fastly services that the ownership challenge admits [default: any]"),
    text("http.source", "NAME", "What lines without a token are called [default: http]"),
    text("http.token_header", "NAME", "A header that may hold the token, besides Authorization"),
    text("http.tls.certificate", "FILE", "Certificate chain in PEM; with http.tls.key: HTTPS"),
    text("http.tls.key", "FILE", "Private key in PEM"),
    text("http.tls.client_authority", "FILE", "Authorities that must have signed a sender's certificate"),
    text("http.tls.handshake_timeout", "SPAN", "Longest TLS handshake [default: 10s]"),
    text("http.tls.reload_interval", "SPAN", "How often the files are looked at [default: 10s]"),
    integer("http.connections", "COUNT", "Most connections [default: 4096]"),
    integer("http.connections_per_address", "COUNT", "Most from one address [default: 1024]"),
    text("http.head_timeout", "SPAN", "For the first request's head [default: 10s]"),
    text("http.body_timeout", "SPAN", "For a body [default: 60s]"),
    text("http.keep_alive_timeout", "SPAN", "For a connection without a request [default: 60s]"),
    text("http.drain_timeout", "SPAN", "For requests in progress at a shutdown [default: 20s]"),
    integer("http.head_bytes", "BYTES", "A request's head [default: 64 KiB]"),
    integer("http.body_bytes", "BYTES", "A body as received [default: 100 MiB]"),
    integer("http.lines", "COUNT", "Lines in a body [default: 10000]"),
    integer("http.inflated_bytes", "BYTES", "A body inflated [default: 256 MiB]"),
    integer("http.inflation_ratio", "RATIO", "Inflated over received, above 4 MiB [default: 200]"),
    integer("http.in_flight_bytes", "BYTES", "All bodies until they are counted [default: 1 GiB]"),
    integer("http.in_flight_bytes_per_address", "BYTES", "Those from one address [default: 512 MiB]"),
    integer("http.streams_per_connection", "COUNT", "HTTP/2 requests at a time [default: 32]"),
    text("syslog.listen_udp", "ADDRESS", "Where datagrams are taken too [default: off]"),
    text("syslog.source", "NAME", "What lines without a token are called [default: syslog]"),
    boolean("syslog.octet_counting", "Messages begin with their length (RFC 6587) [default: false]"),
    text("syslog.tls.certificate", "FILE", "Certificate chain in PEM; with syslog.tls.key: TLS"),
    text("syslog.tls.key", "FILE", "Private key in PEM"),
    text("syslog.tls.client_authority", "FILE", "Authorities that must have signed a sender's certificate"),
    text("syslog.tls.handshake_timeout", "SPAN", "Longest TLS handshake [default: 10s]"),
    text("syslog.tls.reload_interval", "SPAN", "How often the files are looked at [default: 10s]"),
    integer("syslog.connections", "COUNT", "Most connections [default: 1024]"),
    integer("syslog.connections_per_address", "COUNT", "Most from one address [default: 256]"),
    text("syslog.idle_timeout", "SPAN", "How long a connection may be silent [default: 10m]"),
    text("syslog.drain_timeout", "SPAN", "How long connections are read at a shutdown [default: 20s]"),
    integer("syslog.line_bytes", "BYTES", "The longest line, over HTTP too [default: 64 KiB]"),
    integer(
        "syslog.batch_bytes",
        "BYTES",
        "Lines are put into the journal when so many wait [default: 512 KiB]",
    ),
    text("syslog.batch_interval", "SPAN", "… or the first is so old [default: 200ms]"),
    integer("syslog.in_flight_bytes", "BYTES", "All batches until they are counted [default: 256 MiB]"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Layers, Origin};

    #[test]
    fn names_that_others_rely_on() {
        let variable = |name: &str| KEYS.iter().find(|key| key.name == name).map(Key::variable);
        for (name, expected) in [
            ("data_dir", "CASTMETER_DATA_DIR"),
            ("http.listen", "CASTMETER_HTTP_LISTEN"),
            ("syslog.listen", "CASTMETER_SYSLOG_LISTEN"),
            ("admin.listen", "CASTMETER_ADMIN_LISTEN"),
            ("catalog", "CASTMETER_CATALOG"),
            ("token", "CASTMETER_TOKEN"),
            ("store.flush_interval", "CASTMETER_STORE_FLUSH_INTERVAL"),
            ("lateness", "CASTMETER_LATENESS"),
            ("database_url", "DATABASE_URL"),
        ] {
            assert_eq!(variable(name).as_deref(), Some(expected));
        }
    }

    #[test]
    fn every_key_is_one_of_the_configuration() {
        for key in KEYS {
            let text = match key.kind {
                Kind::Text | Kind::List => "x",
                Kind::Integer => "7",
                Kind::Boolean => "true",
            };
            let mut layers = Layers::default();
            layers.set(key, text, Origin::Flag(key.flag())).unwrap();
            let message =
                Config::from_layers(layers).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(!message.contains("unknown field"), "{}: {message}", key.name);
        }
    }
}
