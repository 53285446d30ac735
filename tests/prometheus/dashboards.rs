//! The dashboards' PromQL, taken from their files: a new panel is tried by being there.
//!
//! Variables get a value that Grafana could give them: of several, all; of one, the first that there is.

use std::fs;

use serde_json::Value;

use crate::promql::metrics_in;
use crate::server::{Prometheus, root};

/// Where an expression stands, and itself.
struct Query {
    place: String,
    expression: String,
}

/// Under the load of [`crate::scraped`].
pub fn all_panels_have_data(prometheus: &Prometheus) {
    let mut empty = Vec::new();
    let mut tried = 0;
    for (name, dashboard) in dashboards() {
        for Query { place, expression } in queries(&name, &dashboard) {
            let filled = fill_in(&expression, &variables(&dashboard), |label| {
                prometheus.label_values(label).first().cloned().unwrap_or_default()
            });
            for metric in metrics_in(&filled) {
                if prometheus.query(metric).is_empty() {
                    empty.push(format!("{place}: there is no {metric}"));
                }
            }
            if prometheus.query(&filled).is_empty() {
                empty.push(format!("{place}: no data from {filled}"));
            }
            tried += 1;
        }
    }
    assert!(empty.is_empty(), "of {tried} queries:\n{}", empty.join("\n"));
}

fn dashboards() -> Vec<(String, Value)> {
    let files = fs::read_dir(root().join("dashboards")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
    };
    files.iter().map(read).collect()
}

/// Of panels, those in rows included, of variables and of annotations.
fn queries(name: &str, dashboard: &Value) -> Vec<Query> {
    let mut found = Vec::new();
    let mut panels: Vec<&Value> = list(&dashboard["panels"]).collect();
    while let Some(panel) = panels.pop() {
        panels.extend(list(&panel["panels"]));
        for target in list(&panel["targets"]) {
            let source =
                if target["datasource"].is_null() { &panel["datasource"] } else { &target["datasource"] };
            if source["type"] == "prometheus" {
                let expression = target["expr"].as_str().unwrap_or_default().to_owned();
                found.push(Query { place: format!("{name}, panel {}", panel["title"]), expression });
            }
        }
    }
    for annotation in list(&dashboard["annotations"]["list"]) {
        if annotation["datasource"]["type"] == "prometheus" {
            let expression = annotation["expr"].as_str().unwrap_or_default().to_owned();
            found.push(Query { place: format!("{name}, annotation {}", annotation["name"]), expression });
        }
    }
    for variable in list(&dashboard["templating"]["list"]) {
        let query = variable["query"]["query"].as_str().or(variable["query"].as_str()).unwrap_or_default();
        // label_values(metric{…}, label) asks for the series' labels.
        let series =
            query.strip_prefix("label_values(").and_then(|it| it.strip_suffix(')')?.rsplit_once(','));
        if variable["type"] == "query"
            && variable["datasource"]["type"] == "prometheus"
            && let Some((series, _)) = series
        {
            let place = format!("{name}, variable {}", variable["name"]);
            found.push(Query { place, expression: series.to_owned() });
        }
    }
    found
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Names of variables, and whether each may have several values.
fn variables(dashboard: &Value) -> Vec<(String, bool)> {
    let several = |it: &Value| it["multi"] == true || it["includeAll"] == true;
    list(&dashboard["templating"]["list"])
        .map(|it| (it["name"].as_str().unwrap().to_owned(), several(it)))
        .collect()
}

/// The longest names first, so that none is taken for the beginning of another.
fn fill_in(expression: &str, variables: &[(String, bool)], first: impl Fn(&str) -> String) -> String {
    let of_grafana =
        [("__rate_interval", "1m"), ("__interval", "15s"), ("__range_s", "300"), ("__range", "5m")];
    let mut values: Vec<(String, String)> =
        of_grafana.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    for (name, several) in variables {
        values.push((name.clone(), if *several { ".*".to_owned() } else { first(name) }));
    }
    values.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    values.iter().fold(expression.to_owned(), |text, (name, value)| {
        let text = text.replace(&format!("${{{name}:regex}}"), value);
        text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value)
    })
}

#[test]
fn expressions_are_found_and_filled_in() {
    let prometheus = serde_json::json!({ "type": "prometheus", "uid": "p" });
    let dashboard = serde_json::json!({
        "panels": [
            { "title": "A", "datasource": prometheus, "targets": [{ "expr": "rate(a{show=~\"$show\"}[$__rate_interval])" }] },
            { "title": "Row", "panels": [
                { "title": "B", "targets": [{ "expr": "b{s=\"${show_one}\"}", "datasource": prometheus }, { "rawSql": "select" }] }
            ] }
        ],
        "annotations": { "list": [{ "name": "C", "datasource": prometheus, "expr": "c" }] },
        "templating": { "list": [
            { "name": "show", "type": "query", "multi": true, "datasource": prometheus, "query": "label_values(d{e=\"f\"}, show)" },
            { "name": "show_one", "type": "custom" }
        ] }
    });
    let variables = variables(&dashboard);
    let mut found: Vec<_> = queries("x.json", &dashboard)
        .iter()
        .map(|query| fill_in(&query.expression, &variables, |label| format!("<{label}>")))
        .collect();
    found.sort();
    assert_eq!(found, ["b{s=\"<show_one>\"}", "c", "d{e=\"f\"}", "rate(a{show=~\".*\"}[1m])"]);
}
