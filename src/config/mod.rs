//! The configuration: one TOML file, each plain key also an environment variable and a flag.
//!
//! Later layers win: file, environment, flags. Unknown keys are errors. What the whole means, and every default, is
//! [`Config`]; `keys` lists the keys with their help. Files that a key names are read by the rooms that need them.

mod error;
mod keys;
mod layers;
mod settings;
mod values;

pub use error::ConfigError;
pub use keys::{KEYS, Key, Kind};
pub use layers::{Layers, Origin};
pub use settings::{Config, Counting, FeedSource, IncludedNetwork, Lists, LogFormat, SourceSettings};
