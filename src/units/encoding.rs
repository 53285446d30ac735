//! How a batch's bytes are compressed, as HTTP's `Content-Encoding` names it.

use std::fmt;

/// A content coding. The number is part of the journal's record format: never change one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Encoding {
    #[default]
    Identity = 0,
    Gzip = 1,
    Zstd = 2,
    /// The framed format, not raw blocks.
    Snappy = 3,
    /// As HTTP means it: a zlib stream.
    Deflate = 4,
}

impl Encoding {
    pub const ALL: [Self; 5] = [Self::Identity, Self::Gzip, Self::Zstd, Self::Snappy, Self::Deflate];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Snappy => "snappy",
            Self::Deflate => "deflate",
        }
    }

    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| *encoding as u8 == number)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
