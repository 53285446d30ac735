//! What fills the placeholders of a user agent template: releases, phones and browsers as they are in use.
//!
//! One variant of a template draws one Apple release, one Android phone and one set of browsers, so that an
//! operating system's version and its build number go together.

use super::rng::Rng;

/// iOS, its build, and the CFNetwork and Darwin that come with it.
const APPLE: [(&str, &str, &str, &str); 14] = [
    ("26.0.1", "23A355", "3860.100.1", "25.0.0"),
    ("26.1", "23B85", "3860.200.71", "25.1.0"),
    ("18.6.2", "22G100", "3826.600.41", "24.6.0"),
    ("18.5", "22F76", "3826.500.131", "24.5.0"),
    ("26.0", "23A341", "3860.100.1", "25.0.0"),
    ("18.7.1", "22H31", "3826.600.41", "24.6.0"),
    ("18.3.2", "22D82", "3826.400.120", "24.3.0"),
    ("17.7.2", "21H221", "1498.700.2", "23.6.0"),
    ("18.1.1", "22B91", "1568.200.51", "24.1.0"),
    ("17.5.1", "21F90", "1496.0.7", "23.5.0"),
    ("16.7.10", "20H350", "1410.1", "22.6.0"),
    ("17.4.1", "21E236", "1494.0.7", "23.4.0"),
    ("15.8.3", "19H386", "1335.0.3.4", "21.6.0"),
    ("12.5.7", "16H81", "978.0.7", "18.7.0"),
];

const MACOS: [&str; 6] = ["15_6_1", "15_5", "14_7_1", "26_0_1", "13_7", "10_15_7"];

const IPHONES: [&str; 10] = [
    "iPhone16,1",
    "iPhone15,2",
    "iPhone17,3",
    "iPhone14,5",
    "iPhone13,2",
    "iPhone12,1",
    "iPhone17,1",
    "iPhone14,6",
    "iPad13,18",
    "iPad14,3",
];

/// Android, the phone and its build.
const ANDROID: [(&str, &str, &str); 14] = [
    ("16", "Pixel 9", "BP2A.250605.031.A2"),
    ("15", "SM-S928B", "AP3A.240905.015.A2"),
    ("14", "SM-A546B", "UP1A.231005.007"),
    ("15", "Pixel 8a", "BP1A.250505.005"),
    ("13", "SM-G991U", "TP1A.220624.014"),
    ("14", "moto g power 5G - 2024", "U1UJS34.2-49"),
    ("13", "M2101K6G", "TKQ1.221013.002"),
    ("12", "SM-A125F", "SP1A.210812.016"),
    ("14", "CPH2581", "UKQ1.230924.001"),
    ("11", "Redmi Note 8", "RKQ1.201004.002"),
    ("10", "SM-A205U", "QP1A.190711.020"),
    ("15", "SM-X710", "AP3A.240905.015.A2"),
    ("9", "SM-J530F", "PPR1.180610.011"),
    ("12", "Lenovo TB-X606F", "S100201"),
];

const CHROME: [&str; 8] = [
    "142.0.0.0",
    "141.0.0.0",
    "140.0.0.0",
    "138.0.0.0",
    "131.0.0.0",
    "124.0.0.0",
    "109.0.0.0",
    "120.0.6099.230",
];

const FIREFOX: [&str; 6] = ["144.0", "143.0", "140.0", "128.0", "115.0", "133.0"];

const LOCALES: [&str; 12] = [
    "en_us", "en_gb", "de_de", "en_ca", "fr_fr", "sv_se", "es_es", "en_au", "nl_nl", "ja_jp", "pt_br",
    "it_it",
];

/// One variant's draw.
pub struct Device {
    rng: Rng,
    apple: (&'static str, &'static str, &'static str, &'static str),
    android: (&'static str, &'static str, &'static str),
    chrome: &'static str,
    firefox: &'static str,
    locale: &'static str,
}

impl Device {
    /// Common releases more often than rare ones.
    pub fn draw(mut rng: Rng) -> Self {
        let apple = early(&mut rng, &APPLE);
        let android = early(&mut rng, &ANDROID);
        let chrome = early(&mut rng, &CHROME);
        let firefox = early(&mut rng, &FIREFOX);
        let locale = early(&mut rng, &LOCALES);
        Self { rng, apple, android, chrome, firefox, locale }
    }

    /// The value of a placeholder; None for an unknown one.
    pub fn fill(&mut self, placeholder: &str) -> Option<String> {
        let value = match placeholder {
            "ios" => self.apple.0,
            "ios_" => return Some(self.apple.0.replace('.', "_")),
            "build" => self.apple.1,
            "cf" => self.apple.2,
            "darwin" => self.apple.3,
            "mac_" => any(&mut self.rng, &MACOS),
            "iphone" => any(&mut self.rng, &IPHONES),
            "android" => self.android.0,
            "device" => self.android.1,
            "abuild" => self.android.2,
            "chrome" | "edge" => self.chrome,
            "firefox" => self.firefox,
            "locale" => self.locale,
            "lang" => &self.locale[..2],
            "hex" => return Some(format!("{:016x}{:016x}", self.rng.next(), self.rng.next())),
            range => {
                let (low, high) = range.split_once('-')?;
                let (low, high) = (low.parse().ok()?, high.parse::<u64>().ok()?);
                return Some(self.rng.between(low, high + 1).to_string());
            }
        };
        Some(value.to_owned())
    }
}

fn any<T: Copy>(rng: &mut Rng, values: &[T]) -> T {
    values[rng.below(values.len() as u64) as usize]
}

/// The earlier in the list, the likelier.
fn early<T: Copy>(rng: &mut Rng, values: &[T]) -> T {
    let bound = rng.between(1, values.len() as u64 + 1);
    any(rng, &values[..bound as usize])
}
