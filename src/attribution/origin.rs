//! Where a request came from: country, region, kind of page.

use std::cmp::Ordering;

use super::labels::LabelSet;
use super::referrer::Referrer;
use crate::units::{Country, LabelId};

/// A session has that of its earliest request; of several at the same start, the smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    pub country: Country,
    pub region: LabelId,
    pub referrer: Referrer,
}

impl Default for Origin {
    fn default() -> Self {
        Self { country: Country::UNKNOWN, region: LabelId::ABSENT, referrer: Referrer::None }
    }
}

impl Origin {
    /// By country, the region's text, referrer; absent comes first. Ids would go by the order of lines.
    pub fn compare(&self, other: &Self, regions: &LabelSet) -> Ordering {
        if self == other {
            return Ordering::Equal;
        }
        let by_region = || regions.text(self.region).cmp(regions.text(other.region));
        let by_country = self.country.cmp(&other.country);
        by_country.then_with(by_region).then(self.referrer.cmp(&other.referrer))
    }

    /// The one that comes first.
    pub fn min(self, other: Self, regions: &LabelSet) -> Self {
        if other.compare(&self, regions).is_lt() { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::Labels;

    #[test]
    fn smallest_texts_first_whatever_their_ids() {
        let mut regions = Labels::default().regions;
        let [ny, ca] = [b"NY", b"CA"].map(|text| regions.intern(text));
        let origin =
            |country: &[u8], region, referrer| Origin { country: Country::parse(country), region, referrer };
        let sorted = [
            origin(b"", ny, Referrer::Other),
            origin(b"DE", ca, Referrer::None),
            origin(b"US", LabelId::ABSENT, Referrer::Social),
            origin(b"US", ca, Referrer::None),
            origin(b"US", ca, Referrer::Search),
            origin(b"US", ny, Referrer::None),
        ];
        for (at, a) in sorted.iter().enumerate() {
            for (other, b) in sorted.iter().enumerate() {
                assert_eq!(a.compare(b, &regions), at.cmp(&other), "{a:?} {b:?}");
                assert_eq!(a.min(*b, &regions), sorted[at.min(other)]);
            }
        }
    }
}
