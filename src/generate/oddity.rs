//! Single requests that are not plain listening: most count for nothing, and each kind is there to show that.

use super::entry::{Cache, Exchange, Method, RangeHeader};
use super::rng::Rng;
use crate::units::ByteRange;

/// What kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// An episode's headers only.
    Head,
    /// A link that is broken.
    Missing,
    /// A range behind the file's end.
    Unsatisfiable,
    /// A cached copy is still good.
    NotModified,
    /// http to https.
    Moved,
    /// The file's last bytes, where some formats keep their index.
    Suffix,
    /// Two ranges at once.
    TwoRanges,
    /// The origin is down.
    Failure,
}

impl Oddity {
    /// What is sent of a file of `size` bytes.
    pub fn exchange(self, size: u64, rng: &mut Rng) -> Exchange {
        match self {
            Self::Head => Exchange::whole(200, 0),
            Self::Missing => Exchange::whole(404, 186),
            Self::Unsatisfiable => Exchange::unsatisfied(size + rng.below(size), size),
            Self::NotModified => Exchange::whole(304, 0),
            Self::Moved => Exchange::whole(301, 0),
            Self::Suffix => {
                let length = rng.between(1, size + 1);
                Exchange::part(RangeHeader::Suffix(length), ByteRange::new(size - length, size), size)
            }
            Self::TwoRanges => {
                // The answer is multipart/byteranges: its parts have their own Content-Range, the whole has none.
                let third = size / 3;
                let range = RangeHeader::Two(third, size - third);
                Exchange { range, ..Exchange::whole(206, 2 * third + 1) }
            }
            Self::Failure => Exchange::whole(503, 450),
        }
    }

    pub const fn method(self) -> Method {
        match self {
            Self::Head => Method::Head,
            _ => Method::Get,
        }
    }

    /// The cache state where it is not that of a file.
    pub const fn cache(self) -> Option<Cache> {
        match self {
            Self::Missing | Self::Unsatisfiable | Self::Moved => Some(Cache::Pass),
            Self::Failure => Some(Cache::Error),
            Self::Head | Self::NotModified | Self::Suffix | Self::TwoRanges => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::entry::ContentHeader;

    #[test]
    fn a_suffix_is_placed_at_the_end() {
        let mut rng = Rng::new(1);
        for size in [1, 2, 50_000_000] {
            let exchange = Oddity::Suffix.exchange(size, &mut rng);
            let RangeHeader::Suffix(length) = exchange.range else { panic!("{exchange:?}") };
            let part = ByteRange::new(size - length, size);
            assert_eq!(exchange.content, ContentHeader::Part { part, total: size });
            assert_eq!(exchange.sent, length);
        }
    }

    #[test]
    fn two_ranges_send_the_bytes_of_both() {
        let exchange = Oddity::TwoRanges.exchange(300, &mut Rng::new(1));
        // bytes=0-100,200-
        assert_eq!((exchange.range, exchange.sent), (RangeHeader::Two(100, 200), 201));
    }
}
