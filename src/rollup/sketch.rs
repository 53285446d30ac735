//! A set of listeners as a HyperLogLog sketch: 16 kB at the most, whatever its size, and mergeable.
//!
//! Exact up to 100 listeners and a few thousand more (as long as the sketch is a list of hashes, and but for two hashes
//! that meet in 26 bits); then the standard error is below 0.7 %, so that practically all numbers are within 2 %. What a
//! sketch says depends neither on the order of its listeners nor on how it was merged.

use std::fmt;

use datasketches::hll::{Coupon, HllSketch, HllType, HllUnion};

use crate::units::{KeyId, ListenerKey};

/// 2¹⁵ registers of four bits.
const LG_REGISTERS: u8 = 15;
const REGISTERS: HllType = HllType::Hll4;

/// Listeners, hashed under one key, or nobody knows how many.
#[derive(Clone, PartialEq)]
pub struct Sketch {
    hll: HllSketch,
    /// None where listeners of several keys came together: they cannot be told apart, or to be the same.
    key: Option<KeyId>,
}

/// Stored bytes that are no sketch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no HyperLogLog sketch: {0}")]
pub struct BadSketch(String);

impl Sketch {
    pub fn new(key: KeyId) -> Self {
        let hll = HllSketch::new(LG_REGISTERS, REGISTERS).expect("between 4 and 21");
        Self { hll, key: Some(key) }
    }

    pub fn insert(&mut self, listener: Hashed, key: KeyId) {
        self.hll.update_with_coupon(listener.0);
        self.key = self.key.filter(|own| *own == key);
    }

    /// Adds all listeners of another.
    pub fn merge(&mut self, other: &Self) {
        let mut union = HllUnion::new(LG_REGISTERS).expect("between 4 and 21");
        union.update(&self.hll);
        union.update(&other.hll);
        self.hll = union.to_sketch(REGISTERS);
        self.key = self.key.filter(|own| Some(*own) == other.key);
    }

    /// How many listeners there are; None where nobody can tell.
    pub fn listeners(&self) -> Option<u64> {
        // The other estimate is a little better and depends on the order.
        let estimate = self.hll.composite_estimate().round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count, far below 2^53"
        )]
        self.key.map(|_| estimate as u64)
    }

    pub fn key(&self) -> Option<KeyId> {
        self.key
    }

    /// The standard form of Apache DataSketches.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.hll.serialize()
    }

    pub fn from_bytes(bytes: &[u8], key: Option<KeyId>) -> Result<Self, BadSketch> {
        let hll = HllSketch::deserialize(bytes).map_err(|error| BadSketch(error.to_string()))?;
        Ok(Self { hll, key })
    }
}

/// Without the registers.
impl fmt::Debug for Sketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sketch").field("listeners", &self.listeners()).field("key", &self.key).finish()
    }
}

/// A listener as sketches take it, hashed once for all of them.
#[derive(Clone, Copy, Debug)]
pub struct Hashed(Coupon);

impl Hashed {
    pub fn new(listener: ListenerKey) -> Self {
        Self(Coupon::from_value(listener.0[0]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: KeyId = KeyId(7);

    /// The numbers from `from` up to `to`, hashed as keys are.
    fn sketch(from: u64, to: u64) -> Sketch {
        let mut sketch = Sketch::new(KEY);
        for number in from..to {
            let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            sketch.insert(Hashed::new(ListenerKey([mixed, 0])), KEY);
        }
        sketch
    }

    fn error(sketch: &Sketch, exact: u64) -> f64 {
        (sketch.listeners().unwrap() as f64 - exact as f64).abs() / exact as f64
    }

    #[test]
    fn exact_while_there_are_few() {
        for count in [0, 1, 2, 7, 8, 9, 50, 99, 100, 500] {
            assert_eq!(sketch(0, count).listeners(), Some(count));
        }
    }

    #[test]
    fn within_two_percent_however_many() {
        let mut worst: f64 = 0.0;
        let (mut squares, mut count) = (0.0, 0.0);
        for exact in [1_000, 3_072, 3_073, 4_000, 12_345, 50_000] {
            for run in 0..25 {
                let error = error(&sketch(run * 1_000_000, run * 1_000_000 + exact), exact);
                worst = worst.max(error);
                (squares, count) = (squares + error * error, count + 1.0);
            }
        }
        let standard_error = f64::sqrt(squares / count);
        assert!(standard_error < 0.007, "{standard_error}");
        assert!(worst < 0.02, "{worst}");
    }

    #[test]
    fn merged_as_if_all_had_come_to_one() {
        let all = sketch(0, 60_000);
        let parts = [sketch(0, 30_000), sketch(20_000, 60_000), sketch(5, 90)];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let mut merged = Sketch::new(KEY);
            order.iter().for_each(|at| merged.merge(&parts[*at]));
            assert_eq!(merged.listeners(), all.listeners());
        }
        assert!(error(&all, 60_000) < 0.02);
        let mut few = sketch(0, 60);
        few.merge(&sketch(40, 100));
        assert_eq!(few.listeners(), Some(100));
    }

    #[test]
    fn kept_as_bytes() {
        for sketch in [sketch(0, 0), sketch(0, 5), sketch(0, 900), sketch(0, 90_000)] {
            let bytes = sketch.to_bytes();
            assert!(bytes.len() < 17_000);
            let read = Sketch::from_bytes(&bytes, sketch.key()).unwrap();
            assert_eq!(read.listeners(), sketch.listeners());
        }
        assert!(Sketch::from_bytes(b"no sketch", None).is_err());
    }

    #[test]
    fn nobody_can_tell_listeners_of_two_keys() {
        let listener = Hashed::new(ListenerKey([1, 2]));
        let mut mixed = Sketch::new(KEY);
        mixed.insert(listener, KEY);
        assert_eq!(mixed.listeners(), Some(1));
        mixed.insert(listener, KeyId(8));
        assert_eq!(mixed.listeners(), None);
        let (mut one, mut other) = (Sketch::new(KEY), Sketch::new(KeyId(8)));
        one.merge(&Sketch::new(KEY));
        assert_eq!(one.listeners(), Some(0));
        other.merge(&one);
        assert_eq!((other.listeners(), other.key()), (None, None));
    }
}
