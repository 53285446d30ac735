//! One request with a batch: who sends it, its body, its lines, and the answer once they are kept.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response};
use tokio::sync::Semaphore;

use super::answer::{AnswerBody, Rejection, accepted};
use super::{body, challenge, lines};
use crate::receiver::admission::{Account, Admitted};
use crate::receiver::decode::{self, DecodeError, Limits};
use crate::receiver::tokens::Tokens;
use crate::receiver::{
    Batch, Event, HttpSettings, Incident, Intake, SetupError, Surroundings, Tail, Transport,
};
use crate::units::{ByteCount, Encoding};

/// Who is on a connection, as far as the connection tells.
pub(super) struct Client {
    pub place: Admitted,
    /// Shows a client certificate, or need not.
    pub is_certified: bool,
}

/// Everything that the receiver's own paths need.
pub(super) struct Ingest<I> {
    path: String,
    challenge: Bytes,
    tokens: Tokens,
    token_header: Option<HeaderName>,
    body_bytes: u64,
    body_timeout: Duration,
    limits: Limits,
    lines: u64,
    /// One inflating thread per processor: more would only take memory sooner.
    inflating: Semaphore,
    intake: Arc<I>,
    surroundings: Surroundings,
}

impl<I: Intake> Ingest<I> {
    pub(super) fn new(
        settings: &HttpSettings,
        intake: Arc<I>,
        surroundings: Surroundings,
    ) -> Result<Self, SetupError> {
        let token_header = settings.token_header.as_deref().map(header_name).transpose()?;
        Ok(Self {
            path: settings.path.clone(),
            challenge: challenge::body(&settings.service_ids),
            tokens: Tokens::load(&settings.source, &settings.tokens)?,
            token_header,
            body_bytes: settings.body_bytes,
            body_timeout: settings.body_timeout,
            limits: settings.limits(),
            lines: settings.lines,
            inflating: Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)),
            intake,
            surroundings,
        })
    }

    /// Whether a path is the receiver's own.
    pub(super) fn owns(&self, path: &str) -> bool {
        path == self.path || path == challenge::PATH
    }

    /// Answers a request. What of the body is left when it is refused was not wanted.
    pub(super) async fn answer(
        &self,
        head: &Parts,
        body: &mut Incoming,
        client: &Client,
    ) -> Result<Response<AnswerBody>, Rejection> {
        if head.uri.path() == challenge::PATH {
            return challenge::answer(&head.method, &self.challenge);
        }
        if head.uri.path() != self.path {
            return Err(Rejection::new(Incident::NotFound, "nothing is here"));
        }
        if head.method != Method::POST && head.method != Method::PUT {
            return Err(Rejection::method("POST, PUT"));
        }
        if !client.is_certified {
            return Err(Rejection::new(Incident::Unauthorized, "a client certificate is needed"));
        }
        let source = Arc::clone(self.source_of(&head.headers)?);
        if !self.tokens.is_open() {
            client.place.has_token();
        }
        let named = named_encoding(&head.headers)?;

        let mut charge = client.place.account().charge();
        let payload = body::read(body, self.body_bytes, self.body_timeout, &mut charge).await?;
        if payload.is_empty() {
            return Ok(accepted(&payload));
        }
        let payload = charge.cover(payload);
        let encoding = named.unwrap_or_else(|| decode::sniff(&payload));
        let lines = self.inflate(encoding, &payload, client.place.account()).await?;
        let answer = self.hand_on(source, encoding, payload, lines).await?;
        client.place.has_delivered();
        Ok(answer)
    }

    /// Whose token the head holds: as `Authorization`, or in the header of the operator's choice.
    fn source_of(&self, headers: &HeaderMap) -> Result<&Arc<str>, Rejection> {
        if self.tokens.is_open() {
            return Ok(self.tokens.default_source());
        }
        let authorized = headers.get(AUTHORIZATION).and_then(credentials);
        let own = self.token_header.as_ref().and_then(|name| headers.get(name));
        let own = own.map(|value| Cow::Borrowed(value.as_bytes().trim_ascii()));
        let mut presented = authorized.into_iter().chain(own);
        presented
            .find_map(|token| self.tokens.source_of(&token))
            .ok_or_else(|| Rejection::new(Incident::Unauthorized, "a valid token is needed"))
    }

    /// The batch's lines, not too many; on a thread of their own where a body may take long.
    async fn inflate(
        &self,
        encoding: Encoding,
        payload: &Bytes,
        account: &Account,
    ) -> Result<Bytes, Rejection> {
        let bound = self.lines;
        if encoding == Encoding::Identity && !lines::take_time(payload) {
            return few_enough(bound, payload.clone());
        }
        let _turn = self.inflating.acquire().await.expect("never closed");
        let (payload, limits, mut charge) = (payload.clone(), self.limits, account.charge());
        tokio::task::spawn_blocking(move || {
            if encoding == Encoding::Identity {
                return few_enough(bound, payload);
            }
            let mut refusal = Incident::InFlightFull;
            let grow = |bytes: ByteCount| charge.grow(bytes.0).map_err(|incident| refusal = incident).is_ok();
            match decode::inflate(encoding, &payload, limits, grow) {
                Ok(lines) => few_enough(bound, charge.cover(lines)),
                Err(DecodeError::NoMemory) => Err(Rejection::busy(refusal)),
                Err(error) => Err(undecodable(&error)),
            }
        })
        .await
        .unwrap_or_else(|_| {
            Err(Rejection::new(Incident::BadEncoding, format!("{encoding}: cannot be inflated")))
        })
    }

    async fn hand_on(
        &self,
        source: Arc<str>,
        encoding: Encoding,
        payload: Bytes,
        lines: Bytes,
    ) -> Result<Response<AnswerBody>, Rejection> {
        let received_at = self.surroundings.clock.now();
        let sizes = Event::Accepted {
            payload: ByteCount(payload.len() as u64),
            lines: ByteCount(lines.len() as u64),
        };
        let answer = accepted(&lines);
        let batch = Batch { source, encoding, payload, lines, received_at, tail: Tail::Whole };
        self.intake.accept(batch).await.map_err(|refused| Rejection {
            retry_after: Some(refused.retry_after()),
            ..Rejection::new(Incident::IntakeRefused, refused.to_string())
        })?;
        self.surroundings.observer.observe(Transport::Http, sizes);
        Ok(answer)
    }
}

