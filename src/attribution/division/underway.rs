//! What each share is to do next, of all that is underway.
//!
//! A chunk is prepared, its ids are checked by each share and its lines are counted by each share. Shares check and count
//! chunks in their order, and count one only when all have checked it. What is nearest to its end comes first, and only so
//! many chunks are underway, so what is held is bounded.

use std::collections::VecDeque;
use std::mem;

use super::{Chunk, Part, Pending, Repeat, Share};
use crate::attribution::engine::Engine;
use crate::attribution::listener::Secret;
use crate::attribution::redelivery::SeenIds;
use crate::attribution::registry::Registry;
use crate::event::{Malformed, Request, Unescaped};

/// Chunks that are underway at the most, for each share: enough that none has to wait for another.
const UNDERWAY: usize = 4;

/// What all shares have in common.
#[derive(Debug)]
pub struct Division {
    registry: Registry,
    /// By share.
    progress: Vec<Progress>,
    /// Chunks that some share has not counted, by number from `first` on.
    chunks: VecDeque<Underway>,
    first: usize,
    /// Chunks given out to be prepared.
    begun: usize,
    /// Chunks there are, once that is known.
    end: Option<usize>,
    is_stopped: bool,
    /// To be used again.
    spare: Vec<Part>,
}

/// How many chunks a share has done with.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    checked: usize,
    counted: usize,
}

#[derive(Debug, Default)]
struct Underway {
    is_registered: bool,
    /// By share; none before it is prepared, nor while its share has it.
    parts: Vec<Option<Part>>,
    /// By share that counts them.
    repeats: Vec<Vec<u32>>,
}

/// What a share is to do, and to tell when it is done.
#[derive(Debug)]
pub enum Step {
    /// Prepare the lines that come next, or tell that there are none: [`Division::prepared`], [`Division::end`].
    Prepare(Chunk),
    /// Check the ids: [`Division::checked`].
    Check(Part),
    /// Count the lines: [`Division::counted`].
    Count(Part),
    /// Nothing: all is counted, or it was stopped.
    Done,
}

impl Division {
    /// Divides the work of an engine that has not counted yet.
    pub fn new(engine: Engine, secret: Secret, shares: usize) -> (Self, Vec<Share>) {
        let ids = SeenIds::new(secret, engine.policy().redelivery.0);
        let registry = engine.registry().clone();
        let engine = engine.following();
        let share =
            |index| Share { index, shares, engine: engine.clone(), ids: ids.clone(), lines_with_ids: 0 };
        let division = Self {
            registry,
            progress: vec![Progress::default(); shares],
            chunks: VecDeque::new(),
            first: 0,
            begun: 0,
            end: None,
            is_stopped: false,
            spare: Vec::new(),
        };
        (division, (0..shares).map(share).collect())
    }

    /// What comes next, for a share that learns of all episodes known by now. None before another has told something.
    pub fn next(&mut self, share: &mut Share) -> Option<Step> {
        if self.is_stopped {
            return Some(Step::Done);
        }
        share.learn(&self.registry);
        let Progress { checked, counted } = self.progress[share.index];
        if self.progress.iter().all(|other| other.checked > counted) {
            let chunk = &mut self.chunks[counted - self.first];
            let part = chunk.parts[share.index].take().expect("the share has checked it and given it back");
            let repeats = mem::take(&mut chunk.repeats[share.index]);
            return Some(Step::Count(Part { repeats, ..part }));
        }
        let unchecked = self.chunks.get_mut(checked - self.first);
        if let Some(part) = unchecked.and_then(|chunk| chunk.parts.get_mut(share.index)?.take()) {
            return Some(Step::Check(part));
        }
        let shares = self.progress.len();
        match self.end {
            Some(end) if end == counted => Some(Step::Done),
            None if self.begun - self.first < UNDERWAY * shares => {
                self.begun += 1;
                let parts = (0..shares).map(|_| self.spare.pop().unwrap_or_default());
                Some(Step::Prepare(Chunk::new(parts.collect())))
            }
            _ => None,
        }
    }

    /// Whether all chunks before have registered their episodes: lines that are pending then may be.
    pub fn may_register(&self, number: usize) -> bool {
        let before = number - self.first;
        self.is_stopped
            || before <= self.chunks.len() && self.chunks.iter().take(before).all(|chunk| chunk.is_registered)
    }

    /// Registers the episodes that are new in a chunk, and tells all there are.
    pub fn register<T>(
        &mut self,
        number: usize,
        pending: &[Pending<T>],
        parse: impl for<'r> Fn(&'r T, &'r Unescaped) -> Result<Request<'r>, Malformed>,
    ) -> &Registry {
        for Pending { line, .. } in pending {
            if let Ok(request) = parse(line, &Unescaped::default()) {
                self.registry.resolve(request.url, request.host);
            }
        }
        self.chunk(number).is_registered = true;
        &self.registry
    }

    /// Takes a chunk of which no line is pending. Chunks are numbered from 0 on, in the order of their lines.
    pub fn prepared(&mut self, number: usize, chunk: Chunk) {
        let repeats = vec![Vec::new(); chunk.parts.len()];
        let parts = chunk.into_parts().map(Some).collect();
        *self.chunk(number) = Underway { is_registered: true, parts, repeats };
    }

    /// There are so many chunks.
    pub fn end(&mut self, chunks: usize) {
        self.end = Some(chunks);
    }

    /// Not all will be counted: there is nothing to do any more.
    pub fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// What a share was given to check, with the lines whose ids came before.
    pub fn checked(&mut self, share: &Share, part: Part, repeats: Vec<Repeat>) {
        let checked = &mut self.progress[share.index].checked;
        let chunk = &mut self.chunks[*checked - self.first];
        *checked += 1;
        chunk.parts[share.index] = Some(part);
        for Repeat(place) in repeats {
            chunk.repeats[place.share as usize].push(place.at);
        }
    }

    /// What a share was given to count.
    pub fn counted(&mut self, share: &Share, part: Part) {
        self.progress[share.index].counted += 1;
        self.spare.push(part);
        while self.progress.iter().all(|other| other.counted > self.first) {
            self.chunks.pop_front();
            self.first += 1;
        }
    }

    /// All episodes, by id, for all shares.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    fn chunk(&mut self, number: usize) -> &mut Underway {
        let at = number - self.first;
        if self.chunks.len() <= at {
            self.chunks.resize_with(at + 1, Underway::default);
        }
        &mut self.chunks[at]
    }
}
