//! Counts and half-open ranges of bytes.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ByteCount(pub u64);

impl ByteCount {
    pub const ZERO: Self = Self(0);

    /// `self - other`, never below zero.
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// Saturates: a sum of log lines that claim 2⁶⁴ bytes is wrong already, and must not stop the service.
impl Add for ByteCount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for ByteCount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for ByteCount {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A half-open range of a file's bytes, `[start, end)`. Empty when `end <= start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ByteRange {
    pub start: u64,
    pub end: u64,
}

impl ByteRange {
    pub const fn new(start: u64, end: u64) -> Self {
        Self { start, end }
    }

    /// `[start, start + count)`, its end saturating at the largest offset there is.
    pub const fn starting_at(start: u64, count: ByteCount) -> Self {
        Self { start, end: start.saturating_add(count.0) }
    }

    pub const fn is_empty(self) -> bool {
        self.end <= self.start
    }

    pub const fn len(self) -> ByteCount {
        ByteCount(self.end.saturating_sub(self.start))
    }

    /// What of this range lies in `[low, high)`; may be empty.
    pub fn clipped(self, low: u64, high: u64) -> Self {
        Self { start: self.start.max(low), end: self.end.min(high) }
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_half_open_and_never_wrap() {
        assert_eq!(ByteRange::new(2, 5).len(), ByteCount(3));
        assert!(ByteRange::new(5, 5).is_empty());
        assert_eq!(ByteRange::new(7, 3).len(), ByteCount(0));
        assert_eq!(ByteRange::starting_at(u64::MAX - 1, ByteCount(9)).end, u64::MAX);
        assert_eq!(ByteRange::new(0, 10).clipped(4, 6), ByteRange::new(4, 6));
        assert!(ByteRange::new(0, 3).clipped(4, 6).is_empty());
    }
}