fn header_name(name: &str) -> Result<HeaderName, SetupError> {
    name.parse().map_err(|_| SetupError::TokenHeader { name: name.to_owned() })
}

/// The token in an `Authorization` header: `Bearer` (RFC 6750), or the password of `Basic` (RFC 7617) with any
/// user name. A scheme's name is in any case.
fn credentials(value: &HeaderValue) -> Option<Cow<'_, [u8]>> {
    let value = value.as_bytes();
    let (scheme, rest) = value.split_at(value.iter().position(|byte| *byte == b' ')?);
    let rest = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(Cow::Borrowed(rest));
    }
    if scheme.eq_ignore_ascii_case(b"basic") {
        let decoded = BASE64_STANDARD.decode(rest).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        return Some(Cow::Owned(decoded[colon + 1..].to_vec()));
    }
    None
}

/// The one coding that the head names; none where it names none.
fn named_encoding(headers: &HeaderMap) -> Result<Option<Encoding>, Rejection> {
    let refused = |message: String| Rejection::new(Incident::UnknownEncoding, message);
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let name = value.to_str().unwrap_or_default().trim();
    if values.next().is_some() || name.contains(',') {
        return Err(refused("several content codings in a row are not supported: use one".to_owned()));
    }
    let known = Encoding::ALL.into_iter().find(|encoding| encoding.name().eq_ignore_ascii_case(name));
    // `x-gzip` is gzip (RFC 9110 §8.4.1.3); `x-snappy-framed` is what snappy's own description registers.
    let known = known.or(match name.to_ascii_lowercase().as_str() {
        "x-gzip" => Some(Encoding::Gzip),
        "x-snappy-framed" => Some(Encoding::Snappy),
        _ => None,
    });
    known.map(Some).ok_or_else(|| {
        let names = Encoding::ALL.map(Encoding::name).join(", ");
        refused(format!("content coding {name:?} is not known: use one of {names}"))
    })
}

fn few_enough(bound: u64, lines: Bytes) -> Result<Bytes, Rejection> {
    if lines::exceed(bound, &lines) {
        let message = format!("more than {bound} lines: send fewer at a time, or raise `http.lines`");
        return Err(Rejection::new(Incident::TooManyLines, message));
    }
    Ok(lines)
}

fn undecodable(error: &DecodeError) -> Rejection {
    let incident = match error {
        DecodeError::TooLarge(_) => Incident::InflatedTooLarge,
        DecodeError::Ratio(_) => Incident::RatioTooHigh,
        DecodeError::Corrupt { .. } | DecodeError::NoMemory => Incident::BadEncoding,
    };
    Rejection::new(incident, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_coding_or_none_is_named() {
        let named = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, HeaderValue::from_static(value));
            }
            named_encoding(&headers).map_err(|rejection| rejection.incident)
        };
        let cases: [(&[&'static str], _); 9] = [
            (&[], Ok(None)),
            (&["gzip"], Ok(Some(Encoding::Gzip))),
            (&["X-GZip"], Ok(Some(Encoding::Gzip))),
            (&[" zstd "], Ok(Some(Encoding::Zstd))),
            (&["identity"], Ok(Some(Encoding::Identity))),
            (&["gzip, gzip"], Err(Incident::UnknownEncoding)),
            (&["gzip", "zstd"], Err(Incident::UnknownEncoding)),
            (&["br"], Err(Incident::UnknownEncoding)),
            (&[""], Err(Incident::UnknownEncoding)),
        ];
        for (values, expected) in cases {
            assert_eq!(named(values), expected, "{values:?}");
        }
    }

    #[test]
    fn the_token_is_found_in_either_scheme() {
        let found = |text| {
            let value = HeaderValue::from_static(text);
            credentials(&value).map(|token| String::from_utf8(token.to_vec()).unwrap())
        };
        let cases = [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            // `printf 'anyone:a:bc' | base64`, and of `:abc`, and of `abc`
            ("Basic YW55b25lOmE6YmM=", Some("a:bc")),
            ("basic OmFiYw==", Some("abc")),
            ("Basic YWJj", None),
            ("Basic !", None),
            ("Digest abc", None),
            ("Bearerabc", None),
            ("abc", None),
            ("", None),
        ];
        for (header, expected) in cases {
            assert_eq!(found(header).as_deref(), expected, "{header}");
        }
    }
}
