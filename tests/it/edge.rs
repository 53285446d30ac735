//! The served sockets, one request at a time: every answer that there is, with its metric; readiness.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::service::{Service, Setup, raw_exchange, wait_for};

const CONFIG: &str = r#"
[http]
service_ids = ["abc"]
token_header = "X-Log-Token"
head_timeout = "300ms"
body_timeout = "300ms"
body_bytes = 100000
inflated_bytes = 200000
inflation_ratio = 200
lines = 1000
in_flight_bytes_per_address = 300000
[[http.tokens]]
source = "old"
token = "first"
[[http.tokens]]
source = "new"
token = "second"
[syslog]
batch_interval = "10ms"
line_bytes = 1000
[[syslog.tokens]]
source = "sys"
token = "third"
"#;

const LINE: &str = r#"{"v":1,"start_us":1793509200000000,"ip":"192.0.2.1","method":"GET","url":"/x","status":200,"body_bytes":1}"#;

fn request(head: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = body.len();
    let head = format!("{head}\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// A post with a right token.
fn post(headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    request(&format!("POST /fastly HTTP/1.1\r\nauthorization: Bearer first{headers}"), body)
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(3));
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// Sends a request, expects the status and the error, and that the metric rises by one.
#[track_caller]
fn expect(service: &Service, bytes: &[u8], status: u16, error: &str, says: &str) {
    let before = service.incidents(error);
    let answer = raw_exchange(service.http, bytes);
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{shown}: {answer}");
    let body: serde_json::Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body["error"], error, "{shown}: {answer}");
    assert!(body["message"].as_str().unwrap().contains(says), "{shown}: {answer}");
    let has_metric = || service.incidents(error) == before + 1.0;
    wait_for(&format!("{error} to be counted"), has_metric);
}

#[test]
fn every_answer_has_its_reason_and_its_metric() {
    let folder = tempfile::tempdir().unwrap();
    let service = Setup { config: CONFIG.to_owned(), ..Setup::new(folder.path()) }.start();
    service.wait_until_ready();
    let lines = format!("{LINE}\n").repeat(2);
    for (headers, body) in [
        ("", lines.clone().into_bytes()),
        ("\r\ncontent-encoding: gzip", gzip(lines.as_bytes())),
        ("", [gzip(LINE.as_bytes()), gzip(b"\n"), gzip(LINE.as_bytes())].concat()),
        ("\r\ncontent-encoding: zstd", zstd::encode_all(lines.as_bytes(), 3).unwrap()),
        ("\r\ncontent-type: application/json", format!("[{LINE},{LINE}]").into_bytes()),
    ] {
        let answer = raw_exchange(service.http, &post(headers, body));
        assert!(answer.starts_with("HTTP/1.1 200 "), "{headers}: {answer}");
    }
    let own = request("PUT /fastly?x=1 HTTP/1.1\r\nx-log-token: second", &lines);
    assert!(raw_exchange(service.http, &own).starts_with("HTTP/1.1 200 "));
    service.wait_for_lines(12);
    assert_eq!(service.metric_with("castmeter_lines_received_total", "source=\"new\""), 2.0);

    let challenge = request("GET /.well-known/fastly/logging/challenge?x HTTP/1.1", "");
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";
    assert!(raw_exchange(service.http, &challenge).ends_with(&format!("\r\n\r\n{digest}")));

    let broken = gzip(lines.as_bytes());
    let mut lying = gzip(lines.as_bytes());
    let end = lying.len() - 5;
    lying[end] ^= 1;
    for (bytes, status, error, says) in [
        (
            post("\r\ncontent-encoding: gzip", &broken[..broken.len() - 9]),
            400,
            "bad_encoding",
            "inflated bytes",
        ),
        (post("\r\ncontent-encoding: gzip", &lying), 400, "bad_encoding", "gzip: corrupt"),
        (post("\r\ncontent-encoding: zstd", &lines), 400, "bad_encoding", "zstd: "),
        (request("POST /fastly HTTP/1.1", &lines), 401, "unauthorized", "token"),
        (
            request("POST /fastly HTTP/1.1\r\nauthorization: Bearer third", &lines),
            401,
            "unauthorized",
            "token",
        ),
        (request("POST /other HTTP/1.1", &lines), 404, "not_found", "http.path"),
        (request("GET /fastly HTTP/1.1", ""), 405, "method_not_allowed", "POST, PUT"),
        (request("POST / HTTP/1.1", ""), 405, "method_not_allowed", "GET, HEAD"),
        (b"POST /fastly HTTP/1.1\r\nhost".to_vec(), 408, "head_timeout", "300ms"),
        (post("\r\nx: y", &lines)[..200].to_vec(), 408, "body_timeout", "300ms"),
        (post("", [b'x'; 100_001]), 413, "body_too_large", "100000 bytes"),
        (post("", gzip(&[b'x'; 200_001])), 413, "inflated_too_large", "200000 bytes"),
        (post("", "x\n".repeat(1_001)), 413, "too_many_lines", "1000 lines"),
        (post("\r\ncontent-encoding: br", &lines), 415, "unknown_encoding", "gzip, zstd"),
        (post("\r\ncontent-encoding: gzip, gzip", &lines), 415, "unknown_encoding", "in a row"),
        (
            post("\r\ncontent-encoding: gzip\r\ncontent-encoding: gzip", &lines),
            415,
            "unknown_encoding",
            "in a row",
        ),
    ] {
        expect(&service, &bytes, status, error, says);
    }
    assert_eq!(service.metric("castmeter_lines_received_total"), 12.0, "of what is refused nothing is taken");
}

#[test]
fn who_holds_too_much_is_asked_to_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let config = CONFIG.replace("body_timeout = \"300ms\"", "body_timeout = \"1h\"");
    let service = Setup { config, ..Setup::new(folder.path()) }.start();
    let hold = || {
        let mut stream = TcpStream::connect(service.http).unwrap();
        let body = post("", [b'x'; 100_000]);
        stream.write_all(&body[..body.len() - 1]).unwrap();
        stream
    };
    let answer = || raw_exchange(service.http, &post("", vec![b'x'; 60_000]));
    // One that asks too early takes what the others were to hold; then they hold it anew.
    wait_for("an answer that there is too much", || {
        let _held = [hold(), hold(), hold()];
        std::thread::sleep(Duration::from_millis(50));
        let answer = answer();
        if answer.starts_with("HTTP/1.1 429 ") {
            assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
            assert!(answer.contains("address_in_flight_full"), "{answer}");
        }
        answer.starts_with("HTTP/1.1 429 ")
    });
    assert!(service.incidents("address_in_flight_full") >= 1.0);
    wait_for("them to be given back", || answer().starts_with("HTTP/1.1 200 "));
}

