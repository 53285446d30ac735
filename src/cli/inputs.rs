//! Log files as lines: plain, `.gz`, `.zst`, folders of them, or standard input.
//!
//! Compression is told by the first bytes, not by the name. Memory is bounded whatever the files hold.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Read};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;
use super::tally::EachLines;
use crate::parser::Framer;
use crate::receiver::decode::Decoder;

/// Bytes read at a time.
const PIECE_BYTES: usize = 256 * 1024;
/// The same for each of several threads, so that starting them hardly counts.
const SHARE_BYTES: usize = 4 * 1024 * 1024;

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
    /// Gives every line of every file in order, as many at a time as were read.
    pub fn for_all_lines(&self, each: &mut EachLines<'_>) -> Result<(), Failure> {
        self.for_each_file(|mut file| {
            self.cut(each, |piece| {
                piece.resize(PIECE_BYTES, 0);
                let count = file.read(piece)?;
                piece.truncate(count);
                Ok(())
            })
        })
    }

    /// As above, read by a thread of its own, and more at a time: enough for so many threads to count.
    pub fn for_all_lines_ahead(&self, threads: usize, each: &mut EachLines<'_>) -> Result<(), Failure> {
        let piece_bytes = threads.saturating_mul(SHARE_BYTES);
        self.for_each_file(|file| {
            thread::scope(|scope| {
                // One is read while one is counted; what was counted is read into again.
                let (full, filled) = mpsc::sync_channel(1);
                let (empty, emptied) = mpsc::channel();
                scope.spawn(move || read_ahead(file, piece_bytes, &full, &emptied));
                self.cut(each, |piece| {
                    // Errors: all is read.
                    let _ = empty.send(mem::take(piece));
                    *piece = filled.recv().unwrap_or_else(|_| Ok(Vec::new()))?;
                    Ok(())
                })
            })
        })
    }

    fn for_each_file(&self, mut read: impl FnMut(Opened) -> Result<(), ReadError>) -> Result<(), Failure> {
        let files = self.expand()?;
        let progress = progress_bar(&files);
        for path in &files {
            let result = open(path, &progress).map_err(ReadError::Open).and_then(&mut read);
            result.map_err(|error| match error {
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

    /// Cuts a file into lines. `next` reads the next piece of it; an empty one is its end.
    fn cut(
        &self,
        each: &mut EachLines<'_>,
        mut next: impl FnMut(&mut Vec<u8>) -> io::Result<()>,
    ) -> Result<(), ReadError> {
        let mut framer = Framer::new(self.max_line_bytes);
        let mut piece = Vec::new();
        let mut after = 0;
        loop {
            match next(&mut piece) {
                Ok(()) if piece.is_empty() => break,
                Ok(()) => {}
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) => return Err(ReadError::Broken { cause, after }),
            }
            after += piece.len() as u64;
            let mut lines = Vec::new();
            framer.push(&piece, |line| lines.push(line));
            each(&lines).map_err(ReadError::Output)?;
        }
        let mut result = Ok(());
        framer.finish(|line| result = each(&[line]));
        result.map_err(ReadError::Output)
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
}

/// Reads until the end, an error, or until nobody takes any more. Pieces are full but for the last.
fn read_ahead(
    mut file: Opened,
    piece_bytes: usize,
    full: &mpsc::SyncSender<io::Result<Vec<u8>>>,
    emptied: &mpsc::Receiver<Vec<u8>>,
) {
    loop {
        let mut piece = emptied.try_recv().unwrap_or_default();
        piece.clear();
        let read = file.by_ref().take(piece_bytes as u64).read_to_end(&mut piece);
        // What came before an error counts.
        let is_last = piece.len() < piece_bytes;
        if !piece.is_empty() && full.send(Ok(piece)).is_err() {
            return;
        }
        if let Err(cause) = read {
            // Nobody takes it, if this fails.
            let _ = full.send(Err(cause));
            return;
        }
        if is_last {
            return;
        }
    }
}

/// A file's lines, inflated.
type Opened = Box<dyn Read + Send>;

enum ReadError {
    Open(io::Error),
    /// The file's lines end before it does; so many bytes, inflated, were read.
    Broken {
        cause: io::Error,
        after: u64,
    },
    Output(io::Error),
}

fn open(path: &Path, progress: &ProgressBar) -> io::Result<Opened> {
    let raw: Opened = if is_stdin(path) { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
    let raw = BufReader::with_capacity(PIECE_BYTES, progress.wrap_read(raw));
    Ok(Box::new(Decoder::sniffing(raw)?))
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
