//! Large tables to and from a saved state, at their full size at once.
//!
//! What reads a state has verified it, so the number of entries it gives can be believed; growing a table of
//! millions step by step would take longer than all the rest. Entries come in the table's own order: no sorting.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};

/// Writes a table of so many entries, of which it need not tell itself how many there are.
pub fn write_many<S: Serializer, T: Serialize>(
    serializer: S,
    count: usize,
    entries: impl IntoIterator<Item = T>,
) -> Result<S::Ok, S::Error> {
    let mut sequence = serializer.serialize_seq(Some(count))?;
    entries.into_iter().try_for_each(|entry| sequence.serialize_element(&entry))?;
    sequence.end()
}

/// Reads a sequence into a table: `reserve` makes room for so many entries, `insert` takes each.
pub fn read_many<'de, D, T, C>(
    deserializer: D,
    reserve: impl FnOnce(&mut C, usize),
    insert: impl FnMut(&mut C, T),
) -> Result<C, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
    C: Default,
{
    deserializer.deserialize_seq(Many { reserve, insert, entries: PhantomData })
}

struct Many<T, C, R, I> {
    reserve: R,
    insert: I,
    entries: PhantomData<(T, C)>,
}

impl<'de, T, C, R, I> Visitor<'de> for Many<T, C, R, I>
where
    T: Deserialize<'de>,
    C: Default,
    R: FnOnce(&mut C, usize),
    I: FnMut(&mut C, T),
{
    type Value = C;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the entries of a table")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut entries: A) -> Result<C, A::Error> {
        let mut table = C::default();
        (self.reserve)(&mut table, entries.size_hint().unwrap_or(0));
        while let Some(entry) = entries.next_element()? {
            (self.insert)(&mut table, entry);
        }
        Ok(table)
    }
}

/// `#[serde(with)]` for a map, as a sequence of pairs.
pub mod map {
    use std::hash::Hash;

    use hashbrown::HashMap;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<K, V, S>(map: &HashMap<K, V>, serializer: S) -> Result<S::Ok, S::Error>
    where
        K: Serialize,
        V: Serialize,
        S: Serializer,
    {
        serializer.collect_seq(map)
    }

    pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<HashMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Eq + Hash,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        let insert = |map: &mut HashMap<K, V>, (key, value)| {
            map.insert(key, value);
        };
        super::read_many(deserializer, HashMap::reserve, insert)
    }
}
