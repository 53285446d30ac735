//! Counting divided among several engines: each has the listeners of some networks, and what the lines of different
//! listeners have in common is settled between. Together they find what one engine would, however many they are.
//!
//! | in common | settled by |
//! |---|---|
//! | ids that came before | several sets, each with some of the ids; lines are numbered through |
//! | episodes that no catalogue names | one registry, in the order of the lines; the engines follow it |
//!
//! For files only: no day closes, and all lines have the same receipt. Whoever uses this brings the threads; nothing here
//! waits for anything. The atomics are for writing to what is shared, each by one thread, and order nothing.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, Ordering};

use super::engine::{Engine, check_nature};
use super::episode::Episode;
use super::listener::{ClientAddress, Secret};
use super::outcome::{Outcome, Receipt};
use super::redelivery::{IdHash, SeenIds};
use super::registry::Registry;
use super::session::Change;
use crate::event::{Malformed, Request};
use crate::units::ByteCount;

/// What all engines have in common.
#[derive(Debug)]
pub struct Division {
    shares: usize,
    /// Hashes ids as all shares do.
    ids: SeenIds,
    registry: Registry,
    /// Lines with ids so far, modulo 2³².
    lines_with_ids: u32,
}

/// One engine with its share of the ids.
#[derive(Clone, Debug)]
pub struct Share {
    index: usize,
    engine: Engine,
    ids: SeenIds,
}

/// Some consecutive lines, parsed and assigned.
#[derive(Debug)]
pub struct Chunk<'l> {
    lines: Vec<Result<Request<'l>, Malformed>>,
    assigned: Vec<Assigned>,
    with_ids: u32,
}

/// Kept apart from the lines, for every thread reads all of it.
#[derive(Debug)]
struct Assigned {
    id: Option<IdHash>,
    share: usize,
    redelivered: AtomicBool,
}

impl Division {
    /// Divides the work of an engine that has not counted yet.
    pub fn new(engine: Engine, secret: Secret, shares: usize) -> (Self, Vec<Share>) {
        let ids = SeenIds::new(secret, engine.policy().redelivery.0);
        let registry = engine.registry().clone();
        let engine = engine.following();
        let share = |index| Share { index, engine: engine.clone(), ids: ids.clone() };
        let all = (0..shares).map(share).collect();
        (Self { shares, ids, registry, lines_with_ids: 0 }, all)
    }

    /// Assigns lines to shares. Any thread may do this for any chunk.
    pub fn assign<'l>(&self, lines: impl Iterator<Item = Result<Request<'l>, Malformed>>) -> Chunk<'l> {
        let count = lines.size_hint().0;
        let (parsed, assigned) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut chunk = Chunk { lines: parsed, assigned, with_ids: 0 };
        for mut line in lines {
            let mut assigned = Assigned { id: None, share: 0, redelivered: AtomicBool::new(false) };
            if let Ok(request) = &mut line {
                assigned.share = self.share_of(request);
                // The engines need not know it any more.
                let id = request.id.take().filter(|_| check_nature(request).is_none());
                assigned.id = id.map(|id| self.ids.hash(&id));
            }
            chunk.with_ids = chunk.with_ids.wrapping_add(assigned.id.is_some().into());
            chunk.lines.push(line);
            chunk.assigned.push(assigned);
        }
        chunk
    }

    /// By network, so that neither listeners nor addresses are divided.
    fn share_of(&self, request: &Request<'_>) -> usize {
        let hash =
            foldhash::fast::FixedState::default().hash_one(ClientAddress::new(request.address).network());
        // The upper half of a product with a fraction of 2³².
        (((hash >> 32) * self.shares as u64) >> 32) as usize
    }

    /// The next chunks, in their order, before their shares count them: gives the number of their first line with an id, and
    /// the episodes that are new in them.
    pub fn settle(&mut self, chunks: &[Chunk<'_>]) -> (u32, Vec<Episode>) {
        let first = self.lines_with_ids;
        self.lines_with_ids = chunks.iter().fold(first, |sum, chunk| sum.wrapping_add(chunk.with_ids));
        let known = self.registry.episodes().len();
        if self.registry.derives() {
            let lines = chunks.iter().flat_map(|chunk| chunk.lines.iter().flatten());
            for request in lines.filter(|request| check_nature(request).is_none()) {
                self.registry.resolve(&request.url, request.host.as_deref());
            }
        }
        (first, self.registry.episodes()[known..].to_vec())
    }

    /// All episodes, by id, for all shares.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}

impl Share {
    /// Tells the chunks' lines which of this share's ids came before. `first_line` is what settling gave.
    pub fn check_ids(&mut self, chunks: &[Chunk<'_>], first_line: u32, shares: usize, receipt: Receipt) {
        let mut number = first_line;
        for assigned in chunks.iter().flat_map(|chunk| &chunk.assigned) {
            let Some(id) = assigned.id else { continue };
            if id.share(shares) == self.index && self.ids.check_line(id, number, receipt.at) {
                assigned.redelivered.store(true, Ordering::Relaxed);
            }
            number = number.wrapping_add(1);
        }
    }

    /// Takes in what settling found to be new.
    pub fn learn(&mut self, episodes: Vec<Episode>) {
        self.engine.update_catalog(episodes);
    }

    /// Body bytes of this share's lines that came before, once all ids are checked.
    pub fn redelivered<'c>(&self, chunks: &'c [Chunk<'_>]) -> impl Iterator<Item = ByteCount> + 'c {
        let lines = self.lines(chunks).filter(|(_, assigned)| assigned.is_redelivered());
        lines.filter_map(|(line, _)| Some(line.as_ref().ok()?.body_bytes))
    }

    /// Counts this share's other lines.
    pub fn count(
        &mut self,
        chunks: &[Chunk<'_>],
        receipt: Receipt,
        mut each: impl FnMut(&Outcome, &[Change]),
    ) {
        let lines = self.lines(chunks).filter(|(_, assigned)| !assigned.is_redelivered());
        let lines = lines.map(|(line, _)| ((), line));
        self.engine.observe_all(lines, receipt, |(), _, outcome, changes| each(outcome, changes));
    }

    fn lines<'c, 'l>(
        &self,
        chunks: &'c [Chunk<'l>],
    ) -> impl Iterator<Item = (&'c Result<Request<'l>, Malformed>, &'c Assigned)> + use<'c, 'l> {
        let index = self.index;
        let lines = chunks.iter().flat_map(|chunk| chunk.lines.iter().zip(&chunk.assigned));
        lines.filter(move |(_, assigned)| assigned.share == index)
    }
}

impl Assigned {
    fn is_redelivered(&self) -> bool {
        self.redelivered.load(Ordering::Relaxed)
    }
}
