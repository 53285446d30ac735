//! The files against the types that Grafana publishes, by its foundation SDK and a TypeScript compiler
//! (`tests/dashboards/schema`). Node runs them; npm fetches both once, into `target/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::dashboards::dashboards;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder with the packages of the lock file.
fn packages() -> PathBuf {
    let source = root().join("tests/dashboards/schema");
    let folder = root().join("target/dashboard-schema");
    fs::create_dir_all(&folder).unwrap();
    let lock = fs::read_to_string(source.join("package-lock.json")).unwrap();
    let installed = folder.join("installed");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == lock) {
        return folder;
    }
    for file in ["package.json", "package-lock.json"] {
        fs::copy(source.join(file), folder.join(file)).unwrap();
    }
    let npm = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&folder)
        .output();
    let npm = npm.expect("this test needs npm; on Debian: apt-get install npm");
    assert!(npm.status.success(), "npm ci: {}", String::from_utf8_lossy(&npm.stderr));
    fs::write(installed, lock).unwrap();
    folder
}

/// Whether all fits, and what was said.
fn check(packages: &Path, files: &[PathBuf]) -> (bool, String) {
    let output = Command::new("node")
        .arg(root().join("tests/dashboards/schema/check.mjs"))
        .args(files)
        .current_dir(packages)
        .output()
        .expect("this test needs node; on Debian: apt-get install nodejs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said.into_owned())
}

/// One test: two would fetch the packages at the same time.
#[test]
fn dashboards_fit_grafanas_types_and_faulty_ones_do_not() {
    let packages = packages();
    let all = dashboards();
    let files: Vec<PathBuf> = all.iter().map(|it| root().join("dashboards").join(&it.file)).collect();
    let (fits, said) = check(&packages, &files);
    assert!(fits && said.contains("of 5 dashboards, 0 faults"), "{said}");

    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(&files[0]).unwrap();
    for (from, to, fault) in [
        ("\"graphTooltip\": 1", "\"graphTooltip\": 7", "DashboardCursorSync"),
        ("\"fillOpacity\": 0", "\"fillOpacitee\": 0", "fillOpacitee"),
        ("\"drawStyle\": \"line\"", "\"drawStyle\": \"lines\"", "lines"),
        ("\"noValue\"", "\"noValues\"", "noValues"),
    ] {
        assert!(text.contains(from), "{from}");
        let file = folder.path().join("faulty.json");
        fs::write(&file, text.replacen(from, to, 1)).unwrap();
        let (fits, said) = check(&packages, &[file]);
        assert!(!fits && said.contains(fault), "{to}: {said}");
    }
}

/// A lock file that names where packages came from binds everybody to that place.
#[test]
fn lock_files_name_no_hosts() {
    for file in ["tests/dashboards/schema/package-lock.json", "scripts/pictures/package-lock.json"] {
        let lock = fs::read_to_string(root().join(file)).unwrap();
        assert!(!lock.contains("\"resolved\""), "{file}: npm install --omit-lockfile-registry-resolved=true");
    }
}
