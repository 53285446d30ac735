//! Log files as lines: plain, `.gz`, `.zst`, folders of them, or standard input.
//!
//! Compression is told by the first bytes, not by the name. Memory is bounded whatever the files hold.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::vec;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;
use crate::parser::{Framer, Lines};
use crate::receiver::decode::Decoder;

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
    /// Gives every line of every file in order, as many at a time as were read.
    pub fn for_all_lines(&self, mut each: impl FnMut(Lines<'_>) -> io::Result<()>) -> Result<(), Failure> {
        let (mut reading, mut piece) = (self.read()?, Vec::new());
        while let Some(lines) = reading.next(&mut piece)? {
            each(lines)?;
        }
        Ok(())
    }

    /// Begins to read the files.
    pub fn read(&self) -> Result<Reading, Failure> {
        let files = self.expand()?;
        let progress = progress_bar(&files);
        Ok(Reading { files: files.into_iter(), max_line_bytes: self.max_line_bytes, progress, file: None })
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

/// Reads files one after the other. After a failure nothing more of it means anything.
pub struct Reading {
    files: vec::IntoIter<PathBuf>,
    max_line_bytes: usize,
    progress: ProgressBar,
    file: Option<Opened>,
}

/// A file that is read.
struct Opened {
    path: PathBuf,
    inflated: Box<dyn Read + Send>,
    framer: Framer,
    /// Bytes read, inflated.
    bytes: u64,
}

impl Reading {
    /// The lines that end in the next piece that is read, which may be none; `piece` holds them. None after the last file.
    pub fn next<'p>(&mut self, piece: &'p mut Vec<u8>) -> Result<Option<Lines<'p>>, Failure> {
        loop {
            match &mut self.file {
                Some(file) if !file.framer.is_at_end() => return file.next(piece).map(Some),
                _ => {}
            }
            let Some(path) = self.files.next() else {
                self.progress.finish_and_clear();
                return Ok(None);
            };
            let opened = open(&path, &self.progress);
            let inflated = opened.map_err(|cause| Failure::Failed(format!("{}: {cause}", path.display())))?;
            self.file = Some(Opened { path, inflated, framer: Framer::new(self.max_line_bytes), bytes: 0 });
        }
    }
}

impl Opened {
    fn next<'p>(&mut self, piece: &'p mut Vec<u8>) -> Result<Lines<'p>, Failure> {
        let Self { path, inflated, framer, bytes } = self;
        let read = |room: &mut [u8]| loop {
            match inflated.read(room) {
                Ok(count) => {
                    *bytes += count as u64;
                    return Ok(count);
                }
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(cause),
            }
        };
        framer.next(piece, PIECE_BYTES, read).map_err(|cause| {
            Failure::Failed(format!("{}: {cause}, after {bytes} bytes of lines", path.display()))
        })
    }
}

fn open(path: &Path, progress: &ProgressBar) -> io::Result<Box<dyn Read + Send>> {
    let raw: Box<dyn Read + Send> =
        if is_stdin(path) { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
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
