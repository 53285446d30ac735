//! The rules, and the tables they go by.

use super::source::Source;

/// Lines of a file, at most.
const MAX_LINES: usize = 500;

/// Which rooms the code of a room may name, besides itself.
enum May {
    Use(&'static [&'static str]),
    UseAll,
}

/// The rooms, each after those it may use: data flows one way.
const ROOMS: [(&str, May); 17] = [
    ("units", May::Use(&[])),
    ("clock", May::Use(&["units"])),
    ("event", May::Use(&["units"])),
    ("parser", May::Use(&["event", "units"])),
    ("attribution", May::Use(&["event", "units"])),
    ("rollup", May::Use(&["attribution", "units"])),
    ("catalog", May::Use(&["attribution", "units", "clock"])),
    ("journal", May::Use(&["units"])),
    ("receiver", May::Use(&["journal", "units", "clock"])),
    ("store", May::Use(&["rollup", "attribution", "units"])),
    ("generate", May::Use(&["units"])),
    // The receiver tells an observer what happens; metrics is one, so that the receiver need not know it.
    ("metrics", May::Use(&["parser", "event", "attribution", "rollup", "journal", "receiver", "units"])),
    // The page answers whatever is not the receiver's on its port.
    ("web", May::Use(&["store", "metrics", "journal", "receiver", "units"])),
    ("config", May::UseAll),
    ("service", May::UseAll),
    ("cli", May::UseAll),
    ("main", May::UseAll),
];

/// Rooms that take bytes, time and settings in and give results out, and do nothing else.
const PURE: [&str; 5] = ["units", "event", "parser", "attribution", "rollup"];

/// What pure rooms never name: tasks, sockets, files, databases, clocks, chance, metrics.
const IMPURE: [&str; 17] = [
    "tokio",
    "sqlx",
    "hyper",
    "ureq",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "fs",
    "SystemTime",
    "Instant",
    "Utc::now",
    "rand",
    "getrandom",
    "prometheus_client",
    "tracing",
];

/// What is never left in the tree.
const UNDONE: [&str; 4] = ["todo!", "unimplemented!", "dbg!", concat!("#[", "ignore")];

/// How SQL statements begin.
const STATEMENTS: [&str; 8] =
    ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "CREATE ", "ALTER TABLE ", "DROP TABLE ", "WITH "];

/// The faults of any Rust file.
pub fn of_every_file(file: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    if !file.text.starts_with("//!") {
        faults.push(format!("{}: has no head comment; begin with //! and say what the file is", file.path));
    }
    let lines = file.text.lines().count();
    if lines > MAX_LINES {
        faults.push(format!(
            "{}: has {lines} lines; {MAX_LINES} is the most, so split it by what it does",
            file.path
        ));
    }
    for undone in UNDONE {
        let at = file.code.match_indices(undone).map(|(at, _)| at);
        faults.extend(at.map(|at| format!("{}:{}: has {undone}", file.path, file.line_of(at))));
    }
    faults
}

/// The faults of a file of the library that is no test.
pub fn of_the_library(file: &Source) -> Vec<String> {
    let file = file.without_test_modules();
    let mut faults = statements(&file);
    let room = room_of(&file.path);
    if room == "lib" {
        return faults;
    }
    let Some((_, may)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        faults.push(format!("{}: {room} is no room; add it to the table in tests/tidy/rules.rs", file.path));
        return faults;
    };
    if let May::Use(allowed) = may {
        for (line, used) in rooms_used(&file) {
            if used != room && !allowed.contains(&&*used) {
                faults.push(format!("{}:{line}: {room} may not use {used}, only {allowed:?}", file.path));
            }
        }
    }
    if PURE.contains(&room) {
        for name in IMPURE {
            let lines = file.words(name).map(|at| file.line_of(at));
            faults.extend(
                lines.map(|line| format!("{}:{line}: {room} is pure and may not use {name}", file.path)),
            );
        }
    }
    faults
}

fn statements(file: &Source) -> Vec<String> {
    let begins = |text: &str| {
        let text = text.trim_start().to_ascii_uppercase();
        STATEMENTS.iter().any(|statement| text.starts_with(statement)) && text.split_whitespace().count() > 2
    };
    let is_statement = |text: &str| {
        let upper = text.to_ascii_uppercase();
        let with_clause =
            [" FROM ", " INTO ", " SET ", " TABLE ", " INDEX ", " VIEW "].iter().any(|c| upper.contains(c));
        begins(text) && with_clause
    };
    let found = file.literals.iter().filter(|(_, text)| is_statement(text));
    found
        .map(|(line, _)| format!("{}:{line}: has an SQL statement; statements are .sql files", file.path))
        .collect()
}

/// `src/store/sqlite/mod.rs` and `src/store.rs` are in room `store`.
fn room_of(path: &str) -> &str {
    let path = path.strip_prefix("src/").unwrap_or(path);
    path.split('/').next().unwrap_or(path).trim_end_matches(".rs")
}

