//! Log files as lines: plain, `.gz`, `.zst`, folders of them, or standard input.
//!
//! Compression is told by the first bytes, not by the name. Memory is bounded whatever the files hold.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;
use crate::parser::{Framer, Line};
use crate::receiver::decode;

/// Bytes read at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// The files to read.
#[derive(Debug, Args)]
pub struct Inputs {
    /// Log files, folders of log files, or - for standard input; .gz and .zst are read as they are
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Longest line in bytes; a longer one is malformed
    #[arg(long, value_name = "BYTES", default_value_t = 65_536)]
    max_line_bytes: usize,
}

impl Inputs {
    /// Gives every line of every file in order, many at a time.
    pub fn for_all_lines(&self, mut each: impl FnMut(&[Line<'_>]) -> io::Result<()>) -> Result<(), Failure> {
        let files = self.expand()?;
        let progress = progress_bar(&files);
        for path in &files {
            self.read_file(path, &progress, &mut each).map_err(|error| match error {
                ReadError::Open(cause) => Failure::Failed(format!("{}: {cause}", path.display())),
                ReadError::Broken { cause, after } => {
                    Failure::Failed(format!("{}: {cause}, after {after} bytes of lines", path.display()))
                }
                ReadError::Output(cause) => Failure::Output(cause),
            })?;
        }
        progress.finish_and_clear();
        Ok(())
    }

    /// Folders give their files, sorted by path; hidden ones are left out.
    fn expand(&self) -> Result<Vec<PathBuf>, Failure> {
        let mut files = Vec::new();
        for path in &self.files {
            if path.is_dir() {
                let mut inside = Vec::new();
                walk(path, &mut inside)
                    .map_err(|cause| Failure::Failed(format!("cannot list {}: {cause}", path.display())))?;
                inside.sort();
                files.append(&mut inside);
            } else {
                files.push(path.clone());
            }
        }
        Ok(files)
    }

    fn read_file(
        &self,
        path: &Path,
        progress: &ProgressBar,
        each: &mut impl FnMut(&[Line<'_>]) -> io::Result<()>,
    ) -> Result<(), ReadError> {
        let raw: Box<dyn Read> =
            if is_stdin(path) { Box::new(io::stdin().lock()) } else { Box::new(File::open(path)?) };
        let mut reader =
            decode::Decoder::sniffing(BufReader::with_capacity(PIECE_BYTES, progress.wrap_read(raw)))?;
        let mut framer = Framer::new(self.max_line_bytes);
        let mut piece = vec![0; PIECE_BYTES];
        let mut after = 0;
        loop {
            match reader.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => {
                    after += count as u64;
                    let mut lines = Vec::new();
                    framer.push(&piece[..count], |line| lines.push(line));
                    each(&lines).map_err(ReadError::Output)?;
                }
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(ReadError::Broken { cause, after }),
            }
        }
        let mut result = Ok(());
        framer.finish(|line| result = each(&[line]));
        result.map_err(ReadError::Output)
    }
}

enum ReadError {
    Open(io::Error),
    /// The file's lines end before it does; so many bytes, inflated, were read.
    Broken {
        cause: io::Error,
        after: u64,
    },
    Output(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(cause: io::Error) -> Self {
        Self::Open(cause)
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if path.is_dir() { walk(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

/// At a terminal, and only where it is known how much there is.
fn progress_bar(files: &[PathBuf]) -> ProgressBar {
    let sizes = files.iter().map(|path| Some(path.metadata().ok().filter(|file| file.is_file())?.len()));
    match sizes.sum::<Option<u64>>() {
        Some(total) if io::stderr().is_terminal() => {
            let style =
                ProgressStyle::with_template("{bytes} of {total_bytes} {wide_bar} {bytes_per_sec} {eta}");
            ProgressBar::new(total).with_style(style.expect("a sound template"))
        }
        _ => ProgressBar::hidden(),
    }
}
