//! HTTP as Fastly and other well-behaved clients speak it.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use castmeter::receiver::{Event, HttpSettings, Incident, Refused, Tail, TokenSettings};
use castmeter::units::{ByteCount, Encoding};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::rig::{Answer, NOW_SECONDS, Rig, answer, exchange, is_closed, loopback, post, until};

fn with_tokens() -> HttpSettings {
    HttpSettings {
        tokens: vec![TokenSettings::plain("one", "first-token"), TokenSettings::plain("two", "second-token")],
        token_header: Some("X-Log-Token".to_owned()),
        ..HttpSettings::default()
    }
}

pub fn gzip(plain: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(3));
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_batch_is_handed_on_as_it_is() {
    let rig = Rig::http(HttpSettings::default());
    let answer = exchange(&rig, post("/fastly HTTP/1.1", "one\ntwo\n")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"accepted_bytes":8}"#));
    assert!(answer.has("content-type: application/json"));
    let memory = rig.ended().await;
    let [batch] = &memory.batches()[..] else { panic!("one batch") };
    assert_eq!((&*batch.source, batch.encoding, batch.tail), ("http", Encoding::Identity, Tail::Whole));
    assert_eq!((&batch.payload[..], &batch.lines[..]), (&b"one\ntwo\n"[..], &b"one\ntwo\n"[..]));
    assert_eq!(batch.payload.as_ptr(), batch.lines.as_ptr(), "the same buffer");
    assert_eq!(batch.received_at.seconds(), NOW_SECONDS);
    assert_eq!(memory.count(Event::Accepted { payload: ByteCount(8), lines: ByteCount(8) }), 1);
    assert_eq!((memory.open_connections(), memory.incidents()), (0, vec![]));
}

#[tokio::test]
async fn codings_are_named_or_told_by_their_first_bytes() {
    let rig = Rig::http(HttpSettings::default());
    let plain = "a line\n".repeat(9_999);
    let members = [gzip(b"one\n"), gzip(plain.as_bytes())].concat();
    let zstd = zstd::encode_all(plain.as_bytes(), 3).unwrap();
    let cases = [
        ("Content-Encoding: gzip", members.clone(), Encoding::Gzip),
        ("X-None: ", members, Encoding::Gzip),
        ("Content-Encoding: zstd", zstd.clone(), Encoding::Zstd),
        ("X-None: ", zstd, Encoding::Zstd),
        ("Content-Encoding: identity", plain.clone().into_bytes(), Encoding::Identity),
        ("X-None: ", plain.clone().into_bytes(), Encoding::Identity),
    ];
    for (header, payload, encoding) in cases {
        let answer = exchange(&rig, post(&format!("/fastly HTTP/1.1\r\n{header}"), &payload)).await;
        assert_eq!(answer.status, 200, "{header}: {answer:?}");
        let batch = rig.memory.batches().pop().unwrap();
        assert_eq!(batch.encoding, encoding, "{header}");
        assert_eq!(batch.payload, payload, "as received");
        assert!(batch.lines.ends_with(plain.as_bytes()), "{header}");
    }
}

#[tokio::test]
async fn chunked_bodies_trailers_and_put_are_taken() {
    let rig = Rig::http(HttpSettings::default());
    let request = "PUT /fastly?ignored=1 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n\
                   4\r\none\n\r\n4;name=value\r\ntwo\n\r\n0\r\ntrailer: x\r\n\r\n";
    assert_eq!(exchange(&rig, request).await.status, 200);
    assert_eq!(rig.memory.text(), "one\ntwo\n");
}