/// Each room that the code names by `crate::…` or `castmeter::…`, alone or in braces, with its line.
fn rooms_used(file: &Source) -> Vec<(usize, String)> {
    let mut used = Vec::new();
    for root in ["crate", "castmeter"] {
        for at in file.words(root) {
            let Some(rest) = file.code[at + root.len()..].strip_prefix("::") else { continue };
            let line = file.line_of(at);
            used.extend(first_names(rest).into_iter().map(|name| (line, name)));
        }
    }
    used
}

/// The first name of the path that follows, or of each path in the braces that follow.
fn first_names(rest: &str) -> Vec<String> {
    let name = |text: &str| {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
    };
    let Some(inner) = rest.trim_start().strip_prefix('{') else { return vec![name(rest)] };
    let mut names = vec![name(inner)];
    let mut depth = 0_i32;
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => break,
            b'}' => depth -= 1,
            b',' if depth == 0 => names.push(name(&inner[at + 1..])),
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> Vec<String> {
        let file = Source::new(path.into(), format!("//! A file.\n{text}"));
        let mut faults = of_every_file(&file);
        faults.extend(of_the_library(&file));
        faults
    }

    #[test]
    fn no_room_may_use_a_later_one() {
        let mut earlier = Vec::new();
        for (room, may) in &ROOMS {
            if let May::Use(allowed) = may {
                assert!(allowed.iter().all(|used| earlier.contains(used)), "{room}: {allowed:?}");
            }
            earlier.push(room);
        }
    }

    #[test]
    fn good_files_have_no_faults() {
        for (path, text) in [
            (
                "src/parser/json.rs",
                "use crate::event::Request;\nuse crate::units::Timestamp;\nuse crate::parser::x;",
            ),
            (
                "src/parser/json.rs",
                "// crate::store and tokio and dbg!\nconst A: &str = \"crate::store tokio todo!\";",
            ),
            (
                "src/parser/json.rs",
                "#[cfg(test)]\nmod tests {\n use crate::store::X;\n use std::time::Instant;\n}",
            ),
            ("src/attribution/agent.rs", "use std::net::IpAddr;\nfn offset(brand: u8, fsync: u8) {}"),
            ("src/service/mod.rs", "use crate::{store, web::{page, api}};\nuse std::time::Instant;"),
            (
                "src/store/mod.rs",
                "const A: &str = \"select a file with a name\"; sql(include_str!(\"a.sql\"))",
            ),
            ("src/lib.rs", "pub mod store;"),
            ("src/clock.rs", "use crate::units::Timestamp;\nuse std::time::SystemTime;"),
        ] {
            assert_eq!(faults(path, text), [""; 0], "{path}: {text}");
        }
    }

    #[test]
    fn each_fault_is_found() {
        for (path, text, expected) in [
            (
                "src/parser/json.rs",
                "use crate::store::Store;",
                "src/parser/json.rs:2: parser may not use store",
            ),
            ("src/units/mod.rs", "\nuse crate::event;", "src/units/mod.rs:3: units may not use event"),
            (
                "src/rollup/mod.rs",
                "use crate::{\n units::{A, B},\n journal::C,\n};",
                "rollup may not use journal",
            ),
            ("src/journal/log.rs", "fn a() { crate::metrics::count() }", "journal may not use metrics"),
            ("src/generate/mod.rs", "use castmeter::parser;", "generate may not use parser"),
            ("src/store.rs", "use crate::web;", "src/store.rs:2: store may not use web"),
            (
                "src/parser/json.rs",
                "async fn a() { tokio::spawn(b) }",
                "parser is pure and may not use tokio",
            ),
            ("src/attribution/a.rs", "use std::net::TcpStream;", "may not use TcpStream"),
            ("src/rollup/a.rs", "let now = std::time::SystemTime::now();", "may not use SystemTime"),
            ("src/event.rs", "let now = Utc::now();", "may not use Utc::now"),
            ("src/rollup/a.rs", "use std::{fs, io};", "may not use fs"),
            ("src/attic/a.rs", "", "attic is no room"),
            ("src/store/a.rs", "query(\"SELECT a FROM b\")", "src/store/a.rs:2: has an SQL statement"),
            ("src/store/a.rs", "query(r#\"\n  insert into a values (1)\"#)", "has an SQL statement"),
            ("src/web/a.rs", "const A: &str = \"update show set slug = ''\";", "has an SQL statement"),
            ("src/web/a.rs", "fn a() { todo! () }", "src/web/a.rs:2: has todo!"),
            ("src/web/a.rs", "#[cfg(test)]\nmod tests {\n fn a() { dbg! (1); }\n}", "has dbg!"),
            (
                "src/web/a.rs",
                concat!("#[", "ignore = \"slow\"]\nfn a() {}"),
                concat!("src/web/a.rs:2: has #[", "ignore"),
            ),
            ("src/web/a.rs", &"\n".repeat(500), "has 501 lines"),
        ] {
            let found = faults(path, text);
            assert!(found.iter().any(|fault| fault.contains(expected)), "{expected}: {found:?}");
        }
        let headless = Source::new("src/a.rs".into(), "use b;\n//! Too late.".into());
        assert_eq!(of_every_file(&headless).len(), 1);
    }
}
