//! Exact distinct counts per day or hour: has this hash been seen in this bucket before?

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::listener::spread;
use super::open::Open;
use super::saved;
use super::slots::Slots;
use crate::units::{EpisodeId, ListenerKey, UtcDay, UtcHour};

/// The bucket in which something is distinct.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Granularity {
    #[default]
    Day,
    Hour,
}

impl Granularity {
    /// The first hour of the bucket that an hour lies in.
    fn bucket(self, hour: UtcHour) -> UtcHour {
        match self {
            Self::Day => hour.day().first_hour(),
            Self::Hour => hour,
        }
    }
}

/// The hashes of one bucket.
#[derive(Clone, Debug, Default)]
struct Hashes(Slots);

/// Keyed 64-bit hashes seen, by bucket.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Distinct {
    granularity: Granularity,
    buckets: Open<UtcHour, Hashes>,
}

impl Hashes {
    /// True the first time.
    fn insert(&mut self, hash: u64) -> bool {
        // No entry is zero: two hashes among 2⁶⁴ are taken for one.
        let entry = hash.max(1);
        self.0.find_or_insert(entry, |found| found == entry, entry).is_none()
    }
}

impl Serialize for Hashes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        saved::write_many(serializer, self.0.len(), self.0.iter())
    }
}

impl<'de> Deserialize<'de> for Hashes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let insert = |hashes: &mut Self, hash| {
            hashes.insert(hash);
        };
        saved::read_many(deserializer, |hashes: &mut Self, count| hashes.0.reserve(count), insert)
    }
}

impl Distinct {
    pub fn new(granularity: Granularity) -> Self {
        Self { granularity, buckets: Open::default() }
    }

    /// True the first time in the bucket.
    pub fn insert(&mut self, hour: UtcHour, hash: u64) -> bool {
        self.buckets.entry(self.granularity.bucket(hour)).insert(hash)
    }

    /// Reads what [`Distinct::insert`] will read.
    pub fn touch(&self, hour: UtcHour, hash: u64) {
        if let Some(Hashes(slots)) = self.buckets.get(self.granularity.bucket(hour)) {
            slots.touch(hash);
        }
    }

    pub fn table_bytes(&self) -> usize {
        self.buckets.iter().map(|(_, hashes)| hashes.0.allocated_bytes()).sum()
    }

    pub fn close(&mut self, open_from: UtcDay) {
        self.buckets.close(open_from.first_hour());
    }
}

/// One listener and one episode. The key is a keyed hash already, so mixing is enough.
pub fn listener_hash(listener: ListenerKey, episode: EpisodeId) -> u64 {
    listener.0[0] ^ listener.0[1].rotate_left(32) ^ spread(episode.0)
}