/// A store that is not there: batches are taken and kept until the journal is full, and readiness says what is missing.
#[test]
fn without_a_store_batches_are_kept_until_the_journal_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let database_url = Some("postgres://nobody@127.0.0.1:9/none".to_owned());
    let config = "[journal]\nmax_bytes = 200000\n".to_owned();
    let service = Setup { database_url, config, ..Setup::new(folder.path()) }.start();
    wait_for("the store to be asked", || service.get(service.admin, "/readyz").1.contains("migrated yet: "));
    let (status, why) = service.get(service.admin, "/readyz");
    assert_eq!(status, 503, "{why}");
    assert_eq!(service.get(service.admin, "/livez"), (200, "alive\n".to_owned()));

    let mut taken = 0_u8;
    let refused = loop {
        // Never the same body twice: that would be a reference, and fill nothing.
        let body = vec![b'a' + taken; 20_000];
        let answer = raw_exchange(service.http, &request("POST /fastly HTTP/1.1", body));
        if !answer.starts_with("HTTP/1.1 200 ") {
            break answer;
        }
        taken += 1;
    };
    assert!((3..10).contains(&taken), "{taken}");
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("\r\nretry-after: 5\r\n"), "{refused}");
    assert!(service.incidents("intake_refused") >= 1.0);
    let (status, why) = service.get(service.admin, "/readyz");
    assert!(status == 503 && why.contains("the journal is full"), "{why}");
    assert_eq!(service.metric("castmeter_journal_full"), 1.0);
    assert_eq!(service.get(service.admin, "/livez").0, 200);
}

/// What syslog refuses shows in the metrics, and lines after it are found.
#[test]
fn syslog_incidents_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let service = Setup { config: CONFIG.to_owned(), ..Setup::new(folder.path()) }.start();
    let send = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(service.syslog).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        // Closed, or reset where the receiver was sent more than it wanted.
        let _ = stream.read(&mut [0]);
    };
    send(format!("third<134>2026-11-01T05:00:00Z cache-x name[1]: {LINE}\nthird{LINE}\n").as_bytes());
    send(&[b"third", &[b'y'; 5_000][..], b"\nthird", LINE.as_bytes(), b"\n"].concat());
    send(b"third999999999 {\"v\":1}\n");
    send(format!("third{LINE}").as_bytes());
    for n in 0..100 {
        send(format!("guess-{n}{LINE}\n").as_bytes());
    }
    service.wait_for_lines(6);
    for (incident, count) in [("line_too_long", 1.0), ("line_truncated", 1.0), ("unauthorized", 100.0)] {
        wait_for(incident, || service.incidents(incident) == count);
    }
    for defect in ["too_long", "truncated"] {
        let label = format!("defect=\"{defect}\"");
        wait_for(defect, || service.metric_with("castmeter_lines_malformed_total", &label) == 1.0);
    }
    assert_eq!(service.metric("castmeter_lines_malformed_total"), 3.0, "and what only looks like a count");
    assert_eq!(service.metric("castmeter_lines_received_total"), 6.0);
}
