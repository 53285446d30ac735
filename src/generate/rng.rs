//! Pseudo-random numbers that are the same everywhere: SplitMix64 (Steele, Lea, Flood, 2014).
//!
//! Whole-number arithmetic only, 64 bits of state, the same sequence on every machine and in every version.
//! The generator's own, because a crate's next release may draw differently. Not for secrets.

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's finisher: a bijection of 64-bit numbers, so distinct inputs give distinct outputs.
pub const fn scramble(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A number that depends on both: for properties that follow from a seed and an identity.
pub const fn derive(seed: u64, identity: u64) -> u64 {
    scramble(seed ^ scramble(identity.wrapping_add(GAMMA)))
}

/// A sequence of pseudo-random numbers.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub const fn new(seed: u64) -> Self {
        Self(scramble(seed))
    }

    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        scramble(self.0)
    }

    /// A number in `0..bound`; 0 for a bound of 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        scale(self.next(), bound)
    }

    /// A number in `low..high`; `low` where that is empty.
    pub const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low))
    }

    /// True `share` times in 10,000.
    pub const fn happens(&mut self, share: u64) -> bool {
        self.below(10_000) < share
    }
}

/// Maps a random 64-bit number onto `0..bound`.
pub const fn scale(random: u64, bound: u64) -> u64 {
    ((random as u128 * bound as u128) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_splitmix64() {
        // The reference implementation's first outputs for the seed 1234567.
        let mut rng = Rng(1_234_567);
        let drawn = [rng.next(), rng.next(), rng.next()];
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn bounds_hold() {
        let mut rng = Rng::new(7);
        assert_eq!((rng.below(0), rng.below(1), rng.between(9, 9)), (0, 0, 9));
        let drawn: Vec<u64> = (0..1_000).map(|_| rng.between(3, 6)).collect();
        assert!([3, 4, 5].iter().all(|number| drawn.contains(number)));
        assert!(drawn.iter().all(|number| (3..6).contains(number)));
        assert_eq!((0..1_000).filter(|_| rng.happens(10_000)).count(), 1_000);
        assert_eq!((0..1_000).filter(|_| rng.happens(0)).count(), 0);
    }
}
