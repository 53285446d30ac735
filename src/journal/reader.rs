//! Reading records back, in order, from any position; also while the writer appends.
//!
//! A cursor gives out nothing that is not durable. Damage is passed over and told; with a writer in this process its bytes
//! are put aside too.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::aside::Aside;
use super::error::JournalError;
use super::format::{Identity, JournalId};
use super::record::Entry;
use super::scan::{Damage, Flaw, Scan, Step};
use super::segment::SegmentName;
use super::status::{Shared, Status};
use crate::units::JournalPosition;

/// What a cursor comes upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Entry(Entry),
    Damage(Damage),
}

/// The reading end of a journal that is open for writing in this process.
#[derive(Clone)]
pub struct Reader {
    folder: Arc<Path>,
    identity: Identity,
    live: Arc<Live>,
}

/// What ties a cursor to the writer.
struct Live {
    shared: Arc<Shared>,
    aside: Aside,
}

impl Live {
    /// Counts a damage and keeps its bytes aside, once.
    fn note(&self, folder: &Path, damage: &Damage) {
        if !self.shared.note_damage(damage.segment, damage.offset, damage.lost) {
            return;
        }
        tracing::warn!(
            segment = %damage.segment, offset = damage.offset, bytes = damage.bytes, lost = damage.lost,
            "the journal is damaged ({}), the place is passed over", damage.flaw.name()
        );
        if matches!(damage.flaw, Flaw::Unknown | Flaw::Unreadable) {
            return;
        }
        let segment = SegmentName { first: damage.segment };
        if let Err(error) = self.aside.copy(folder, segment, damage.offset, damage.bytes) {
            tracing::warn!(%error, "the damaged bytes are not kept aside");
        }
    }
}

impl Reader {
    pub(super) fn new(folder: Arc<Path>, identity: Identity, shared: Arc<Shared>, aside: Aside) -> Self {
        Self { folder, identity, live: Arc::new(Live { shared, aside }) }
    }

    pub fn id(&self) -> JournalId {
        self.identity.id
    }

    pub fn status(&self) -> Status {
        self.live.shared.status()
    }

    /// Takes note of damage that was found when the journal was opened.
    pub(super) fn note(&self, damages: &[Damage]) {
        damages.iter().for_each(|damage| self.live.note(&self.folder, damage));
    }

    /// The one record at `position`; None where it is not held, not durable or damaged.
    pub fn read_at(&self, position: JournalPosition) -> Result<Option<Entry>, JournalError> {
        match self.read_from(position).next().transpose()? {
            Some(Found::Entry(entry)) if entry.position == position => Ok(Some(entry)),
            _ => Ok(None),
        }
    }

    /// Reads from the record at `position` on, or from the first that is held if that is later. The iterator ends at
    /// what is durable when it is asked, and goes on when it is asked again and there is more.
    pub fn read_from(&self, position: JournalPosition) -> Cursor {
        Cursor {
            folder: self.folder.clone(),
            identity: self.identity,
            live: Some(self.live.clone()),
            generation: None,
            names: Vec::new(),
            scan: None,
            position,
        }
    }
}

/// Reads a journal record by record.
pub struct Cursor {
    folder: Arc<Path>,
    identity: Identity,
    /// Absent where another process may be writing.
    live: Option<Arc<Live>>,
    /// Of which state of the folder `names` is.
    generation: Option<u64>,
    names: Vec<SegmentName>,
    scan: Option<Scan>,
    /// The next record's position.
    position: JournalPosition,
}

impl Iterator for Cursor {
    type Item = Result<Found, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.live.as_ref().map_or(JournalPosition(u64::MAX), |live| live.shared.durable());
        self.next_before(end).transpose()
    }
}

impl Cursor {
    /// Without a writer: reads all that is there, also what is not durable yet.
    pub(super) fn detached(
        folder: Arc<Path>,
        identity: Identity,
        names: Vec<SegmentName>,
        position: JournalPosition,
    ) -> Self {
        Self { folder, identity, live: None, generation: Some(0), names, scan: None, position }
    }

    /// The position of the next record, as far as is known.
    pub fn position(&self) -> JournalPosition {
        self.position
    }

    /// Leaves out records before `position`.
    pub(super) fn skip_to(&mut self, position: JournalPosition) {
        self.position = self.position.max(position);
    }

    /// Closes the file it stands in, to be opened again when needed: an open file keeps its space on the disk, and the
    /// addresses in it, though retention has removed it.
    pub(super) fn close_file(&mut self) {
        self.scan = None;
    }

    /// The next record before `end`; `end` must be durable.
    pub(super) fn next_before(&mut self, end: JournalPosition) -> Result<Option<Found>, JournalError> {
        loop {
            if self.position >= end {
                return Ok(None);
            }
            self.list()?;
            let Some(limit) = self.enter_segment()? else {
                self.position = end;
                return Ok(None);
            };
            let Some(scan) = &mut self.scan else { continue };
            match scan.step(limit) {
                Step::Record(entry) if entry.position < self.position => {}
                Step::Record(entry) => {
                    self.position = entry.position.next();
                    return Ok(Some(Found::Entry(entry)));
                }
                Step::Damage(damage) => {
                    self.position = self.position.max(scan.expected().min(limit));
                    // Nothing sound was found behind it, so far: the file may grow.
                    self.scan.take_if(|scan| scan.expected() >= limit);
                    if let Some(live) = &self.live {
                        live.note(&self.folder, &damage);
                    }
                    return Ok(Some(Found::Damage(damage)));
                }
                Step::End => {
                    // Skipping is silent, so be sure that there is nothing behind.
                    self.generation = None;
                    self.list()?;
                    self.leave_segment(end);
                }
            }
        }
    }

    /// Looks at the folder again if segments came or went.
    fn list(&mut self) -> Result<(), JournalError> {
        let Some(live) = &self.live else { return Ok(()) };
        let generation = live.shared.generation.load(Ordering::Acquire);
        if self.generation == Some(generation) {
            return Ok(());
        }
        self.names = SegmentName::list(&self.folder)?;
        self.generation = Some(generation);
        Ok(())
    }

    /// Stands the scan at `position` in the segment that holds it, or else in the first one behind. Returns where that segment
    /// ends at the latest; None where there is none.
    fn enter_segment(&mut self) -> Result<Option<JournalPosition>, JournalError> {
        let behind = self.names.partition_point(|name| name.first <= self.position);
        let index = behind.saturating_sub(1);
        let Some(name) = self.names.get(index).copied() else { return Ok(None) };
        self.position = self.position.max(name.first);
        self.scan.take_if(|scan| scan.name() != name);
        if self.scan.is_none() {
            self.scan = Scan::open(&self.folder, name, self.identity)?;
        }
        match &mut self.scan {
            Some(scan) => scan.skip_to(self.position),
            // Dropped since the folder was listed.
            None => drop(self.names.remove(index)),
        }
        let durable = || self.live.as_ref().map_or(JournalPosition(u64::MAX), |live| live.shared.durable());
        Ok(Some(self.names.get(index + 1).map_or_else(durable, |next| next.first)))
    }

    /// Goes to the segment behind the one that ended, or to the end.
    fn leave_segment(&mut self, end: JournalPosition) {
        let behind = self.names.iter().find(|name| name.first > self.position);
        self.position = behind.map_or(end, |name| name.first.min(end));
    }
}
