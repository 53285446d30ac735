//! The command line as a user meets it: exit codes, what errors say, which layer of settings wins, what is printed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use castmeter::config::{Config, Layers};

use crate::service::castmeter;

const COMMANDS: [&str; 14] = [
    "serve",
    "count",
    "explain",
    "generate",
    "check",
    "format",
    "methodology",
    "agents",
    "annotate",
    "check-health",
    "journal",
    "report",
    "traffic",
    "demo",
];

/// Runs in a folder; gives the exit code, standard output and standard error.
fn run(folder: &Path, command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// Each is wrong in one key: the message names it, where it stands, what is wrong and what would be right.
#[test]
fn wrong_settings_exit_with_64_and_say_how_to_put_it_right() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("broken.csv"), "a,b\n1,2\n").unwrap();
    std::fs::write(folder.path().join("good.csv"), "show,episode,path\ngo,1,/1.mp3\n").unwrap();
    for (toml, says) in [
        ("colour = 1", &["`colour` (in castmeter.toml)", "unknown", "`data_dir`"][..]),
        ("[http]\ncolour = 1", &["`http.colour` (in castmeter.toml)", "unknown", "`listen`"]),
        ("[counting]\nwindows = \"calendar\"", &["`counting.windows`", "unknown", "`window`"]),
        ("lateness = \"6\"", &["`lateness` (in castmeter.toml)", "`6` is no span of time", "6h"]),
        ("lateness = 6", &["`lateness` (in castmeter.toml)", "integer `6`", "string"]),
        ("feeds = \"/feed\"", &["`feeds` (in castmeter.toml)", "string \"/feed\"", "list"]),
        ("http = 5", &["`http` (in castmeter.toml)", "integer `5`", "a table"]),
        ("[admin]\nlisten = \"9310\"", &["`admin.listen`", "no address with a port", "127.0.0.1:8080"]),
        ("[counting]\nlisten_seconds = -5", &["`counting.listen_seconds`", "`-5`", "a whole number"]),
        (
            "[counting]\nlisten_seconds = 0",
            &["`counting.listen_seconds` (in castmeter.toml)", "at least 1", "60"],
        ),
        ("[counting]\nassumed_bitrate = 0", &["`counting.assumed_bitrate`", "at least 8", "128000"]),
        (
            "[counting]\nwindow = \"week\"",
            &["`counting.window` (in castmeter.toml)", "`week`", "first_touch"],
        ),
        ("[counting]\nfilters_off = [\"probe\"]", &["`counting.filters_off`", "`probe`", "pre_release"]),
        ("data_dir = \"\"", &["`data_dir`", "a folder", "castmeter-data"]),
        ("catalog_refresh_interval = \"0s\"", &["`catalog_refresh_interval`", "longer than 0", "10m"]),
        ("[store]\nflush_interval = \"0s\"", &["`store.flush_interval`", "longer than 0", "5s"]),
        ("database_url = \"mysql://me:secret@db/x\"", &["`database_url`", "\"mysql\"", "postgres://"]),
        ("log_format = \"csv\"", &["`log_format`", "\"csv\"", "changelog-csv"]),
        ("log_format = \"%h %t\"", &["`log_format`", "no path, no status, no body bytes"]),
        ("catalog = \"none.csv\"", &["`catalog`", "none.csv", "No such file"]),
        ("catalog = \"ftp://h.example/c.csv\"", &["`catalog`", "`ftp://`", "http(s) URL"]),
        ("[[rss]]\nurl = \"none.xml\"", &["`rss[0].url`", "none.xml", "No such file"]),
        (
            "catalog = \"good.csv\"\n[[rss]]\nurl = \"good.csv\"\n[[rss]]\nurl = \"sftp://h.example/f\"",
            &["`rss[1].url`", "`sftp://`", "http(s) URL"],
        ),
        ("catalog = \"broken.csv\"", &["`catalog`", "broken.csv", "show,episode,path"]),
        (
            "[lists]\nblocked = [\"broken.csv\"]",
            &["`lists.blocked`", "broken.csv line 1", "192.0.2.0/24", "AS64496"],
        ),
        (
            "[lists]\nincluded = [{ network = \"192.0.2.0/33\", validated_on = \"2026-01-01\" }]",
            &["`lists.included`", "`192.0.2.0/33`", "192.0.2.0/24"],
        ),
        ("= 5", &["castmeter.toml is not TOML", "line 1"]),
    ] {
        std::fs::write(folder.path().join("castmeter.toml"), toml).unwrap();
        let (code, stdout, stderr) =
            run(folder.path(), castmeter().args(["check", "--config", "castmeter.toml"]));
        assert_eq!((code, stdout.as_str()), (Some(64), ""), "{toml}: {stderr}");
        for part in says {
            assert!(stderr.contains(part), "{toml}: no {part:?} in {stderr}");
        }
        assert!(!stderr.contains("secret"), "{stderr}");
    }
}

