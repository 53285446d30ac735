//! Texts by id as numbers that sort as the texts do.
//!
//! Rows are sorted by keys that hold ids. Where thousands of rows have the same few texts, each text is compared once
//! here, and rows by its place. Pure.

/// Values by id; equal ones have one place.
pub(super) struct Ranked<T> {
    sorted: Vec<T>,
    /// By id.
    places: Vec<Place>,
}

/// The place of a value among all that are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u32);

impl<T: Ord> Ranked<T> {
    /// Of the values of ids 0, 1, 2 and so on.
    pub(super) fn new(values: impl IntoIterator<Item = T>) -> Self {
        let mut by_value: Vec<(T, u32)> = values.into_iter().zip(0..).collect();
        by_value.sort_unstable();
        let mut places = vec![Place(0); by_value.len()];
        let mut sorted = Vec::<T>::new();
        for (value, id) in by_value {
            if sorted.last() != Some(&value) {
                sorted.push(value);
            }
            places[id as usize] = Place(u32::try_from(sorted.len() - 1).expect("ids are of 32 bits"));
        }
        Self { sorted, places }
    }

    /// None if there is no value of this id.
    pub(super) fn place(&self, id: u32) -> Option<Place> {
        self.places.get(id as usize).copied()
    }

    pub(super) fn value(&self, place: Place) -> &T {
        &self.sorted[place.0 as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_sort_as_values_do() {
        let values = ["pear", "apple", "", "pear", "fig"];
        let ranked = Ranked::new(values);
        let mut places: Vec<_> = (0..5).map(|id| ranked.place(id).unwrap()).collect();
        assert_eq!(places[0], places[3]);
        places.sort_unstable();
        let sorted: Vec<_> = places.iter().map(|place| *ranked.value(*place)).collect();
        assert_eq!(sorted, ["", "apple", "fig", "pear", "pear"]);
        assert_eq!(ranked.place(5), None);
    }
}
