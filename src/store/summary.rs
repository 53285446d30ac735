//! What the page and the terminal read: sums over all instances.

/// Sums over episodes and days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Totals {
    pub downloads: i64,
    /// Valid lines.
    pub requests: i64,
    pub delivered_bytes: i64,
    pub body_bytes: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct EpisodeDownloads {
    /// The show's slug.
    pub show: String,
    pub slug: String,
    pub title: Option<String>,
    pub downloads: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct FateTotal {
    pub fate: String,
    /// None for valid lines.
    pub reason: Option<String>,
    pub requests: i64,
    pub body_bytes: i64,
}
