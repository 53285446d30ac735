//! Counting divided among several engines: each has the listeners of some networks, and what the lines of different
//! listeners have in common is settled between. Together they find what one engine would, however many they are.
//!
//! | in common | settled by |
//! |---|---|
//! | ids that came before | several sets, each with some of the ids; lines are numbered through |
//! | episodes that no catalogue names | one registry, in the order of the lines; the engines follow it |
//!
//! Lines are prepared by whichever engine; what passes from one to another are prepared lines, without their text.
//!
//! For files only: no day closes, and all lines have the same receipt. Sums by episode only, for labels are each engine's
//! own. Whoever uses this brings the threads; nothing here waits for anything.

use std::hash::BuildHasher;

use super::engine::{Engine, Found, Prepared};
use super::episode::Episode;
use super::fate::Reason;
use super::listener::{ClientAddress, Secret};
use super::outcome::{Outcome, Receipt};
use super::redelivery::{IdHash, SeenIds};
use super::registry::Registry;
use super::session::Change;
use crate::event::{Malformed, Request, Unescaped};

/// What all engines have in common.
#[derive(Debug)]
pub struct Division {
    registry: Registry,
    /// Lines with ids so far, modulo 2³².
    lines_with_ids: u32,
}

/// One engine with its share of the ids.
#[derive(Clone, Debug)]
pub struct Share {
    index: usize,
    shares: usize,
    engine: Engine,
    ids: SeenIds,
}

/// Some consecutive lines, prepared.
#[derive(Debug)]
pub struct Chunk {
    /// By the share that counts them, each in their order.
    lines: Vec<Vec<Prepared>>,
    /// By the share that checks them, each in the order of their lines.
    ids: Vec<Vec<Id>>,
    with_ids: u32,
}

/// Of a line, which is so many lines with ids behind the first of its chunk.
#[derive(Clone, Copy, Debug)]
struct Id {
    hash: IdHash,
    number: u32,
    place: Place,
}

/// Where a chunk has a line.
#[derive(Clone, Copy, Debug)]
struct Place {
    share: usize,
    at: usize,
}

/// A line that came before.
#[derive(Clone, Copy, Debug)]
pub struct Repeat {
    chunk: usize,
    place: Place,
}

/// A line whose path may be a new episode's.
#[derive(Debug)]
pub struct Pending<T> {
    place: Place,
    line: T,
}

/// How many ids ahead of the one that is checked memory is read.
const READ_AHEAD: usize = 16;

impl Division {
    /// Divides the work of an engine that has not counted yet.
    pub fn new(engine: Engine, secret: Secret, shares: usize) -> (Self, Vec<Share>) {
        let ids = SeenIds::new(secret, engine.policy().redelivery.0);
        let registry = engine.registry().clone();
        let engine = engine.following();
        let share = |index| Share { index, shares, engine: engine.clone(), ids: ids.clone() };
        (Self { registry, lines_with_ids: 0 }, (0..shares).map(share).collect())
    }

    /// The episodes that are new in consecutive chunks. All shares have to learn them before they go on.
    pub fn register<T>(
        &mut self,
        pending: &[Vec<Pending<T>>],
        parse: impl for<'r> Fn(&'r T, &'r Unescaped) -> Result<Request<'r>, Malformed>,
    ) -> Vec<Episode> {
        let known = self.registry.episodes().len();
        for Pending { line, .. } in pending.iter().flatten() {
            let room = Unescaped::default();
            if let Ok(request) = parse(line, &room) {
                self.registry.resolve(request.url, request.host);
            }
        }
        self.registry.episodes()[known..].to_vec()
    }

    /// The number of the first line with an id in chunks that follow those before.
    pub fn number(&mut self, chunks: &[Chunk]) -> u32 {
        let first = self.lines_with_ids;
        self.lines_with_ids = chunks.iter().fold(first, |sum, chunk| sum.wrapping_add(chunk.with_ids));
        first
    }

    /// All episodes, by id, for all shares.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}

impl Chunk {
    /// An empty one, for so many shares.
    pub fn new(shares: usize) -> Self {
        Self { lines: vec![Vec::new(); shares], ids: vec![Vec::new(); shares], with_ids: 0 }
    }

