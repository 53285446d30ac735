//! Lines that are values with text between them.
//!
//! A value ends where the text that follows it begins. That is plain as long as values do not contain that
//! text; but Fastly escapes nothing unless told to, and clients send URLs and user agents with commas and
//! quotes in them. So the search goes from strict to lenient, and the first way to read the whole line is taken:
//!
//! 1. every value looks as it should (a status has three digits, a city no quotes), and none is missing that
//!    no line can do without;
//! 2. the same, with some missing;
//! 3. with values that look wrong, whose defects are then told by name.
//!
//! Each of these first with quotes after a backslash as part of a value, then with them as its end.
//!
//! Of several places where a value could end the first is tried first; what follows must fit as well, to the
//! end of the line. The work is bounded by the line's length; past the bound the line does not match.

use memchr::memmem::Finder;

use super::FormatError;
use super::understand::Part;
use crate::event::Defect;
use crate::parser::column::{Column, Content, Looks, Shape};
use crate::parser::draft::Draft;
use crate::parser::meaning::Meaning;
use crate::parser::strftime::Parts;
use crate::parser::value::{Kind, Value};

/// More values than any format has.
const MAX_COLUMNS: usize = 64;

/// How many times the length of a line may be searched through.
const SEARCHES: usize = 16;

/// A compiled format.
#[derive(Clone, Debug)]
pub(in crate::parser) struct TextFormat {
    /// What the line begins with.
    start: Vec<u8>,
    columns: Vec<Delimited>,
    /// The line stands in a JSON string and has its escapes.
    in_json: bool,
}

#[derive(Clone, Debug)]
struct Delimited {
    column: Column,
    looks: Looks,
    /// What stands after the value.
    end: Finder<'static>,
    /// Quotes stand on both sides of it.
    quoted: bool,
}

impl TextFormat {
    pub(super) fn compile(parts: Vec<Part>, in_json: bool) -> Result<Self, FormatError> {
        let mut format = Self { start: Vec::new(), columns: Vec::new(), in_json };
        let mut before = Vec::new();
        let mut parts = merged(parts)?.into_iter().peekable();
        if let Some(Part::Literal(literal)) = parts.next_if(|part| matches!(part, Part::Literal(_))) {
            before = literal.text;
            format.start.clone_from(&before);
        }
        while let Some(part) = parts.next() {
            let Part::Value(source) = part else { continue };
            let end = match parts.next_if(|part| matches!(part, Part::Literal(_))) {
                Some(Part::Literal(literal)) => literal.text,
                _ => Vec::new(),
            };
            if format.columns.len() == MAX_COLUMNS {
                return Err(FormatError::Syntax {
                    at: source.at,
                    problem: "more values than a format may have",
                });
            }
            format.columns.push(Delimited {
                looks: source.column.looks(),
                column: source.column,
                quoted: before.ends_with(b"\"") && end.starts_with(b"\""),
                end: Finder::new(&end).into_owned(),
            });
            before = end;
        }
        Ok(format)
    }

    /// Whether the line can begin with a time of its own.
    pub(in crate::parser) fn begins_with_time(&self) -> bool {
        self.start.is_empty()
            && self.columns.first().is_some_and(|first| {
                matches!(first.column.content, Content::Start(_) | Content::Value(Meaning::Start))
            })
    }

    /// Whether the line can begin with `<` by itself.
    pub(in crate::parser) fn begins_with_anything(&self) -> bool {
        match self.start.first() {
            Some(first) => *first == b'<',
            None => self.columns.first().is_some_and(|first| matches!(first.looks.shape, Shape::Anything)),
        }
    }

    /// Reads a line into the draft.
    pub(in crate::parser) fn parse<'a>(&self, line: &'a [u8], draft: &mut Draft<'a>) -> Result<(), Defect> {
        let rest = line.strip_prefix(self.start.as_slice()).ok_or(Defect::BadRecord)?;
        use Strictness::{Complete, Lenient, Missing};
        let ways = [Complete, Missing, Lenient].into_iter().flat_map(|way| [(way, true), (way, false)]);
        for (strictness, mind_escapes) in ways {
            let mut search = Search {
                format: self,
                line: rest,
                strictness,
                mind_escapes,
                work: rest.len() * SEARCHES,
                spans: [(0, 0); MAX_COLUMNS],
                start: None,
            };
            if search.fits(0, 0) {
                for (index, (delimited, (from, to))) in self.columns.iter().zip(search.spans).enumerate() {
                    let parts = search.start.filter(|(at, _)| *at == index).map(|(_, parts)| parts);
                    delimited.column.put(self.value(delimited, &rest[from..to]), parts, draft);
                }
                return Ok(());
            }
        }
        Err(Defect::BadRecord)
    }

    fn value<'a>(&self, delimited: &Delimited, text: &'a [u8]) -> Value<'a> {
        let escaped =
            if self.in_json { text.contains(&b'\\') } else { delimited.quoted && has_escaped_quote(text) };
        Value { kind: if escaped { Kind::Escaped } else { Kind::Plain }, text }
    }
}

