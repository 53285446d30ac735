//! Which program sent a request: the app, its device and platform, and whether anybody listens.
//!
//! The first match decides, in this order:
//!
//! 1. the operator's lists laid **over** the table ([`lists`]: JSON in the open `user-agents-v2` format);
//! 2. the built-in table ([`builtin`], plain text): **services** that run without a listener (crawlers, validators, feed
//!    fetchers, previews), then **apps**, then **libraries** (devices' media stacks, then scripted HTTP tools);
//! 3. **browsers**, unless a word gives the agent away as automated ([`guess`]);
//! 4. the operator's lists laid **under** the table;
//! 5. those words;
//! 6. a device people listen with, named by what is no browser: some other **app**;
//! 7. unknown, which is not a bot.
//!
//! Services come before apps since an app's servers carry the app's name (`Overcast/1.0 Podcast Sync` reads feeds,
//! `Overcast/3.0` plays them). An agent in doubt is never a bot: a stack that real listening apps show without naming
//! themselves (AppleCoreMedia, ExoPlayer, stagefright) is a media library and counts.
//!
//! Matching looks at a readable form of the bytes ([`text`]); listeners are told apart by the bytes themselves.
//! Pure: lists come as text, nothing is opened, no answer depends on anything but lists and bytes.

mod builtin;
mod device;
mod guess;
mod kinds;
mod lists;
mod pattern;
mod row;
mod table;
#[cfg(test)]
mod tests;
mod text;

pub use kinds::{AgentClass, DeviceClass, Platform};
pub use lists::{ListError, ListText};
pub use row::{AgentRow, NO_AGENT};
pub use table::{Agent, AgentTable, AppId, ListInfo, Rule, RuleId, is_watch_download};
