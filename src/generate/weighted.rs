//! Choosing by weight in constant time: Walker's alias method, in whole numbers.
//!
//! Each of `n` slots holds one item up to a threshold and another above it. One 64-bit random number
//! decides both slot and side, so a choice costs one table look-up whatever the number of items.

/// A table of weighted items `0..n`.
#[derive(Clone, Debug)]
pub struct Weighted {
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Of 2³², how much belongs to the slot's own item; `u32::MAX` counts as all of it.
    own: u32,
    other: u32,
}

impl Weighted {
    /// At least one weight; the sum of `weights.len() × weight` must fit 64 bits. Weights that are all 0
    /// count as equal.
    pub fn new(weights: &[u64]) -> Self {
        assert!(!weights.is_empty(), "there is nothing to choose from");
        let total: u64 = weights.iter().sum();
        if total == 0 {
            return Self::new(&vec![1; weights.len()]);
        }
        let count = weights.len() as u64;
        let mut shares: Vec<u64> = weights.iter().map(|weight| weight * count).collect();
        let mut slots: Vec<Slot> =
            (0..weights.len()).map(|item| Slot { own: u32::MAX, other: item as u32 }).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..weights.len()).partition(|&item| shares[item] < total);
        while let (Some(poor), Some(&rich)) = (small.pop(), large.last()) {
            let own = (u128::from(shares[poor]) << 32) / u128::from(total);
            slots[poor] = Slot { own: own as u32, other: rich as u32 };
            shares[rich] -= total - shares[poor];
            if shares[rich] < total {
                large.pop();
                small.push(rich);
            }
        }
        Self { slots }
    }

    /// The item that a uniform random number stands for.
    pub fn pick(&self, random: u64) -> usize {
        let item = ((random >> 32) * self.slots.len() as u64) >> 32;
        let slot = self.slots[item as usize];
        let keeps = slot.own == u32::MAX || (random as u32) < slot.own;
        if keeps { item as usize } else { slot.other as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::rng::Rng;

    #[test]
    fn items_are_chosen_in_proportion() {
        let weights = [5, 0, 1, 30, 64];
        let table = Weighted::new(&weights);
        let mut rng = Rng::new(1);
        let mut counts = [0_u64; 5];
        for _ in 0..100_000 {
            counts[table.pick(rng.next())] += 1;
        }
        for (count, weight) in counts.iter().zip(weights) {
            assert!(count.abs_diff(weight * 1_000) <= 500, "{counts:?}");
        }
        assert_eq!(counts[1], 0);
    }

    #[test]
    fn without_any_weight_all_are_equal() {
        let table = Weighted::new(&[0, 0]);
        let mut rng = Rng::new(2);
        let first = (0..10_000).filter(|_| table.pick(rng.next()) == 0).count();
        assert!((4_500..5_500).contains(&first), "{first}");
    }
}
