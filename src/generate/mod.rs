//! Deterministic, realistic Fastly traffic for demos, tests and measurements.
//!
//! The same options give the same bytes on every machine: whole-number arithmetic, an own random sequence, no
//! clock, no hash order. What is modelled:
//!
//! - **Episodes**: shows of falling popularity (Zipf), new episodes far ahead of old ones, some appearing
//!   within the generated days. Paths are `/podcast/<show>/<file>`, some with escapes, some with a query.
//! - **Listeners**: each with a stable address, user agent, network, country, point of presence and speed;
//!   families and offices behind one address, IPv6 (a third), IPv4 mapped into IPv6, relays, VPNs, hosting.
//! - **Requests**: whole downloads, probes, progressive playback in ranges, broken and resumed transfers, HEAD,
//!   304, 404, 416, 301, 503, suffix and double ranges, feeds ([`feeds`]), images, episodes before their time.
//! - **Robots**: about 6 % of the lines.
//! - **Fastly's own**: shield lines, inner requests of segmented caching, lines delivered twice (0.5 %), and
//!   one line in a thousand that cannot be read. The CSV format logs at the edge only, as its VCL did.
//!
//! Hosts are reserved names and addresses come from reserved blocks, so no line names anybody. The user agents
//! and network numbers are real ones.
//!
//! Lines come in the order of their transfers' ends; starts are out of order by up to 41 minutes. Pure: the
//! only effect is writing to what the caller gives. Memory is bounded: it holds the episodes and the requests in
//! flight, neither lines nor listeners.

mod agents;
mod client;
mod devices;
mod entry;
mod format;
mod library;
mod oddity;
mod places;
mod queue;
mod rng;
mod schedule;
mod text;
mod traffic;
mod transfer;
mod weighted;
mod world;

#[cfg(test)]
mod tests;

use std::io;
use std::time::Duration;

use crate::units::{Timestamp, UtcDay};
use library::Library;
pub use traffic::Generator;

/// How much is kept before it is written out.
const CHUNK_BYTES: usize = 256 << 10;

/// Ten years.
const MOST_DAYS: u32 = 3_660;

/// What to generate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many lines.
    pub lines: u64,
    /// Another seed, other traffic.
    pub seed: u64,
    pub format: OutputFormat,
    /// Episodes of all shows together; 0 counts as 1.
    pub episodes: u32,
    /// At most as many as episodes; 0 counts as 1.
    pub shows: u32,
    /// How many listeners there are to draw from; 0 counts as 1.
    pub listeners: u32,
    /// No request begins earlier.
    pub start: Timestamp,
    /// All requests begin within so many times 24 hours; 0 counts as 1, more than 3,660 as 3,660.
    pub days: u32,
}

impl Options {
    /// The first instant after the generated days.
    fn end(&self) -> Timestamp {
        self.start.plus(Duration::from_secs(86_400 * u64::from(self.days.clamp(1, MOST_DAYS))))
    }
}

impl Default for Options {
    /// A million lines over three days from 2026-11-01 on.
    fn default() -> Self {
        Self {
            lines: 1_000_000,
            seed: 1,
            format: OutputFormat::Json,
            episodes: 1_500,
            shows: 12,
            listeners: 300_000,
            start: UtcDay(20_758).start(),
            days: 3,
        }
    }
}

/// How a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputFormat {
    /// One version 1 JSON object.
    #[default]
    Json,
    /// Fastly's classic prefix and the comma-separated columns of changelog.com's service.
    Csv,
    /// Fastly's classic syslog prefix and the JSON object.
    Syslog,
}

/// Writes all lines.
pub fn write_lines(options: &Options, out: &mut impl io::Write) -> io::Result<()> {
    let mut generator = Generator::new(options);
    let mut chunk = Vec::with_capacity(CHUNK_BYTES + 4_096);
    while generator.next_line(&mut chunk) {
        if chunk.len() >= CHUNK_BYTES {
            out.write_all(&chunk)?;
            chunk.clear();
        }
    }
    out.write_all(&chunk)?;
    out.flush()
}

/// Writes the catalogue of the episodes that the traffic asks for, as CSV with the header
/// `show,episode,path,bytes,duration_s,published_at,audio_start`. Paths are decoded. A few rows lack later
/// columns, as catalogues do. Depends on the options but for `lines`, `format` and `listeners`.
pub fn write_catalog(options: &Options, out: &mut impl io::Write) -> io::Result<()> {
    Library::new(options).write_catalog(out)
}

/// The paths of the feeds that the traffic asks for, decoded, one for each show: `/podcast/<show>/feed`.
pub fn feeds(options: &Options) -> Vec<String> {
    Library::new(options).shows.iter().map(|show| format!("/podcast/{}/feed", show.slug)).collect()
}
