//! Clients that mean no good, or cannot do better: slow, broken, oversized, too many.

use std::time::Duration;

use castmeter::receiver::{Event, HttpSettings, Incident};
use tokio::io::AsyncWriteExt;

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
async fn a_head_that_never_ends_is_closed() {
    let rig = Rig::http(impatient());
    for beginning in ["", "P", "POST /fastly HTTP/1.1\r\nhost: x\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = rig.connect().await;
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        drop(crate::rig::within(tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest)).await);
        assert_eq!(rig.memory.incidents().pop(), Some(Incident::HeadTimeout), "{beginning:?}");
    }
    until(|| rig.memory.open_connections() == 0).await;
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

#[tokio::test]
async fn connections_are_bounded() {
    let rig = Rig::http(HttpSettings { connections_per_address: 2, ..HttpSettings::default() });
    let (_one, two) = (rig.connect().await, rig.connect().await);
    until(|| rig.memory.open_connections() == 2).await;
    let mut three = rig.connect().await;
    assert!(is_closed(&mut three).await);
    assert_eq!(rig.memory.incidents(), [Incident::AddressFull]);
    drop(two);
    until(|| rig.memory.open_connections() == 1).await;
    assert_eq!(exchange(&rig, post("/fastly HTTP/1.1", "x\n")).await.status, 200);
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
