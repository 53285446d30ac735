//! Counting what the journal holds, in its order: records in, sums out.
//!
//! A deterministic function of the journal and the secret. What the store holds already is counted again after a
//! restart, to have the sessions back, but its sums are not given out a second time.

use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;

use super::bodies::{self, Digest, SeenBodies};
use super::rules::{Parsers, Rules};
use super::samples::{Samples, log_first};
use crate::attribution::{AgentNames, Engine, Episode, Labels, Receipt, Secret};
use crate::config::ConfigError;
use crate::event::{Defect, Malformed, Request};
use crate::journal::{Entry, Fed, RecordKind};
use crate::parser;
use crate::receiver::decode;
use crate::rollup::{Arrivals, Delta, Reach, ReachKey, Sketch};
use crate::units::{ByteCount, JournalPosition, SourceId, Timestamp};

/// What goes with a record to counting, so that it need not be read back.
#[derive(Clone, Debug)]
pub enum Handoff {
    Lines(Lines),
    Rules { rules: Arc<Rules> },
}

/// Lines that came in together.
#[derive(Clone, Debug)]
pub struct Lines {
    pub source: Arc<str>,
    pub received_at: Timestamp,
    /// Inflated.
    pub lines: Bytes,
    pub tail_is_cut: bool,
    /// Of a body as it was received; a piece of a stream has none.
    pub digest: Option<Digest>,
}

/// Sums since they were last taken, with all that is needed to name them.
#[derive(Debug, Default)]
pub struct Sums {
    pub delta: Delta,
    /// All before it is in the sums, or was before.
    pub position: JournalPosition,
    /// By id. Grows, and changes when the catalogue does.
    pub episodes: Vec<Episode>,
    pub sources: Vec<String>,
    /// By id. Grows.
    pub agents: Vec<AgentNames>,
    pub labels: Labels,
    /// Slugs by id. Grows.
    pub shows: Vec<String>,
    /// Listeners since their sketches were kept last.
    pub reach: HashMap<ReachKey, Sketch>,
}

