//! Answers: a status and a small JSON object.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde_json::json;

use crate::receiver::Incident;

/// The body of an answer, whoever gives it.
pub type AnswerBody = UnsyncBoxBody<Bytes, Infallible>;

/// How soon to come back where it is only a question of other requests ending.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a request is refused.
#[derive(Debug)]
pub(super) struct Rejection {
    pub incident: Incident,
    /// For the sender's operator: what and where.
    pub message: String,
    pub retry_after: Option<Duration>,
    /// The methods that would be right.
    pub allow: Option<&'static str>,
}

impl Rejection {
    pub(super) fn new(incident: Incident, message: impl Into<String>) -> Self {
        Self { incident, message: message.into(), retry_after: None, allow: None }
    }

    pub(super) fn method(allow: &'static str) -> Self {
        let message = format!("only {allow} may be used here");
        Self { allow: Some(allow), ..Self::new(Incident::MethodNotAllowed, message) }
    }

    /// Something is full that empties by itself.
    pub(super) fn busy(incident: Incident) -> Self {
        let retry_after = Some(BUSY_RETRY_AFTER);
        Self { retry_after, ..Self::new(incident, "too many bytes in flight at the moment") }
    }
}

/// The status that an incident is answered with.
fn status(incident: Incident) -> StatusCode {
    match incident {
        Incident::Unauthorized => StatusCode::UNAUTHORIZED,
        Incident::NotFound => StatusCode::NOT_FOUND,
        Incident::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Incident::HeadTimeout | Incident::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
        Incident::BodyTooLarge
        | Incident::TooManyLines
        | Incident::InflatedTooLarge
        | Incident::RatioTooHigh => StatusCode::PAYLOAD_TOO_LARGE,
        Incident::UnknownEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Incident::AddressInFlightFull => StatusCode::TOO_MANY_REQUESTS,
        Incident::InFlightFull | Incident::IntakeRefused => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}

pub(super) fn accepted(lines: &Bytes) -> Response<AnswerBody> {
    json_answer(StatusCode::OK, json!({ "accepted_bytes": lines.len() }).to_string())
}

pub(super) fn rejected(rejection: &Rejection) -> Response<AnswerBody> {
    let status = status(rejection.incident);
    let body = json!({ "error": rejection.incident.name(), "message": rejection.message });
    let mut response = json_answer(status, body.to_string());
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"logs\""));
    }
    if let Some(methods) = rejection.allow {
        headers.insert(ALLOW, HeaderValue::from_static(methods));
    }
    if let Some(after) = rejection.retry_after {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    response
}

/// The whole answer to a head that did not arrive in time, as it goes over the wire.
pub(super) fn head_timeout(within: Duration) -> Vec<u8> {
    let message = format!("the request's head did not arrive within {}", humantime::format_duration(within));
    let body = json!({ "error": Incident::HeadTimeout.name(), "message": message }).to_string();
    let status = StatusCode::REQUEST_TIMEOUT;
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncache-control: no-store\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn json_answer(status: StatusCode, body: String) -> Response<AnswerBody> {
    let mut response = Response::new(whole(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A body that is known in full.
pub(super) fn whole(bytes: Bytes) -> AnswerBody {
    Full::new(bytes).boxed_unsync()
}
