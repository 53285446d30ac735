//! What was sent, and what is known of it: was it answered, where in the journal is it.
//!
//! The senders' side of the truth. The journal is held against it each time it is opened: what was answered is there,
//! whole and in order; what was not is there whole, or not at all.

use bytes::Bytes;
use castmeter::journal::{Entry, Record, RecordKind, Redelivery};
use castmeter::units::{JournalPosition, Timestamp};

use crate::lines::Line;
use crate::plain::FileOf;

/// What a record says.
#[derive(Clone, Debug)]
pub enum Content {
    Lines { source: &'static str, payload: Bytes, lines: Vec<Line> },
    Rules(Catalogue),
}

/// What the operator's catalogue says: facts of the episodes that it has.
#[derive(Clone, Debug, PartialEq)]
pub struct Catalogue(pub Vec<(usize, FileOf)>);

/// One attempt to have something journalled.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub kind: RecordKind,
    /// No two attempts have the same.
    pub received_at: Timestamp,
    pub content: Content,
    pub answered: bool,
    /// Known where it is in the journal for certain.
    pub position: Option<JournalPosition>,
}

impl Attempt {
    pub fn lines(&self) -> &[Line] {
        match &self.content {
            Content::Lines { lines, .. } => lines,
            Content::Rules(_) => &[],
        }
    }
}

/// All attempts, in the order in which they were made.
#[derive(Debug, Default)]
pub struct Ledger {
    attempts: Vec<Attempt>,
}

impl Ledger {
    pub fn push(&mut self, attempt: Attempt) -> usize {
        self.attempts.push(attempt);
        self.attempts.len() - 1
    }

    pub fn get(&self, at: usize) -> &Attempt {
        &self.attempts[at]
    }

    pub fn len(&self) -> usize {
        self.attempts.len()
    }

    /// Whether no rules were ever noted for certain.
    pub fn is_without_rules(&self) -> bool {
        !self.attempts.iter().any(|it| it.kind == RecordKind::Rules && it.position.is_some())
    }

    /// It was answered, so it is at this position.
    pub fn answered(&mut self, at: usize, position: JournalPosition) {
        self.attempts[at].answered = true;
        self.attempts[at].position = Some(position);
    }

    /// What is in the journal before a position, in its order.
    pub fn journalled(&self, end: JournalPosition) -> Vec<&Attempt> {
        let mut kept: Vec<_> =
            self.attempts.iter().filter(|it| it.position.is_some_and(|at| at < end)).collect();
        kept.sort_by_key(|attempt| attempt.position);
        kept
    }

    pub fn lines_before(&self, end: JournalPosition) -> u64 {
        self.journalled(end).iter().map(|attempt| attempt.lines().len() as u64).sum()
    }

    /// Holds what the journal has from `first` on against what was sent, and learns where the unanswered ones are.
    pub fn audit(&mut self, first: JournalPosition, entries: &[Entry]) -> Result<(), String> {
        let mut found = Vec::new();
        for entry in entries {
            let record = &entry.record;
            let at = self.attempts.iter().position(|attempt| attempt.received_at == record.received_at);
            let at = at.ok_or_else(|| format!("nobody sent {entry:?}"))?;
            let attempt = &self.attempts[at];
            let is_same = match &attempt.content {
                Content::Lines { source, payload, .. } => {
                    let kept = self.payload_of(record).unwrap_or_else(|| record.payload.clone());
                    *source == &*record.source && *payload == kept
                }
                Content::Rules(_) => record.kind == RecordKind::Rules,
            };
            if !is_same {
                return Err(format!("attempt {at} came back changed: {entry:?}"));
            }
            let attempt = &mut self.attempts[at];
            if attempt.position.is_some_and(|position| position != entry.position) {
                return Err(format!("attempt {at} moved from {:?} to {}", attempt.position, entry.position));
            }
            attempt.position = Some(entry.position);
            found.push(at);
        }
        if !found.is_sorted_by(|earlier, later| earlier < later) {
            return Err(format!("out of order, or twice in the journal: {found:?}"));
        }
        let is_missing = |(at, attempt): &(usize, &Attempt)| {
            attempt.position.is_some_and(|position| position >= first) && !found.contains(at)
        };
        match self.attempts.iter().enumerate().find(is_missing) {
            Some((at, attempt)) => Err(format!("lost from the journal: attempt {at}, {attempt:?}")),
            None => Ok(()),
        }
    }

    /// What a reference refers to.
    fn payload_of(&self, record: &Record) -> Option<Bytes> {
        let first =
            (record.kind == RecordKind::Redelivered).then(|| Redelivery::from_payload(&record.payload))??;
        let first = self.attempts.iter().find(|attempt| attempt.position == Some(first.first))?;
        match &first.content {
            Content::Lines { payload, .. } => Some(payload.clone()),
            Content::Rules(_) => None,
        }
    }
}
