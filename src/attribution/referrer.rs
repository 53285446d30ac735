//! What kind of page led to a download, from the `Referer` header: a closed set of classes.
//!
//! Most players send none. Only the host is looked at, against short lists of names that hardly change; what is on none
//! is `other`. The order of the cases is the order in which ties between requests are broken: absent first.

use std::fmt;

/// The class of a referrer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Referrer {
    /// No header, or nothing in it that is an address.
    #[default]
    None,
    /// A page on the host that was asked for the file, or on the same site.
    OwnSite,
    /// The web player of an app or a directory.
    Player,
    Search,
    Social,
    Other,
}

impl Referrer {
    pub const ALL: [Self; 6] =
        [Self::None, Self::OwnSite, Self::Player, Self::Search, Self::Social, Self::Other];

    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::OwnSite => "own_site",
            Self::Player => "player",
            Self::Search => "search",
            Self::Social => "social",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Referrer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
