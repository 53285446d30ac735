//! `castmeter check`: is the configuration sound, and what will it be able to count?

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use clap::Args;

use super::Failure;
use super::config::ConfigArgs;
use super::output::stdout;
use crate::catalog::{Catalog, ChapterFiles, Problem};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::parser::{Field, FieldSet};
use crate::receiver::{Batch, HttpReceiver, Intake, Refused, SetupError, Surroundings, SyslogReceiver};
use crate::service::rules::Rules;
use crate::service::{Chapters, open_offline};

/// Validate a configuration and say what it counts, and what it cannot for lack of a log field
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    config: ConfigArgs,
}

/// What it costs that lines lack a field.
const COSTS: &[(Field, &str)] = &[
    (Field::Id, "a line that Fastly sends twice counts twice, unless its whole body is sent again"),
    (Field::Method, "every request is taken for a GET: HEAD requests with a body size may count"),
    (Field::Host, "episodes of the same path on several hosts are not told apart"),
    (
        Field::Range,
        "without Content-Range too, 206 responses are unplaced bytes and Apple's probes are told by size",
    ),
    (
        Field::ContentRange,
        "ranges are placed by what was asked for; sizes are not learnt from partial responses",
    ),
    (Field::Completed, "sizes missing in the catalogue are not learnt from whole responses"),
    (Field::UserAgent, "nothing is counted: without a user agent every request is taken for a bot"),
    (Field::Country, "no countries"),
    (Field::Asn, "lists of AS numbers match nothing"),
    (Field::ProxyType, "hosting providers are known by your own lists only"),
    (Field::ProxyDescription, "VPNs and Tor are counted like anybody"),
    (
        Field::Edge,
        "shield requests count as if they were listeners, unless the log condition leaves them out",
    ),
    (Field::Inner, "segmented caching's inner requests count, unless the log condition leaves them out"),
];

impl Check {
    pub fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let mut problems = Vec::new();
        let tell = |problem: &Problem| problems.push(problem.clone());
        let catalog = open_offline(&config, &SystemClock::new(), Chapters::Read, tell)?;
        let rules = Rules::read(&config, catalog.as_ref().map(|catalog| catalog.episodes().to_vec()))?;
        let mut out = stdout();
        describe_service(&config, &mut out)?;
        match &rules.catalog {
            Some(episodes) => writeln!(out, "episodes: {} in the catalogue", episodes.len())?,
            None => writeln!(out, "episodes: every path that ends as audio does (no catalogue)")?,
        }
        if let Some(catalog) = &catalog {
            describe_chapters(catalog, &mut out)?;
        }
        check_receivers(&config)?;
        let parsers = rules.parsers()?;
        let sources = config.source.iter().map(|source| source.name.as_str());
        for source in sources.chain(["other sources"]) {
            writeln!(out, "lines of {source}: {}", config.log_format(source))?;
            describe_fields(parsers.of(source).fields(), &mut out)?;
        }
        for network in rules.stale_networks(SystemClock::new().now().day()) {
            let (name, day) = (&network.network, network.validated_on);
            writeln!(out, "warning: included network {name} was last validated on {day}, over 90 days ago")?;
        }
        for problem in &problems {
            writeln!(out, "problem: {problem}")?;
        }
        out.flush()?;
        // A value that is unknown costs a feature; a live feed may lack one at any time.
        match problems.iter().filter(|problem| problem.cost.is_an_episode()).count() {
            0 => Ok(()),
            lost => Err(Failure::Usage(format!("{lost} episodes are left out of the catalogue, see above"))),
        }
    }
}

/// Tokens, certificates and bounds, as `serve` would take them.
fn check_receivers(config: &Config) -> Result<(), Failure> {
    let surroundings = || Surroundings { clock: Arc::new(SystemClock::new()), observer: Arc::new(()) };
    let wrong = |error: SetupError| Failure::Usage(error.to_string());
    HttpReceiver::new(config.http(), Arc::new(Nowhere), surroundings()).map_err(wrong)?;
    SyslogReceiver::new(config.syslog(), Arc::new(Nowhere), surroundings()).map_err(wrong)?;
    Ok(())
}

/// Nothing is received while a configuration is checked.
struct Nowhere;

impl Intake for Nowhere {
    async fn accept(&self, _: Batch) -> Result<(), Refused> {
        Err(Refused::ShuttingDown)
    }
}

fn describe_service(config: &Config, out: &mut impl Write) -> std::io::Result<()> {
    let database = config.database_url();
    let kind = database.split(':').next().unwrap_or_default();
    writeln!(out, "data: {}, store: {kind}", config.data_dir.display())?;
    writeln!(out, "http: {}, syslog: {}", config.http.listen, config.syslog.listen)?;
    let senders = |tokens: usize| if tokens == 0 { "anyone" } else { "who has a token" };
    let (http, syslog) = (senders(config.http().tokens.len()), senders(config.syslog().tokens.len()));
    writeln!(out, "admin: {}; may send over http: {http}, over syslog: {syslog}", config.admin.listen)?;
    let counting = &config.counting;
    writeln!(
        out,
        "a download: {} s of content ({} bit/s where the duration is unknown), window {}",
        counting.listen_seconds, counting.assumed_bitrate, counting.window
    )
}

/// Nothing where no episode names any.
fn describe_chapters(catalog: &Catalog, out: &mut impl Write) -> std::io::Result<()> {
    let ChapterFiles { named, read } = catalog.chapter_files();
    if named == 0 {
        return Ok(());
    }
    // An episode is there once for each of its addresses.
    let episodes: HashMap<_, _> = catalog.episodes().iter().map(|it| ((&it.show, &it.slug), it)).collect();
    let (mut chapters, mut beyond) = (0_usize, 0_usize);
    for episode in episodes.into_values().filter(|episode| episode.duration_ms.is_some()) {
        for chapter in episode.chapters.iter().flatten() {
            chapters += 1;
            beyond += usize::from(chapter.content_bin(episode.duration_ms).is_none());
        }
    }
    writeln!(
        out,
        "chapters: {read} of {named} files read; of {chapters} chapters in episodes of known duration {beyond} begin \
         after the end"
    )
}

fn describe_fields(fields: FieldSet, out: &mut impl Write) -> std::io::Result<()> {
    let names: Vec<&str> = fields.iter().map(Field::name).collect();
    writeln!(out, "  give: {}", names.join(", "))?;
    for (field, cost) in COSTS.iter().filter(|(field, _)| !fields.contains(*field)) {
        writeln!(out, "  lack {}: {cost}", field.name())?;
    }
    Ok(())
}