    fn clear(&mut self) {
        self.lines.iter_mut().for_each(Vec::clear);
        self.ids.iter_mut().for_each(Vec::clear);
        self.with_ids = 0;
    }

    fn push(&mut self, share: usize, mut line: Prepared) -> Place {
        let place = Place { share, at: self.lines[share].len() };
        // Whoever counts the line does not check it any more.
        if let Some(hash) = line.id.take() {
            let owner = hash.share(self.ids.len());
            self.ids[owner].push(Id { hash, number: self.with_ids, place });
            self.with_ids = self.with_ids.wrapping_add(1);
        }
        self.lines[share].push(line);
        place
    }

    /// Marks lines that came before.
    pub fn mark(chunks: &mut [Self], repeats: impl IntoIterator<Item = Repeat>) {
        for Repeat { chunk, place: Place { share, at } } in repeats {
            chunks[chunk].lines[share][at].found = Found::Repeat(Reason::Redelivered);
        }
    }
}

impl Share {
    /// Makes a chunk of lines; any share may do this for any lines. Those whose path is not known are given back.
    pub fn prepare<T: Copy>(
        &mut self,
        chunk: &mut Chunk,
        lines: &[T],
        parse: impl for<'r> Fn(&'r T, &'r Unescaped) -> Result<Request<'r>, Malformed>,
        receipt: Receipt,
    ) -> Vec<Pending<T>> {
        chunk.clear();
        let mut pending = Vec::new();
        for line in lines {
            let room = Unescaped::default();
            let parsed = parse(line, &room);
            let mut prepared = Prepared::new(Found::Request);
            self.engine.prepare(&parsed, receipt, &mut prepared);
            let share = parsed.as_ref().map_or(self.index, |request| self.share_of(request));
            let place = chunk.push(share, prepared);
            if prepared.is_unregistered {
                pending.push(Pending { place, line: *line });
            }
        }
        pending
    }

    /// By network, so that neither listeners nor addresses are divided.
    fn share_of(&self, request: &Request<'_>) -> usize {
        let hash =
            foldhash::fast::FixedState::default().hash_one(ClientAddress::new(request.address).network());
        // The upper half of a product with a fraction of 2³².
        (((hash >> 32) * self.shares as u64) >> 32) as usize
    }

    /// Takes new episodes in.
    pub fn learn(&mut self, episodes: Vec<Episode>) {
        self.engine.update_catalog(episodes);
    }

    /// Prepares lines again whose episodes may be known by now.
    pub fn prepare_again<T>(
        &mut self,
        chunk: &mut Chunk,
        pending: Vec<Pending<T>>,
        parse: impl for<'r> Fn(&'r T, &'r Unescaped) -> Result<Request<'r>, Malformed>,
        receipt: Receipt,
    ) {
        for Pending { place: Place { share, at }, line } in pending {
            // Its id is with the chunk's already.
            let prepared = &mut chunk.lines[share][at];
            let room = Unescaped::default();
            self.engine.prepare(&parse(&line, &room), receipt, prepared);
            prepared.id = None;
        }
    }

    /// Which lines' ids came before, of this share's ids. `first_line` is what [`Division::number`] gave.
    pub fn check_ids(&mut self, chunks: &[Chunk], first_line: u32, receipt: Receipt) -> Vec<Repeat> {
        let (mut first, mut repeats) = (first_line, Vec::new());
        for (at, chunk) in chunks.iter().enumerate() {
            let ids = &chunk.ids[self.index];
            for (position, id) in ids.iter().enumerate() {
                if let Some(ahead) = ids.get(position + READ_AHEAD) {
                    self.ids.touch(ahead.hash);
                }
                if self.ids.check_line(id.hash, first.wrapping_add(id.number), receipt.at) {
                    repeats.push(Repeat { chunk: at, place: id.place });
                }
            }
            first = first.wrapping_add(chunk.with_ids);
        }
        repeats
    }

    /// Counts this share's lines of consecutive chunks.
    pub fn count(&mut self, chunks: &[Chunk], receipt: Receipt, mut each: impl FnMut(&Outcome, &[Change])) {
        for chunk in chunks {
            self.engine.count_all(&chunk.lines[self.index], receipt, &mut each);
        }
    }
}
