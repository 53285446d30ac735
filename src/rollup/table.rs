//! Sums of very many rows, of which any line may change any.
//!
//! A row that is in no cache takes longer to come from memory than to be changed. So changes are added many at a time: the
//! places of all their rows are fetched, then the rows, and only then are they changed; the waits overlap. Rows lie one
//! after the other in the order in which they came first, so that to read them all takes no time to speak of.

use std::hash::{BuildHasher, Hash};

use hashbrown::DefaultHashBuilder;

use crate::attribution::slots::{Slots, prefetch};

/// The high half of an entry is its hash's, the other half its row's number, from 1.
const ROW: u64 = 0xffff_ffff;

/// Rows by key, as far as there are any.
#[derive(Clone, Debug)]
pub struct Table<K, V> {
    rows: Vec<(K, V)>,
    places: Slots,
    hasher: DefaultHashBuilder,
    /// Of the changes that are being added.
    hashes: Vec<u64>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        let hasher = DefaultHashBuilder::default();
        Self { rows: Vec::new(), places: Slots::default(), hasher, hashes: Vec::new() }
    }
}

impl<K: Copy + Eq + Hash, V: Default> Table<K, V> {
    /// The row of a key, which is made where there is none.
    pub fn row(&mut self, key: K) -> &mut V {
        self.hashed(self.hasher.hash_one(key), key)
    }

    /// Adds changes to the rows of their keys, in their order.
    pub fn add_all<C>(&mut self, changes: &[C], key: impl Fn(&C) -> K, add: impl Fn(&mut V, &C)) {
        let mut hashes = std::mem::take(&mut self.hashes);
        for change in changes {
            let hash = self.hasher.hash_one(key(change));
            self.places.touch(hash);
            hashes.push(hash);
        }
        for hash in &hashes {
            let found = self.places.find(*hash, |entry| (entry ^ hash) & !ROW == 0);
            found.and_then(|entry| self.rows.get(number(entry))).into_iter().for_each(prefetch);
        }
        for (change, hash) in changes.iter().zip(hashes.drain(..)) {
            add(self.hashed(hash, key(change)), change);
        }
        self.hashes = hashes;
    }

    /// Adds all rows of another. A key that only one side has keeps what that side says.
    pub fn merge(&mut self, other: &Self, add: impl Fn(&mut V, &V))
    where
        V: Clone,
    {
        for (key, change) in other.iter() {
            match self.place(self.hasher.hash_one(key), *key) {
                Place::Found(at) => add(&mut self.rows[at].1, change),
                Place::New => self.rows.push((*key, change.clone())),
            }
        }
    }

    pub fn insert(&mut self, key: K, value: V) {
        *self.row(key) = value;
    }

    #[inline]
    fn hashed(&mut self, hash: u64, key: K) -> &mut V {
        let at = match self.place(hash, key) {
            Place::Found(at) => at,
            Place::New => {
                self.rows.push((key, V::default()));
                self.rows.len() - 1
            }
        };
        &mut self.rows[at].1
    }

    /// Where the row of a key is; if there is none, it is to be the next.
    #[inline]
    fn place(&mut self, hash: u64, key: K) -> Place {
        let Self { rows, places, .. } = self;
        let next = rows.len() as u64 + 1;
        assert!(next <= ROW, "a table of 4,294,967,295 rows is full");
        let is_it = |entry: u64| (entry ^ hash) & !ROW == 0 && rows[number(entry)].0 == key;
        places
            .find_or_insert(hash, is_it, hash & !ROW | next)
            .map_or(Place::New, |it| Place::Found(number(it)))
    }
}

enum Place {
    Found(usize),
    New,
}

#[allow(clippy::cast_possible_truncation, reason = "32 bits are left")]
fn number(entry: u64) -> usize {
    (entry & ROW) as usize - 1
}

impl<K, V> Table<K, V> {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// In no order that means anything.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &V)> {
        self.rows.iter().map(|(key, value)| (key, value))
    }

    pub fn keys(&self) -> impl ExactSizeIterator<Item = &K> {
        self.rows.iter().map(|(key, _)| key)
    }

    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> {
        self.rows.iter().map(|(_, value)| value)
    }

    pub fn values_mut(&mut self) -> impl ExactSizeIterator<Item = &mut V> {
        self.rows.iter_mut().map(|(_, value)| value)
    }

    /// Empties it and keeps its room.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.places.clear();
    }
}

impl<K, V> IntoIterator for Table<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}

impl<K: Copy + Eq + Hash, V: Default> FromIterator<(K, V)> for Table<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(rows: I) -> Self {
        let mut table = Self::default();
        table.extend(rows);
        table
    }
}

impl<K: Copy + Eq + Hash, V: Default> Extend<(K, V)> for Table<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, rows: I) {
        rows.into_iter().for_each(|(key, value)| self.insert(key, value));
    }
}

/// The same rows, in any order.
impl<K: Copy + Eq + Hash, V: PartialEq> PartialEq for Table<K, V> {
    fn eq(&self, other: &Self) -> bool {
        let others: hashbrown::HashMap<_, _> = other.iter().collect();
        self.len() == other.len() && self.iter().all(|(key, value)| others.get(key) == Some(&value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_like_any_other(
            batches in prop::collection::vec(prop::collection::vec((0..400_u32, 1..9_i64), 0..300), 0..6),
            cleared_before in 0..6_usize,
        ) {
            let (mut table, mut expected) = (Table::default(), BTreeMap::new());
            for (number, batch) in batches.iter().enumerate() {
                if number == cleared_before {
                    table.clear();
                    expected.clear();
                }
                table.add_all(batch, |(key, _)| *key, |sum: &mut i64, (_, change)| *sum += change);
                for (key, change) in batch {
                    *expected.entry(*key).or_default() += change;
                }
            }
            prop_assert_eq!(table.len(), expected.len());
            prop_assert!(table.iter().all(|(key, sum)| expected.get(key) == Some(sum)));
            let mut merged = Table::default();
            table.rows.chunks(7).for_each(|rows| merged.merge(&rows.iter().copied().collect(), |_, _| unreachable!()));
            prop_assert_eq!(&merged, &table);
            merged.merge(&table, |sum, other| *sum += other);
            prop_assert!(merged.iter().all(|(key, sum)| expected.get(key).is_some_and(|one| 2 * one == *sum)));
            let mut keys: Vec<_> = expected.into_iter().collect();
            keys.reverse();
            prop_assert_eq!(&table, &keys.iter().copied().collect());
            if let Some((_, sum)) = keys.first_mut() {
                *sum += 1;
                prop_assert_ne!(&table, &keys.into_iter().collect());
            }
        }
    }
}
