//! What can be wrong with a configuration. Each message names the key, says what is wrong and what would be right.

use std::io;
use std::path::PathBuf;

use super::layers::{Layers, Origin};

/// A configuration that cannot be used. The process exits with 64 (`EX_USAGE`).
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration file {}: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: io::Error },
    #[error("{} is not TOML: {cause}", path.display())]
    Syntax { path: PathBuf, cause: Box<toml::de::Error> },
    #[error("`{key}`{}: {wrong}", origin.as_ref().map(|origin| format!(" ({origin})")).unwrap_or_default())]
    Invalid { key: String, origin: Option<Origin>, wrong: String },
}

impl ConfigError {
    /// The key's value is wrong in itself.
    pub fn invalid(key: &str, wrong: impl Into<String>) -> Self {
        Self::Invalid { key: key.to_owned(), origin: None, wrong: wrong.into() }
    }

    /// With where the value was given, if that can be told.
    pub(super) fn at_its_origin(self, layers: &Layers) -> Self {
        match self {
            Self::Invalid { key, origin: None, wrong } => {
                Self::Invalid { origin: layers.origin(&key), key, wrong }
            }
            other => other,
        }
    }
}

/// What serde says of a value, without the names of Rust's types.
pub(super) fn in_plain_words(message: &str) -> String {
    if message == "invalid socket address syntax" {
        return "it is no address with a port; write one such as 127.0.0.1:8080 or [::]:8080".to_owned();
    }
    let Some((wrong, expected)) = message.rsplit_once("expected ") else { return message.to_owned() };
    let expected = match expected {
        "u16" => "a whole number up to 65535",
        "u32" => "a whole number up to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "a sequence" => "a list such as [\"one\", \"two\"]",
        name if name.starts_with("struct ") => "a table",
        other => other,
    };
    format!("{wrong}expected {expected}")
}
