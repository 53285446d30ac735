//! One castmeter under load, scraped by one Prometheus: what rules and dashboards ask for is there.

use std::thread;
use std::time::Duration;

use crate::load::Load;
use crate::server::Prometheus;
use crate::service::wait_for;
use crate::{dashboards, rules};

#[test]
fn every_rule_and_panel_has_what_it_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    let load = Load::start(folder.path());
    let prometheus = Prometheus::start(folder.path(), load.service.admin);
    wait_for("the first scrape", || !prometheus.query("castmeter_build_info").is_empty());
    // Slow enough that several scrapes see it.
    load.post(|| thread::sleep(Duration::from_millis(200)));
    let received = "sum(castmeter_lines_received_total)";
    wait_for("the last lines to be scraped", || {
        prometheus.query(received).first().is_some_and(|(_, lines)| *lines == load.lines() as f64)
    });

    wait_for("all lines to be committed", || {
        let of_lag = |stage| load.service.metric(&format!("castmeter_{stage}_lag_seconds_count"));
        of_lag("commit") > 0.0 && of_lag("commit") == of_lag("receipt")
    });
    wait_for("the backlog to be gone", || load.service.metric("castmeter_backlog_lines") == 0.0);
    for metric in ["castmeter_live_listeners", "castmeter_state_bytes", "castmeter_sessions_open"] {
        assert!(load.service.metric(metric) > 0.0, "{metric}");
    }

    in_every_scrape_each_line_has_one_fate(&prometheus);
    rules::all_evaluate(&prometheus);
    dashboards::all_panels_have_data(&prometheus);
}

fn in_every_scrape_each_line_has_one_fate(prometheus: &Prometheus) {
    let seen = prometheus.query("count(count_values(\"lines\", castmeter_lines_received_total))");
    assert!(!seen.is_empty());
    let scrapes = prometheus.query("max(changes(castmeter_lines_received_total[5m]))")[0].1;
    assert!(scrapes >= 3.0, "only {scrapes} scrapes saw lines arrive");
    let expression = "(sum by (source) (castmeter_lines_received_total)
        - sum by (source) (castmeter_lines_valid_total)
        - sum by (source) (castmeter_lines_ignored_total)
        - sum by (source) (castmeter_lines_malformed_total))[5m:200ms]";
    for bound in ["min", "max"] {
        let found = prometheus.query(&format!("{bound}_over_time({expression})"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].1, 0.0, "{bound} of what has no fate");
    }
}
