//! Every metric and label that a panel or rule names is one that castmeter has.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use castmeter::metrics::families::GROUPS;
use regex::Regex;
use serde_json::Value;

use crate::provisioned::yaml;
use crate::support::dashboards::{Language, dashboards, filled_promql, list, text};

/// What Prometheus adds to each sample.
const OF_THE_SCRAPE: [&str; 2] = ["job", "instance"];
/// Prometheus' own series of alerts.
const ALERTS: (&str, [&str; 2]) = ("ALERTS", ["alertname", "alertstate"]);

/// Names of series, each with its labels.
fn series() -> HashMap<String, HashSet<&'static str>> {
    let mut all = HashMap::from([(ALERTS.0.to_owned(), HashSet::from(ALERTS.1))]);
    for family in GROUPS.iter().flat_map(|group| group.families) {
        let labels: HashSet<&str> = family.labels.iter().chain(&OF_THE_SCRAPE).copied().collect();
        if family.kind.name() == "histogram" {
            all.insert(format!("{}_sum", family.name), labels.clone());
            all.insert(format!("{}_count", family.name), labels.clone());
            let with_bound = labels.into_iter().chain(["le"]).collect();
            all.insert(format!("{}_bucket", family.name), with_bound);
        } else {
            all.insert(family.name.to_owned(), labels);
        }
    }
    for rule in rules().iter().filter_map(|rule| rule["record"].as_str()) {
        all.insert(rule.to_owned(), HashSet::from(OF_THE_SCRAPE));
    }
    all
}

fn rules() -> Vec<Value> {
    let file = yaml("dashboards/rules/castmeter.yml");
    list(&file["groups"]).flat_map(|group| list(&group["rules"])).cloned().collect()
}

static SELECTOR: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b((?:castmeter|process)[a-z0-9_:]*|ALERTS)\b(?:\{([^}]*)\})?").unwrap());
static MATCHER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"([a-z_]+)\s*(?:=~|!~|!=|=)\s*"[^"]*""#).unwrap());
static GROUPING: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)").unwrap());

/// What an expression names that is not there.
fn unknown(expression: &str, series: &HashMap<String, HashSet<&str>>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut labels: HashSet<&str> = HashSet::new();
    let mut matchers = Vec::new();
    for found in SELECTOR.captures_iter(expression) {
        let Some(known) = series.get(&found[1]) else {
            faults.push(format!("there is no series {}", &found[1]));
            continue;
        };
        labels.extend(known);
        let within = found.get(2).map_or("", |braces| braces.as_str());
        matchers.extend(
            MATCHER.captures_iter(within).map(|matcher| (found[1].to_owned(), matcher[1].to_owned())),
        );
    }
    for (name, label) in matchers {
        if !series[&name].contains(&*label) {
            faults.push(format!("{name} has no label {label}"));
        }
    }
    for group in GROUPING.captures_iter(expression) {
        let named = group.get(1).expect("a list").as_str().split(',').map(str::trim);
        faults.extend(
            named
                .filter(|label| !label.is_empty() && !labels.contains(label))
                .map(|label| format!("no series has a label {label}")),
        );
    }
    if labels.is_empty() && faults.is_empty() {
        faults.push("no series is named".to_owned());
    }
    faults
}

#[test]
fn panels_and_rules_name_what_exists() {
    let series = series();
    let used = Regex::new(r"\{\{([a-z_]+)\}\}").unwrap();
    let mut expressions = Vec::new();
    for dashboard in dashboards() {
        for query in dashboard.queries().into_iter().filter(|query| query.language == Language::PromQl) {
            let filled = filled_promql(&dashboard, &query.text, str::to_owned);
            // A legend may name what the series still have: the labels that they are grouped by.
            let legend = text(&query.target["legendFormat"]).to_owned();
            for label in used.captures_iter(&legend) {
                let grouped = GROUPING
                    .captures_iter(&filled)
                    .any(|group| group[1].split(',').any(|it| it.trim() == &label[1]));
                let aggregated = filled.contains("sum") || filled.contains("max") || filled.contains("min");
                assert!(grouped || !aggregated, "{}: the series have no {}", query.place, &label[1]);
            }
            expressions.push((query.place, filled));
        }
    }
    let of_rules = rules();
    let title = |rule: &Value| rule["alert"].as_str().or(rule["record"].as_str()).unwrap().to_owned();
    expressions.extend(of_rules.iter().map(|rule| (title(rule), text(&rule["expr"]).to_owned())));
    assert!(expressions.len() > 70, "only {} expressions were found", expressions.len());
    let faults: Vec<String> = expressions
        .iter()
        .flat_map(|(place, expression)| {
            unknown(expression, &series).into_iter().map(move |fault| format!("{place}: {fault}"))
        })
        .collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn what_does_not_exist_is_found() {
    let series = series();
    for (expression, expected) in [
        ("sum by (reason) (rate(castmeter_lines_ignored_total{source=\"a\"}[5m]))", [""; 0].as_slice()),
        ("castmeter_lines_total", &["there is no series castmeter_lines_total"]),
        ("castmeter_lines_valid_total{reason=\"bot\"}", &["castmeter_lines_valid_total has no label reason"]),
        ("sum by (show) (castmeter_lines_valid_total)", &["no series has a label show"]),
        ("sum by (le) (rate(castmeter_receipt_lag_seconds_bucket[5m]))", &[]),
        ("rate(castmeter_receipt_lag_seconds[5m])", &["there is no series castmeter_receipt_lag_seconds"]),
        ("vector(1)", &["no series is named"]),
    ] {
        assert_eq!(unknown(expression, &series), expected, "{expression}");
    }
}