#[test]
fn every_command_that_counts_refuses_wrong_settings() {
    let folder = tempfile::tempdir().unwrap();
    for command in
        [&["serve"][..], &["count", "-"], &["explain", "-"], &["check"], &["methodology"], &["agents", "x"]]
    {
        let wrong =
            castmeter().args(command).arg("--counting-window=week").stdin(Stdio::null()).output().unwrap();
        assert_eq!(wrong.status.code(), Some(64), "{command:?}");
        let (code, _, stderr) = run(folder.path(), castmeter().args(command).args(["--config", "none.toml"]));
        assert_eq!(code, Some(64), "{command:?}");
        assert!(stderr.contains("none.toml"), "{stderr}");
    }
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing was made");
}

#[test]
fn a_wrong_command_line_exits_with_64() {
    for (arguments, says) in [
        (&["frobnicate"][..], "frobnicate"),
        (&[], "Usage"),
        (&["count"], "FILE"),
        (&["count", "--by", "week", "-"], "day, hour"),
        (&["count", "--colour", "red", "-"], "--colour"),
        (&["generate", "--start", "1969-12-31"], "1969-12-31 is before 1970-01-01"),
        (&["generate", "--lines", "many"], "many"),
        (&["count", "--journal-max-bytes", "lots", "-"], "--journal-max-bytes"),
    ] {
        let (code, stdout, stderr) = run(Path::new("."), castmeter().args(arguments));
        assert_eq!((code, stdout.as_str()), (Some(64), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(says), "{arguments:?}: {stderr}");
    }
}

/// File, environment, flag: the later over the earlier; an error tells which of them it was.
#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("castmeter.toml"), "[counting]\nwindow = \"first_touch\"\n").unwrap();
    let window = |variable: Option<&str>, flag: Option<&str>| {
        let mut command = castmeter();
        command.args(["check", "--config", "castmeter.toml"]);
        command.envs(variable.map(|window| ("CASTMETER_COUNTING_WINDOW", window)));
        command.args(flag.map(|window| format!("--counting-window={window}")));
        let (code, stdout, stderr) = run(folder.path(), &mut command);
        let said = stdout.lines().find_map(|line| line.split("window ").nth(1));
        (code, said.map_or(stderr, str::to_owned))
    };
    assert_eq!(window(None, None), (Some(0), "first_touch".to_owned()));
    assert_eq!(window(Some("last_touch"), None), (Some(0), "last_touch".to_owned()));
    assert_eq!(window(Some("last_touch"), Some("calendar")), (Some(0), "calendar".to_owned()));
    assert_eq!(window(Some(""), None), (Some(0), "first_touch".to_owned()), "an empty variable is none");
    assert_eq!(window(Some("week"), Some("calendar")), (Some(0), "calendar".to_owned()));
    let (code, said) = window(Some("week"), None);
    assert!(code == Some(64) && said.contains("environment's CASTMETER_COUNTING_WINDOW"), "{said}");
    let (code, said) = window(None, Some("week"));
    assert!(code == Some(64) && said.contains("from --counting-window"), "{said}");

    let configured = castmeter()
        .arg("check")
        .env("CASTMETER_CONFIG", "castmeter.toml")
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(String::from_utf8(configured.stdout).unwrap().contains("window first_touch"));
}

#[test]
fn a_catalogue_that_holds_no_episode_yet_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("c.csv"), "show,episode,path\n").unwrap();
    let (code, stdout, stderr) = run(folder.path(), castmeter().args(["check", "--catalog", "c.csv"]));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains("episodes: 0 in the catalogue"), "{stdout}");
    assert!(stdout.contains("problem: c.csv: line 1: is followed by no episode"), "{stdout}");
}

/// A file that breaks off costs the count, and the message says where.
#[test]
fn a_corrupt_file_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let plain = castmeter().args(["generate", "--lines=5000"]).output().unwrap().stdout;
    let mut packed = zstd::encode_all(&plain[..], 3).unwrap();
    packed.truncate(packed.len() / 2);
    std::fs::write(folder.path().join("log.zst"), packed).unwrap();
    let (code, stdout, stderr) = run(folder.path(), castmeter().args(["count", "log.zst"]));
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    let after = stderr.split(", after ").nth(1).and_then(|rest| rest.strip_suffix(" bytes of lines\n"));
    assert!(
        stderr.starts_with("castmeter: log.zst: ") && after.unwrap().parse::<u64>().unwrap() > 0,
        "{stderr}"
    );
}

