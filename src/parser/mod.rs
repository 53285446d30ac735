//! Log lines into requests: framing of a buffer, syslog headers, formats, ranges, times. Pure, without policy.
//!
//! [`lines`] (or [`Framer`], for what is read in pieces) cuts bytes into lines; a [`LineParser`] makes a
//! [`Request`] of one line or says why it cannot, in the fixed order of precedence of
//! [`Defect`](crate::event::Defect). Whatever the bytes are, a line costs one line: nothing here panics,
//! recurses without bound, or allocates unless a string has escapes in it.
//!
//! What this does not do: decide whether a request counts, read a clock, undo percent escapes.

mod column;
mod draft;
mod field;
mod format;
mod framing;
pub mod fuzzing;
mod json;
mod meaning;
mod prefix;
mod range;
#[cfg(test)]
mod roundtrip;
mod strftime;
#[cfg(test)]
mod tests;
mod time;
mod value;

pub use field::{Field, FieldSet};
pub use format::FormatError;
pub use framing::{Framer, Line, Lines, lines};
pub use range::{content_range, requested_range};

use std::sync::Arc;

use draft::Draft;
use format::Compiled;
use json::Keys;

use crate::event::{Malformed, Request, Unescaped};

/// A parser for the lines of one format. Cheap to clone, usable from any thread.
#[derive(Clone, Debug)]
pub struct LineParser {
    format: Format,
}

#[derive(Clone, Debug)]
enum Format {
    Json(Arc<Keys>),
    Compiled(Compiled),
}

/// Where a format has a field from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub field: Field,
    /// The key of a JSON line, or the directive of a format string as it stands there.
    pub source: String,
}

impl LineParser {
    /// Version 1 JSON and Fastly's own default JSON, told apart line by line.
    pub fn json() -> Self {
        Self { format: Format::Json(Arc::new(json::known_keys())) }
    }

    /// A preset (`json`, `changelog-csv`) or a format string, exactly as it stands in Fastly.
    pub fn from_spec(spec: &str) -> Result<Self, FormatError> {
        match spec {
            "json" => Ok(Self::json()),
            "changelog-csv" => Ok(Self { format: Format::Compiled(Compiled::changelog_csv()) }),
            format if format.contains('%') => Ok(Self { format: Format::Compiled(Compiled::new(format)?) }),
            unknown => Err(FormatError::Unknown(unknown.to_owned())),
        }
    }

    /// Reads one line without its end, with or without a syslog header before it. Texts with escapes are kept in `room`.
    #[inline]
    pub fn parse<'a>(&self, line: &'a [u8], room: &'a Unescaped) -> Result<Request<'a>, Malformed> {
        match &self.format {
            Format::Json(keys) => {
                let line = prefix::strip(line)?;
                let mut request = json::version_1(line);
                if request.is_err() {
                    request = any_object(line, keys, room);
                }
                request
            }
            Format::Compiled(format) => format.parse(line, room),
        }
    }

    /// The fields this format can give.
    pub fn fields(&self) -> FieldSet {
        match &self.format {
            Format::Json(_) => Field::ALL.into_iter().collect(),
            Format::Compiled(format) => format.fields(),
        }
    }

    /// What gives each field, in the order of [`Field::ALL`]; several may give one.
    pub fn describe(&self) -> Vec<Origin> {
        match &self.format {
            Format::Json(_) => json::known_origins(),
            Format::Compiled(format) => format.origins().to_vec(),
        }
    }
}

/// A JSON line that is not version 1 as Fastly writes it.
#[inline(never)]
fn any_object<'a>(line: &'a [u8], keys: &Keys, room: &'a Unescaped) -> Result<Request<'a>, Malformed> {
    let mut draft = Draft::new();
    json::parse(line, keys, &mut draft)?;
    draft.finish(room)
}
