//! The rule file: it is sound, its cases hold, each expression evaluates, each runbook is there.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::promql::metrics_in;
use crate::server::{Prometheus, promtool, root};
use crate::service::wait_for;

#[test]
fn promtool_accepts_the_rules_and_their_cases_hold() {
    let (accepted, said) = promtool(&["check", "rules", "dashboards/rules/castmeter.yml"], "");
    assert!(accepted, "{said}");
    let (accepted, said) = promtool(&["test", "rules", "tests/prometheus/cases.yml"], "");
    assert!(accepted, "{said}");
}

/// An alert that no case makes fire may never do so.
#[test]
fn every_alert_has_a_case_and_a_runbook() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let (rules, cases, operations) = (
        read("dashboards/rules/castmeter.yml"),
        read("tests/prometheus/cases.yml"),
        read("docs/operations.md"),
    );
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    for alert in alerts {
        assert!(cases.contains(&format!("alertname: {alert}\n")), "{alert} has no case");
        let link = format!("runbook_url: docs/operations.md#{}\n", alert.to_lowercase());
        assert!(rules.contains(&link), "{alert} does not say {link}");
        assert!(operations.contains(&format!("\n### {alert}\n")), "{alert} has no runbook");
    }
}

/// Under the load of [`crate::scraped`].
pub fn all_evaluate(prometheus: &Prometheus) {
    let rules = || -> Vec<Value> {
        let groups = prometheus.api("rules", &[]);
        let groups = groups["groups"].as_array().unwrap().clone();
        groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
    };
    wait_for("all rules to be evaluated", || rules().iter().all(|rule| rule["health"] != "unknown"));
    let rules = rules();
    assert!(rules.len() > 20, "{rules:#?}");
    let mut missing = BTreeSet::new();
    for rule in &rules {
        assert_eq!(rule["health"], "ok", "{rule:#}");
        let text = |key: &str| rule[key].as_str().unwrap().to_owned();
        for metric in metrics_in(&text("query")) {
            if prometheus.query(metric).is_empty() {
                missing.insert(format!("{}: {metric}", text("name")));
            }
        }
        if rule["type"] == "recording" && prometheus.query(&text("name")).is_empty() {
            missing.insert(format!("{} records nothing", text("name")));
        }
        assert_ne!(rule["state"], "firing", "{rule:#}");
    }
    assert_eq!(missing, BTreeSet::new(), "not there under load");
}
