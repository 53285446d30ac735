//! Layers of settings: the file, over it the environment, over both the flags.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::error::ConfigError;
use super::keys::{KEYS, Key, Kind};

/// Where a key's value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    File(PathBuf),
    Variable(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "in {}", path.display()),
            Self::Variable(name) => write!(f, "from the environment's {name}"),
            Self::Flag(name) => write!(f, "from --{name}"),
        }
    }
}

/// The layers, merged.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    pub values: Table,
    file: Option<PathBuf>,
    /// By dotted key; what is not here comes from the file.
    origins: BTreeMap<&'static str, Origin>,
}

impl Layers {
    /// The lowest layer.
    pub fn read_file(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |cause| ConfigError::Unreadable { path: path.to_owned(), cause };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let values = text
            .parse::<Table>()
            .map_err(|cause| ConfigError::Syntax { path: path.to_owned(), cause: Box::new(cause) })?;
        Ok(Self { values, file: Some(path.to_owned()), origins: BTreeMap::new() })
    }

    /// Lays one value over what was there.
    pub fn set(&mut self, key: &'static Key, text: &str, origin: Origin) -> Result<(), ConfigError> {
        let value = value_of(key, text).ok_or_else(|| ConfigError::Invalid {
            key: key.name.to_owned(),
            origin: Some(origin.clone()),
            wrong: match key.kind {
                Kind::Boolean => format!("`{text}` is neither true nor false"),
                _ => format!("`{text}` is no whole number"),
            },
        })?;
        let mut table = &mut self.values;
        let mut parts = key.name.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                table.insert(part.to_owned(), value);
                break;
            }
            let entry = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
            // A file that gives a plain value where a table belongs is told of when it is deserialised.
            let Value::Table(inner) = entry else { break };
            table = inner;
        }
        self.origins.insert(key.name, origin);
        Ok(())
    }

    /// The environment's layer: `look_up` is `std::env::var` but in tests.
    pub fn set_variables(&mut self, look_up: impl Fn(&str) -> Option<String>) -> Result<(), ConfigError> {
        for key in KEYS {
            let name = key.variable();
            if let Some(text) = look_up(&name).filter(|text| !text.is_empty()) {
                self.set(key, &text, Origin::Variable(name))?;
            }
        }
        Ok(())
    }

    /// Where a key's value was given; an unknown key stands in the file.
    pub fn origin(&self, key: &str) -> Option<Origin> {
        self.origins.get(key).cloned().or_else(|| self.file.clone().map(Origin::File))
    }
}

fn value_of(key: &Key, text: &str) -> Option<Value> {
    Some(match key.kind {
        Kind::Text => Value::String(text.to_owned()),
        Kind::List => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
        }
        Kind::Integer => Value::Integer(text.trim().parse().ok()?),
        Kind::Boolean => Value::Boolean(text.trim().parse().ok()?),
    })
}
