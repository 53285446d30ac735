//! The lines that the stages are timed with, all from the generator, and what is plainly to be found in them.

use std::sync::LazyLock;

use castmeter::event::{Request, Unescaped};
use castmeter::generate::{self, Options, OutputFormat};
use castmeter::parser::LineParser;
use divan::Bencher;
use divan::counter::ItemsCount;

pub const LINES_PER_BATCH: usize = 1_000;

/// Longer than any generated line.
pub const MAX_LINE_BYTES: usize = 65_536;

/// The combined format of web servers, as a service's format string in Fastly.
pub const COMBINED: &str = r#"%h %l %u %t "%r" %>s %B "%{Referer}i" "%{User-Agent}i""#;

pub static JSON: LazyLock<Vec<u8>> = LazyLock::new(|| lines(OutputFormat::Json));
pub static CSV: LazyLock<Vec<u8>> = LazyLock::new(|| lines(OutputFormat::Csv));

/// The requests of the JSON lines; what cannot be read is left out.
pub static REQUESTS: LazyLock<Vec<Request<'static>>> = LazyLock::new(|| {
    let parser = LineParser::json();
    let room = Box::leak(Box::default());
    text_lines(&JSON).filter_map(|line| parser.parse(line, room).ok()).collect()
});

/// Of a listener's whole days, far more than any cache holds; under test a few.
fn lines(format: OutputFormat) -> Vec<u8> {
    let lines = if is_measuring() { 200_000 } else { 2 * LINES_PER_BATCH as u64 };
    let mut text = Vec::new();
    generate::write_lines(&Options { lines, format, ..Options::default() }, &mut text).expect("memory");
    text
}

/// `cargo bench` says so; `cargo test` runs each bench once.
pub fn is_measuring() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// The lines of a text, without their ends.
pub fn text_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// The text in pieces of so many lines.
pub fn batches(text: &[u8]) -> Vec<&[u8]> {
    let mut ends = memchr::memchr_iter(b'\n', text).map(|at| at + 1);
    let mut begin = 0;
    std::iter::from_fn(|| {
        let end = ends.nth(LINES_PER_BATCH - 1)?;
        Some(&text[std::mem::replace(&mut begin, end)..end])
    })
    .collect()
}

/// Times `work` over one batch after the other. It asserts what it finds.
pub fn time<T>(bencher: Bencher<'_, '_>, batches: &[T], work: impl FnMut(&T)) {
    assert!(!batches.is_empty(), "no input");
    let next = std::cell::Cell::new(0);
    let in_turn = || &batches[next.replace((next.get() + 1) % batches.len())];
    bencher.counter(ItemsCount::new(LINES_PER_BATCH)).with_inputs(in_turn).bench_local_values(work);
}

/// A batch of lines in some format, with what a parser must find in it.
#[derive(Debug)]
pub struct Expected<'a> {
    pub batch: &'a [u8],
    pub valid: usize,
    pub body_bytes: u64,
}

/// What is to be found, by a way that shares nothing with the parser: `body_bytes` reads one line.
///
/// Lines that the parser refuses are few (the generator spoils one in a thousand, and quotes break lines of CSV).
pub fn expected<'a>(
    text: &'a [u8],
    parser: &LineParser,
    body_bytes: impl Fn(&[u8]) -> Option<u64>,
) -> Vec<Expected<'a>> {
    let of_batch = |batch: &'a [u8]| {
        let valid: Vec<u64> = text_lines(batch)
            .filter(|line| parser.parse(line, &Unescaped::default()).is_ok())
            .map(|line| body_bytes(line).expect("a valid line has its number of bytes"))
            .collect();
        assert!(valid.len() > LINES_PER_BATCH * 9 / 10, "only {} lines can be read", valid.len());
        Expected { batch, valid: valid.len(), body_bytes: valid.iter().sum() }
    };
    batches(text).into_iter().map(of_batch).collect()
}

/// The digits at the beginning.
pub fn leading_number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&text[..digits]).ok()?.parse().ok()
}
