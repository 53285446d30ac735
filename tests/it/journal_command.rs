//! `castmeter journal`: an operator's look at what a service received.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::service::{Setup, castmeter};

const LINES: [&str; 4] = [r#"{"v":1,"n":1}"#, r#"{"v":1,"n":2}"#, "no json", r#"{"v":1,"n":4}"#];

/// Runs `castmeter journal` on the service's data folder; gives the exit code and both outputs.
fn journal(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let data = folder.join("data");
    let output = castmeter().arg("journal").args(arguments).arg("--data-dir").arg(data).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn rows(ndjson: &str) -> Vec<Value> {
    ndjson.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A plain body, a gzip body and a JSON array, received and then looked at.
fn received(folder: &Path) {
    let service = Setup::new(folder).start();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(format!("{}\n{}\n", LINES[1], LINES[2]).as_bytes()).unwrap();
    let array = format!("[{}]", LINES[3]);
    for (headers, body) in [
        (&[][..], LINES[0].as_bytes().to_vec()),
        (&[("content-encoding", "gzip")], gzip.finish().unwrap()),
        (&[], array.into_bytes()),
    ] {
        assert_eq!(service.post(headers, &body).0, 200);
    }
    let (code, stdout, _) = journal(folder, &["cat"]);
    assert_eq!((code, stdout.lines().collect::<Vec<_>>()), (Some(0), LINES.to_vec()), "while it runs");
    assert!(service.stop().success());
}

#[test]
fn what_was_received_is_listed_printed_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    received(folder.path());

    let (code, stdout, _) = journal(folder.path(), &["ls", "--records", "--format=ndjson"]);
    let records = rows(&stdout);
    let bodies: Vec<_> = records.iter().filter(|row| row["kind"] == "batch").collect();
    assert_eq!((code, bodies.len()), (Some(0), 3), "{stdout}");
    assert_eq!((&bodies[0]["source"], &bodies[1]["encoding"]), (&"http".into(), &"gzip".into()));

    let (_, stdout, _) = journal(folder.path(), &["ls", "--format=ndjson"]);
    let listed: u64 = rows(&stdout).iter().map(|row| row["records"].as_u64().unwrap()).sum();
    assert_eq!(listed, records.len() as u64);

    let second = bodies[1]["position"].to_string();
    let third = bodies[2]["position"].to_string();
    let (_, stdout, _) = journal(folder.path(), &["cat", "--from", &second, "--to", &third]);
    assert_eq!(stdout.lines().collect::<Vec<_>>(), LINES[1..3]);
    for nothing in [["--source", "syslog"], ["--until", "2020-01-01T00:00:00Z"]] {
        let (code, stdout, _) = journal(folder.path(), &["cat", nothing[0], nothing[1]]);
        assert_eq!((code, stdout.as_str()), (Some(0), ""), "{nothing:?}");
    }
    let (code, _, stderr) = journal(folder.path(), &["verify"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
}

#[test]
fn damage_is_told_and_costs_no_more_than_its_record() {
    let folder = tempfile::tempdir().unwrap();
    received(folder.path());
    flip_a_byte_of(LINES[0], &folder.path().join("data/journal"));

    let (code, _, stderr) = journal(folder.path(), &["verify"]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("1 record lost"), "{stderr}");
    let (code, stdout, stderr) = journal(folder.path(), &["cat"]);
    assert_eq!((code, stdout.lines().collect::<Vec<_>>()), (Some(1), LINES[1..].to_vec()), "{stderr}");
}

fn flip_a_byte_of(text: &str, folder: &Path) {
    for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        let Ok(mut bytes) = std::fs::read(&file) else { continue };
        if let Some(at) = memchr::memmem::find(&bytes, text.as_bytes()) {
            bytes[at] ^= 1;
            std::fs::write(&file, bytes).unwrap();
            return;
        }
    }
    panic!("no file of the journal holds {text}");
}

#[test]
fn a_folder_without_a_journal_is_said_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["ls", "cat", "verify"] {
        let (code, stdout, stderr) = journal(folder.path(), &[command]);
        assert_eq!((code, stdout.as_str()), (Some(64), ""), "{stderr}");
        assert!(stderr.contains("there is no journal in"), "{stderr}");
    }
}
