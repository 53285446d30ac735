//! Clients that mean no good, or cannot do better: slow, broken, oversized, too many.

use std::time::Duration;

use castmeter::receiver::{Event, HttpSettings, Incident, SyslogSettings, TokenSettings};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::http::gzip;
use crate::rig::{Rig, answer, exchange, is_closed, post, until};

const SHORT: Duration = Duration::from_millis(100);

fn impatient() -> HttpSettings {
    HttpSettings {
        head_timeout: SHORT,
        body_timeout: SHORT,
        keep_alive_timeout: SHORT,
        ..HttpSettings::default()
    }
}

#[tokio::test]
async fn a_head_that_never_ends_is_answered_and_closed() {
    let rig = Rig::http(impatient());
    for (beginning, status) in [
        ("", None),
        ("P", Some("408")),
        ("POST /fastly HTTP/1.1\r\nhost: x\r\n", Some("408")),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None),
    ] {
        let mut stream = rig.connect().await;
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        drop(crate::rig::within(tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest)).await);
        let text = String::from_utf8_lossy(&rest);
        let answered = text.strip_prefix("HTTP/1.1 ").and_then(|text| text.split(' ').next());
        assert_eq!(answered, status, "{beginning:?}: {text}");
        assert_eq!(status.is_some(), text.ends_with("head did not arrive within 100ms\"}"), "{text}");
        assert_eq!(rig.memory.incidents().pop(), Some(Incident::HeadTimeout), "{beginning:?}");
    }
    until(|| rig.memory.open_connections() == 0).await;
}

#[tokio::test]
async fn a_second_head_that_never_ends_is_answered_too() {
    let rig = Rig::http(impatient());
    let mut stream = rig.connect().await;
    stream.write_all(&post("/fastly HTTP/1.1", "x\n")).await.unwrap();
    assert_eq!(answer(&mut stream).await.status, 200);
    stream.write_all(b"POST /fastly HTTP/1.1\r\nhost: ").await.unwrap();
    let last = answer(&mut stream).await;
    assert_eq!(last.status, 408);
    assert!(last.has("connection: close") && last.has("content-type: application/json"), "{}", last.head);
    assert!(is_closed(&mut stream).await);
    assert_eq!(rig.memory.incidents(), [Incident::HeadTimeout]);
}

