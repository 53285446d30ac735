//! `POST /api/annotations`: a note of what happened, for graphs to show beside the numbers.
//!
//! The body is JSON: `{"text": "deploy v1.2", "tags": ["deploy"], "at": "2026-11-01T05:00:00Z"}`; without `at` it
//! happened now. The content type must be JSON too: so a browser does not send it for a foreign page.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Web;
use crate::store::{Annotation, StoreError};
use crate::units::Timestamp;

const MAX_BODY_BYTES: usize = 16 << 10;
const MAX_TEXT_BYTES: usize = 1_000;
const MAX_TAGS: usize = 16;
const MAX_TAG_BYTES: usize = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    text: String,
    #[serde(default)]
    tags: Vec<String>,
    at: Option<chrono::DateTime<chrono::Utc>>,
}

/// Stores it and answers with what was stored.
pub async fn annotate(web: &Web, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().is_none_or(|kind| !kind.trim().eq_ignore_ascii_case("application/json")) {
        return error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content type must be application/json");
    }
    let Ok(body) = Limited::new(request.into_body(), MAX_BODY_BYTES).collect().await else {
        return error(StatusCode::PAYLOAD_TOO_LARGE, "the body broke off, or has more than 16 KiB");
    };
    let now = (web.observe)().now;
    let annotation = match understand(&body.to_bytes(), now) {
        Ok(annotation) => annotation,
        Err(problem) => return error(StatusCode::BAD_REQUEST, &problem),
    };
    match web.store.annotate(&annotation).await {
        Ok(()) => {
            tracing::info!(text = annotation.text, at = %annotation.at, "annotated");
            let Annotation { at, text, tags } = annotation;
            answer(StatusCode::CREATED, &json!({ "at": at.to_string(), "text": text, "tags": tags }))
        }
        Err(problem) => {
            tracing::warn!(error = %problem, "an annotation could not be stored");
            let status = match problem {
                problem if problem.is_transient() => StatusCode::SERVICE_UNAVAILABLE,
                StoreError::InstanceGone | StoreError::Fenced { .. } => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            error(status, "the store did not take it; the log says why")
        }
    }
}

fn understand(body: &[u8], now: Timestamp) -> Result<Annotation, String> {
    let Note { text, tags, at } =
        serde_json::from_slice(body).map_err(|error| format!("not an annotation: {error}"))?;
    let text = text.trim().to_owned();
    if text.is_empty() || text.len() > MAX_TEXT_BYTES {
        return Err(format!("text must have 1 to {MAX_TEXT_BYTES} bytes, it has {}", text.len()));
    }
    if tags.len() > MAX_TAGS {
        return Err(format!("there may be {MAX_TAGS} tags, there are {}", tags.len()));
    }
    let is_tag = |tag: &String| (1..=MAX_TAG_BYTES).contains(&tag.len()) && !tag.contains(',');
    if let Some(tag) = tags.iter().find(|tag| !is_tag(tag)) {
        return Err(format!("a tag must have 1 to {MAX_TAG_BYTES} bytes and no comma: {tag:?}"));
    }
    let at = at.map_or(now, Timestamp::from);
    let at = Timestamp::from_seconds(at.seconds()).expect("no later than it was");
    Ok(Annotation { at, text, tags })
}

fn error(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    answer(status, &json!({ "error": message }))
}

fn answer(status: StatusCode, value: &Value) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(format!("{value}\n"))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_annotation() {
        let now = Timestamp::from_seconds(1_000).unwrap();
        let at = |seconds| Timestamp::from_seconds(seconds).unwrap();
        let note = |at, text: &str, tags: &[&str]| Annotation {
            at,
            text: text.to_owned(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        };
        for (body, expected) in [
            (r#"{"text":" deploy v1.2 "}"#, Ok(note(now, "deploy v1.2", &[]))),
            (
                r#"{"text":"a","tags":["deploy","cdn"],"at":"1970-01-01T01:00:00.9+00:30"}"#,
                Ok(note(at(1_800), "a", &["deploy", "cdn"])),
            ),
            (r#"{"text":" "}"#, Err("1 to 1000 bytes")),
            (r#"{"text":"a","tags":["b,c"]}"#, Err("no comma")),
            (r#"{"text":"a","tags":[""]}"#, Err("1 to 50 bytes")),
            (r#"{"text":"a","at":"yesterday"}"#, Err("not an annotation")),
            (r#"{"text":"a","colour":"red"}"#, Err("unknown field")),
            ("deploy", Err("not an annotation")),
        ] {
            match (understand(body.as_bytes(), now), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{body}"),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{body}: {found}"),
                (found, expected) => panic!("{body}: {found:?}, not {expected:?}"),
            }
        }
    }
}
