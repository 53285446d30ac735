//! The rules in force, in words: the description of methodology (IAB Podcast Measurement Guidelines v2.3, §5.5).

use std::fmt::Write;

use super::rules::{ListText, Rules};
use crate::attribution::{Filters, Reason, Window};
use crate::config::ConfigError;

impl Rules {
    /// Markdown.
    pub fn methodology(&self) -> Result<String, ConfigError> {
        let policy = self.service_policy()?;
        let seconds = policy.thresholds.listen_ms / 1000;
        let bitrate = policy.thresholds.assumed_bytes_per_second * 8;
        let mut text = String::from(HEAD);
        let mut line = |words: std::fmt::Arguments<'_>| {
            text.write_fmt(words).expect("a String takes all text");
            text.push('\n');
        };
        line(format_args!("## Downloads\n"));
        line(format_args!("- Window: {}.", window(policy.window)));
        line(format_args!(
            "- A session is a download when it delivered {seconds} s of content after the leading ID3v2 tag, by the \
             episode's size and duration; where the duration is unknown, {bitrate} bit/s are assumed; an episode that \
             is no longer than that has to be delivered whole."
        ));
        line(format_args!("- Delivered bytes are those sent, each byte of a file once a session."));
        line(format_args!("\n## Listeners\n"));
        line(format_args!(
            "- A listener is a network (an IPv4 address, or the first 64 bits of an IPv6 address) with a user agent."
        ));
        line(format_args!("- Addresses are hashed with a secret key; {}.", self.rotation()));
        line(format_args!("\n## Filters\n"));
        for reason in Filters::SWITCHABLE {
            let state = if policy.filters.is_on(reason) { "on" } else { "off" };
            line(format_args!("- {} ({state}): {}", reason.name(), filter(reason)));
        }
        line(format_args!("\n## Lists\n"));
        for list in self.agent_table()?.lists() {
            let version = list.version.unwrap_or("without a version");
            line(format_args!("- user agents: {}, {} entries, {version}", list.list, list.entries));
        }
        for (name, lists) in self.lists_by_name() {
            for list in lists {
                line(format_args!("- {name}: {}, {} lines", list.path.display(), list.text.lines().count()));
            }
        }
        for network in &self.included {
            line(format_args!("- included: {}, validated on {}", network.network, network.validated_on));
        }
        line(format_args!("\n## Late lines\n"));
        line(format_args!(
            "- A day is closed {} after its end, by the time of requests; later lines for it are counted as late. \
             Lines and bodies sent again within {} are recognised.",
            humantime::format_duration(self.lateness),
            humantime::format_duration(self.redelivery_window)
        ));
        Ok(text)
    }

    fn lists_by_name(&self) -> [(&'static str, &[ListText]); 2] {
        [("hosting providers", &self.datacenters), ("blocked networks", &self.blocked)]
    }

    fn rotation(&self) -> String {
        match self.counting.key_rotation_days {
            0 => "the key does not change".to_owned(),
            days => format!("the key changes every {days} days at midnight UTC"),
        }
    }
}

const HEAD: &str = "# Description of methodology\n\n\
    Counted by castmeter from the CDN's log of requests, by the IAB Tech Lab *Podcast Measurement Guidelines* v2.3.\n\n";

const fn window(window: Window) -> &'static str {
    match window {
        Window::Calendar => "a listener counts once for an episode in a UTC day",
        Window::FirstTouch => "a listener counts once for an episode in 24 hours from the first request on",
        Window::LastTouch => {
            "a listener counts once for an episode until 24 hours have passed since the last request"
        }
    }
}

const fn filter(reason: Reason) -> &'static str {
    match reason {
        Reason::Watch => "watches that download beside the phone they are paired with",
        Reason::Bot => "bots, crawlers, validators, scripted libraries, and requests without a user agent",
        Reason::Datacenter => "hosting providers' networks, but iCloud Private Relay",
        Reason::Vpn => "VPNs and Tor",
        Reason::Blocked => "the operator's own list of networks and user agents",
        Reason::PreRelease => "requests from before the episode was published",
        _ => "always on",
    }
}
