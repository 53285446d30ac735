//! Counting what the journal holds, in its order: records in, sums out.
//!
//! A deterministic function of the journal and the secret. A restart begins with a saved [`State`], or with nothing. What
//! the store holds already is counted again from there, to have the sessions back, but its sums are not given out a second
//! time.
//!
//! Counting again gives what was given before only under the same version of the rules. What the store holds and another
//! version has counted is therefore passed over: sessions stand as the state says, and go on from the first record that
//! is not in the store. A state says which version made it; in the journal each record of rules does.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::bodies::{Digest, SeenBodies};
use super::rules::{Parsers, RULES_VERSION, Rules};
use super::samples::{Samples, log_first};
use super::snapshot;
use super::stored;
use crate::attribution::{self, AgentNames, Engine, Episode, Fate, Labels, Receipt, Secret};
use crate::config::ConfigError;
use crate::event::{Defect, Malformed, Request, Unescaped};
use crate::journal::{self, Entry, Fed, JournalError, RecordKind};
use crate::parser::{self, LineParser};
use crate::receiver::decode;
use crate::rollup::{Arrivals, Delta, Gathered, Overview, Reach, ReachKey, Sketch};
use crate::units::{JournalPosition, SourceId, Timestamp};

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
    /// Listeners whose sketches are not kept in the store yet.
    pub reach: HashMap<ReachKey, Arc<Sketch>>,
    /// The store's position when sketches were kept last.
    pub reach_kept_at: JournalPosition,
}

impl Sums {
    /// The store has these sketches. Those that listeners were added to meanwhile still wait.
    pub fn reach_is_kept(&mut self, kept: &HashMap<ReachKey, Arc<Sketch>>, position: JournalPosition) {
        self.reach.retain(|key, sketch| kept.get(key).is_none_or(|kept| !Arc::ptr_eq(kept, sketch)));
        self.reach_kept_at = position;
    }
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
    #[error("the journal's reference to a redelivered batch cannot be read")]
    BadReference,
    #[error("the journal's record {first}, of which this is a redelivery, is gone or damaged")]
    FirstGone { first: JournalPosition },
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// All that counting knows at one position, borrowed from a counter or as it was read back.
#[derive(Debug, Serialize, Deserialize)]
pub struct State<'c> {
    /// Those in force, as the journal keeps them, without episodes.
    rules: Cow<'c, str>,
    engine: attribution::State<'c>,
    bodies: Cow<'c, SeenBodies>,
    /// By id.
    sources: Cow<'c, [String]>,
    reach: Cow<'c, Reach>,
}

impl State<'_> {
    /// Rules are text, read by name: their bytes say nothing of the layout.
    #[cfg(test)]
    pub fn without_rules(self) -> Self {
        Self { rules: Cow::Borrowed(""), ..self }
    }
}