/// What values may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strictness {
    /// As they should, and nothing that is required is missing.
    Complete,
    /// As they should.
    Missing,
    /// As they like.
    Lenient,
}

/// One way to look through a line.
struct Search<'f, 'a> {
    format: &'f TextFormat,
    line: &'a [u8],
    strictness: Strictness,
    mind_escapes: bool,
    /// How many bytes may yet be searched.
    work: usize,
    /// Where the values are.
    spans: [(usize, usize); MAX_COLUMNS],
    /// The column that a start was read of last, and what of it.
    start: Option<(usize, Parts)>,
}

impl Search<'_, '_> {
    /// Whether the columns from `index` on fit the line from `from` to its end.
    fn fits(&mut self, index: usize, from: usize) -> bool {
        let Some(delimited) = self.format.columns.get(index) else { return from == self.line.len() };
        let end = delimited.end.needle();
        if index + 1 == self.format.columns.len() {
            let Some(to) = self.line.len().checked_sub(end.len()).filter(|to| *to >= from) else {
                return false;
            };
            return self.line.ends_with(end) && self.takes(index, from, to);
        }
        let mut search_from = from;
        while let Some(found) = self.line.get(search_from..).and_then(|rest| delimited.end.find(rest)) {
            let to = search_from + found;
            // The search itself, and the look at the value.
            let work = found + end.len() + (to - from) / 16;
            let Some(left) = self.work.checked_sub(work) else { return false };
            self.work = left;
            search_from = to + 1;
            if self.takes(index, from, to) && self.fits(index + 1, to + end.len()) {
                return true;
            }
            if !self.may_go_on(delimited, from, to) {
                return false;
            }
        }
        false
    }

    /// Whether the column may have what is between `from` and `to`; notes it.
    fn takes(&mut self, index: usize, from: usize, to: usize) -> bool {
        let delimited = &self.format.columns[index];
        let text = &self.line[from..to];
        if self.mind_escapes && delimited.quoted && ends_in_escape(text) {
            return false;
        }
        self.spans[index] = (from, to);
        let column = &delimited.column;
        match self.strictness {
            Strictness::Lenient => !is_open_bracket(column, text),
            _ if delimited.looks.are_any() => true,
            strictness => {
                let Looks { shape, required } = delimited.looks;
                let missing = strictness == Strictness::Missing || !required;
                let mut parts = None;
                let accepted = column.accepts(shape, self.format.value(delimited, text), missing, &mut parts);
                if let Some(parts) = parts {
                    self.start = Some((index, parts));
                } else if self.start.is_some_and(|(at, _)| at == index) {
                    self.start = None;
                }
                accepted
            }
        }
    }

    /// Whether a value of this column may contain the text that ends it.
    fn may_go_on(&self, delimited: &Delimited, from: usize, to: usize) -> bool {
        const LONGEST_NAME: usize = 128;
        match delimited.looks.shape {
            Shape::Anything | Shape::Query => true,
            Shape::Name => to - from < LONGEST_NAME,
            Shape::Exact => {
                let text = &self.line[from..to];
                let lenient = self.strictness == Strictness::Lenient;
                to - from < LONGEST_NAME && (!lenient || is_open_bracket(&delimited.column, text))
            }
            Shape::Word | Shape::Decimal => false,
        }
    }
}

/// Columns that nothing separates: a path and its query are one URL, and what is of no use is one with its
/// neighbour. Anything else cannot be told apart.
fn merged(parts: Vec<Part>) -> Result<Vec<Part>, FormatError> {
    let mut merged: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts {
        let (Some(Part::Value(last)), Part::Value(next)) = (merged.last_mut(), &part) else {
            merged.push(part);
            continue;
        };
        let is_query = next.column.content == Content::Unused(Shape::Query);
        if last.column.is_useful() && !(is_query && last.column.meanings() == [Meaning::Url])
            || next.column.is_useful()
        {
            let (first, second) = (last.directive.clone(), next.directive.clone());
            return Err(FormatError::Adjacent { at: next.at, first, second });
        }
        if !last.column.is_useful() {
            last.column = Column::unused(Shape::Anything);
        }
    }
    Ok(merged)
}

/// Whether a quote after this is escaped: an odd number of backslashes stands at its end.
fn ends_in_escape(text: &[u8]) -> bool {
    text.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

fn has_escaped_quote(text: &[u8]) -> bool {
    // Nearly none has a backslash, and looking for one byte needs no preparation.
    memchr::memchr(b'\\', text).is_some_and(|at| memchr::memmem::find(&text[at..], br#"\""#).is_some())
}

/// A time that begins with a bracket ends with one.
fn is_open_bracket(column: &Column, text: &[u8]) -> bool {
    column.content == Content::Value(Meaning::Start) && text.starts_with(b"[") && !text.ends_with(b"]")
}
