//! The dashboards' PromQL, taken from their files: a new panel is tried by being there.
//!
//! Variables get a value that Grafana could give them: of several, all; of one, the first that there is.

use crate::promql::metrics_in;
use crate::server::Prometheus;
use crate::support::dashboards::{Asker, Language, dashboards, filled_promql, text};

/// Under the load of [`crate::scraped`].
pub fn all_panels_have_data(prometheus: &Prometheus) {
    let mut empty = Vec::new();
    let mut tried = 0;
    for dashboard in dashboards() {
        for query in dashboard.queries().into_iter().filter(|query| query.language == Language::PromQl) {
            let place = &query.place;
            let filled = filled_promql(&dashboard, &query.text, |label| {
                prometheus.label_values(label).first().cloned().unwrap_or_default()
            });
            for metric in metrics_in(&filled) {
                if prometheus.query(metric).is_empty() {
                    empty.push(format!("{place}: there is no {metric}"));
                }
            }
            let found = prometheus.query(&filled);
            if found.is_empty() {
                empty.push(format!("{place}: no data from {filled}"));
            }
            // A quantile or share of nothing: Grafana draws none.
            if matches!(query.asker, Asker::Panel(_)) && found.iter().all(|(_, value)| value.is_nan()) {
                empty.push(format!("{place}: only NaN from {filled}"));
            }
            let series =
                |(labels, _): &(serde_json::Value, f64)| legend(text(&query.target["legendFormat"]), labels);
            let mut names: Vec<String> = found.iter().map(series).collect();
            names.sort();
            let all = names.len();
            names.dedup();
            if names.len() < all && query.target["format"] != "table" {
                empty.push(format!("{place}: several series have one name, of {names:?}"));
            }
            tried += 1;
        }
    }
    assert!(tried > 50, "only {tried} queries were found");
    assert!(empty.is_empty(), "of {tried} queries:\n{}", empty.join("\n"));
}

/// A series' name: the format with the labels filled in, or all of the labels where there is none.
fn legend(format: &str, labels: &serde_json::Value) -> String {
    if format.is_empty() {
        return labels.to_string();
    }
    labels.as_object().into_iter().flatten().fold(format.to_owned(), |name, (label, value)| {
        name.replace(&format!("{{{{{label}}}}}"), text(value))
    })
}

#[test]
fn series_are_named_by_their_labels() {
    let labels = serde_json::json!({ "a": "1", "b": "2" });
    assert_eq!(legend("{{a}} of {{b}}", &labels), "1 of 2");
    assert_eq!(legend("", &labels), labels.to_string());
}
