//! Values as people write them.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// A span such as `5s`, `250ms`, `6h` or `1d 12h`.
pub fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(|error| {
        serde::de::Error::custom(format!(
            "`{text}` is no span of time ({error}); write one such as 5s, 250ms or 6h"
        ))
    })
}