#[tokio::test]
async fn an_empty_body_is_taken_and_nothing_handed_on() {
    let rig = Rig::http(HttpSettings::default());
    assert_eq!(exchange(&rig, post("/fastly HTTP/1.1\r\ncontent-encoding: gzip", "")).await.status, 200);
    assert!(rig.memory.batches().is_empty());
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_turn() {
    let rig = Rig::http(HttpSettings::default());
    let mut stream = rig.connect().await;
    let requests: Vec<u8> = (0..20).flat_map(|n| post("/fastly HTTP/1.1", format!("{n}\n"))).collect();
    stream.write_all(&requests).await.unwrap();
    for _ in 0..20 {
        assert_eq!(answer(&mut stream).await.status, 200);
    }
    let expected: String = (0..20).map(|n| format!("{n}\n")).collect();
    assert_eq!(rig.memory.text(), expected);
}

#[tokio::test]
async fn tokens_name_the_source() {
    let rig = Rig::http(with_tokens());
    let cases = [
        ("Authorization: Bearer first-token", Some("one")),
        ("authorization: bearer second-token", Some("two")),
        ("X-Log-Token: second-token", Some("two")),
        ("Authorization: Bearer wrong\r\nx-log-token: first-token", Some("one")),
        // `printf 'fastly:second-token' | base64`
        ("Authorization: Basic ZmFzdGx5OnNlY29uZC10b2tlbg==", Some("two")),
        ("X-None: ", None),
        ("Authorization: Bearer first-toke", None),
        ("Authorization: Bearer first-token2", None),
        ("Authorization: first-token", None),
        ("X-Log-Token: Bearer first-token", None),
    ];
    for (header, source) in cases {
        let answer = exchange(&rig, post(&format!("/fastly HTTP/1.1\r\n{header}"), "x\n")).await;
        assert_eq!(answer.status, if source.is_some() { 200 } else { 401 }, "{header}");
        assert_eq!(answer.has("www-authenticate: bearer"), source.is_none(), "{header}");
        if let Some(source) = source {
            assert_eq!(&*rig.memory.batches().pop().unwrap().source, source, "{header}");
        }
    }
    assert_eq!(rig.memory.batches().len(), 5);
    assert_eq!(rig.memory.count(Event::Incident(Incident::Unauthorized)), 5);
}

#[tokio::test]
async fn an_unknown_client_is_answered_by_its_head_alone() {
    let rig = Rig::http(with_tokens());
    let head = "POST /fastly HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1000000\r\n\r\n";
    let mut stream = rig.connect().await;
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = answer(&mut stream).await;
    assert_eq!(answer.status, 401, "not 100: the body is not asked for");
    assert!(answer.has("connection: close"));
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn the_challenge_needs_no_token() {
    let rig = Rig::http(HttpSettings { service_ids: vec!["abc".to_owned()], ..with_tokens() });
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    for query in ["", "?", "?service_id=x&token=y"] {
        let answer = exchange(&rig, get(&format!("/.well-known/fastly/logging/challenge{query}"))).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, digest), "{query}");
        assert!(answer.has("content-type: text/plain"));
    }
    for path in ["/.well-known/fastly/logging/challenge/", "/fastly/.well-known/fastly/logging/challenge"] {
        assert_eq!(exchange(&rig, get(path)).await.status, 404, "{path}");
    }
    let refused = exchange(&rig, post("/.well-known/fastly/logging/challenge HTTP/1.1", "")).await;
    assert_eq!(refused.status, 405);

    let open = Rig::http(HttpSettings::default());
    assert_eq!(exchange(&open, get("/.well-known/fastly/logging/challenge")).await.body, "*\n");
}

