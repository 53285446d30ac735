//! Lines that are yet to come, in the order of their time.
//!
//! A heap of small keys over a pool of reused places: sifting moves 16 bytes, not whole entries. Equal times
//! come out in the order they went in, so that the output never depends on how the heap is built.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A queue of items by time.
pub struct Queue<T> {
    order: BinaryHeap<Reverse<Key>>,
    places: Vec<Option<T>>,
    free: Vec<u32>,
    pushed: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    time_us: i64,
    /// Counts up; wraps after 2³² items, far more than ever wait together.
    turn: u32,
    place: u32,
}

impl<T> Queue<T> {
    pub const fn new() -> Self {
        Self { order: BinaryHeap::new(), places: Vec::new(), free: Vec::new(), pushed: 0 }
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn push(&mut self, time_us: i64, item: T) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() as u32 - 1
        });
        self.places[place as usize] = Some(item);
        self.order.push(Reverse(Key { time_us, turn: self.pushed, place }));
        self.pushed = self.pushed.wrapping_add(1);
    }

    /// The earliest item, if its time is not after `now_us`.
    pub fn pop_due(&mut self, now_us: i64) -> Option<T> {
        let Reverse(key) = self.order.peek()?;
        if key.time_us > now_us {
            return None;
        }
        let Reverse(key) = self.order.pop()?;
        self.free.push(key.place);
        self.places[key.place as usize].take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_out_by_time_then_turn_and_not_before_they_are_due() {
        let mut queue = Queue::new();
        for (time, item) in [(30, 'd'), (10, 'a'), (20, 'b'), (20, 'c')] {
            queue.push(time, item);
        }
        assert_eq!(queue.pop_due(9), None);
        assert_eq!(queue.pop_due(20), Some('a'));
        queue.push(5, 'x');
        let rest: Vec<char> = std::iter::from_fn(|| queue.pop_due(20)).collect();
        assert_eq!(rest, ['x', 'b', 'c']);
        assert_eq!((queue.pop_due(100), queue.pop_due(100)), (Some('d'), None));
        assert_eq!(queue.places.len(), 4);
    }
}
