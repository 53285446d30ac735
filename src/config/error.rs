//! What can be wrong with a configuration. Each message names the key, says what is wrong and what would be right.

use std::io;
use std::path::PathBuf;

use super::layers::Origin;

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
}
