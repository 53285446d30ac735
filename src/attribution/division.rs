//! Counting divided among several engines: each has the listeners of some networks, and what the lines of different
//! listeners have in common is settled between. Together they find what one engine would, however many they are.
//!
//! | in common | settled by |
//! |---|---|
//! | ids that came before | several sets, each with some of the ids; lines are numbered through |
//! | episodes that no catalogue names | one registry, in the order of the lines; the engines follow it |
//!
//! Lines are taken in chunks. Whichever share is free prepares the next one, and what it has for another share passes to
//! that: prepared lines, without their text. Each share then checks and counts its parts of all chunks in their order:
//! `underway` says what is next.
//!
//! For files only: no day closes, and all lines have the same receipt. Sums by episode only, for labels are each engine's
//! own. Whoever uses this brings the threads; nothing here waits for anything.

#[cfg(test)]
mod tests;
mod underway;

use std::hash::BuildHasher;

use super::engine::{Engine, Found, Prepared};
use super::fate::Reason;
use super::listener::ClientAddress;
use super::outcome::{Outcome, Receipt};
use super::redelivery::{IdHash, SeenIds};
use super::registry::Registry;
use super::session::Change;
use crate::event::{Malformed, Request, Unescaped};

pub use underway::{Division, Step};

/// One engine with its share of the ids.
#[derive(Clone, Debug)]
pub struct Share {
    index: usize,
    shares: usize,
    engine: Engine,
    ids: SeenIds,
    /// Lines with ids in the chunks that were checked, modulo 2³².
    lines_with_ids: u32,
}

/// Some consecutive lines, prepared: a part for each share.
#[derive(Debug)]
pub struct Chunk {
    parts: Vec<Part>,
    with_ids: u32,
}

/// What a share has to do with a chunk.
#[derive(Debug, Default)]
pub struct Part {
    /// That it counts, in their order.
    lines: Vec<Prepared>,
    /// That it checks, in the order of their lines.
    ids: Vec<Id>,
    /// Lines with ids in the whole chunk.
    with_ids: u32,
    /// Of its lines those that came before.
    repeats: Vec<u32>,
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
    share: u32,
    at: u32,
}

/// A line that came before.
#[derive(Clone, Copy, Debug)]
pub struct Repeat(Place);

/// A line whose path may be a new episode's.
#[derive(Debug)]
pub struct Pending<T> {
    place: Place,
    line: T,
}

/// How many ids ahead of the one that is checked memory is read.
const READ_AHEAD: usize = 16;

impl Chunk {
    /// Of parts that may have been used before.
    fn new(mut parts: Vec<Part>) -> Self {
        for part in &mut parts {
            part.lines.clear();
            part.ids.clear();
        }
        Self { parts, with_ids: 0 }
    }

    fn push(&mut self, share: usize, mut line: Prepared) -> Place {
        let id = line.id.take();
        let lines = &mut self.parts[share].lines;
        // A chunk has fewer lines than 2³².
        let place = Place { share: share as u32, at: lines.len() as u32 };
        // Whoever counts the line does not check it any more.
        lines.push(line);
        if let Some(hash) = id {
            let owner = hash.share(self.parts.len());
            self.parts[owner].ids.push(Id { hash, number: self.with_ids, place });
            self.with_ids += 1;
        }
        place
    }

    fn line(&mut self, place: Place) -> &mut Prepared {
        &mut self.parts[place.share as usize].lines[place.at as usize]
    }

    /// For each share, in their order.
    fn into_parts(self) -> impl Iterator<Item = Part> {
        let with_ids = self.with_ids;
        self.parts.into_iter().map(move |part| Part { with_ids, ..part })
    }
}

impl Share {
    /// Makes a chunk of lines; any share may do this for any lines. Those whose path is not known are given back.
    pub fn prepare<T>(
        &mut self,
        chunk: &mut Chunk,
        lines: impl Iterator<Item = T>,
        parse: impl for<'r> Fn(&'r T, &'r Unescaped) -> Result<Request<'r>, Malformed>,
        receipt: Receipt,
    ) -> Vec<Pending<T>> {
        let mut pending = Vec::new();
        for line in lines {
            let room = Unescaped::default();
            let parsed = parse(&line, &room);
            let mut prepared = Prepared::new(Found::Request);
            self.engine.prepare(&parsed, receipt, &mut prepared);
            let share = parsed.as_ref().map_or(self.index, |request| self.share_of(request));
            let is_unregistered = prepared.is_unregistered;
            let place = chunk.push(share, prepared);
            if is_unregistered {
                pending.push(Pending { place, line });
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

    /// Prepares lines again whose episodes were registered.
    pub fn prepare_again<T>(
        &mut self,
        chunk: &mut Chunk,
        pending: Vec<Pending<T>>,
        parse: impl for<'r> Fn(&'r T, &'r Unescaped) -> Result<Request<'r>, Malformed>,
        receipt: Receipt,
    ) {
        for Pending { place, line } in pending {
            let prepared = chunk.line(place);
            self.engine.prepare(&parse(&line, &Unescaped::default()), receipt, prepared);
            // Its id is with the chunk's already.
            prepared.id = None;
        }
    }

    /// Takes in which episodes are new. Those of lines that are yet to be prepared do no harm.
    pub fn learn(&mut self, registry: &Registry) {
        let known = self.engine.registry().episodes().len();
        if let Some(new @ [_, ..]) = registry.episodes().get(known..) {
            self.engine.update_catalog(new.to_vec());
        }
    }

    /// Which lines' ids came before, of this share's ids.
    pub fn check_ids(&mut self, part: &Part, receipt: Receipt) -> Vec<Repeat> {
        let mut repeats = Vec::new();
        for (position, id) in part.ids.iter().enumerate() {
            if let Some(ahead) = part.ids.get(position + READ_AHEAD) {
                self.ids.touch(ahead.hash);
            }
            let number = self.lines_with_ids.wrapping_add(id.number);
            if self.ids.check_line(id.hash, number, receipt.at) {
                repeats.push(Repeat(id.place));
            }
        }
        self.lines_with_ids = self.lines_with_ids.wrapping_add(part.with_ids);
        repeats
    }

    /// Counts this share's lines.
    pub fn count(&mut self, part: &mut Part, receipt: Receipt, each: impl FnMut(&Outcome, &[Change])) {
        for at in part.repeats.drain(..) {
            part.lines[at as usize].found = Found::Repeat(Reason::Redelivered);
        }
        self.engine.count_all(&part.lines, receipt, each);
    }
}
