//! What a client takes: which text format of the metrics, compressed or not (RFC 9110 §12.5).

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

use crate::metrics::Format;

/// OpenMetrics where it is asked for by name and wanted at least as much; else the older format, which everybody reads.
pub fn format(headers: &HeaderMap) -> Format {
    let open_metrics = best(headers, &ACCEPT, |range, version| {
        range == "application/openmetrics-text" && version.is_none_or(|version| version == "1.0.0")
    });
    let classic = best(headers, &ACCEPT, |range, version| match range {
        "text/plain" => version.is_none_or(|version| version == "0.0.4"),
        _ => matches!(range, "text/*" | "*/*"),
    });
    if open_metrics > 0.0 && open_metrics >= classic { Format::OpenMetrics } else { Format::Classic }
}

/// Whether gzip is taken.
pub fn takes_gzip(headers: &HeaderMap) -> bool {
    best(headers, &ACCEPT_ENCODING, |coding, _| matches!(coding, "gzip" | "x-gzip")) > 0.0
}

/// The greatest weight among the elements that `fits` says of, by their name and version; 0 if there is none.
fn best(headers: &HeaderMap, header: &HeaderName, fits: impl Fn(&str, Option<&str>) -> bool) -> f32 {
    let values = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    let weights = values.flat_map(|value| value.split(',')).filter_map(|element| {
        let mut parts = element.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut weight, mut version) = (1.0, None);
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            match key.trim() {
                "q" => weight = value.trim().parse().unwrap_or(0.0),
                "version" => version = Some(value.trim().trim_matches('"')),
                _ => {}
            }
        }
        fits(&name, version).then_some(weight)
    });
    weights.fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn headers(header: HeaderName, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (header.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn formats() {
        for (accept, expected) in [
            (&[][..], Format::Classic),
            (&["*/*"], Format::Classic),
            // Prometheus 2.42, and 3.
            (
                &[
                    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                  text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                ],
                Format::OpenMetrics,
            ),
            (
                &["application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                  text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"],
                Format::OpenMetrics,
            ),
            (&["application/openmetrics-text"], Format::OpenMetrics),
            (&["application/openmetrics-text; version=\"1.0.0\"", "text/plain"], Format::OpenMetrics),
            (&["application/openmetrics-text; version=0.0.1"], Format::Classic),
            (&["application/openmetrics-text;q=0.4, text/plain;version=0.0.4;q=0.5"], Format::Classic),
            (&["application/openmetrics-text;q=0"], Format::Classic),
            (&["text/plain; version=0.0.4"], Format::Classic),
            (&["application/json"], Format::Classic),
        ] {
            assert_eq!(format(&headers(ACCEPT, accept)), expected, "{accept:?}");
        }
    }

    #[test]
    fn compression() {
        for (accept, expected) in [
            (&[][..], false),
            (&["gzip"], true),
            (&["deflate, GZIP;q=0.5"], true),
            (&["br", "gzip"], true),
            (&["gzip;q=0"], false),
            (&["identity"], false),
        ] {
            assert_eq!(takes_gzip(&headers(ACCEPT_ENCODING, accept)), expected, "{accept:?}");
        }
    }
}
