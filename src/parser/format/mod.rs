//! Fastly format strings, compiled once into parsers for their lines.
//!
//! A format string is taken exactly as it stands in Fastly: Apache's directives, `%{…}V` with VCL in it, and
//! text between them. `pieces` and `vcl` parse it (nom), `understand` says with the tables of `vocabulary` what
//! each directive gives, and the result is a `text` format or, where the whole is a JSON object, an `object`.
//! What is of no use is passed over in the lines; a format that cannot give what counting needs is an error.

mod object;
mod pieces;
#[cfg(test)]
mod tests;
mod text;
mod understand;
mod vcl;
mod vocabulary;

use std::sync::Arc;

use super::Origin;
use super::column::{Column, Content, Shape};
use super::draft::Draft;
use super::field::{Field, FieldSet};
use super::json::{self, Keys};
use super::meaning::Meaning;
use super::prefix;
use super::strftime::Parts;
use crate::event::{Malformed, Request, Unescaped};
use understand::{Part, Source};

pub(super) use text::TextFormat;

/// Longer than Fastly allows a format to be (12,288 characters).
const MAX_FORMAT_BYTES: usize = 65_536;

/// changelog.com's CSV of 2016, as its VCL wrote it.
const CHANGELOG_CSV: &str = concat!(
    "%{req.http.Fastly-Client-IP}V,[%{%d/%b/%Y:%H:%M:%S %z}t],%{regsub(req.url, \"\\?.*$\", \"\")}V,",
    "%{resp.body_bytes_written}V,%{resp.status}V,\"%{req.http.User-Agent}V\",",
    "%{client.geo.latitude}V,%{client.geo.longitude}V,\"%{client.geo.city.utf8}V\",",
    "%{client.geo.continent_code}V,%{client.geo.country_code}V,\"%{client.geo.country_name.utf8}V\"",
);

/// Why a format cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("unknown log format {0:?}: give json, changelog-csv or a Fastly format string")]
    Unknown(String),
    #[error("log format of {bytes} bytes: at most {MAX_FORMAT_BYTES} are taken")]
    TooLong { bytes: usize },
    #[error("log format, byte {at}: {problem}")]
    Syntax { at: usize, problem: &'static str },
    #[error("log format, byte {at}: {conversion} is no time conversion that can be read back")]
    Time { at: usize, conversion: String },
    #[error(
        "log format, byte {at}: nothing stands between {first} and {second}, so that they cannot be told apart"
    )]
    Adjacent { at: usize, first: String, second: String },
    #[error("log format: it gives no {}, without which no line can be counted", .0.iter().map(|field| field.name()).collect::<Vec<_>>().join(", no "))]
    Missing(Vec<Field>),
}

/// A compiled format.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    layout: Layout,
    origins: Arc<[Origin]>,
}

#[derive(Clone, Debug)]
enum Layout {
    Text(Arc<TextFormat>),
    Object(Arc<Keys>),
}

impl Compiled {
    pub(super) fn changelog_csv() -> Self {
        let mut parts = understand(CHANGELOG_CSV).expect("the preset is a format");
        for part in &mut parts {
            if let Part::Value(source) = part
                && source.column.meanings() == [Meaning::UserAgent]
            {
                source.column.unquoted = true;
            }
        }
        Self::from_parts(parts).expect("the preset is a format")
    }

    pub(super) fn new(format: &str) -> Result<Self, FormatError> {
        if format.len() > MAX_FORMAT_BYTES {
            return Err(FormatError::TooLong { bytes: format.len() });
        }
        Self::from_parts(understand(format.trim_end_matches(['\r', '\n']))?)
    }

    fn from_parts(parts: Vec<Part>) -> Result<Self, FormatError> {
        let mut parts = without_header(parts);
        drop_partial_start(&mut parts);
        let origins = origins(&parts);
        let missing: Vec<Field> = Field::REQUIRED
            .into_iter()
            .filter(|field| !origins.iter().any(|origin| origin.field == *field))
            .collect();
        if !missing.is_empty() {
            return Err(FormatError::Missing(missing));
        }
        let layout = if is_object(&parts) {
            Layout::Object(Arc::new(object::compile(&parts)?))
        } else {
            Layout::Text(Arc::new(TextFormat::compile(parts, false)?))
        };
        Ok(Self { layout, origins: origins.into() })
    }

