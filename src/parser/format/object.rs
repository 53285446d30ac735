//! Format strings that are JSON objects: their keys become a table, so that lines are read as JSON, in any
//! order and with all escapes, and a broken one is broken JSON rather than no match.

use super::FormatError;
use super::text::TextFormat;
use super::understand::{Literal, Part, Source};
use crate::parser::column::{Column, Content};
use crate::parser::json::{Keys, Target, unescape};

/// How deep objects may stand in one another.
const MAX_DEPTH: usize = 32;

/// Compiles the parts of a format string that begins with `{`.
pub(super) fn compile(parts: &[Part]) -> Result<Keys, FormatError> {
    let mut reader = Reader { parts, index: 0, offset: 0 };
    reader.space();
    let keys = reader.object(MAX_DEPTH)?;
    reader.space();
    match reader.peek() {
        None => Ok(keys),
        Some(_) => Err(reader.error("something after the JSON object")),
    }
}

/// Walks over the parts, byte by byte and value by value.
struct Reader<'p> {
    parts: &'p [Part],
    index: usize,
    offset: usize,
}

enum Atom<'p> {
    Byte(u8),
    Value(&'p Source),
}

impl<'p> Reader<'p> {
    fn peek(&self) -> Option<Atom<'p>> {
        Some(match self.parts.get(self.index)? {
            Part::Literal(literal) => Atom::Byte(*literal.text.get(self.offset)?),
            Part::Value(source) => Atom::Value(source),
        })
    }

    fn next(&mut self) -> Option<Atom<'p>> {
        let atom = self.peek()?;
        self.offset += 1;
        let done = match &self.parts[self.index] {
            Part::Literal(literal) => self.offset == literal.text.len(),
            Part::Value(_) => true,
        };
        if done {
            self.index += 1;
            self.offset = 0;
        }
        Some(atom)
    }

    fn error(&self, problem: &'static str) -> FormatError {
        let at = match self.parts.get(self.index).or(self.parts.last()) {
            Some(Part::Literal(literal)) => literal.at + self.offset,
            Some(Part::Value(source)) => source.at,
            None => 0,
        };
        FormatError::Syntax { at, problem }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(Atom::Byte(byte)) if byte.is_ascii_whitespace()) {
            self.next();
        }
    }

    /// Takes `byte`, if it comes next after white space.
    fn takes(&mut self, byte: u8) -> bool {
        self.space();
        let comes = matches!(self.peek(), Some(Atom::Byte(next)) if next == byte);
        if comes {
            self.next();
        }
        comes
    }

    fn object(&mut self, depth: usize) -> Result<Keys, FormatError> {
        let depth = depth.checked_sub(1).ok_or_else(|| self.error("objects too deep in one another"))?;
        let mut keys = Keys::new();
        if !self.takes(b'{') {
            return Err(self.error("a JSON object was expected"));
        }
        if self.takes(b'}') {
            return Ok(keys);
        }
        loop {
            if !self.takes(b'"') {
                return Err(self.error("a key in quotes was expected"));
            }
            let name = self.string()?;
            if !self.takes(b':') {
                return Err(self.error("a : was expected after the key"));
            }
            let target = self.value(depth)?;
            if let [] | [Part::Literal(_)] = name.as_slice() {
                let name = match name.first() {
                    Some(Part::Literal(literal)) => literal.text.as_slice(),
                    _ => b"",
                };
                keys.push(&unescape(name), target);
            }
            if self.takes(b'}') {
                return Ok(keys);
            }
            if !self.takes(b',') {
                return Err(self.error("a , or the end of the object was expected"));
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Target, FormatError> {
        self.space();
        match self.peek() {
            Some(Atom::Byte(b'"')) => {
                self.next();
                let parts = self.string()?;
                target(parts)
            }
            Some(Atom::Byte(b'{')) => Ok(Target::Object(Box::new(self.object(depth)?))),
            Some(Atom::Byte(b'[')) => self.array(),
            Some(_) => self.bare(),
            None => Err(self.error("a value was expected")),
        }
    }

    /// What stands between quotes, the first of which is taken.
    fn string(&mut self) -> Result<Vec<Part>, FormatError> {
        let mut parts = Vec::new();
        let mut escaped = false;
        loop {
            match self.next() {
                Some(Atom::Byte(b'"')) if !escaped => return Ok(parts),
                Some(Atom::Byte(byte)) => {
                    escaped = byte == b'\\' && !escaped;
                    push(&mut parts, byte);
                }
                Some(Atom::Value(source)) => parts.push(Part::Value(source.clone())),
                None => return Err(self.error("a string without its end")),
            }
        }
    }

    /// A value without quotes: one directive, or something that is always the same.
    fn bare(&mut self) -> Result<Target, FormatError> {
        let mut parts = Vec::new();
        while let Some(atom) = self.peek() {
            match atom {
                Atom::Byte(b',' | b'}') => break,
                Atom::Byte(byte) => push(&mut parts, byte),
                Atom::Value(source) => parts.push(Part::Value(source.clone())),
            }
            self.next();
        }
        let is_space =
            |part: &Part| matches!(part, Part::Literal(literal) if literal.text.trim_ascii().is_empty());
        parts.retain(|part| !is_space(part));
        match parts.as_slice() {
            [Part::Value(_)] => target(parts),
            _ => Ok(Target::Nothing),
        }
    }

    /// Passes over an array; its values have no names.
    fn array(&mut self) -> Result<Target, FormatError> {
        let mut depth = 0usize;
        loop {
            match self.next() {
                Some(Atom::Byte(b'"')) => {
                    self.string()?;
                }
                Some(Atom::Byte(b'[' | b'{')) => depth += 1,
                Some(Atom::Byte(b']' | b'}')) => depth = depth.saturating_sub(1),
                Some(_) => {}
                None => return Err(self.error("an array without its end")),
            }
            if depth == 0 {
                return Ok(Target::Nothing);
            }
        }
    }
}

fn push(parts: &mut Vec<Part>, byte: u8) {
    if !matches!(parts.last(), Some(Part::Literal(_))) {
        parts.push(Part::Literal(Literal { text: Vec::new(), at: 0 }));
    }
    let Some(Part::Literal(literal)) = parts.last_mut() else { return };
    literal.text.push(byte);
}

/// What is done with a value that has these parts.
fn target(mut parts: Vec<Part>) -> Result<Target, FormatError> {
    let useful = |part: &Part| matches!(part, Part::Value(source) if source.column.is_useful());
    if !parts.iter().any(useful) {
        return Ok(Target::Nothing);
    }
    if let [Part::Value(_)] = parts.as_slice() {
        let Some(Part::Value(Source { column, .. })) = parts.pop() else { return Ok(Target::Nothing) };
        return Ok(match column {
            Column { content: Content::Value(meaning), rank, substitutes, .. } if substitutes.is_empty() => {
                Target::Value(meaning, rank)
            }
            column => Target::Column(Box::new(column)),
        });
    }
    Ok(Target::Text(Box::new(TextFormat::compile(parts, true)?)))
}
