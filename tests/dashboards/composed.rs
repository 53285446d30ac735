//! `compose.yaml` and the `Dockerfile`, as far as they can be judged without Docker's daemon: what they mount and copy
//! is there, versions are pinned, all services are watched. And the health check that the image goes by.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::provisioned::{data_source_variables, yaml};
use crate::service::{Setup, castmeter};
use crate::support::dashboards::{list, text};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn services(compose: &Value) -> impl Iterator<Item = (&String, &Value)> {
    compose["services"].as_object().expect("services").iter()
}

#[test]
fn what_is_mounted_is_there() {
    let compose = yaml("compose.yaml");
    let volumes = compose["volumes"].as_object().expect("volumes");
    let mut used = Vec::new();
    for (name, service) in services(&compose) {
        for volume in list(&service["volumes"]) {
            let source = text(volume).split(':').next().expect("a source");
            if source.starts_with("./") {
                assert!(root().join(source).exists(), "{name} mounts {source}");
                assert!(text(volume).ends_with(":ro"), "{name} may write to {source}");
            } else {
                assert!(volumes.contains_key(source), "{name} mounts {source}");
                used.push(source);
            }
        }
    }
    assert!(volumes.keys().all(|volume| used.contains(&volume.as_str())), "{used:?}");
}

#[test]
fn versions_are_pinned_and_services_watched() {
    let compose = yaml("compose.yaml");
    for (name, service) in services(&compose) {
        let (_, version) =
            text(&service["image"]).split_once(':').unwrap_or_else(|| panic!("{name}: no version"));
        assert!(
            version.contains('.') && version.bytes().any(|byte| byte.is_ascii_digit()),
            "{name}: {version}"
        );
        // castmeter's is in its image.
        let watched = service["healthcheck"].is_object() || service["build"].is_string();
        assert!(watched, "{name} has no health check");
        for (dependency, condition) in service["depends_on"].as_object().into_iter().flatten() {
            let other = &compose["services"][dependency];
            assert!(other.is_object(), "{name} waits for {dependency}");
            let once = condition["condition"] == "service_completed_successfully";
            assert_eq!(once, dependency == "catalog", "{name} waits for {dependency}: {condition}");
        }
        // Nothing is open to the network by accident.
        assert!(list(&service["ports"]).all(|port| text(port).starts_with("127.0.0.1:")), "{name}");
    }
    let castmeter = text(&compose["services"]["castmeter"]["image"]);
    assert_eq!(castmeter, concat!("castmeter:", env!("CARGO_PKG_VERSION")));
}

#[test]
fn grafana_gets_what_its_data_sources_ask_for() {
    let compose = yaml("compose.yaml");
    let grafana = &compose["services"]["grafana"];
    for variable in data_source_variables() {
        assert!(grafana["environment"][&variable].is_string(), "no {variable}");
    }
    let provider = yaml("dashboards/provisioning/dashboards/castmeter.yaml");
    let folder = text(&provider["providers"][0]["options"]["path"]);
    let mounted = format!("./dashboards:{folder}:ro");
    assert!(list(&grafana["volumes"]).any(|volume| text(volume) == mounted), "no {mounted}");
    let home = text(&grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]);
    let home = home.strip_prefix(folder).expect("a file of the folder").trim_start_matches('/');
    assert!(root().join("dashboards").join(home).is_file(), "{home}");
}

/// What castmeter is started with must be what castmeter takes.
#[test]
fn castmeters_settings_and_commands_are_good() {
    let compose = yaml("compose.yaml");
    let folder = tempfile::tempdir().unwrap();
    let catalog = folder.path().join("catalog.csv").display().to_string();
    let command = |name: &str| {
        text(&compose["services"][name]["command"]).replace("/var/lib/castmeter/catalog.csv", &catalog)
    };
    let output = castmeter().args(command("catalog").split(' ')).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let rows = fs::read_to_string(&catalog).unwrap().lines().count();
    assert_eq!(rows, 61);

    // Each show of the catalogue has its feed among the settings.
    let output = castmeter().args(["traffic", "--feeds"]).output().unwrap();
    let environment = compose["services"]["castmeter"]["environment"].as_object().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), text(&environment["CASTMETER_FEEDS"]));

    let mut check = castmeter();
    check.arg("check").current_dir(folder.path());
    for (name, value) in environment {
        check.env(name, text(value).replace("/var/lib/castmeter/catalog.csv", &catalog));
    }
    let output = check.env("CASTMETER_DATA_DIR", folder.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let takes = castmeter().args(command("traffic").split(' ')).arg("--help").output().unwrap();
    assert!(takes.status.success(), "{takes:?}");
}

#[test]
fn docker_accepts_the_file() {
    let compose = |arguments: &[&str]| {
        Command::new("docker").arg("compose").args(arguments).current_dir(root()).output().ok()
    };
    if !compose(&["version"]).is_some_and(|output| output.status.success()) {
        eprintln!("docker compose is not there: its own check is left out");
        return;
    }
    let output = compose(&["config", "--quiet"]).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_image_is_small_and_not_roots() {
    let text = fs::read_to_string(root().join("Dockerfile")).unwrap();
    let last = text.rsplit("\nFROM ").next().unwrap();
    assert!(last.starts_with("scratch\n"), "{last}");
    for line in [
        "\nUSER 65532:65532\n",
        "\nHEALTHCHECK ",
        "CMD [\"castmeter\", \"check-health\"]",
        "\nVOLUME /var/lib/castmeter\n",
    ] {
        assert!(last.contains(line), "no {line}");
    }
    let rust = text.lines().find_map(|line| line.strip_prefix("FROM rust:")).expect("a stage that builds");
    assert!(rust.starts_with(env!("CARGO_PKG_RUST_VERSION")), "{rust}");
    let ignored = fs::read_to_string(root().join(".dockerignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "target"));
}

#[test]
fn health_is_told_by_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let service = Setup::new(folder.path()).start();
    service.wait_until_ready();
    let admin = format!("http://{}", service.admin);
    let check = |more: &[&str]| {
        let output = castmeter().args(["check-health", "--admin", &admin]).args(more).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(check(&[]), (Some(0), String::new()));
    assert_eq!(check(&["--live"]), (Some(0), String::new()));
    assert!(service.stop().success());
    let (code, said) = check(&[]);
    assert_eq!(code, Some(1));
    assert!(said.contains(&admin), "{said}");

    // It runs, and cannot count for want of a store.
    let folder = tempfile::tempdir().unwrap();
    let database_url = Some("postgres://nobody@127.0.0.1:1/nothing".to_owned());
    let service = Setup { database_url, ..Setup::new(folder.path()) }.start();
    let admin = format!("http://{}", service.admin);
    let check = |more: &[&str]| {
        let output = castmeter().args(["check-health", "--admin", &admin]).args(more).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = check(&[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("503"), "{said}");
    assert_eq!(check(&["--live"]).0, Some(0));
}