    pub(super) fn parse<'a>(&self, line: &'a [u8], room: &'a Unescaped) -> Result<Request<'a>, Malformed> {
        let format = match &self.layout {
            Layout::Object(keys) => {
                let mut draft = Draft::new();
                json::parse(prefix::strip(line)?, keys, &mut draft)?;
                return draft.finish(room);
            }
            Layout::Text(format) => format,
        };
        let parse = |line| {
            let mut draft = Draft::new();
            format.parse(line, &mut draft)?;
            draft.finish(room)
        };
        if format.begins_with_anything() {
            // The line's own beginning may be `<`: only a whole header is one.
            return parse(prefix::strip(line).unwrap_or(line));
        }
        if format.begins_with_time() && line.first() != Some(&b'<') {
            // The line's own beginning may look like that of a header without its priority.
            return parse(line).or_else(|malformed| match prefix::header_without_priority(line) {
                Some(message) => parse(message),
                None => Err(malformed),
            });
        }
        parse(prefix::strip(line)?)
    }

    pub(super) fn fields(&self) -> FieldSet {
        self.origins.iter().map(|origin| origin.field).collect()
    }

    pub(super) fn origins(&self) -> &[Origin] {
        &self.origins
    }
}

fn understand(format: &str) -> Result<Vec<Part>, FormatError> {
    understand::parts(&pieces::pieces(format)?)
}

/// The fields that the values give, and by what directive.
fn origins(parts: &[Part]) -> Vec<Origin> {
    let mut origins: Vec<Origin> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Value(source) => Some(source),
            Part::Literal(_) => None,
        })
        .flat_map(|Source { column, directive, .. }| {
            let fields = column.meanings().iter().filter_map(|meaning| meaning.field());
            fields.map(|field| Origin { field, source: directive.clone() })
        })
        .collect();
    origins.sort_by_key(|origin| origin.field);
    origins
}

/// Takes no start from patterns that together do not make one: an hour alone, a fraction alone.
fn drop_partial_start(parts: &mut [Part]) {
    let pattern = |part: &Part| match part {
        Part::Value(Source { column: Column { content: Content::Start(pattern), .. }, .. }) => {
            Some(pattern.example())
        }
        _ => None,
    };
    let together = parts.iter().filter_map(pattern).fold(Parts::default(), Parts::or);
    if together.instant().is_some() {
        return;
    }
    for part in parts {
        if let Part::Value(source) = part
            && matches!(source.column.content, Content::Start(_))
        {
            source.column = Column::unused(Shape::Name);
        }
    }
}

/// A format that writes a syslog header of its own loses it: lines lose theirs before they are read.
fn without_header(mut parts: Vec<Part>) -> Vec<Part> {
    let sample: Vec<&[u8]> = parts
        .iter()
        .map(|part| match part {
            Part::Literal(literal) => literal.text.as_slice(),
            Part::Value(source)
                if source.column.meanings().iter().any(|meaning| meaning.field() == Some(Field::Start)) =>
            {
                b"2000-01-01T00:00:00Z"
            }
            Part::Value(_) => b"x",
        })
        .collect();
    let line = sample.concat();
    let Some(message) = prefix::header(&line) else { return parts };
    let mut header = line.len() - message.len();
    let mut whole = 0;
    while let Some(part) = sample.get(whole)
        && header >= part.len()
    {
        header -= part.len();
        whole += 1;
    }
    parts.drain(..whole);
    if let Some(Part::Literal(literal)) = parts.first_mut() {
        literal.text.drain(..header);
        literal.at += header;
    }
    parts
}

fn is_object(parts: &[Part]) -> bool {
    match parts.first() {
        Some(Part::Literal(literal)) => match literal.text.trim_ascii_start() {
            [b'{', rest @ ..] => rest.trim_ascii_start().first() == Some(&b'"'),
            _ => false,
        },
        _ => false,
    }
}
