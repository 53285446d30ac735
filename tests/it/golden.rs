//! Golden logs: one folder a question in `tests/data/golden`, its answer worked out on paper from the counting rules.
//!
//! A folder holds a log, what else the commands need (a catalogue, a configuration), and `expected.txt`: a transcript
//! of shell commands (`$ castmeter …`, run in the folder) with what each prints. Lines that begin with `#` say what is
//! asked and why the answer must be this one. What is printed is compared to the letter, but for white space at the
//! ends of lines; nothing may go to standard error, and the exit code must be 0.
//!
//! `GOLDEN_REWRITE=1 cargo test --test it golden` puts in what the commands print now, for changes of the layout: read
//! the difference, and never believe it. In CI (`CI` is set) nothing is ever rewritten.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

/// Shell for `$ castmeter …`: the binary under test, whatever is in the path.
const SHELL: &str = r#"castmeter() { "$BINARY" "$@"; }; "#;

/// A transcript's part.
#[derive(Debug)]
enum Part {
    /// A comment or an empty line between commands.
    Note(String),
    Command {
        line: String,
        printed: String,
    },
}

#[test]
fn golden_logs_are_counted_as_on_paper() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden");
    let mut folders: Vec<PathBuf> =
        fs::read_dir(&root).expect("the golden logs").map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() > 50, "only {} golden logs were found", folders.len());
    let rewrite = std::env::var_os("GOLDEN_REWRITE").is_some();
    assert!(!(rewrite && std::env::var_os("CI").is_some()), "golden logs are not rewritten in CI");

    let left = Mutex::new(folders.into_iter());
    let faults = Mutex::new(Vec::new());
    let work = || {
        loop {
            let Some(folder) = left.lock().unwrap().next() else { return };
            let fault = check(&folder, rewrite);
            faults.lock().unwrap().extend(fault);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(
        faults.is_empty(),
        "{} golden logs are not counted as on paper\n{}",
        faults.len(),
        faults.concat()
    );
}

/// What differs, if anything does.
fn check(folder: &Path, rewrite: bool) -> Option<String> {
    let file = folder.join("expected.txt");
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let parts = parts(&text);
    let is_command = |part: &&Part| matches!(part, Part::Command { .. });
    assert!(text.starts_with("# "), "{} does not begin with the question", file.display());
    assert!(parts.iter().any(|part| is_command(&part)), "{} has no command", file.display());
    let now = parts.iter().map(|part| match part {
        Part::Note(note) => Part::Note(note.clone()),
        Part::Command { line, .. } => Part::Command { line: line.clone(), printed: run(folder, line) },
    });
    let now = render(&now.collect::<Vec<_>>());
    let expected = render(&parts);
    if now == expected {
        return None;
    }
    if rewrite {
        fs::write(&file, &now).expect("the golden logs can be written");
        return None;
    }
    Some(difference(&file, &expected, &now))
}

fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            parts.push(Part::Command { line: command.to_owned(), printed: String::new() });
            continue;
        }
        match parts.last_mut() {
            Some(Part::Command { printed, .. }) if !line.starts_with('#') => {
                printed.push_str(line);
                printed.push('\n');
            }
            _ => parts.push(Part::Note(line.to_owned())),
        }
    }
    parts
}

/// The transcript, without white space at the ends of lines and of what is printed.
fn render(parts: &[Part]) -> String {
    let mut text = String::new();
    for (at, part) in parts.iter().enumerate() {
        match part {
            Part::Note(note) => text += &format!("{}\n", note.trim_end()),
            Part::Command { line, printed } => {
                let lines: Vec<&str> = printed.trim_end().lines().map(str::trim_end).collect();
                let gap = if at + 1 < parts.len() { "\n" } else { "" };
                text += &format!("$ {line}\n{}\n{gap}", lines.join("\n"));
            }
        }
    }
    text
}

/// What a command prints; where it fails, that.
fn run(folder: &Path, line: &str) -> String {
    let output = Command::new("sh")
        .args(["-c", &format!("{SHELL}{line}")])
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("BINARY", env!("CARGO_BIN_EXE_castmeter"))
        .output()
        .expect("sh runs");
    let mut printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.stderr.is_empty() {
        printed += &format!("standard error: {}", String::from_utf8_lossy(&output.stderr));
    }
    if !output.status.success() {
        printed += &output.status.to_string();
    }
    printed
}

/// The lines that differ, each where it stands.
fn difference(file: &Path, expected: &str, now: &str) -> String {
    let (expected, now): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), now.lines().collect());
    let mut text = format!("\n{}\n", file.display());
    for at in 0..expected.len().max(now.len()) {
        let [expected, now] = [&expected, &now].map(|lines| lines.get(at).copied().unwrap_or_default());
        if expected != now {
            text += &format!("{:>4} expected  {expected}\n     printed   {now}\n", at + 1);
        }
    }
    text
}
