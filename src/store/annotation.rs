//! Notes of what happened, which graphs show beside the numbers: deploys, outages, campaigns.

use crate::units::Timestamp;

/// A row of `annotation`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// A whole second.
    pub at: Timestamp,
    pub text: String,
    /// None has a comma.
    pub tags: Vec<String>,
}

impl Annotation {
    /// As the table has them, and Grafana reads them.
    pub(super) fn tags(&self) -> String {
        self.tags.join(",")
    }
}
