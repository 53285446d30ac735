//! The dashboards' PromQL, taken from their files: a new panel is tried by being there.
//!
//! Variables get a value that Grafana could give them: of several, all; of one, the first that there is.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use crate::promql::metrics_in;
use crate::server::Prometheus;
use crate::support::dashboards::{Asker, Language, dashboards, filled_promql, list, text};

/// Under the load of [`crate::scraped`].
pub fn all_panels_have_data(prometheus: &Prometheus) {
    let mut empty = Vec::new();
    let mut tried = 0;
    for dashboard in dashboards() {
        let mut panel_columns = BTreeMap::new();
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
            let series = |(labels, _): &(Value, f64)| legend(text(&query.target["legendFormat"]), labels);
            let mut names: Vec<String> = found.iter().map(series).collect();
            names.sort();
            let all = names.len();
            names.dedup();
            if names.len() < all && query.target["format"] != "table" {
                empty.push(format!("{place}: several series have one name, of {names:?}"));
            }
            if let Asker::Panel(panel) = query.asker {
                let columns =
                    panel_columns.entry(panel["id"].to_string()).or_insert_with(|| (panel, HashSet::new()));
                columns.1.extend(columns_of(query.target, list(&panel["targets"]).count(), &found));
            }
            tried += 1;
        }
        for (panel, columns) in panel_columns.values() {
            let unmet = unmet(panel, columns);
            empty.extend(unmet.map(|name| {
                format!(
                    "{}, panel {}: nothing is called {name}, only {columns:?}",
                    dashboard.file, panel["title"]
                )
            }));
        }
    }
    assert!(tried > 50, "only {tried} queries were found");
    assert!(empty.is_empty(), "of {tried} queries:\n{}", empty.join("\n"));
}

/// What Grafana calls the columns of an answer: as a table the labels and the value, else the series by their names.
fn columns_of(target: &Value, targets: usize, found: &[(Value, f64)]) -> HashSet<String> {
    if target["format"] != "table" {
        return found.iter().map(|(labels, _)| legend(text(&target["legendFormat"]), labels)).collect();
    }
    let value = if targets > 1 { format!("Value #{}", text(&target["refId"])) } else { "Value".to_owned() };
    let labels =
        found.iter().flat_map(|(labels, _)| labels.as_object()).flat_map(|labels| labels.keys().cloned());
    labels.chain(["Time".to_owned(), value]).collect()
}

/// What transformations, overrides and the order of rows name and no column is called.
fn unmet<'a>(panel: &'a Value, columns: &HashSet<String>) -> impl Iterator<Item = String> + 'a {
    let mut known = columns.clone();
    let mut named: Vec<String> = Vec::new();
    for step in list(&panel["transformations"]) {
        let options = &step["options"];
        named.extend(list(&options["include"]["names"]).map(|name| text(name).to_owned()));
        for (from, to) in options["renameByName"].as_object().into_iter().flatten() {
            named.push(from.clone());
            known.insert(text(to).to_owned());
        }
    }
    let overrides = list(&panel["fieldConfig"]["overrides"]).filter(|rule| rule["matcher"]["id"] == "byName");
    named.extend(overrides.map(|rule| text(&rule["matcher"]["options"]).to_owned()));
    named.extend(list(&panel["options"]["sortBy"]).map(|sorted| text(&sorted["displayName"]).to_owned()));
    named.into_iter().filter(move |name| !known.contains(name))
}

/// A series' name: the format with the labels filled in, or all of the labels where there is none.
fn legend(format: &str, labels: &Value) -> String {
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