#[tokio::test]
async fn what_cannot_be_taken_is_answered_by_its_reason() {
    let settings =
        HttpSettings { body_bytes: 1_000, inflated_bytes: 2_000, lines: 3, ..HttpSettings::default() };
    let rig = Rig::http(settings);
    let chunked = "POST /fastly HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    let cases = [
        (post("/fastly/ HTTP/1.1", "x"), 404, "not_found"),
        (post("/ HTTP/1.1", "x"), 404, "not_found"),
        (b"GET /fastly HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), 405, "method_not_allowed"),
        (b"DELETE /fastly HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), 405, "method_not_allowed"),
        (post("/fastly HTTP/1.1\r\ncontent-encoding: br", "x"), 415, "unknown_encoding"),
        (post("/fastly HTTP/1.1\r\ncontent-encoding: gzip, gzip", "x"), 415, "unknown_encoding"),
        (post("/fastly HTTP/1.1\r\ncontent-encoding: gzip", "plain"), 400, "bad_encoding"),
        (post("/fastly HTTP/1.1\r\ncontent-encoding: zstd", "plain"), 400, "bad_encoding"),
        (post("/fastly HTTP/1.1", &gzip(b"one\n")[..20]), 400, "bad_encoding"),
        (post("/fastly HTTP/1.1", [b'x'; 1_001]), 413, "body_too_large"),
        (format!("{chunked}3e9\r\n{:01001}\r\n0\r\n\r\n", 0).into_bytes(), 413, "body_too_large"),
        (post("/fastly HTTP/1.1", gzip(&[b'x'; 2_001])), 413, "inflated_too_large"),
        (post("/fastly HTTP/1.1", "1\n2\n3\n4\n"), 413, "too_many_lines"),
        (post("/fastly HTTP/1.1", gzip(b"1\n2\n3\n4")), 413, "too_many_lines"),
        (post("/fastly HTTP/1.1", "[{},{},{},{}]"), 413, "too_many_lines"),
    ];
    for (request, status, name) in cases {
        let shown = String::from_utf8_lossy(&request[..request.len().min(60)]).into_owned();
        let Answer { status: got, head, body } = exchange(&rig, request).await;
        assert_eq!(got, status, "{shown}: {body}");
        assert!(body.starts_with(&format!("{{\"error\":\"{name}\",\"message\":\"")), "{shown}: {body}");
        assert_eq!(head.to_ascii_lowercase().contains("allow: post, put"), status == 405, "{shown}");
        assert_eq!(rig.memory.incidents().pop().map(Incident::name), Some(name), "{shown}");
    }
    assert_eq!(
        exchange(&rig, post("/fastly HTTP/1.1", [b'x'; 1_000])).await.status,
        200,
        "just at the bound"
    );
    assert_eq!(exchange(&rig, post("/fastly HTTP/1.1", gzip(&[b'x'; 2_000]))).await.status, 200);
    for body in ["1\n2\n\n\n3\n", "[{},\n{},\n{}]\n"] {
        assert_eq!(exchange(&rig, post("/fastly HTTP/1.1", body)).await.status, 200, "{body:?}");
    }
}

/// As Go's `net/http` writes a body of unknown length, which is what Fastly's errors suggest its senders are.
#[tokio::test]
async fn go_style_chunks_are_taken() {
    let rig = Rig::http(HttpSettings { path: "/logs".to_owned(), ..with_tokens() });
    let body = gzip("{\"v\":1}\n".repeat(9_000).as_bytes());
    let mut request =
        b"POST /logs?x=1 HTTP/1.1\r\nHost: logs.example.com\r\nUser-Agent: Go-http-client/1.1\r\n\
        Transfer-Encoding: chunked\r\nAuthorization: Bearer first-token\r\nContent-Encoding: gzip\r\n\
        Content-Type: application/x-ndjson\r\nAccept-Encoding: gzip\r\n\r\n"
            .to_vec();
    for piece in body.chunks(128) {
        request.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        request.extend_from_slice(piece);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    let mut stream = rig.connect().await;
    for _ in 0..2 {
        stream.write_all(&request).await.unwrap();
        assert_eq!(answer(&mut stream).await.body, "{\"accepted_bytes\":72000}");
    }
    assert_eq!(rig.memory.text(), "{\"v\":1}\n".repeat(18_000));
}

/// Who had connected before the end is answered, though its request comes after.
#[tokio::test]
async fn a_request_that_was_on_its_way_at_the_end_is_answered() {
    let rig = Rig::http(HttpSettings::default());
    let mut stream = rig.connect().await;
    until(|| rig.memory.open_connections() == 1).await;
    rig.shut_down();
    tokio::time::sleep(Duration::from_millis(50)).await;
    stream.write_all(&post("/fastly HTTP/1.1", "x\n")).await.unwrap();
    let last = answer(&mut stream).await;
    assert_eq!((last.status, last.has("connection: close")), (200, true), "{}", last.head);
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn a_refused_batch_is_answered_503_and_when_to_come_back() {
    let rig = Rig::http(HttpSettings::default());
    let refusals = [
        (Refused::Full { retry_after: Duration::from_millis(2_001) }, "retry-after: 3"),
        (Refused::Failed { retry_after: Duration::ZERO }, "retry-after: 1"),
        (Refused::ShuttingDown, "retry-after: 5"),
    ];
    for (refused, header) in refusals {
        rig.memory.refusals.lock().unwrap().push(refused);
        let answer = exchange(&rig, post("/fastly HTTP/1.1", "x\n")).await;
        assert_eq!(answer.status, 503);
        assert!(answer.has(header), "{}", answer.head);
    }
    assert_eq!(rig.memory.count(Event::Incident(Incident::IntakeRefused)), 3);
    assert!(rig.memory.batches().is_empty());
}

#[tokio::test]
async fn no_answer_before_the_batch_is_kept() {
    let rig = Rig::http(HttpSettings::default());
    rig.memory.gate.forget_permits(usize::MAX);
    let mut stream = rig.connect().await;
    stream.write_all(&post("/fastly HTTP/1.1", "x\n")).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(50), answer(&mut stream)).await;
    assert!(early.is_err(), "{early:?}");
    rig.memory.gate.add_permits(1);
    assert_eq!(answer(&mut stream).await.status, 200);
}

#[tokio::test]
async fn shutting_down_finishes_what_is_begun_and_takes_nothing_new() {
    let rig = Rig::http(HttpSettings::default());
    rig.memory.gate.forget_permits(usize::MAX);
    let mut idle = rig.connect().await;
    let mut busy = rig.connect().await;
    busy.write_all(&post("/fastly HTTP/1.1", "x\n")).await.unwrap();
    until(|| rig.memory.open_connections() == 2).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    rig.shut_down();
    assert!(is_closed(&mut idle).await);
    rig.memory.gate.add_permits(1);
    assert_eq!(answer(&mut busy).await.status, 200);
    assert!(is_closed(&mut busy).await);
    let address = rig.address;
    assert_eq!(rig.ended().await.text(), "x\n");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn shutting_down_does_not_wait_for_ever() {
    let rig = Rig::http(HttpSettings { drain_timeout: Duration::from_millis(50), ..HttpSettings::default() });
    rig.memory.gate.forget_permits(usize::MAX);
    let mut stream = rig.connect().await;
    stream.write_all(&post("/fastly HTTP/1.1", "x\n")).await.unwrap();
    until(|| rig.memory.open_connections() == 1).await;
    let memory = rig.ended().await;
    assert!(is_closed(&mut stream).await);
    assert_eq!((memory.open_connections(), memory.batches().len()), (0, 0));
}

#[tokio::test]
async fn ordinary_ends_are_no_incidents() {
    let rig = Rig::http(HttpSettings::default());
    // A load balancer's check of the port, and a client that is done.
    drop(rig.connect().await);
    until(|| rig.memory.count(Event::Closed) == 1).await;
    assert_eq!(exchange(&rig, post("/fastly HTTP/1.1", "x\n")).await.status, 200);
    until(|| rig.memory.count(Event::Closed) == 2).await;
    // Connections that wait when the service ends: before any request, and after one.
    let _fresh = rig.connect().await;
    let mut used = rig.connect().await;
    used.write_all(&post("/fastly HTTP/1.1", "x\n")).await.unwrap();
    assert_eq!(answer(&mut used).await.status, 200);
    assert_eq!(rig.ended().await.incidents(), []);
}

#[tokio::test]
async fn one_listener_takes_both_kinds_of_addresses() {
    let rig = Rig::http_at((Ipv6Addr::UNSPECIFIED, 0).into(), HttpSettings::default());
    for host in [loopback().ip(), Ipv6Addr::LOCALHOST.into()] {
        let mut stream = TcpStream::connect(SocketAddr::from((host, rig.address.port()))).await.unwrap();
        stream.write_all(&post("/fastly HTTP/1.1", "x\n")).await.unwrap();
        assert_eq!(answer(&mut stream).await.status, 200, "{host}");
    }
}