/// Counts.
pub struct Counter {
    engine: Engine,
    secret: Secret,
    /// False before the first record.
    has_begun: bool,
    /// Those in force, without episodes.
    rules: Rules,
    parsers: Parsers,
    sources: Vec<String>,
    source_ids: HashMap<Arc<str>, SourceId>,
    delta: Delta,
    /// Empty between two records.
    gathered: Gathered,
    /// The same since metrics were told last.
    overview: Overview,
    reach: Reach,
    /// The next record to count.
    position: JournalPosition,
    /// Sums of records before it are in the store.
    committed: JournalPosition,
    /// Records in the store were counted by another version of the rules here.
    is_foreign: bool,
    /// Records passed over for that.
    skipped: u64,
    /// Reads first copies of bodies that came again.
    reader: journal::Reader,
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
    /// Begins with nothing. `rules` hold until the journal says otherwise. `committed` is what the store has taken in.
    pub fn new(
        rules: &Rules,
        secret: Secret,
        committed: JournalPosition,
        reader: journal::Reader,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            engine: rules.service_engine(secret)?,
            secret,
            has_begun: false,
            rules: rules.without_episodes(),
            parsers: rules.parsers()?,
            sources: Vec::new(),
            source_ids: HashMap::new(),
            delta: Delta::default(),
            gathered: Gathered::default(),
            overview: Overview::default(),
            reach: Reach::default(),
            position: JournalPosition::START,
            committed,
            is_foreign: false,
            skipped: 0,
            reader,
            given_episodes: 0,
            catalog_changed: false,
            samples: Samples::default(),
            bodies: SeenBodies::new(rules.redelivery_window),
            gaps_closed: 0,
            arrivals: Arrivals::default(),
        })
    }

    /// Goes on from a state as it was when `head` was written.
    pub fn restore(
        state: State<'static>,
        head: &snapshot::Head,
        secret: Secret,
        committed: JournalPosition,
        reader: journal::Reader,
    ) -> Result<Self, CountError> {
        let rules = Rules::from_payload(state.rules.as_bytes())?;
        let sources = state.sources.into_owned();
        let fresh = Self::new(&rules, secret, committed, reader)?;
        Ok(Self {
            engine: fresh.engine.restored(state.engine, secret),
            source_ids: (0..).zip(&sources).map(|(id, name)| (Arc::from(&**name), SourceId(id))).collect(),
            sources,
            position: head.position,
            has_begun: true,
            is_foreign: head.rules_version != RULES_VERSION,
            bodies: state.bodies.into_owned().restored(),
            reach: state.reach.into_owned(),
            ..fresh
        })
    }

    /// All that it knows, at its position.
    pub fn state(&mut self) -> State<'_> {
        self.reach.settle();
        State {
            rules: Cow::Owned(self.rules.to_text()),
            engine: self.engine.state(),
            bodies: Cow::Borrowed(&self.bodies),
            sources: Cow::Borrowed(&self.sources),
            reach: Cow::Borrowed(&self.reach),
        }
    }

    /// Counts what the journal feeds; `next` is the position behind it. A damaged record is passed over.
    pub fn count(&mut self, fed: Fed<Handoff>, next: JournalPosition) -> Result<(), CountError> {
        let result = match fed {
            Fed::Live { value, .. } => self.count_handoff(&value),
            Fed::Stored(entry) => self.count_stored(&entry),
            Fed::Damage(_) => Ok(()),
        };
        self.has_begun = true;
        self.position = next;
        if self.position <= self.committed {
            // What the rules changed.
            self.delta.clear();
            self.overview.clear();
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
        if record.kind == RecordKind::Rules {
            self.is_foreign = Rules::version_of(&record.payload)? != RULES_VERSION;
            return self.change_rules(&Rules::from_payload(&record.payload)?);
        }
        if self.is_foreign && entry.position < self.committed {
            self.skipped += 1;
            return Ok(());
        }
        if let Some(lines) = stored::lines(entry, &self.reader)? {
            self.count_lines(&lines);
        }
        Ok(())
    }

    fn count_lines(&mut self, batch: &Lines) {
        let Lines { source, lines, .. } = batch;
        let received_at = batch.received_at;
        let redelivered = batch.digest.is_some_and(|digest| self.bodies.check(digest, received_at));
        let receipt = Receipt { source: self.source_id(source), at: received_at, redelivered };
        let parser = self.parsers.of(source).clone();
        // A connection that closed within a line leaves it without its end.
        let end = || memchr::memrchr(b'\n', lines).map_or(0, |at| at + 1);
        let whole = if batch.tail_is_cut { end() } else { lines.len() };
        let tail = &lines[whole..];
        let cut = (!tail.is_empty()).then(|| (tail, Some(Defect::Truncated.into())));
        let whole = parser::lines(&lines[..whole], self.rules.max_line_bytes).map(|line| match line {
            Ok(line) => (line, None),
            Err(malformed) => (&b""[..], Some(malformed)),
        });
        let parse = reading(&parser);
        // What is replayed was given out and said before; but sketches may not have been kept.
        let is_new = self.position >= self.committed;
        if is_new {
            self.arrivals.begin(received_at);
        }
        let mut is_first = !self.samples.has_heard(source);
        let Self { engine, delta, gathered, overview, arrivals, reach, gaps_closed, samples, .. } = self;
        engine.observe_all(whole.chain(cut), parse, receipt, |(line, _), outcome, changes| {
            reach.add_line(outcome);
            if !is_new {
                return;
            }
            gathered.add_line(receipt.source, outcome, changes);
            if gathered.are_many() {
                add_up(gathered, delta, overview);
            }
            arrivals.line(receipt.source, outcome.ended);
            if let Some(counted) = &outcome.session {
                arrivals.listener(counted.listener);
                *gaps_closed += u64::from(counted.joined.gap_closed);
            }
            match outcome.fate {
                Fate::Malformed(defect) => samples.malformed(source, line, defect.into(), receipt.at),
                _ if is_first => {
                    is_first = false;
                    samples.hear(source);
                    let room = Unescaped::default();
                    parser.parse(line, &room).iter().for_each(|request| log_first(source, request, outcome));
                }
                _ => {}
            }
        });
        add_up(gathered, delta, overview);
        arrivals.settle();
    }

    fn change_rules(&mut self, rules: &Rules) -> Result<(), CountError> {
        self.parsers = rules.parsers()?;
        self.rules = rules.without_episodes();
        self.bodies.set_window(rules.redelivery_window);
        if !self.has_begun {
            // What follows was counted by these: episodes that only later rules know were no episodes then.
            self.engine = rules.service_engine(self.secret)?;
            self.catalog_changed = true;
            return Ok(());
        }
        self.engine.change_policy(rules.service_policy()?, rules.agent_table()?, rules.mode(), &rules.feeds);
        self.add_changes();
        self.engine.update_catalog(rules.catalog.iter().flatten().cloned());
        self.add_changes();
        self.catalog_changed = true;
        Ok(())
    }

    /// What the rules changed in the open sessions.
    fn add_changes(&mut self) {
        self.gathered.add_changes(self.engine.changes());
        add_up(&mut self.gathered, &mut self.delta, &mut self.overview);
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
    pub fn give(&mut self, sums: &mut Sums) {
        self.give_names(sums);
        if sums.delta.is_empty() {
            // With the room of what was committed: what comes is mostly as much.
            std::mem::swap(&mut sums.delta, &mut self.delta);
        } else {
            sums.delta.merge(&self.delta);
        }
        self.delta.clear();
        sums.position = self.position;
    }

    /// Tells `sums` what is new to be named.
    pub fn give_names(&mut self, sums: &mut Sums) {
        let episodes = self.engine.registry().episodes();
        if self.catalog_changed {
            sums.episodes.clear();
            self.given_episodes = 0;
            self.catalog_changed = false;
        }
        sums.episodes.extend_from_slice(&episodes[self.given_episodes..]);
        self.given_episodes = episodes.len();
        sums.sources.extend_from_slice(&self.sources[sums.sources.len()..]);
        sums.agents.extend(self.engine.agent_names().skip(sums.agents.len()).cloned());
        let labels = self.engine.labels();
        if labels.count() > sums.labels.count() {
            sums.labels.clone_from(labels);
        }
        sums.shows.extend_from_slice(&self.engine.registry().shows()[sums.shows.len()..]);
    }

    /// Rows that were not given out yet, roughly.
    pub fn rows(&self) -> usize {
        self.delta.rows()
    }

    /// What changed since metrics were told last.
    pub fn overview(&self) -> &Overview {
        &self.overview
    }

    /// Metrics were told.
    pub fn clear_overview(&mut self) {
        self.overview.clear();
    }

    /// Adds the listeners who came since the last call to `sums`, and forgets the spans that are over and kept.
    ///
    /// Not before the position has moved on: whatever store a later state is used beside has the sketches then.
    pub fn give_reach(&mut self, sums: &mut Sums) {
        self.give_names(sums);
        self.reach.take(&mut sums.reach);
        if let Some(open_from) = self.engine.open_from().filter(|_| self.position > sums.reach_kept_at) {
            self.reach.close(open_from, |key| !sums.reach.contains_key(key));
        }
    }

    /// Sets that listeners were added to and that were not given out since.
    pub fn changed_sketches(&self) -> usize {
        self.reach.changed()
    }

    /// How often a session had more ranges than it may hold, since the last call.
    pub fn take_gaps_closed(&mut self) -> u64 {
        std::mem::take(&mut self.gaps_closed)
    }

    /// Whether another version of the rules has made the state up to what is in the store.
    pub fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    /// Records in the store that another version of the rules has counted, and this one has therefore not counted again.
    pub fn skipped(&self) -> u64 {
        self.skipped
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

fn add_up(gathered: &mut Gathered, delta: &mut Delta, overview: &mut Overview) {
    delta.add_gathered(gathered);
    overview.add_gathered(gathered);
    gathered.clear();
}

/// Reads lines that are not known to be none.
fn reading<'l>(
    parser: &LineParser,
) -> impl for<'r> Fn(&'r (&'l [u8], Option<Malformed>), &'r Unescaped) -> Result<Request<'r>, Malformed> {
    |(line, defect), room| defect.map_or_else(|| parser.parse(line, room), Err)
}