/// Why a stored record cannot be counted.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    #[error("the journal's record cannot be inflated: {0}")]
    Decode(#[from] decode::DecodeError),
    #[error("the journal's rules cannot be read: {0}")]
    Rules(#[from] serde_json::Error),
    #[error("the journal's rules cannot be used: {0}")]
    Config(#[from] ConfigError),
}

/// Counts.
pub struct Counter {
    engine: Engine,
    parsers: Parsers,
    max_line_bytes: usize,
    sources: Vec<String>,
    source_ids: HashMap<Arc<str>, SourceId>,
    delta: Delta,
    reach: Reach,
    /// The next record to count.
    position: JournalPosition,
    /// Sums of records before it are in the store.
    committed: JournalPosition,
    /// Episodes already given out; fewer than there are once new ones came.
    given_episodes: usize,
    catalog_changed: bool,
    samples: Samples,
    bodies: SeenBodies,
    /// Ranges merged over a gap since the last call of [`Counter::take_gaps_closed`].
    gaps_closed: u64,
    arrivals: Arrivals,
}

impl Counter {
    /// `rules` hold until the journal says otherwise. `committed` is what the store has taken in.
    pub fn new(rules: &Rules, secret: Secret, committed: JournalPosition) -> Result<Self, ConfigError> {
        Ok(Self {
            engine: rules.service_engine(secret)?,
            parsers: rules.parsers()?,
            max_line_bytes: rules.max_line_bytes,
            sources: Vec::new(),
            source_ids: HashMap::new(),
            delta: Delta::default(),
            reach: Reach::default(),
            position: JournalPosition::START,
            committed,
            given_episodes: 0,
            catalog_changed: false,
            samples: Samples::default(),
            bodies: SeenBodies::new(rules.redelivery_window),
            gaps_closed: 0,
            arrivals: Arrivals::default(),
        })
    }

    /// Counts what the journal feeds; `next` is the position behind it. A damaged record is passed over.
    pub fn count(&mut self, fed: Fed<Handoff>, next: JournalPosition) -> Result<(), CountError> {
        let result = match fed {
            Fed::Live { value, .. } => self.count_handoff(&value),
            Fed::Stored(entry) => self.count_stored(&entry),
            Fed::Damage(_) => Ok(()),
        };
        self.position = next;
        if self.position <= self.committed {
            self.delta = Delta::default();
            self.arrivals.forget();
        }
        result
    }

    fn count_handoff(&mut self, handoff: &Handoff) -> Result<(), CountError> {
        match handoff {
            Handoff::Lines(lines) => {
                self.count_lines(lines);
                Ok(())
            }
            Handoff::Rules { rules } => self.change_rules(rules),
        }
    }

    fn count_stored(&mut self, entry: &Entry) -> Result<(), CountError> {
        let record = &entry.record;
        match record.kind {
            RecordKind::Batch | RecordKind::Stream | RecordKind::CutStream => {
                // It passed its limits when it was received.
                let limits = decode::Limits { inflated: ByteCount(u64::MAX), ratio: u32::MAX };
                self.count_lines(&Lines {
                    source: record.source.clone(),
                    received_at: record.received_at,
                    lines: decode::decode(record.encoding, &record.payload, limits)?,
                    tail_is_cut: record.kind == RecordKind::CutStream,
                    digest: (record.kind == RecordKind::Batch).then(|| bodies::digest(&record.payload)),
                });
            }
            RecordKind::Rules => self.change_rules(&Rules::from_payload(&record.payload)?)?,
            RecordKind::Redelivered => {}
        }
        Ok(())
    }

    fn count_lines(&mut self, batch: &Lines) {
        let Lines { source, lines, .. } = batch;
        let received_at = batch.received_at;
        let redelivered = batch.digest.is_some_and(|digest| self.bodies.check(digest, received_at));
        let receipt = Receipt { source: self.source_id(source), at: received_at, redelivered };
        self.arrivals.begin(received_at);
        let parser = self.parsers.of(source).clone();
        // A connection that closed within a line leaves it without its end.
        let end = || memchr::memrchr(b'\n', lines).map_or(0, |at| at + 1);
        let whole = if batch.tail_is_cut { end() } else { lines.len() };
        for line in parser::lines(&lines[..whole], self.max_line_bytes) {
            match line {
                Ok(line) => self.count_line(source, line, &parser.parse(line), receipt),
                Err(malformed) => self.count_line(source, b"", &Err(malformed), receipt),
            }
        }
        if whole < lines.len() {
            self.count_line(source, &lines[whole..], &Err(Defect::Truncated.into()), receipt);
        }
    }

    fn count_line(
        &mut self,
        source: &Arc<str>,
        line: &[u8],
        parsed: &Result<Request<'_>, Malformed>,
        receipt: Receipt,
    ) {
        let outcome = self.engine.observe(parsed, receipt);
        self.delta.add_line(receipt.source, &outcome, self.engine.changes());
        self.arrivals.line(receipt.source, parsed.as_ref().ok().map(Request::end));
        if let Some(counted) = &outcome.session {
            self.arrivals.listener(counted.listener);
        }
        self.reach.add_line(&outcome);
        self.gaps_closed += u64::from(outcome.session.is_some_and(|counted| counted.joined.gap_closed));
        // What is replayed was said before.
        if self.position < self.committed {
            return;
        }
        match parsed {
            Ok(request) if self.samples.is_first(source) => log_first(source, request, &outcome),
            Ok(_) => {}
            Err(malformed) => self.samples.malformed(source, line, *malformed, receipt.at),
        }
    }

    fn change_rules(&mut self, rules: &Rules) -> Result<(), CountError> {
        self.parsers = rules.parsers()?;
        self.max_line_bytes = rules.max_line_bytes;
        self.bodies.set_window(rules.redelivery_window);
        self.engine.change_policy(
            rules.service_policy()?,
            Arc::new(rules.agent_table()?),
            rules.mode(),
            &rules.feeds,
        );
        self.delta.add_changes(self.engine.changes());
        self.engine.update_catalog(rules.catalog.iter().flatten().cloned());
        self.delta.add_changes(self.engine.changes());
        self.catalog_changed = true;
        Ok(())
    }

    fn source_id(&mut self, source: &Arc<str>) -> SourceId {
        if let Some(id) = self.source_ids.get(source) {
            return *id;
        }
        let id = SourceId(u16::try_from(self.sources.len()).expect("sources are configured, hence few"));
        self.sources.push(source.to_string());
        self.source_ids.insert(source.clone(), id);
        id
    }

    /// Adds what was counted since the last call to `sums`. None of it before the store's position.
    pub fn give(&mut self, sums: &mut Sums) -> Delta {
        let fresh = std::mem::take(&mut self.delta);
        let episodes = self.engine.registry().episodes();
        if self.catalog_changed {
            sums.episodes.clear();
            self.given_episodes = 0;
            self.catalog_changed = false;
        }
        sums.episodes.extend_from_slice(&episodes[self.given_episodes..]);
        self.given_episodes = episodes.len();
        sums.sources.extend_from_slice(&self.sources[sums.sources.len()..]);
        sums.agents.extend_from_slice(&self.engine.agent_names()[sums.agents.len()..]);
        let labels = self.engine.labels();
        if labels.count() > sums.labels.count() {
            sums.labels.clone_from(labels);
        }
        sums.delta.merge(&fresh);
        sums.position = self.position;
        fresh
    }

    /// Adds the listeners who came since the last call to `sums`, and forgets the spans that are over.
    pub fn give_reach(&mut self, sums: &mut Sums) {
        self.reach.take(&mut sums.reach);
        if let Some(open_from) = self.engine.open_from() {
            self.reach.close(open_from);
        }
        sums.shows.extend_from_slice(&self.engine.registry().shows()[sums.shows.len()..]);
    }

    /// How often a session had more ranges than it may hold, since the last call.
    pub fn take_gaps_closed(&mut self) -> u64 {
        std::mem::take(&mut self.gaps_closed)
    }

    /// How lines came in, since it was last asked.
    pub fn arrivals(&mut self) -> &mut Arrivals {
        &mut self.arrivals
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    pub fn position(&self) -> JournalPosition {
        self.position
    }
}
