//! A histogram with fixed bounds: local, without a lock, merged where it is shown.

/// How many values fell up to each bound, and their sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One for each bound, and one for what is above all; not cumulated.
    counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    /// `bounds` rise; a value belongs to the first that is not below it.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    /// The histogram of values that were counted elsewhere, by the same bounds.
    pub fn from_parts(bounds: &'static [f64], counts: Vec<u64>, sum: f64) -> Self {
        assert_eq!(counts.len(), bounds.len() + 1, "a count for each bound and one above");
        Self { bounds, counts, sum }
    }

    pub fn observe(&mut self, value: f64) {
        self.observe_many(value, 1);
    }

    /// The same value so many times.
    pub fn observe_many(&mut self, value: f64, times: u64) {
        self.counts[self.bounds.partition_point(|bound| *bound < value)] += times;
        self.sum += value * times as f64;
    }

    /// Adds another's values; both have the same bounds.
    pub fn merge(&mut self, other: &Self) {
        debug_assert_eq!(self.bounds, other.bounds);
        for (mine, other) in self.counts.iter_mut().zip(&other.counts) {
            *mine += other;
        }
        self.sum += other.sum;
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Each bound with the number of values up to it and above the one before; the last is infinite.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        self.bounds.iter().copied().chain([f64::INFINITY]).zip(self.counts.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_belongs_to_the_first_bound_not_below_it() {
        let mut histogram = Histogram::new(&[1.0, 5.0]);
        for value in [0.0, 1.0, 1.5, 5.0] {
            histogram.observe(value);
        }
        histogram.observe_many(6.0, 3);
        let mut twice = histogram.clone();
        twice.merge(&histogram);
        assert_eq!(twice.buckets().collect::<Vec<_>>(), [(1.0, 4), (5.0, 4), (f64::INFINITY, 6)]);
        assert_eq!((twice.count(), twice.sum()), (14, 51.0));
    }
}
