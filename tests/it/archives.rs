//! Archived log files: however large their lines are, and the same over HTTP as from the disk.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use crate::counted::{as_counted, assert_same, counted};
use crate::service::{Setup, castmeter};
use crate::tables::tables;

const GOOD_LINE: &str = r#"{"v":1,"start_us":1767607200000000,"ip":"192.0.2.1","url":"/show/one.mp3","status":200,"body_bytes":1000000,"ua":"Overcast/3.0 (+http://overcast.fm/; iOS podcast app)"}"#;

#[test]
fn a_line_of_300_mb_costs_one_line_and_no_memory() {
    const MEGABYTE: usize = 1_000_000;
    let mut child = castmeter()
        .args(["count", "--fates", "--format=csv", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = child.stdin.take().unwrap();
    let piece = vec![b'x'; MEGABYTE];
    writeln!(lines, "{GOOD_LINE}").unwrap();
    for _ in 0..300 {
        lines.write_all(&piece).unwrap();
    }
    // All but what a pipe holds was read.
    let peak = peak_kilobytes(child.id());
    writeln!(lines, "\n{GOOD_LINE}").unwrap();
    drop(lines);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        printed.ends_with("\n\nfate,reason,requests,body_bytes\nvalid,,2,2000000\nmalformed,too_long,1,0\n"),
        "{printed}"
    );
    assert!(peak < 100_000, "{peak} kB for a line of 300 MB");
}

/// The most memory a process has had.
fn peak_kilobytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says so");
    peak.trim().trim_end_matches(" kB").parse().expect("a number of kB")
}

/// Lines in the style of changelog.com's logs of 2016, some thousand of them over four days.
fn changelog_lines() -> String {
    const AGENTS: [&str; 5] = [
        "\"Overcast/3.0 (+http://overcast.fm/; iOS podcast app)\"",
        "\"\"Mozilla/5.0 (Windows NT 6.1; WOW64; rv:47.0) Gecko/20100101 Firefox/47.0\"\"",
        "\"Player, \"Nightly\" 3.0\"",
        "\"\"",
        "\"Googlebot/2.1 (+http://www.google.com/bot.html)\"",
    ];
    let mut lines = String::new();
    for at in 0..2_000_u32 {
        // A walk through all combinations that is no order of any of them.
        let [client, agent, episode, hour, day] = [7, 3, 11, 5, 2].map(|step| at.wrapping_mul(step) / 3 + at);
        let (status, bytes) =
            [(200, 3_000_000), (206, 500_000), (206, 2), (200, 0), (404, 345)][(at % 7 % 5) as usize];
        let (day, hour, minute, episode) = (10 + day % 4, hour % 24, at % 60, 200 + episode % 9);
        writeln!(
            lines,
            "<134>2016-10-{day}T23:59:59Z cache-jfk8141 S3TheChangelog[81772]: 192.0.2.{},[{day}/Oct/2016:{hour:02}:{minute:02}:15 +0000],\
             /uploads/podcast/{episode}/the-changelog-{episode}.mp3,{bytes},{status},{},40.662,-73.985,\"Brooklyn\",NA,US,\"United States\"",
            client % 97,
            AGENTS[(agent % 5) as usize],
        )
        .unwrap();
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_format_posted_to_the_service_end_in_the_rows_of_count() {
    let folder = tempfile::tempdir().unwrap();
    let lines = changelog_lines();
    let catalog = folder.path().join("catalog.csv");
    std::fs::write(&catalog, catalog_of_changelog()).unwrap();
    let catalog = catalog.display().to_string();
    let expected = counted(&["--log-format=changelog-csv", "--catalog", &catalog], lines.as_bytes());
    for some in
        ["ignored|not_episode", "ignored|probe", "ignored|empty", "ignored|status", "ignored|bot", "valid|"]
    {
        assert!(expected.iter().any(|row| row.contains(some)), "no {some} in {expected:#?}");
    }

    // The lines are of four days, in no order: none may close before the last has come.
    let config = format!(
        "catalog = {catalog:?}\nlateness = \"30d\"\n[http]\nsource = \"archive\"\n\
         [[source]]\nname = \"archive\"\nlog_format = \"changelog-csv\"\n"
    );
    let setup = Setup { config, ..Setup::new(folder.path()) };
    let service = setup.start();
    let all: Vec<&str> = lines.split_inclusive('\n').collect();
    for file in all.chunks(321) {
        assert_eq!(service.post(&[], file.concat().as_bytes()).0, 200);
    }
    assert!(service.stop().success());
    assert_same(&as_counted(&tables(&setup.database_url()).await), &expected);
}

/// All episodes but one.
fn catalog_of_changelog() -> String {
    let row = |episode| {
        format!("changelog,{episode},/uploads/podcast/{episode}/the-changelog-{episode}.mp3,3000000,180,,\n")
    };
    let rows: String = (200..208).map(row).collect();
    format!("show,episode,path,bytes,duration_s,published_at,audio_start\n{rows}")
}

#[test]
fn a_folder_that_is_not_there_fails_with_its_name() {
    let output = castmeter().args(["count", "no/such/log"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("no/such/log"), "{error}");
    assert!(output.stdout.is_empty(), "nothing is printed of an incomplete count");
}

#[test]
fn a_damaged_archive_fails_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.log.gz");
    let mut whole = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    whole.write_all(format!("{GOOD_LINE}\n").repeat(9_999).as_bytes()).unwrap();
    let whole = whole.finish().unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let output = castmeter().arg("count").arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("cut.log.gz"), "{error}");
}
