//! What is kept for each open day or hour: few of them, nearly always asked for the newest.
//!
//! A sorted list that is searched from its end, which finds the newest by one comparison; a tree of as many takes several
//! times as long, some times for each line.

use serde::{Deserialize, Serialize};

/// Values by day or hour, in order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Open<P, T>(Vec<(P, T)>);

impl<P, T> Default for Open<P, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<P: Copy + Ord, T: Default> Open<P, T> {
    #[inline]
    pub fn get(&self, period: P) -> Option<&T> {
        self.0.iter().rev().find(|(held, _)| *held == period).map(|(_, value)| value)
    }

    /// What is kept for the period, from here on if nothing was.
    #[inline]
    pub fn entry(&mut self, period: P) -> &mut T {
        let at = match self.0.iter().rposition(|(held, _)| *held <= period) {
            Some(at) if self.0[at].0 == period => at,
            earlier => self.insert(earlier.map_or(0, |at| at + 1), period),
        };
        &mut self.0[at].1
    }

    #[cold]
    fn insert(&mut self, at: usize, period: P) -> usize {
        self.0.insert(at, (period, T::default()));
        at
    }

    /// Drops all before that period.
    pub fn close(&mut self, open_from: P) {
        self.0.retain(|(period, _)| *period >= open_from);
    }

    pub fn iter(&self) -> impl Iterator<Item = &(P, T)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_map_like_any_other(steps in prop::collection::vec((0..4u8, 0..9i32, 1..9u32), 0..60)) {
            let (mut open, mut expected) = (Open::default(), BTreeMap::<i32, u32>::new());
            for (step, period, value) in steps {
                match step {
                    0 => {
                        open.close(period);
                        expected = expected.split_off(&period);
                    }
                    1 | 2 => {
                        *open.entry(period) += value;
                        *expected.entry(period).or_default() += value;
                    }
                    _ => prop_assert_eq!(open.get(period), expected.get(&period)),
                }
                prop_assert!(open.iter().map(|(period, value)| (period, value)).eq(&expected));
            }
        }
    }
}
