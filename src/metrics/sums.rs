//! Numbers behind counters: such as never fall, and such whose labels are bounded.

use std::borrow::Borrow;
use std::collections::BTreeMap;

/// The label of what is past a bound.
pub const OTHER: &str = "(other)";

/// Longest text that is a label's value, in bytes: some come from requests' paths, which anyone can choose.
const MAX_LABEL_BYTES: usize = 200;

/// Sums are signed and may go back for a moment, counters may not: this is the highest sum so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HighWater {
    sum: i64,
    highest: u64,
}

impl HighWater {
    pub fn add(&mut self, change: i64) {
        self.sum = self.sum.saturating_add(change);
        self.highest = self.highest.max(u64::try_from(self.sum).unwrap_or(0));
    }

    pub fn value(self) -> u64 {
        self.highest
    }
}

/// Values by label, up to so many labels.
#[derive(Clone, Debug)]
pub struct Bounded<K, V> {
    max: usize,
    shown: BTreeMap<K, V>,
    other: Option<V>,
    overflows: u64,
}

impl<K: Ord, V: Default> Bounded<K, V> {
    pub fn new(max: usize) -> Self {
        Self { max, shown: BTreeMap::new(), other: None, overflows: 0 }
    }

    /// The label's value. `make` gives a new one's, or None where it does not fit to be a label.
    pub fn of<Q>(&mut self, label: &Q, make: impl FnOnce() -> Option<V>) -> &mut V
    where
        K: Borrow<Q>,
        Q: Ord + ToOwned<Owned = K> + ?Sized,
    {
        if !self.shown.contains_key(label) {
            let made = (self.shown.len() < self.max).then(make).flatten();
            let Some(value) = made else {
                self.overflows += 1;
                return self.other.get_or_insert_default();
            };
            self.shown.insert(label.to_owned(), value);
        }
        self.shown.get_mut(label).expect("it is there, or was just inserted")
    }

    pub fn has_room_for(&self, more: usize) -> bool {
        self.shown.len() + more <= self.max
    }

    /// Labels of their own.
    pub fn shown(&self) -> &BTreeMap<K, V> {
        &self.shown
    }

    /// What the labels past the bound add up to; None while there are none.
    pub fn other(&self) -> Option<&V> {
        self.other.as_ref()
    }

    /// How often something was added to those.
    pub fn overflows(&self) -> u64 {
        self.overflows
    }
}

impl<V: Default> Bounded<String, V> {
    pub fn of_text(&mut self, text: &str) -> &mut V {
        let text = known(text);
        self.of(text, || fits(text).then(V::default))
    }

    /// All labels with their values, `(other)` last.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &V)> {
        self.shown.iter().map(|(text, value)| (text.as_str(), value)).chain(self.other().map(|v| (OTHER, v)))
    }
}

/// An absent text is `unknown`: a label without a value would be no label.
pub fn known(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

/// Whether a text can be a label's value.
pub fn fits(text: &str) -> bool {
    text.len() <= MAX_LABEL_BYTES && text != OTHER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_do_not_fall() {
        let mut mark = HighWater::default();
        let shown = [5, -3, 2, 1, -9, 10].map(|change| {
            mark.add(change);
            mark.value()
        });
        assert_eq!(shown, [5, 5, 5, 5, 5, 6]);
    }

    #[test]
    fn what_is_past_the_bound_is_together() {
        let mut bounded = Bounded::<String, u64>::new(2);
        let long = "x".repeat(MAX_LABEL_BYTES + 1);
        for text in [OTHER, "a", &long, "", "b", "a", "c"] {
            *bounded.of_text(text) += 1;
        }
        let texts: Vec<_> = bounded.texts().map(|(text, count)| (text, *count)).collect();
        assert_eq!(texts, [("a", 2), ("unknown", 1), (OTHER, 4)]);
        assert_eq!(bounded.overflows(), 4);
    }
}