#[tokio::test]
async fn a_body_that_never_ends_is_answered_and_closed() {
    let rig = Rig::http(impatient());
    let mut stream = rig.connect().await;
    stream.write_all(b"POST /fastly HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\none\n").await.unwrap();
    assert_eq!(answer(&mut stream).await.status, 408);
    assert!(is_closed(&mut stream).await);
    assert!(rig.memory.batches().is_empty());
    assert_eq!(rig.memory.incidents(), [Incident::BodyTimeout]);
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let rig = Rig::http(impatient());
    let mut idle = rig.connect().await;
    idle.write_all(&post("/fastly HTTP/1.1", "x\n")).await.unwrap();
    assert_eq!(answer(&mut idle).await.status, 200);
    assert!(is_closed(&mut idle).await);
    assert_eq!(rig.memory.incidents(), [Incident::IdleTimeout]);

    rig.memory.gate.forget_permits(usize::MAX);
    let mut busy = rig.connect().await;
    busy.write_all(&post("/fastly HTTP/1.1", "x\n")).await.unwrap();
    tokio::time::sleep(5 * SHORT).await;
    rig.memory.gate.add_permits(1);
    assert_eq!(answer(&mut busy).await.status, 200);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_taken_in_part() {
    let rig = Rig::http(HttpSettings::default());
    let beginnings = [
        "content-length: 9\r\n\r\none\n",
        "transfer-encoding: chunked\r\n\r\n4\r\none\n\r\n",
        "transfer-encoding: chunked\r\n\r\n4\r\none\n\r\n0\r\n",
        "transfer-encoding: chunked\r\n\r\n4\r\none\n\r\nnonsense\r\n",
        "transfer-encoding: chunked\r\n\r\n4\r\none\nand more\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\none\n",
    ];
    for (count, beginning) in beginnings.iter().enumerate() {
        let mut stream = rig.connect().await;
        let request = format!("POST /fastly HTTP/1.1\r\nhost: x\r\n{beginning}");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let broken = || rig.memory.count(Event::Incident(Incident::BodyBroken));
        until(|| broken() == count + 1).await;
    }
    assert!(rig.memory.batches().is_empty());
}

#[tokio::test]
async fn a_client_that_sends_on_regardless_still_gets_its_answer() {
    let rig = Rig::http(HttpSettings { body_bytes: 1_000, ..HttpSettings::default() });
    for (path, status) in [("/nowhere", 404), ("/fastly", 413)] {
        let mut stream = rig.connect().await;
        stream.write_all(&post(&format!("{path} HTTP/1.1"), vec![b'x'; 4_000_000])).await.unwrap();
        assert_eq!(answer(&mut stream).await.status, status);
        assert!(is_closed(&mut stream).await);
    }
}

#[tokio::test]
async fn request_smuggling_shapes_are_refused() {
    let rig = Rig::http(HttpSettings::default());
    let shapes = [
        "content-length: 4\r\ncontent-length: 5\r\n\r\none\n",
        "content-length: 4, 5\r\n\r\none\n",
        "content-length: +4\r\n\r\none\n",
        "content-length: -4\r\n\r\none\n",
        "content-length: 0x4\r\n\r\none\n",
        "transfer-encoding: chunked, identity\r\n\r\n4\r\none\n\r\n0\r\n\r\n",
        "transfer-encoding: xchunked\r\n\r\n4\r\none\n\r\n0\r\n\r\n",
        "transfer-encoding : chunked\r\n\r\n4\r\none\n\r\n0\r\n\r\n",
        " folded: x\r\ncontent-length: 4\r\n\r\none\n",
    ];
    for shape in shapes {
        let answer = exchange(&rig, format!("POST /fastly HTTP/1.1\r\nhost: x\r\n{shape}")).await;
        assert_eq!(answer.status, 400, "{shape:?}");
    }
    assert!(rig.memory.batches().is_empty(), "{}", rig.memory.text());
}

#[tokio::test]
async fn nothing_follows_a_request_of_two_lengths() {
    let rig = Rig::http(HttpSettings::default());
    let smuggled = "POST /fastly HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\ntwo\n";
    let lengths = [
        "content-length: 99\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 99",
    ];
    for lengths in lengths {
        let request =
            format!("POST /fastly HTTP/1.1\r\nhost: x\r\n{lengths}\r\n\r\n4\r\none\n\r\n0\r\n\r\n{smuggled}");
        let mut stream = rig.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(answer(&mut stream).await.status, 200, "the chunks are the body (RFC 9112 §6.3)");
        assert!(is_closed(&mut stream).await);
    }
    assert_eq!(rig.memory.text(), "one\none\n");
}

#[tokio::test]
async fn a_head_beyond_its_bound_is_refused() {
    let rig = Rig::http(HttpSettings { head_bytes: 8_192, ..HttpSettings::default() });
    let head = |len: usize| format!("/fastly HTTP/1.1\r\nx-long: {}", "x".repeat(len));
    assert_eq!(exchange(&rig, post(&head(8_000), "x\n")).await.status, 200);
    assert_eq!(exchange(&rig, post(&head(9_000), "x\n")).await.status, 431);
    assert_eq!(rig.memory.incidents(), [Incident::ProtocolError]);
}

#[tokio::test]
async fn bombs_are_refused() {
    let settings = HttpSettings { inflation_ratio: 50, ..HttpSettings::default() };
    let rig = Rig::http(settings);
    let zeros = vec![b'0'; 64 << 20];
    for bomb in [gzip(&zeros), zstd::encode_all(&zeros[..], 3).unwrap()] {
        let answer = exchange(&rig, post("/fastly HTTP/1.1", &bomb)).await;
        assert_eq!(answer.status, 413, "{answer:?}");
    }
    assert_eq!(rig.memory.incidents(), [Incident::RatioTooHigh; 2]);
}

/// A connection that has shown that it is of use.
async fn known(rig: &Rig, needs_token: bool) -> TcpStream {
    let mut stream = rig.connect().await;
    let authorization = if needs_token { "\r\nauthorization: Bearer correct" } else { "" };
    stream.write_all(&post(&format!("/fastly HTTP/1.1{authorization}"), "x\n")).await.unwrap();
    assert_eq!(answer(&mut stream).await.status, 200);
    stream
}

#[tokio::test]
async fn connections_are_bounded_and_who_is_known_stays() {
    let rig = Rig::http(HttpSettings { connections_per_address: 2, ..HttpSettings::default() });
    let one = known(&rig, false).await;
    let mut idle = rig.connect().await;
    until(|| rig.memory.open_connections() == 2).await;
    let two = known(&rig, false).await;
    assert!(is_closed(&mut idle).await, "it gave way");
    assert!(is_closed(&mut rig.connect().await).await);
    assert_eq!(rig.memory.incidents(), [Incident::Displaced, Incident::AddressFull]);
    drop(two);
    until(|| rig.memory.open_connections() == 1).await;
    assert_eq!(exchange(&rig, post("/fastly HTTP/1.1", "x\n")).await.status, 200);
    drop(one);
}

#[tokio::test]
async fn a_token_makes_known_and_a_wrong_one_does_not() {
    let tokens = vec![TokenSettings::plain("one", "correct")];
    let rig = Rig::http(HttpSettings { tokens, connections: 2, ..HttpSettings::default() });
    // Known by its head, though its body is on its way.
    let mut slow = rig.connect().await;
    let head =
        "POST /fastly HTTP/1.1\r\nhost: x\r\nauthorization: Bearer correct\r\ncontent-length: 4\r\n\r\no";
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut guess = rig.connect().await;
    guess.write_all(b"GET /.well-known/fastly/logging/challenge HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut guess).await.status, 200);
    let friend = known(&rig, true).await;
    assert!(is_closed(&mut guess).await, "to ask for the challenge proves nothing");
    slow.write_all(b"ne\n").await.unwrap();
    assert_eq!(answer(&mut slow).await.status, 200);
    assert!(is_closed(&mut rig.connect().await).await, "both have delivered");
    drop(friend);
    assert_eq!(rig.memory.incidents(), [Incident::Displaced, Incident::ConnectionsFull]);
}

#[tokio::test]
async fn syslog_connections_are_known_by_their_token_or_by_a_batch() {
    for (tokens, line) in
        [(vec![TokenSettings::plain("one", "correct")], "correct<134>x\n"), (Vec::new(), "<134>x\n")]
    {
        let rig = Rig::syslog(SyslogSettings {
            tokens,
            connections: 1,
            batch_interval: SHORT,
            ..Default::default()
        });
        let mut idle = rig.connect().await;
        until(|| rig.memory.open_connections() == 1).await;
        let mut friend = rig.connect().await;
        assert!(is_closed(&mut idle).await);
        friend.write_all(line.as_bytes()).await.unwrap();
        until(|| rig.memory.text() == "<134>x\n").await;
        assert!(is_closed(&mut rig.connect().await).await);
        assert_eq!(rig.memory.incidents(), [Incident::Displaced, Incident::ConnectionsFull], "{line:?}");
    }
}

#[tokio::test]
async fn bytes_in_flight_are_bounded_until_they_are_counted() {
    let rig = Rig::http(HttpSettings {
        body_bytes: 1_000,
        inflated_bytes: 1_000,
        in_flight_bytes: 2_500,
        in_flight_bytes_per_address: 2_000,
        ..HttpSettings::default()
    });
    let body = [b'x'; 1_000];
    for status in [200, 200, 429] {
        let answer = exchange(&rig, post("/fastly HTTP/1.1", body)).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.has("retry-after: 1"), status == 429);
    }
    drop(rig.memory.take_batches());
    assert_eq!(exchange(&rig, post("/fastly HTTP/1.1", body)).await.status, 200, "once nobody holds them");
}

/// HTTP/2 frames (RFC 9113 §4.1), written by hand since no client library sends such things.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes()[..], payload].concat()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const END_HEADERS: u8 = 4;
/// `:method: POST`, `:scheme: http`, `:path: /`, by their indices (RFC 7541, appendix A).
const POST_ROOT: &[u8] = &[0x83, 0x86, 0x84];

fn settings() -> Vec<u8> {
    frame(4, 0, 0, &[])
}

fn headers(stream: u32) -> Vec<u8> {
    frame(1, END_HEADERS, stream, POST_ROOT)
}

#[tokio::test]
async fn http2_floods_end_with_the_connection() {
    let reset = |n: u32| [headers(2 * n + 1), frame(3, 0, 2 * n + 1, &8_u32.to_be_bytes())].concat();
    let rapid_reset = (0..20_000).flat_map(reset).collect();
    let long_header = [&[0x40, 1, b'x', 127, 0x81, 0x7e][..], &[b'y'; 16_000]].concat();
    let continuations = [frame(1, 0, 1, POST_ROOT), frame(9, 0, 1, &long_header).repeat(1_000)].concat();
    let pings = frame(6, 0, 0, &[0; 8]).repeat(200_000);
    let floods = [
        (rapid_reset, Incident::ProtocolError),
        (continuations, Incident::ProtocolError),
        (pings, Incident::HeadTimeout),
    ];
    for (flood, end) in floods {
        let rig = Rig::http(impatient());
        let mut stream = rig.connect().await;
        // Reads nothing that the server says, and may be cut off on the way.
        let bytes = [PREFACE, &settings(), &flood].concat();
        drop(tokio::time::timeout(10 * SHORT, stream.write_all(&bytes)).await);
        until(|| rig.memory.count(Event::Closed) == 1).await;
        assert_eq!(rig.memory.incidents().pop(), Some(end));
    }
}

#[tokio::test]
async fn bodies_of_ten_gigabytes_are_refused_at_once_or_at_the_bound() {
    let rig = Rig::http(HttpSettings { body_bytes: 1_000_000, ..HttpSettings::default() });
    let stated = "POST /fastly HTTP/1.1\r\nhost: x\r\ncontent-length: 10000000000\r\n\r\n";
    assert_eq!(exchange(&rig, stated).await.status, 413);

    let mut stream = rig.connect().await;
    let head = "POST /fastly HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2540be400\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = stream.split();
    let endless = async {
        while writing.write_all(&[b'x'; 65_536]).await.is_ok() {}
        std::future::pending().await
    };
    let refused = tokio::select! {
        answer = answer(&mut reading) => answer,
        () = endless => unreachable!("pending"),
    };
    assert_eq!(refused.status, 413);
    assert_eq!(rig.memory.incidents(), [Incident::BodyTooLarge; 2]);
}

#[tokio::test]
async fn one_byte_chunks_take_no_more_memory_than_their_bytes() {
    let rig = Rig::http(HttpSettings {
        body_bytes: 100_000,
        inflated_bytes: 1,
        in_flight_bytes: 100_001,
        in_flight_bytes_per_address: 100_001,
        ..HttpSettings::default()
    });
    let chunks = "1\r\nx\r\n".repeat(100_000);
    let request =
        format!("POST /fastly HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
    assert_eq!(exchange(&rig, request).await.status, 200);
    assert_eq!(rig.memory.text().len(), 100_000);
}

#[tokio::test]
async fn tokens_tried_by_the_thousand_are_counted_and_others_served() {
    let tokens = vec![TokenSettings::plain("one", "correct")];
    let rig = Rig::http(HttpSettings { tokens, ..HttpSettings::default() });
    for n in 0..1_000 {
        let request = post(&format!("/fastly HTTP/1.1\r\nauthorization: Bearer guess-{n}"), "x\n");
        assert_eq!(exchange(&rig, request).await.status, 401);
    }
    let right = post("/fastly HTTP/1.1\r\nauthorization: Bearer correct", "x\n");
    assert_eq!(exchange(&rig, right).await.status, 200);
    assert_eq!(rig.memory.count(Event::Incident(Incident::Unauthorized)), 1_000);
}

#[tokio::test]
async fn a_crowd_does_not_keep_others_out() {
    castmeter::service::file_limit::raise();
    let rig = Rig::http(HttpSettings {
        connections: 1_500,
        connections_per_address: 1_000,
        head_timeout: Duration::from_secs(3_600),
        ..HttpSettings::default()
    });
    let mut friend = known(&rig, false).await;
    let mut crowd = Vec::new();
    for n in 0..2_000 {
        let socket = TcpSocket::new_v4().unwrap();
        let from = if n < 1_200 { "127.0.0.2:0" } else { "127.0.0.3:0" };
        socket.bind(from.parse().unwrap()).unwrap();
        let mut stream = socket.connect(rig.address).await.unwrap();
        let head: &[u8] = if n % 2 == 0 { b"" } else { b"POST /fastly HTTP/1.1\r\nhost: " };
        drop(stream.write_all(head).await);
        crowd.push(stream);
    }
    // 200 gave way to those of their own address, 301 to make room for the rest beside the one that is known.
    until(|| rig.memory.count(Event::Incident(Incident::Displaced)) == 501).await;
    until(|| rig.memory.open_connections() == 1_500).await;
    for _ in 0..50 {
        assert_eq!(exchange(&rig, post("/fastly HTTP/1.1", "x\n")).await.status, 200);
    }
    friend.write_all(&post("/fastly HTTP/1.1", "x\n")).await.unwrap();
    assert_eq!(answer(&mut friend).await.status, 200);
    drop(crowd);
    until(|| rig.memory.open_connections() == 1).await;
}

#[tokio::test]
async fn a_syslog_connection_may_send_anything() {
    let rig = Rig::syslog(SyslogSettings { batch_interval: SHORT, ..SyslogSettings::default() });
    let mut stream = rig.connect().await;
    let shapes: [&[u8]; 5] = [
        &b"\n".repeat(1_000_000),
        &[0_u8; 1_000],
        b"\xff\xfe\x80\n",
        b"999999999 {\"v\":1}\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\n",
    ];
    stream.write_all(&shapes.concat()).await.unwrap();
    stream.write_all(b"<134>good\n").await.unwrap();
    drop(stream);
    until(|| rig.memory.count(Event::Closed) == 1).await;
    let lines = rig.memory.batches().iter().flat_map(|batch| batch.lines.to_vec()).collect::<Vec<_>>();
    let expected = [shapes[1], shapes[2], shapes[3], shapes[4], b"<134>good\n"].concat();
    assert_eq!(lines, expected);
}
