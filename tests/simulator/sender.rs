//! Those who send: bodies and pieces of streams, sent again until they are answered, or given up, or sent once more
//! for no reason.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use castmeter::journal::RecordKind;
use castmeter::receiver::decode::{self, Limits};
use castmeter::receiver::{Batch, Tail};
use castmeter::units::{ByteCount, Encoding, Timestamp};

use crate::dice::Dice;
use crate::ledger::{Content, Ledger};
use crate::lines::{Line, Oddity, encode, text_of};

/// What is sent as one.
#[derive(Clone, Debug)]
pub struct Parcel {
    pub kind: RecordKind,
    source: &'static str,
    encoding: Encoding,
    payload: Bytes,
    lines: Vec<Line>,
    pub answered: bool,
    pub attempts: u64,
}

impl Parcel {
    pub fn batch(&self, received_at: Timestamp) -> Batch {
        let limits = Limits { inflated: ByteCount(1 << 24), ratio: 1_000 };
        Batch {
            source: Arc::from(self.source),
            encoding: self.encoding,
            payload: self.payload.clone(),
            lines: decode::decode(self.encoding, &self.payload, limits).expect("it was made right"),
            received_at,
            tail: if self.kind == RecordKind::CutStream { Tail::Truncated } else { Tail::Whole },
        }
    }

    pub fn content(&self) -> Content {
        Content::Lines { source: self.source, payload: self.payload.clone(), lines: self.lines.clone() }
    }

    pub fn describe(&self) -> String {
        format!("{} of {} lines, {}, from {}", self.kind.name(), self.lines.len(), self.encoding, self.source)
    }

    /// Whether a receipt now would be so close to the edge of the window of re-deliveries that a small step of the clock
    /// decides.
    pub fn is_doubtful(&self, ledger: &Ledger, now: Timestamp, window: Duration) -> bool {
        const SLACK: Duration = Duration::from_secs(300);
        let is_edge = |then: Timestamp| {
            let age = now.since(then);
            age + SLACK > window && age < window + SLACK
        };
        let shares_ids = |lines: &[Line]| {
            lines.iter().any(|line| line.id.is_some() && self.lines.iter().any(|own| own.id == line.id))
        };
        (0..ledger.len()).map(|at| ledger.get(at)).any(|attempt| match &attempt.content {
            Content::Lines { payload, lines, .. } => {
                is_edge(attempt.received_at) && (*payload == self.payload || shares_ids(lines))
            }
            Content::Rules(_) => false,
        })
    }
}

/// All that was ever sent.
#[derive(Debug)]
pub struct Sender {
    pub parcels: Vec<Parcel>,
    sources: &'static [&'static str],
    pub lines: u64,
}

impl Sender {
    pub fn new(single_source: bool) -> Self {
        let sources: &[&str] = if single_source { &["fastly"] } else { &["fastly", "stream", "other"] };
        Self { parcels: Vec::new(), sources, lines: 0 }
    }

    /// Makes something new to send; gives its number.
    pub fn make(&mut self, dice: &mut Dice, now: Timestamp) -> usize {
        let count = dice.between(1, 16);
        let mut lines: Vec<Line> = (0..count)
            .map(|_| {
                self.lines += 1;
                Line::random(dice, now, self.lines)
            })
            .collect();
        if dice.percent(15) {
            lines.extend(self.lines_sent_before(dice));
            dice.shuffle(&mut lines);
        }
        let kind =
            dice.weighted(&[(7, RecordKind::Batch), (3, RecordKind::Stream), (1, RecordKind::CutStream)]);
        if kind == RecordKind::CutStream {
            let last = lines.last_mut().expect("one at least");
            last.oddity = Oddity::Cut;
        }
        let is_body = kind == RecordKind::Batch;
        let encoding = if is_body { dice.pick(&Encoding::ALL) } else { Encoding::Identity };
        let payload = encode(encoding, &text_of(&lines, dice, is_body));
        let source = dice.pick(self.sources);
        self.parcels.push(Parcel { kind, source, encoding, payload, lines, answered: false, attempts: 0 });
        self.parcels.len() - 1
    }

    /// Lines that come again in another body are known by their ids.
    fn lines_sent_before(&self, dice: &mut Dice) -> Vec<Line> {
        let sound = |line: &&Line| line.id.is_some() && !matches!(line.oddity, Oddity::Broken | Oddity::Cut);
        let known: Vec<&Line> = self.parcels.iter().flat_map(|it| &it.lines).filter(sound).collect();
        if known.is_empty() {
            return Vec::new();
        }
        (0..dice.between(1, 5)).map(|_| dice.pick(&known).clone()).collect()
    }

    /// What waits for its answer, or any that may be sent again.
    pub fn unanswered(&self) -> Vec<usize> {
        (0..self.parcels.len()).filter(|at| !self.parcels[*at].answered).collect()
    }
}
