//! `GET /metrics`.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY};
use hyper::{HeaderMap, Response};

use super::{Web, negotiate};
use crate::metrics::Format;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The page as the client takes it. Made on a thread that may be busy for some milliseconds.
pub async fn scrape(web: &Arc<Web>, headers: &HeaderMap) -> io::Result<Response<Full<Bytes>>> {
    let (format, gzip) = (negotiate::format(headers), negotiate::takes_gzip(headers));
    let web = Arc::clone(web);
    let made = tokio::task::spawn_blocking(move || {
        let page = web.metrics.page(format, (web.observe)()).into_bytes();
        if gzip { compressed(&page) } else { Ok(page) }
    });
    let mut answer = Response::new(Full::new(made.await??.into()));
    let kind = match format {
        Format::OpenMetrics => OPEN_METRICS,
        Format::Classic => CLASSIC,
    };
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.headers_mut().insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    if gzip {
        answer.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(answer)
}

fn compressed(page: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(page)?;
    encoder.finish()
}
