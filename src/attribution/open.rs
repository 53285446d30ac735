//! What is kept for each open day or hour: few of them, nearly always asked for the newest.
//!
//! A sorted list whose last entry is looked at first, which finds the newest by one comparison; a tree takes several times as
//! long, some times for each line. In archives days are never closed, and lines of old ones follow those of new ones where
//! each source has files of its own: then the list is halved, as a tree would be.

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
        self.find(period).ok().map(|at| &self.0[at].1)
    }

    /// Where the period is, or where it would be.
    #[inline]
    fn find(&self, period: P) -> Result<usize, usize> {
        match self.0.last() {
            Some((newest, _)) if *newest == period => Ok(self.0.len() - 1),
            _ => self.0.binary_search_by_key(&period, |(held, _)| *held),
        }
    }

    /// What is kept for the period, from here on if nothing was.
    #[inline]
    pub fn entry(&mut self, period: P) -> &mut T {
        let at = self.find(period).unwrap_or_else(|at| {
            self.0.insert(at, (period, T::default()));
            at
        });
        &mut self.0[at].1
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
