//! Numbers in five bytes, since there are millions of sessions.

/// A number below 2⁴⁰; a greater one stays at the largest there is, 1 TiB − 1 of bytes or twelve days of microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct U40([u8; 5]);

impl U40 {
    pub const MAX: u64 = (1 << 40) - 1;

    pub fn saturating(value: u64) -> Self {
        let [a, b, c, d, e, ..] = value.min(Self::MAX).to_le_bytes();
        Self([a, b, c, d, e])
    }

    pub fn get(self) -> u64 {
        let [a, b, c, d, e] = self.0;
        u64::from_le_bytes([a, b, c, d, e, 0, 0, 0])
    }

    /// The greater of both.
    pub fn max(self, value: u64) -> Self {
        Self::saturating(self.get().max(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_bytes_that_saturate() {
        for value in [0, 1, 255, 256, U40::MAX - 1, U40::MAX] {
            assert_eq!(U40::saturating(value).get(), value);
        }
        assert_eq!(U40::saturating(u64::MAX).get(), U40::MAX);
        assert_eq!((U40::saturating(7).max(9).get(), U40::saturating(7).max(3).get()), (9, 7));
        assert_eq!(size_of::<U40>(), 5);
    }
}
