//! The closed sets an agent is sorted into: class, device class, platform.
//!
//! Names are an interface: tables, metrics, lists and `castmeter agents` use them. Nothing here looks
//! at an agent.

use serde::{Deserialize, Serialize};

/// Declares a closed set of named cases, with every case listed once.
macro_rules! named {
    ($(#[$doc:meta])* $set:ident { $($(#[$case_doc:meta])* $case:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $set {
            $($(#[$case_doc])* #[serde(rename = $name)] $case,)+
        }

        impl $set {
            pub const ALL: &[Self] = &[$(Self::$case),+];

            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$case => $name,)+
                }
            }

            /// The case of that name, spelt exactly.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|case| case.name() == name)
            }
        }

        impl std::fmt::Display for $set {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

named! {
    /// What kind of program sent a request.
    AgentClass {
        /// A program people listen with, or one that opens links for them.
        App = "app",
        Browser = "browser",
        /// A device's media or HTTP stack that does not name the app above it.
        MediaLibrary = "media_library",
        /// A program that runs without a listener and fits none of the classes below.
        Bot = "bot",
        /// Collects for a directory, a search engine, an archive or a model.
        Crawler = "crawler",
        /// Checks feeds, files, links or availability.
        Validator = "validator",
        /// The server side of an app or a reader, which reads feeds for many people at once.
        FeedFetcher = "feed_fetcher",
        /// A general HTTP tool or library that scripts and servers use.
        ScriptedLibrary = "scripted_library",
        /// No pattern matches. Never filtered as a bot.
        Unknown = "unknown",
    }
}

impl AgentClass {
    /// True where nobody listens: requests of these classes are not counted.
    pub const fn is_automated(self) -> bool {
        match self {
            Self::Bot | Self::Crawler | Self::Validator | Self::FeedFetcher | Self::ScriptedLibrary => true,
            Self::App | Self::Browser | Self::MediaLibrary | Self::Unknown => false,
        }
    }
}

named! {
    /// What the request was made with, as far as the agent tells.
    DeviceClass {
        /// Handhelds without a phone in them (iPod touch) included.
        Phone = "phone",
        Tablet = "tablet",
        Desktop = "desktop",
        /// Smart speakers, sound bars, and players made for listening only.
        Speaker = "speaker",
        Car = "car",
        /// Television sets and the boxes and sticks behind them.
        Tv = "tv",
        Watch = "watch",
        Console = "console",
        Unknown = "unknown",
    }
}

named! {
    /// The operating system or, for appliances, the maker's platform.
    Platform {
        /// iPadOS included.
        Ios = "ios",
        Android = "android",
        MacOs = "macos",
        Windows = "windows",
        Linux = "linux",
        ChromeOs = "chromeos",
        WatchOs = "watchos",
        WearOs = "wearos",
        TvOs = "tvos",
        /// Amazon's Fire tablets and sticks.
        FireOs = "fireos",
        /// Amazon's speakers.
        Alexa = "alexa",
        /// Chromecast, Google Home, Nest.
        Cast = "cast",
        HomePod = "homepod",
        Sonos = "sonos",
        Roku = "roku",
        Tizen = "tizen",
        WebOs = "webos",
        PlayStation = "playstation",
        Xbox = "xbox",
        KaiOs = "kaios",
        Garmin = "garmin",
        Unknown = "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_read_back() {
        for class in AgentClass::ALL {
            assert_eq!(AgentClass::from_name(class.name()), Some(*class));
        }
        for device in DeviceClass::ALL {
            assert_eq!(DeviceClass::from_name(device.name()), Some(*device));
        }
        for platform in Platform::ALL {
            assert_eq!(Platform::from_name(platform.name()), Some(*platform));
        }
        assert_eq!(AgentClass::from_name("App"), None);
    }

    #[test]
    fn unknown_is_not_automated() {
        assert!(!AgentClass::Unknown.is_automated());
        assert!(AgentClass::FeedFetcher.is_automated());
    }
}
