//! Defects put in on purpose: a simulator that does not find them would not find others.

/// A defect, each of a promise that the components keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// The store learns the position in one transaction and the sums in a later one.
    PositionBeforeSums,
    /// Senders are answered before what they sent is durable.
    AnsweredBeforeDurable,
    /// After a restart the sums of what the store holds already are given out again.
    CommittedIsGivenOutAgain,
    /// A restart goes by the newest snapshot, though the store has not come as far.
    SnapshotAheadOfStore,
}

impl Canary {
    pub const ALL: [Self; 4] = [
        Self::PositionBeforeSums,
        Self::AnsweredBeforeDurable,
        Self::CommittedIsGivenOutAgain,
        Self::SnapshotAheadOfStore,
    ];
}
