//! What counting publishes, a few times a second: one state, changed as a whole, so that a scrape never sees half of
//! a change.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::pipeline::Pipeline;
use super::sums::{Bounded, HighWater, OTHER, fits, known};
use crate::attribution::{Engine, Episode, Fate};
use crate::rollup::{Arrived, Histogram, LAG_SECONDS, LineCount, LiveCount, Overview};
use crate::units::{EpisodeId, JournalPosition, Timestamp};

/// More apps than the built-in table names.
const MAX_APPS: usize = 1_000;
/// All there are.
const MAX_COUNTRIES: usize = 400;
const MAX_DEVICES: usize = 50;
const MAX_STATUSES: usize = 100;
/// Pairs of point of presence and cache state.
const MAX_POPS: usize = 2_000;

/// What counting has summed up since it published last.
pub struct Publication<'a> {
    pub overview: &'a Overview,
    pub arrived: Arrived,
    pub live: LiveCount,
    /// All before it is in the sums, or was before.
    pub position: JournalPosition,
    /// By id.
    pub episodes: &'a [Episode],
    /// By id.
    pub sources: &'a [String],
    pub engine: &'a Engine,
    pub watermark: Option<Timestamp>,
    pub gaps_closed: u64,
}

#[derive(Clone, Debug)]
pub struct Counted {
    pub sources: Vec<Source>,
    pub episodes: Bounded<EpisodeId, Shown>,
    /// How many episodes were known when it was last looked whether all can be shown.
    known_episodes: usize,
    pub apps: Bounded<String, HighWater>,
    pub devices: Bounded<String, HighWater>,
    pub countries: Bounded<String, HighWater>,
    pub statuses: Bounded<String, HighWater>,
    pub pops: Bounded<(String, String), Traffic>,
    pub live: LiveCount,
    pub receipt_lag: Histogram,
    pub sessions_open: usize,
    pub state_bytes: usize,
    pub watermark: Option<Timestamp>,
    pub gaps_closed: u64,
    pub pipeline: Pipeline,
}

/// The lines of a source.
#[derive(Clone, Debug)]
pub struct Source {
    pub name: Arc<str>,
    pub received: u64,
    /// Every fate there is.
    pub fates: BTreeMap<Fate, Lines>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Lines {
    pub lines: u64,
    pub body_bytes: u64,
}

/// An episode with labels of its own.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Show and episode; empty for `(other)`.
    pub names: Arc<(String, String)>,
    pub downloads: HighWater,
    pub delivered_bytes: HighWater,
    pub body_bytes: HighWater,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    pub requests: HighWater,
    pub body_bytes: HighWater,
}

impl Counted {
    pub fn new(max_episodes: usize) -> Self {
        Self {
            sources: Vec::new(),
            episodes: Bounded::new(max_episodes),
            known_episodes: 0,
            apps: Bounded::new(MAX_APPS),
            devices: Bounded::new(MAX_DEVICES),
            countries: Bounded::new(MAX_COUNTRIES),
            statuses: Bounded::new(MAX_STATUSES),
            pops: Bounded::new(MAX_POPS),
            live: LiveCount::default(),
            receipt_lag: Histogram::new(LAG_SECONDS),
            sessions_open: 0,
            state_bytes: 0,
            watermark: None,
            gaps_closed: 0,
            pipeline: Pipeline::default(),
        }
    }

    pub fn publish(&mut self, publication: Publication<'_>) {
        let Publication { overview, arrived, engine, episodes, .. } = publication;
        self.add_lines(overview, &arrived, publication.sources);
        self.add_episodes(overview, episodes);
        self.add_audiences(overview, engine);
        self.add_traffic(overview, engine);
        self.receipt_lag.merge(&arrived.receipt_lag);
        self.pipeline.publish(arrived, publication.position);
        self.live = publication.live;
        self.sessions_open = engine.open_sessions();
        self.state_bytes = engine.state_bytes();
        self.watermark = publication.watermark;
        self.gaps_closed += publication.gaps_closed;
    }

    fn add_lines(&mut self, overview: &Overview, arrived: &Arrived, sources: &[String]) {
        for name in &sources[self.sources.len()..] {
            let fates = Fate::all().map(|fate| (fate, Lines::default())).collect();
            self.sources.push(Source { name: name.as_str().into(), received: 0, fates });
        }
        for (source, lines) in self.sources.iter_mut().zip(&arrived.lines) {
            source.received += lines;
        }
        for ((source, fate), LineCount { requests, body_bytes }) in &overview.fates {
            let sum = self.sources[usize::from(source.0)].fates.entry(*fate).or_default();
            sum.lines += u64::try_from(*requests).unwrap_or(0);
            sum.body_bytes = sum.body_bytes.saturating_add(u64::try_from(*body_bytes).unwrap_or(0));
        }
    }

    fn add_episodes(&mut self, overview: &Overview, episodes: &[Episode]) {
        // Where all fit, each is there from the beginning: a rate needs the zero before the first download.
        if episodes.len() > self.known_episodes {
            let ids = self.known_episodes..episodes.len();
            self.known_episodes = episodes.len();
            if self.episodes.has_room_for(ids.len()) {
                for id in ids {
                    self.episode(EpisodeId(u32::try_from(id).expect("ids are 32 bits wide")), episodes);
                }
            }
        }
        for (id, changes) in overview.episodes() {
            let shown = self.episode(id, episodes);
            shown.downloads.add(changes.downloads);
            shown.delivered_bytes.add(changes.delivered_bytes);
            shown.body_bytes.add(changes.body_bytes);
        }
    }

    fn episode(&mut self, id: EpisodeId, episodes: &[Episode]) -> &mut Shown {
        let Episode { show, slug, .. } = &episodes[id.0 as usize];
        self.episodes.of(&id, || {
            let names = (fits(show) && fits(slug)).then(|| Arc::new((show.clone(), slug.clone())));
            names.map(|names| Shown { names, ..Shown::default() })
        })
    }

    fn add_audiences(&mut self, overview: &Overview, engine: &Engine) {
        let agents = engine.agent_names().zip(&overview.agents);
        for (agent, downloads) in agents.filter(|(_, downloads)| **downloads != 0) {
            self.apps.of_text(&agent.app).add(*downloads);
            self.devices.of_text(agent.device.name()).add(*downloads);
        }
        for (country, downloads) in &overview.countries {
            self.countries.of_text(country.as_str()).add(*downloads);
        }
    }

    fn add_traffic(&mut self, overview: &Overview, engine: &Engine) {
        for (status, requests) in &overview.statuses {
            self.statuses.of_text(&status.to_string()).add(*requests);
        }
        let labels = engine.labels();
        for (&(pop, cache_state), count) in &overview.pops {
            let pair = (
                known(labels.pops.text(pop)).to_owned(),
                known(labels.cache_states.text(cache_state)).to_owned(),
            );
            let traffic = self.pops.of(&pair, || (pair.0 != OTHER || pair.1 != OTHER).then(Traffic::default));
            traffic.requests.add(count.requests);
            traffic.body_bytes.add(count.body_bytes);
        }
    }
}
