//! From directives to columns: what each gives, and what is literal text between them.

use super::FormatError;
use super::pieces::{Directive, Piece};
use super::vcl::{Comparison, Expression, expression};
use super::vocabulary::{column_of, condition_of, escapes, passes_on, variable_of};
use crate::parser::column::{Column, Content, Shape, Substitute};
use crate::parser::meaning::{Meaning, Rank};
use crate::parser::strftime::Pattern;

/// A part of a line: text that is always the same, or a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    Literal(Literal),
    Value(Source),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Literal {
    pub(super) text: Vec<u8>,
    /// Where it begins in the format.
    pub(super) at: usize,
}

/// A column and the directive it comes from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Source {
    pub(super) column: Column,
    pub(super) directive: String,
    pub(super) at: usize,
}

/// The parts of a line; neighbouring literals are one.
pub(super) fn parts(pieces: &[Piece<'_>]) -> Result<Vec<Part>, FormatError> {
    let mut parts: Vec<Part> = Vec::new();
    let mut at = 0;
    for piece in pieces {
        let new = match piece {
            Piece::Literal(text) => vec![Part::Literal(Literal { text: text.as_bytes().to_vec(), at })],
            Piece::Directive(directive) => directive_parts(directive)?,
        };
        at = match piece {
            // A percent sign is two in the format, or the end of what Terraform doubles: close enough to show.
            Piece::Literal(text) => at + text.len() + usize::from(*text == "%"),
            Piece::Directive(directive) => directive.at + directive.source.len(),
        };
        for part in new {
            match (parts.last_mut(), part) {
                (Some(Part::Literal(last)), Part::Literal(more)) => last.text.extend(more.text),
                (_, part) => parts.push(part),
            }
        }
    }
    Ok(parts)
}

fn directive_parts(directive: &Directive<'_>) -> Result<Vec<Part>, FormatError> {
    let source =
        |column| Part::Value(Source { column, directive: directive.source.to_owned(), at: directive.at });
    let one = |column| Ok(vec![source(column)]);
    match (directive.letter, directive.argument) {
        ('b', None) => {
            let mut column = column_of("resp.body_bytes_written");
            // Apache's way to print none.
            column.substitutes.push(("-".to_owned(), Substitute::Zero));
            one(column)
        }
        ('r', None) => one(Column::new(Content::RequestLine, Rank::Usual)),
        ('t', None) => one(column_of("time.start")),
        ('t', Some(format)) => one(time_directive(format, directive.at)?),
        ('i', Some(header)) => one(column_of(&format!("req.http.{}", header.to_ascii_lowercase()))),
        ('o', Some(header)) => one(column_of(&format!("resp.http.{}", header.to_ascii_lowercase()))),
        ('T', Some("us")) => one(column_of("time.elapsed.usec")),
        ('T', Some("ms")) => one(column_of("time.elapsed.msec")),
        ('T', Some("s")) => one(column_of("time.elapsed.sec")),
        ('V', Some(vcl)) => match expression(vcl) {
            Some(expression) => Ok(expression_parts(&expression, directive.at)?
                .into_iter()
                .map(|part| match part {
                    ExpressionPart::Literal(text) => {
                        Part::Literal(Literal { text: text.into_bytes(), at: directive.at })
                    }
                    ExpressionPart::Column(column) => source(column),
                })
                .collect()),
            None => one(Column::unused(Shape::Anything)),
        },
        (letter, None) => one(variable_of(letter).map_or(Column::unused(Shape::Anything), column_of)),
        (_, Some(_)) => one(Column::unused(Shape::Anything)),
    }
}

/// `%{FORMAT}t`: `begin:` or nothing is the start, `end:` another time.
fn time_directive(format: &str, at: usize) -> Result<Column, FormatError> {
    let format = format.strip_prefix('"').and_then(|format| format.strip_suffix('"')).unwrap_or(format);
    if format.starts_with("end:") {
        return Ok(Column::unused(Shape::Name));
    }
    let format = format.strip_prefix("begin:").unwrap_or(format);
    match format {
        "sec" | "msec" | "usec" | "msec_frac" | "usec_frac" => Ok(column_of(&format!("time.start.{format}"))),
        _ => start_column(format, at),
    }
}

fn start_column(format: &str, at: usize) -> Result<Column, FormatError> {
    let pattern = Pattern::compile(format).map_err(|conversion| FormatError::Time { at, conversion })?;
    Ok(Column::new(Content::Start(pattern), Rank::Usual))
}

enum ExpressionPart {
    Literal(String),
    Column(Column),
}

/// What an expression prints: concatenated texts are literal, the rest are values.
fn expression_parts(expression: &Expression, at: usize) -> Result<Vec<ExpressionPart>, FormatError> {
    let items = match expression {
        Expression::Concat(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    items
        .iter()
        .map(|item| match item {
            Expression::Text(text) | Expression::Number(text) => Ok(ExpressionPart::Literal(text.clone())),
            other => column(other, at).map(ExpressionPart::Column),
        })
        .filter(|part| !matches!(part, Ok(ExpressionPart::Literal(text)) if text.is_empty()))
        .collect()
}

/// What an expression gives as one value.
fn column(expression: &Expression, at: usize) -> Result<Column, FormatError> {
    match expression {
        Expression::Variable(name) => Ok(column_of(name)),
        Expression::Call(name, arguments) => match (name.as_str(), arguments.as_slice()) {
            ("if", [condition, yes, no]) => choice(condition, yes, no, at),
            ("strftime", [Expression::Text(format), Expression::Variable(time)]) if time == "time.start" => {
                start_column(format, at)
            }
            ("strftime", _) => Ok(Column::unused(Shape::Name)),
            (function, [first, ..]) if passes_on(function) => {
                let mut column = column(first, at)?;
                column.escaped |= escapes(function);
                Ok(column)
            }
            _ => Ok(Column::unused(Shape::Anything)),
        },
        Expression::Concat(items) => {
            let is_frame =
                |item: &&Expression| matches!(item, Expression::Text(text) if text.chars().all(|c| c == '"'));
            let mut rest = items.iter().filter(|item| !is_frame(item));
            match (rest.next(), rest.next()) {
                (Some(only), None) => Ok(Column { unquoted: true, ..column(only, at)? }),
                _ => Ok(Column::unused(Shape::Anything)),
            }
        }
        Expression::Not(_) | Expression::Compare(..) | Expression::Joined(_) => match condition(expression) {
            Some((meaning, truth)) => Ok(truth_column(meaning, "1", "0", truth)),
            None => Ok(Column::unused(Shape::Anything)),
        },
        Expression::Text(_) | Expression::Number(_) => Ok(Column::unused(Shape::Anything)),
    }
}

/// `if(condition, yes, no)`: the condition itself, where both are text; else the value that one of them is.
fn choice(
    condition_is: &Expression,
    yes: &Expression,
    no: &Expression,
    at: usize,
) -> Result<Column, FormatError> {
    let text = |expression: &Expression| match expression {
        Expression::Text(text) | Expression::Number(text) => Some(text.clone()),
        _ => None,
    };
    if let (Some(yes), Some(no)) = (text(yes), text(no)) {
        return Ok(match condition(condition_is) {
            Some((meaning, truth)) if yes != no => truth_column(meaning, &yes, &no, truth),
            _ => Column::unused(Shape::Anything),
        });
    }
    let (first, second) = (column(yes, at)?, column(no, at)?);
    let (mut column, other) = if first.is_useful() { (first, no) } else { (second, yes) };
    if let Some(other) = text(other) {
        column.substitutes.push((other.trim_matches('"').to_owned(), Substitute::Absent));
    }
    Ok(column)
}

/// A column that prints `yes` where the condition holds, which means `truth`.
fn truth_column(meaning: Meaning, yes: &str, no: &str, truth: bool) -> Column {
    let of = |truth| if truth { Substitute::True } else { Substitute::False };
    let mut column = Column::new(Content::Value(meaning), Rank::Best);
    column.substitutes = vec![(yes.to_owned(), of(truth)), (no.to_owned(), of(!truth))];
    column
}

/// What a condition tells, and whether it tells so when it holds or when it does not.
fn condition(expression: &Expression) -> Option<(Meaning, bool)> {
    match expression {
        Expression::Variable(name) => condition_of(name),
        Expression::Not(inner) => condition(inner).map(|(meaning, truth)| (meaning, !truth)),
        Expression::Compare(left, comparison, right) => match (left.as_ref(), right.as_ref()) {
            (Expression::Variable(name), Expression::Number(number)) => {
                let (meaning, truth) = condition_of(name)?;
                let above_zero = is_above_zero(*comparison, number)?;
                Some((meaning, truth == above_zero))
            }
            (Expression::Variable(name), Expression::Variable(value))
                if value == "true" || value == "false" =>
            {
                let (meaning, truth) = condition_of(name)?;
                let equal = match comparison {
                    Comparison::Equal => true,
                    Comparison::NotEqual => false,
                    _ => return None,
                };
                Some((meaning, truth == (equal == (value == "true"))))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Whether a comparison of a count asks for more than none, or for none.
fn is_above_zero(comparison: Comparison, number: &str) -> Option<bool> {
    match (comparison, number) {
        (Comparison::Equal | Comparison::AtMost, "0") | (Comparison::Less, "1") => Some(false),
        (Comparison::NotEqual | Comparison::Greater, "0") | (Comparison::AtLeast, "1") => Some(true),
        _ => None,
    }
}
