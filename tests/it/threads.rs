//! `count --threads`: the same table, whatever their number.

use std::fs;
use std::path::Path;

use crate::service::castmeter;

/// Dozens of the pieces that threads read at a time, with all that lines of different listeners have in common:
/// ids that come again, from the same listener and from others, and paths that no catalogue names.
fn traffic(folder: &Path) -> Vec<u8> {
    let catalog = folder.join("catalog.csv");
    let generated = castmeter()
        .args(["generate", "--lines=14000", "--days=2", "--listeners=900", "--episodes=60", "--catalog-out"])
        .arg(&catalog)
        .output()
        .unwrap();
    assert!(generated.status.success());
    let lines: Vec<&[u8]> = generated.stdout.split_inclusive(|byte| *byte == b'\n').collect();
    let mut all = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        all.extend_from_slice(line);
        let earlier = String::from_utf8_lossy(lines[number / 3]).into_owned();
        match number % 7 {
            1 => all.extend_from_slice(earlier.as_bytes()),
            2 => all.extend(earlier.replace(r#""ip":""#, r#""ip":"1"#).bytes()),
            3 => all.extend(earlier.replace(r#""edge":true"#, r#""edge":false"#).bytes()),
            4 => all.extend(format!("no line {number}\n").bytes()),
            5 => {
                all.extend(earlier.replace(r#""id":""#, r#""id":"x"#).replace("/podcast/", "/other/").bytes())
            }
            _ => {}
        }
    }
    all
}

fn count(folder: &Path, options: &[&str]) -> String {
    let mut command = castmeter();
    command.current_dir(folder).args(["count", "log", "--fates", "--format=ndjson"]).args(options);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn any_number_of_threads_counts_the_same() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("log"), traffic(folder.path())).unwrap();
    fs::write(folder.path().join("few.toml"), "[counting]\nmax_episodes = 30\n").unwrap();
    fs::write(folder.path().join("rolling.toml"), "[counting]\nwindow = \"first_touch\"\n").unwrap();
    for options in [
        &["--catalog=catalog.csv"][..],
        &["--catalog=catalog.csv", "--by=hour"],
        &["--catalog=catalog.csv", "--config=rolling.toml"],
        &[],
        &["--config=few.toml"],
    ] {
        let one = count(folder.path(), options);
        for fate in ["redelivered", "shield", "bad_json"] {
            assert!(one.contains(fate), "{fate} in {options:?}: {one}");
        }
        for threads in ["--threads=2", "--threads=3", "--threads=8"] {
            let many = count(folder.path(), &[options, &[threads]].concat());
            assert!(many == one, "{options:?} {threads}:\n{one}\n{many}");
        }
    }
}

/// A line that claims more than all that sums can hold, until another of its session shows the size of the file.
#[test]
fn what_is_taken_back_leaves_what_others_added() {
    let folder = tempfile::tempdir().unwrap();
    let line = |address: &str, rest: &str| {
        format!(
            r#"{{"v":1,"start_us":1793833200000001,"ip":"192.0.2.{address}","url":"/p/one.mp3",{rest},"ua":"x"}}"#
        )
    };
    let lines = [
        line("1", r#""status":206,"body_bytes":9223372036854775807"#),
        line("2", r#""status":200,"body_bytes":1000"#),
        line("1", r#""status":206,"body_bytes":10,"content_range":"bytes 0-9/1500000""#),
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        fs::write(folder.path().join("log"), order.map(|at| lines[at].clone()).join("\n")).unwrap();
        for threads in ["--threads=1", "--threads=2"] {
            let counted = count(folder.path(), &[threads]);
            assert!(counted.contains(r#""bytes":1501000,"#), "{order:?} {threads}: {counted}");
        }
    }
}

#[test]
fn threads_read_what_is_packed_and_tell_what_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let plain = traffic(folder.path());
    let log = folder.path().join("log");
    fs::write(&log, &plain).unwrap();
    let one = count(folder.path(), &[]);
    let packed = zstd::encode_all(&plain[..], 1).unwrap();
    fs::write(&log, &packed).unwrap();
    assert!(count(folder.path(), &["--threads=2"]) == one);
    fs::write(&log, &packed[..packed.len() - 9]).unwrap();
    let broken =
        castmeter().current_dir(folder.path()).args(["count", "log", "--threads=2"]).output().unwrap();
    let told = String::from_utf8_lossy(&broken.stderr).into_owned();
    assert_eq!((broken.status.code(), broken.stdout.as_slice()), (Some(1), &b""[..]), "{told}");
    assert!(told.starts_with("castmeter: log: ") && told.contains(" bytes of lines"), "{told}");
    let none = castmeter().args(["count", "log", "--threads=0"]).output().unwrap();
    assert!(!none.status.success());
}

#[test]
fn threads_cut_all_files_into_the_same_lines() {
    let folder = tempfile::tempdir().unwrap();
    let text = String::from_utf8(traffic(folder.path())).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with('{')).take(4_000).collect();
    let array = format!("[\n{}]", lines.join(",\n"));
    let windows = format!("{}\r\n{}", lines.join("\r\n"), "too long ".repeat(200_000));
    fs::create_dir(folder.path().join("log")).unwrap();
    for (name, body) in [("array", &array), ("no newline at the end", &windows), ("none", &String::new())] {
        fs::write(folder.path().join("log").join(name), body).unwrap();
    }
    let one = count(folder.path(), &[]);
    assert!(one.contains(r#""reason":"too_long","requests":1,"#), "{one}");
    for threads in ["--threads=2", "--threads=3"] {
        assert!(count(folder.path(), &[threads]) == one, "{threads}");
    }
}
