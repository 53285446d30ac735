//! Just enough of PromQL to see which of our metrics an expression names.

use std::collections::BTreeSet;

/// Names of castmeter's metrics, recorded ones included, and of the process.
pub fn metrics_in(expression: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let words = expression.split(|c: char| !is_part(c));
    words
        .filter(|word| ["castmeter_", "castmeter:", "process_"].iter().any(|start| word.starts_with(start)))
        .collect()
}

#[test]
fn names_are_found() {
    let found =
        metrics_in("sum by (le) (rate(castmeter_a_bucket{b=\"c\"}[5m])) / castmeter:d:e > process_x or up");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["castmeter:d:e", "castmeter_a_bucket", "process_x"]);
}
