//! The built-in table: plain text under `tables/`, read once when the program starts.
//!
//! A line is `name | pattern OR pattern … | defaults | example | example …`, a section header `[class]` sets the
//! class of the lines below it, `#` begins a comment line. A name alone means the pattern `^name/`; without
//! an example the first pattern, spelt out, is the example. Patterns are those of [`super::pattern`]; their
//! order is the order of precedence. The tests walk every line: each example must reach its own line, so no
//! line is hidden by an earlier one.

use super::kinds::{AgentClass, DeviceClass, Platform};

/// The day the tables were last changed.
pub const VERSION: &str = "2026-11-23";

pub const SERVICES: &str = include_str!("tables/services.txt");
pub const APPS: &str = include_str!("tables/apps.txt");
pub const APP_NAMES: &str = include_str!("tables/applenames.txt");
pub const LIBRARIES: &str = include_str!("tables/libraries.txt");
pub const BROWSERS: &str = include_str!("tables/browsers.txt");
pub const DEVICES: &str = include_str!("tables/devices.txt");

/// One line of an agent table.
#[derive(Clone, Debug)]
pub struct Line {
    pub name: &'static str,
    pub class: AgentClass,
    /// As written, in order; never empty.
    pub patterns: Vec<String>,
    pub device: DeviceClass,
    pub platform: Platform,
    /// Read by the tests alone.
    #[cfg(test)]
    pub examples: Vec<&'static str>,
}

/// The lines of a table of agents.
///
/// # Panics
/// On a table that is not written as the module says: the tables are part of the program.
pub fn lines(table: &'static str) -> impl Iterator<Item = Line> {
    let mut class = None;
    table.lines().filter_map(move |line| {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            class = Some(AgentClass::from_name(name).unwrap_or_else(|| panic!("no class is named {name:?}")));
            return None;
        }
        Some(parse(line, class.unwrap_or_else(|| panic!("no section before {line:?}"))))
    })
}

fn parse(line: &'static str, class: AgentClass) -> Line {
    let mut columns = line.split('|').map(str::trim);
    let name = columns.next().unwrap_or_default();
    let patterns = match columns.next() {
        Some(written) if !written.is_empty() => written.split(" OR ").map(str::to_owned).collect(),
        _ => vec![format!("^{name}/")],
    };
    let (device, platform) = defaults(columns.next().unwrap_or_default());
    Line {
        name,
        class,
        patterns,
        device,
        platform,
        #[cfg(test)]
        examples: columns.collect(),
    }
}

/// Words that name a device class or a platform, in any order.
fn defaults(words: &str) -> (DeviceClass, Platform) {
    let mut found = (DeviceClass::Unknown, Platform::Unknown);
    for word in words.split_whitespace() {
        match (DeviceClass::from_name(word), Platform::from_name(word)) {
            (Some(device), _) => found.0 = device,
            (None, Some(platform)) => found.1 = platform,
            (None, None) => panic!("{word:?} names neither a device class nor a platform"),
        }
    }
    found
}

/// The lines of the device table: patterns, device class, platform.
///
/// # Panics
/// As [`lines`].
pub fn device_lines() -> impl Iterator<Item = (Vec<&'static str>, DeviceClass, Platform)> {
    DEVICES.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).map(|line| {
        let mut columns = line.split('|').map(str::trim);
        let patterns = columns.next().unwrap_or_default().split(" OR ").collect();
        let device = columns.next().and_then(DeviceClass::from_name);
        let platform = columns.next().and_then(Platform::from_name);
        match (device, platform) {
            (Some(device), Some(platform)) => (patterns, device, platform),
            _ => panic!("no device class and platform in {line:?}"),
        }
    })
}
