//! Keeps the source tree as `ARCHITECTURE.md` says it is: which room may use which, what pure rooms never name, a
//! head comment on every file, no file too long, no SQL outside `.sql` files, nothing left undone.
//!
//! `rules` holds the tables and the checks, `source` reads a file as code without its comments and texts. The rules
//! on rooms do not look into test modules: what a test uses is nobody's dependency.

mod rules;
mod source;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use source::Source;

#[test]
fn the_source_tree_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files =
        |folder| rust_files(&root.join(folder)).into_iter().map(|path| read(root, path)).collect::<Vec<_>>();
    let library = files("src");
    assert!(library.len() > 10, "src was not found");
    let test_files: HashSet<String> = library.iter().flat_map(Source::test_modules).collect();
    let mut faults = Vec::new();
    for file in &library {
        faults.extend(rules::of_every_file(file));
        if !test_files.contains(&file.path) && !test_files.iter().any(|test| is_below(&file.path, test)) {
            faults.extend(rules::of_the_library(file));
        }
    }
    for folder in ["tests", "benches", "examples", "fuzz/fuzz_targets"] {
        faults.extend(files(folder).iter().flat_map(rules::of_every_file));
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// Whether `path` belongs to the module in `file`: `src/a/tests/b.rs` to `src/a/tests.rs` or `src/a/tests/mod.rs`.
fn is_below(path: &str, file: &str) -> bool {
    let folder = file.strip_suffix("/mod.rs").or(file.strip_suffix(".rs")).unwrap_or(file);
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn read(root: &Path, path: PathBuf) -> Source {
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let name = path.strip_prefix(root).expect("a path below the root").to_string_lossy().into_owned();
    Source::new(name, text)
}

/// All Rust files below a folder, in order; none where there is no such folder.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    let (folders, files): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.chain(folders.iter().flat_map(|folder| rust_files(folder))).collect()
}