#[test]
fn every_command_has_help() {
    let (code, all, stderr) = run(Path::new("."), castmeter().arg("--help"));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for command in COMMANDS {
        assert!(all.lines().any(|line| line.trim_start().starts_with(command)), "{command}: {all}");
        let (code, help, stderr) = run(Path::new("."), castmeter().args([command, "--help"]));
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{command}");
        assert!(
            help.contains("Usage: castmeter ") && help.lines().next().is_some_and(|line| line.len() > 20),
            "{help}"
        );
    }
    let (code, version, _) = run(Path::new("."), castmeter().arg("--version"));
    assert_eq!((code, version.trim_end()), (Some(0), concat!("castmeter ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn generated_traffic_is_the_same_for_the_same_options() {
    let generate = |options: &[&str]| {
        let output =
            castmeter().args(["generate", "--lines=3000", "--listeners=500"]).args(options).output().unwrap();
        assert!(output.status.success());
        output.stdout
    };
    for format in ["json", "csv", "syslog"] {
        let format = format!("--format={format}");
        let lines = generate(&["--seed=3", &format]);
        assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 3000);
        assert!(lines == generate(&["--seed=3", &format]), "{format}: the same seed");
        assert!(lines != generate(&["--seed=4", &format]), "{format}: another seed");
    }
}

/// `castmeter … | head`: whoever reads has seen enough.
#[test]
fn a_closed_pipe_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let generated = castmeter().args(["generate", "--lines=20000"]).output().unwrap().stdout;
    std::fs::write(&log, generated).unwrap();
    let log = log.to_str().unwrap();
    for arguments in [
        &["generate", "--lines=1000000"][..],
        &["explain", log],
        &["count", "--by=hour", "--format=ndjson", log],
    ] {
        let mut child =
            castmeter().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::with_capacity(64, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(!line.is_empty(), "{arguments:?}");
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{arguments:?}");
    }
}

#[test]
fn format_prints_what_is_to_be_pasted() {
    let print = |part: &str| run(Path::new("."), castmeter().args(["format", "--only", part]));
    let (code, format, _) = print("format");
    assert_eq!(code, Some(0));
    assert!(
        format.starts_with(r#"{"v":1,"id":"%{json.escape(req.xid)}V","start_us":%{time.start.usec}V,"#),
        "{format}"
    );
    assert_eq!(format.lines().count(), 1);
    assert_eq!(
        print("condition").1,
        "!segmented_caching.is_inner_req && fastly.ff.visits_this_service == 0\n"
    );
    assert!(print("terraform").1.contains("%%{time.start.usec}V"), "as Terraform wants it");
    // What it prints is a format string like any other, and gives every field.
    let (code, checked, stderr) =
        run(Path::new("."), castmeter().args(["check", "--log-format", format.trim_end()]));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(!checked.contains("lack "), "{checked}");
}

#[test]
fn check_says_what_a_format_cannot_give() {
    let format = r#"%h %l %u %t "%r" %>s %b"#;
    let (code, said, _) = run(Path::new("."), castmeter().args(["check", "--log-format", format]));
    assert_eq!(code, Some(0));
    for line in
        ["lack request id: ", "lack Range: ", "lack user agent: ", "lack country: ", "lack inner segment: "]
    {
        assert!(said.contains(line), "no {line:?} in {said}");
    }
    assert!(!said.contains("lack method"), "the request line gives it: {said}");
}

#[test]
fn methodology_describes_the_running_configuration() {
    let describe = |options: &[&str]| {
        let (code, text, stderr) = run(Path::new("."), castmeter().arg("methodology").args(options));
        assert_eq!(code, Some(0), "{stderr}");
        text
    };
    let (usual, other) = (
        describe(&[]),
        describe(&["--counting-window=last_touch", "--counting-listen-seconds=45", "--lateness=9h"]),
    );
    assert!(usual.starts_with("# ") && usual.contains("2.3"), "{usual}");
    assert!(usual.contains("60 s") && !usual.contains("45 s"), "{usual}");
    assert!(other.contains("45 s") && other.contains("9h"), "{other}");
    assert!(usual != other);
}

/// As it stands, and with every key that it shows as a comment: none is unknown, and none of a wrong kind.
#[test]
fn the_example_configuration_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    let example = include_str!("../../castmeter.example.toml");
    std::fs::write(folder.path().join("castmeter.toml"), example).unwrap();
    let (code, _, stderr) = run(folder.path(), castmeter().args(["check", "--config", "castmeter.toml"]));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));

    // A comment's text begins with a space, a setting does not.
    let shown =
        |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned();
    let all: Vec<String> = example.lines().map(shown).collect();
    let path = folder.path().join("all.toml");
    std::fs::write(&path, all.join("\n")).unwrap();
    let config =
        Layers::read_file(&path).and_then(Config::from_layers).expect("settings that are shown are settings");
    assert_eq!(config.lateness, Config::default().lateness);
}
