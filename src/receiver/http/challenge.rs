//! Fastly's ownership challenge: proof that the host agrees to receive a service's logs.
//!
//! `GET /.well-known/fastly/logging/challenge` (RFC 8615, at the root of the host) answers 200 with the lowercase
//! hexadecimal SHA-256 of each service id on its own line; `*` stands for any service. Fastly asks
//! again from time to time, without credentials and perhaps with the endpoint's query string.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response};
use sha2::{Digest, Sha256};

use super::answer::{AnswerBody, Rejection, whole};

pub(super) const PATH: &str = "/.well-known/fastly/logging/challenge";

/// The body for these services; for none it allows all.
pub(super) fn body(service_ids: &[String]) -> Bytes {
    if service_ids.is_empty() {
        return Bytes::from_static(b"*\n");
    }
    let mut text = String::new();
    for id in service_ids {
        let digest = Sha256::digest(id.as_bytes());
        text.extend(digest.iter().map(|byte| format!("{byte:02x}")));
        text.push('\n');
    }
    text.into()
}

/// The answer to a request for [`PATH`].
pub(super) fn answer(method: &Method, body: &Bytes) -> Result<Response<AnswerBody>, Rejection> {
    if method != Method::GET && method != Method::HEAD {
        return Err(Rejection::method("GET, HEAD"));
    }
    let mut response = Response::new(whole(body.clone()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_holds_a_digest_a_line_or_a_star() {
        assert_eq!(body(&[]), "*\n");
        // `printf abc | sha256sum`, and of `def`
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n\
                        cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34\n";
        assert_eq!(body(&["abc".to_owned(), "def".to_owned()]), expected);
    }
}
