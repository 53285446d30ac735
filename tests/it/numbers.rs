//! The numbers a publisher asks for, from hand-made logs: one folder a question in `tests/data/numbers`, its answer worked
//! out on paper.
//!
//! A folder holds a `log`, its `catalog.csv`, perhaps more settings in `more.toml`, and `expected.txt`: lines that begin
//! with `#` say what is asked and why the answer must be this one, `tables …` which tables are looked at, and the others
//! are their rows. The log goes through the service, a line a request, into SQLite, and all at once into Postgres.

use std::fs;
use std::path::{Path, PathBuf};

use crate::counted::assert_same;
use crate::postgres::Server;
use crate::service::Setup;
use crate::tables::{parity, tables};

/// The rows that a folder expects, sorted, and the tables they are of.
fn expected(folder: &Path) -> (Vec<String>, Vec<String>) {
    let text = fs::read_to_string(folder.join("expected.txt")).unwrap();
    assert!(text.starts_with("# "), "{} does not begin with the question", folder.display());
    let mut names = Vec::new();
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix("tables ") {
            Some(tables) => names.extend(tables.split(' ').map(str::to_owned)),
            None => rows.push(line.to_owned()),
        }
    }
    rows.sort_unstable();
    (rows, names)
}

/// The rows of these tables after the service has counted the log.
async fn counted(
    folder: &Path,
    database_url: Option<String>,
    lines_a_request: usize,
    names: &[String],
) -> Vec<String> {
    let data = tempfile::tempdir().unwrap();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        fs::copy(&path, data.path().join(path.file_name().unwrap())).unwrap();
    }
    let more = fs::read_to_string(folder.join("more.toml")).unwrap_or_default();
    let config = format!("catalog = \"catalog.csv\"\n{more}");
    let setup = Setup { database_url, config, ..Setup::new(data.path()) };
    let service = setup.start();
    let log = fs::read_to_string(folder.join("log")).unwrap();
    for lines in log.lines().collect::<Vec<_>>().chunks(lines_a_request) {
        assert_eq!(service.post(&[], lines.join("\n").as_bytes()).0, 200);
    }
    assert!(service.stop().success());
    let mut rows = tables(&setup.database_url()).await.0;
    rows.extend(parity(&setup.database_url()).await);
    rows.into_iter().filter(|row| names.iter().any(|name| row.split('|').next() == Some(name))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_those_on_paper() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/numbers");
    let folders: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(folders.len() >= 6, "only {} logs were found", folders.len());
    for folder in folders {
        println!("{}", folder.display());
        let (rows, names) = expected(&folder);
        assert_same(&counted(&folder, None, 1, &names).await, &rows);
        let postgres = Server::shared().database().await;
        assert_same(&counted(&folder, Some(postgres), usize::MAX, &names).await, &rows);
    }
}
