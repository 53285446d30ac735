//! Device class and platform, from what the agent says about them.
//!
//! One table, the first line that matches; where the agent says nothing, the caller has the defaults of the
//! app. iPadOS counts as iOS, an iPod as a phone. `CFNetwork` without more is taken for an iPhone: since Macs left
//! Intel, Apple's agents no longer tell them apart.

use memchr::memmem;

use super::builtin;
use super::kinds::{DeviceClass, Platform};
use super::pattern::{Pattern, PatternSet};

#[derive(Debug)]
pub struct DeviceTable {
    patterns: PatternSet,
    /// One for each pattern.
    meanings: Box<[(DeviceClass, Platform)]>,
}

impl DeviceTable {
    pub fn builtin() -> Self {
        let mut patterns = Vec::new();
        let mut meanings = Vec::new();
        for (written, device, platform) in builtin::device_lines() {
            for pattern in written {
                patterns.push(Pattern::parse(pattern).unwrap_or_else(|| panic!("no pattern: {pattern:?}")));
                meanings.push((device, platform));
            }
        }
        Self { patterns: PatternSet::new(patterns), meanings: meanings.into() }
    }

    /// Unknown where the agent does not say.
    pub fn device(&self, text: &[u8]) -> (DeviceClass, Platform) {
        match self.patterns.first_match(text).map(|index| self.meanings[index]) {
            Some((DeviceClass::Phone, Platform::Android)) if is_tablet_browser(text) => {
                (DeviceClass::Tablet, Platform::Android)
            }
            found => found.unwrap_or((DeviceClass::Unknown, Platform::Unknown)),
        }
    }
}

/// Chrome and its kin on Android say `Mobile` on phones only.
fn is_tablet_browser(text: &[u8]) -> bool {
    let says = |word: &str| memmem::find(text, word.as_bytes()).is_some();
    text.starts_with(b"Mozilla/") && says("Chrome/") && says("Safari/") && !says("Mobile")
}
