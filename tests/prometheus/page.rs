//! The metrics page as its readers get it: both formats, compressed or not, and what `promtool` says.

use std::collections::BTreeSet;
use std::io::Read;

use castmeter::metrics::families::GROUPS;
use flate2::read::GzDecoder;

use crate::load::Load;
use crate::server::promtool;
use crate::service::{Setup, wait_for};

/// The body and its content type.
fn scrape(load: &Load, accept: &str) -> (String, String) {
    let request = ureq::get(format!("http://{}/metrics", load.service.admin));
    let mut answer = request.header("accept", accept).call().unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    (answer.body_mut().read_to_string().unwrap(), kind)
}

/// Received, and what became of it, each summed up.
fn conservation(page: &str) -> (f64, f64) {
    let sum = |name: &str| -> f64 {
        let start = format!("castmeter_lines_{name}_total{{");
        page.lines()
            .filter(|line| line.starts_with(&start))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    };
    (sum("received"), sum("valid") + sum("ignored") + sum("malformed"))
}

#[test]
fn both_formats_hold_all_families_and_promtool_has_no_complaint() {
    let folder = tempfile::tempdir().unwrap();
    let load = Load::start(folder.path());
    // While lines come in, each page accounts for all it has.
    let mut before = 0.0;
    load.post(|| {
        wait_for("lines to be counted", || {
            let (received, fates) = conservation(&scrape(&load, "*/*").0);
            assert_eq!(received, fates);
            received > before
        });
        before = conservation(&scrape(&load, "*/*").0).0;
    });

    let (open_metrics, kind) = scrape(&load, "application/openmetrics-text; version=1.0.0");
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(open_metrics.ends_with("# EOF\n"), "{open_metrics}");
    let (classic, kind) = scrape(&load, "*/*");
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");

    let described: BTreeSet<&str> =
        classic.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let defined: BTreeSet<&str> =
        GROUPS.iter().flat_map(|group| group.families.iter().map(|family| family.name)).collect();
    assert_eq!(described, defined);

    let (accepted, said) = promtool(&["check", "metrics"], &classic);
    assert!(accepted && said.is_empty(), "{said}");
}

#[test]
fn a_compressed_page_is_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let load = Load::start(folder.path());
    let url = format!("http://{}/metrics", load.service.admin);
    let output =
        std::process::Command::new("curl").args(["-s", "-H", "accept-encoding: gzip", &url]).output();
    let mut page = String::new();
    GzDecoder::new(output.unwrap().stdout.as_slice()).read_to_string(&mut page).unwrap();
    assert!(page.starts_with("# HELP castmeter_lines_received_total "), "{page}");
    assert!(page.contains("\ncastmeter_build_info{version="), "{page}");
}

/// Whoever asks for a path decides what an episode is called where there is no catalogue.
#[test]
fn names_that_clients_choose_cannot_break_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[metrics]\nmax_episodes = 3\n".to_owned();
    let service = crate::service::Setup { config, ..crate::service::Setup::new(folder.path()) }.start();
    service.wait_until_ready();
    let long = "x".repeat(5_000);
    let names = ["a%22b%5Cc%0Ad.mp3", "e%C3%A9.mp3", &format!("{long}.mp3"), "%28other%29", "f.mp3", "g.mp3"];
    let lines: String = names
        .iter()
        .map(|name| {
            format!(
                r#"{{"v":1,"start_us":1767607200000000,"ip":"192.0.2.1","url":"/show/{name}","status":200,"body_bytes":5000000,"ua":"Overcast/3.0 (+http://overcast.fm/; iOS podcast app)"}}"#
            ) + "\n"
        })
        .collect();
    assert_eq!(service.post(&[], lines.as_bytes()).0, 200);
    service.wait_for_lines(names.len() as u64);
    let page = service.get(service.admin, "/metrics").1;
    let (accepted, said) = promtool(&["check", "metrics"], &page);
    assert!(accepted && said.is_empty(), "{said}\n{page}");
    assert!(page.len() < 50_000, "{} bytes", page.len());
    let other = "castmeter_downloads_total{show=\"(other)\",episode=\"(other)\"} ";
    assert_eq!(page.matches(other).count(), 1, "{page}");
    assert!(service.metric("castmeter_label_overflows_total") > 0.0);
}

/// The metrics by which the alerts of a store that is down go.
#[test]
fn a_store_that_does_not_answer_shows_as_backlog() {
    let folder = tempfile::tempdir().unwrap();
    let database_url = Some("postgres://nobody@127.0.0.1:1/nothing".to_owned());
    let service = Setup { database_url, ..Setup::new(folder.path()) }.start();
    wait_for("an attempt to fail", || service.metric("castmeter_store_failures_total") > 0.0);
    assert_eq!(service.metric("castmeter_backlog_lines"), 0.0);
    assert_eq!(service.post(&[], b"a line\n").0, 200);
    assert_eq!(service.metric("castmeter_backlog_lines"), 1.0);
    assert!(service.metric("castmeter_backlog_seconds") > 0.0);
    // The rules in force are one.
    assert_eq!(service.metric("castmeter_journal_appended_records_total"), 2.0);
}
