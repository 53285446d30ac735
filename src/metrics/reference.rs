//! `docs/metrics.md`, made from the definitions.

use std::fmt::Write;

use super::families::GROUPS;

const HEAD: &str = "# Metrics

<!-- Made from src/metrics/families.rs. To make it anew: GOLDEN_REWRITE=1 cargo test --lib metrics::reference -->

`GET /metrics` on the admin port (`admin.listen`, 9310), in OpenMetrics or in Prometheus' older text format, whichever `Accept`
prefers, and compressed where the client takes gzip. The names are an interface: dashboards and alerts go by them.

Labels come from closed sets, or from sets with a bound: past it, and where a value is longer than 200 bytes, what comes is added
up in `(other)`. For episodes the bound is `metrics.max_episodes` (5,000). While all known episodes fit, each is shown from the
moment it is known, with 0; past that, those that are requested first. Where the log does not say, a label is `unknown`.

Counters begin at 0 with each start of the process. What the store had before the start is not in them; for totals ask the
database.
";

/// The page of documentation, in Markdown.
pub fn markdown() -> String {
    let mut text = HEAD.to_owned();
    for group in GROUPS {
        write!(text, "\n## {}\n\n", group.title).expect("a String takes all text");
        if !group.about.is_empty() {
            write!(text, "{}\n\n", group.about).expect("a String takes all text");
        }
        text.push_str("| metric | kind | labels | |\n|---|---|---|---|\n");
        for family in group.families {
            let labels: Vec<_> = family.labels.iter().map(|label| format!("`{label}`")).collect();
            let (name, kind) = (family.name, family.kind.name());
            writeln!(text, "| `{name}` | {kind} | {} | {} |", labels.join(", "), family.help)
                .expect("a String takes all text");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_is_of_these_families() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
        if std::env::var_os("GOLDEN_REWRITE").is_some() {
            assert!(std::env::var_os("CI").is_none(), "documentation is not rewritten in CI");
            std::fs::write(path, markdown()).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap();
        assert!(
            found == markdown(),
            "docs/metrics.md is stale: GOLDEN_REWRITE=1 cargo test --lib metrics::reference"
        );
    }
}
