//! Documents from files and over HTTP, bounded in size and time.
//!
//! HTTP requests are conditional (RFC 9110 §13): with the `ETag` and `Last-Modified` of the last good answer, so
//! that an unchanged feed costs one small exchange. Redirects are followed. Everything blocks: the service calls from
//! a thread of its own.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use ureq::http::header::{
    ACCEPT, ACCEPT_ENCODING, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RANGE,
};
use ureq::http::{HeaderMap, HeaderName, StatusCode};
use ureq::typestate::WithoutBody;
use ureq::{Body, RequestBuilder};

/// Follows so many redirects, then gives up.
const MAX_REDIRECTS: u32 = 10;

/// Why a document could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("cannot read it: {0}")]
    File(#[from] std::io::Error),
    #[error("{0}")]
    Http(#[from] ureq::Error),
    #[error("it answered {0}, not 200 OK")]
    Status(StatusCode),
    #[error("it is larger than {max_bytes} bytes, the largest document allowed")]
    TooLarge { max_bytes: u64 },
}

/// What the last good answer said of itself, to ask with the next time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Validators {
    etag: Option<String>,
    last_modified: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub(super) enum Document {
    Unchanged,
    Read { bytes: Vec<u8>, validators: Validators },
}

/// A client for [`url`].
pub(super) fn agent(timeout: Duration) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(MAX_REDIRECTS)
        .user_agent(concat!("castmeter/", env!("CARGO_PKG_VERSION")));
    config.build().new_agent()
}

/// Gets a document over HTTP, unless it is still what `validators` came with.
pub(super) fn url(
    agent: &ureq::Agent,
    url: &str,
    validators: &Validators,
    max_bytes: u64,
) -> Result<Document, FetchError> {
    let request =
        agent.get(url).header(ACCEPT, "application/rss+xml, application/xml, text/xml, text/csv, */*;q=0.5");
    let Some((mut body, validators)) = ask(request, validators, &[StatusCode::OK])? else {
        return Ok(Document::Unchanged);
    };
    let bytes = body.with_config().limit(max_bytes).read_to_vec().map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(max_bytes) => FetchError::TooLarge { max_bytes },
        error => FetchError::Http(error),
    })?;
    Ok(Document::Read { bytes, validators })
}

/// Asks for the first `max_bytes` of a file over HTTP, unless it is still what `validators` came with: then None.
/// A server that knows no ranges sends all of it; what the caller does not read is not fetched.
pub(super) fn beginning(
    agent: &ureq::Agent,
    url: &str,
    validators: &Validators,
    max_bytes: u64,
) -> Result<Option<(impl Read + use<>, Validators)>, FetchError> {
    let request = agent
        .get(url)
        .header(ACCEPT, "application/json+chapters, application/json, audio/*, */*;q=0.5")
        .header(ACCEPT_ENCODING, "identity") // a range is one of the bytes as they are sent
        .header(RANGE, format!("bytes=0-{}", max_bytes.saturating_sub(1)));
    let answer = ask(request, validators, &[StatusCode::OK, StatusCode::PARTIAL_CONTENT])?;
    Ok(answer.map(|(body, validators)| (body.into_reader(), validators)))
}

/// None where nothing has changed.
fn ask(
    mut request: RequestBuilder<WithoutBody>,
    validators: &Validators,
    good: &[StatusCode],
) -> Result<Option<(Body, Validators)>, FetchError> {
    for (name, value) in [(IF_NONE_MATCH, &validators.etag), (IF_MODIFIED_SINCE, &validators.last_modified)] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    let response = request.call()?;
    match response.status() {
        status if good.contains(&status) => {}
        StatusCode::NOT_MODIFIED if *validators != Validators::default() => return Ok(None),
        status => return Err(FetchError::Status(status)),
    }
    let validators = Validators {
        etag: header(response.headers(), &ETAG),
        last_modified: header(response.headers(), &LAST_MODIFIED),
    };
    Ok(Some((response.into_body(), validators)))
}

/// Reads a document from a file.
pub(super) fn file(path: &Path, max_bytes: u64) -> Result<Document, FetchError> {
    let mut bytes = Vec::new();
    File::open(path)?.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(FetchError::TooLarge { max_bytes });
    }
    Ok(Document::Read { bytes, validators: Validators::default() })
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
