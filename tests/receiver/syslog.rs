//! Syslog over TCP.

use std::time::Duration;

use castmeter::receiver::{Event, Incident, Refused, SyslogSettings, Tail, TokenSettings};
use castmeter::units::{ByteCount, Encoding};
use tokio::io::AsyncWriteExt;
use tokio::net::UdpSocket;

use crate::rig::{NOW_SECONDS, Rig, is_closed, loopback, until};

fn quick() -> SyslogSettings {
    SyslogSettings { batch_interval: Duration::from_millis(20), ..SyslogSettings::default() }
}

/// Sends everything over one connection, closes it, and waits for the receiver to have closed it too.
async fn send(rig: &Rig, bytes: impl AsRef<[u8]>) {
    let before = rig.memory.count(Event::Closed);
    let mut stream = rig.connect().await;
    // The receiver may close first, which is what some tests are about.
    drop(stream.write_all(bytes.as_ref()).await);
    drop(stream.shutdown().await);
    until(|| rig.memory.count(Event::Closed) == before + 1).await;
}

#[tokio::test]
async fn lines_are_gathered_for_a_short_time() {
    let rig = Rig::syslog(quick());
    let mut stream = rig.connect().await;
    stream.write_all(b"one\ntwo\nthr").await.unwrap();
    until(|| rig.memory.text() == "one\ntwo\n").await;
    stream.write_all(b"ee\n").await.unwrap();
    until(|| rig.memory.text() == "one\ntwo\nthree\n").await;
    let [first, _] = &rig.memory.batches()[..] else { panic!("two batches") };
    assert_eq!((&*first.source, first.encoding, first.tail), ("syslog", Encoding::Identity, Tail::Whole));
    assert_eq!(first.received_at.seconds(), NOW_SECONDS);
    assert_eq!(rig.memory.count(Event::Accepted { payload: ByteCount(8), lines: ByteCount(8) }), 1);
}

#[tokio::test]
async fn a_batch_is_handed_on_when_it_is_large_enough() {
    let settings =
        SyslogSettings { batch_interval: Duration::from_secs(3_600), batch_bytes: 1_000, ..quick() };
    let rig = Rig::syslog(settings);
    let mut stream = rig.connect().await;
    stream.write_all("0123456789abcde\n".repeat(100).as_bytes()).await.unwrap();
    until(|| rig.memory.batches().len() == 1).await;
    assert_eq!(rig.memory.batches()[0].lines.len(), 1_008, "whole lines, and the first size that suffices");
    drop(stream);
    until(|| rig.memory.text().len() == 1_600).await;
}

#[tokio::test]
async fn much_at_once_is_the_same_lines() {
    let rig = Rig::syslog(SyslogSettings { batch_bytes: 50_000, ..quick() });
    let lines: String = (0..400_000).map(|number| format!("line {number}\n")).collect();
    send(&rig, &lines).await;
    assert!(rig.memory.text() == lines, "4 MB of lines, in order and each once");
    assert_eq!(rig.memory.incidents(), []);
}

#[tokio::test]
async fn a_line_cut_by_the_end_is_marked() {
    let rig = Rig::syslog(quick());
    send(&rig, "one\ntw").await;
    let [batch] = &rig.memory.batches()[..] else { panic!("one batch") };
    assert_eq!((&batch.lines[..], batch.tail), (&b"one\ntw"[..], Tail::Truncated));
    assert_eq!(rig.memory.incidents(), [Incident::LineTruncated]);
}

#[tokio::test]
async fn half_of_a_line_end_is_no_line() {
    let rig = Rig::syslog(SyslogSettings { line_bytes: 10, ..quick() });
    send(&rig, "0123456789\r\n\r").await;
    let [batch] = &rig.memory.batches()[..] else { panic!("one batch") };
    assert_eq!((&batch.lines[..], batch.tail), (&b"0123456789\r\n"[..], Tail::Whole));
    assert_eq!(rig.memory.incidents(), []);
}

#[tokio::test]
async fn an_overlong_line_is_cut_to_one_byte_more_than_allowed() {
    let rig = Rig::syslog(SyslogSettings { line_bytes: 10, ..quick() });
    let long = "x".repeat(300_000);
    send(&rig, format!("0123456789\n{long}\n999999999 y\nshort\n{long}")).await;
    let expected = format!("0123456789\n{0}\n999999999 y\nshort\n{0}", "x".repeat(11));
    assert_eq!(rig.memory.text(), expected);
    assert_eq!(rig.memory.batches().pop().unwrap().tail, Tail::Truncated);
    assert_eq!(rig.memory.count(Event::Incident(Incident::LineTooLong)), 3);
}

#[tokio::test]
async fn tokens_are_stripped_and_name_the_source() {
    let tokens = vec![TokenSettings::plain("one", "tok-1"), TokenSettings::plain("two", "tok-22")];
    let rig = Rig::syslog(SyslogSettings { tokens, line_bytes: 8, ..quick() });
    send(&rig, "tok-1<134>a\ntok-1<134>b\ntok-22<134>c\ntok-112345678\n\ntok-1\ntok-1123456789\ntok-22cut")
        .await;
    let got: Vec<_> = rig
        .memory
        .batches()
        .iter()
        .map(|batch| (batch.source.to_string(), String::from_utf8(batch.lines.to_vec()).unwrap(), batch.tail))
        .collect();
    let of = |source: &str, lines: &str, tail| (source.to_owned(), lines.to_owned(), tail);
    let expected = [
        of("one", "<134>a\n<134>b\n", Tail::Whole),
        of("two", "<134>c\n", Tail::Whole),
        of("one", "12345678\n123456789\n", Tail::Whole),
        of("two", "cut", Tail::Truncated),
    ];
    assert_eq!(got, expected);
    assert_eq!(rig.memory.incidents(), [Incident::LineTooLong, Incident::LineTruncated]);
}

#[tokio::test]
async fn a_wrong_token_ends_the_connection_but_not_what_came_before() {
    let rig = Rig::syslog(SyslogSettings { tokens: vec![TokenSettings::plain("one", "secret")], ..quick() });
    send(&rig, "secret one\nsecre two\nsecret three\n").await;
    assert_eq!(rig.memory.text(), " one\n");
    send(&rig, "guess").await;
    assert_eq!(rig.memory.text(), " one\n");
    assert_eq!(rig.memory.incidents(), [Incident::Unauthorized, Incident::LineTruncated]);
}

#[tokio::test]
async fn counted_messages_are_lines() {
    let rig = Rig::syslog(SyslogSettings { octet_counting: true, ..quick() });
    send(&rig, "7 <134>a\n6 <134>b9 <134>c\nd\n").await;
    assert_eq!(rig.memory.text(), "<134>a\n<134>b\n<134>c d\n");
    send(&rig, "6 <134>e<134>f\n").await;
    assert_eq!(rig.memory.text(), "<134>a\n<134>b\n<134>c d\n<134>e\n");
    assert_eq!(rig.memory.incidents(), [Incident::BadOctetCount]);
}

#[tokio::test]
async fn a_refused_batch_is_tried_again_while_nothing_is_read() {
    let rig = Rig::syslog(quick());
    let refused = Refused::Full { retry_after: Duration::from_millis(5) };
    rig.memory.refusals.lock().unwrap().extend([refused.clone(), refused]);
    send(&rig, "one\n").await;
    assert_eq!(rig.memory.text(), "one\n");
    assert_eq!(rig.memory.incidents(), [Incident::IntakeRefused; 2]);
}

#[tokio::test]
async fn a_client_is_slowed_down_by_an_intake_that_is() {
    let rig = Rig::syslog(SyslogSettings { batch_bytes: 1_000, ..quick() });
    rig.memory.gate.forget_permits(usize::MAX);
    let mut stream = rig.connect().await;
    let sent = tokio::spawn(async move {
        let lines = "0123456789abcde\n".repeat(4_000_000);
        stream.write_all(lines.as_bytes()).await.unwrap();
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!sent.is_finished(), "64 MB cannot lie in the sockets' buffers");
    rig.memory.gate.add_permits(1_000_000);
    sent.await.unwrap();
    until(|| rig.memory.open_connections() == 0).await;
    let received: usize = rig.memory.batches().iter().map(|batch| batch.lines.len()).sum();
    assert_eq!(received, 64_000_000);
}

#[tokio::test]
async fn a_silent_connection_is_closed_even_if_it_trickles() {
    let rig = Rig::syslog(SyslogSettings { idle_timeout: Duration::from_millis(100), ..quick() });
    let mut stream = rig.connect().await;
    stream.write_all(b"one\n").await.unwrap();
    let mut trickle = async || {
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            if stream.write_all(b"x").await.is_err() {
                return;
            }
        }
    };
    crate::rig::within(trickle()).await;
    until(|| rig.memory.open_connections() == 0).await;
    assert_eq!(rig.memory.incidents(), [Incident::LineTruncated, Incident::IdleTimeout]);
    assert!(rig.memory.text().starts_with("one\nxx"));
}

#[tokio::test]
async fn shutting_down_takes_what_was_sent() {
    let rig = Rig::syslog(SyslogSettings { batch_interval: Duration::from_secs(3_600), ..quick() });
    let mut stream = rig.connect().await;
    stream.write_all(b"one\ntwo\n").await.unwrap();
    until(|| rig.memory.open_connections() == 1).await;
    let memory = rig.ended().await;
    assert_eq!(memory.text(), "one\ntwo\n");
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn what_cannot_be_kept_at_the_end_is_reported_lost() {
    let rig = Rig::syslog(SyslogSettings { drain_timeout: Duration::from_millis(50), ..quick() });
    rig.memory.gate.forget_permits(usize::MAX);
    let mut stream = rig.connect().await;
    stream.write_all(b"one\n").await.unwrap();
    until(|| rig.memory.open_connections() == 1).await;
    let memory = rig.ended().await;
    assert_eq!((memory.incidents(), memory.batches().len()), (vec![Incident::BatchLost], 0));
}

#[tokio::test]
async fn datagrams_are_lines() {
    let rig =
        Rig::datagrams(SyslogSettings { tokens: vec![TokenSettings::plain("one", "secret")], ..quick() });
    let socket = UdpSocket::bind(loopback()).await.unwrap();
    for datagram in ["secret<134>a", "secret<134>b\n", "guess <134>c", "", "secret<134>d\n\nsecret<134>e"] {
        socket.send_to(datagram.as_bytes(), rig.address).await.unwrap();
    }
    until(|| rig.memory.text() == "<134>a\n<134>b\n<134>d\n<134>e\n").await;
    assert_eq!(&*rig.memory.batches()[0].source, "one");
    assert_eq!(rig.memory.incidents(), [Incident::Unauthorized]);
}

#[tokio::test]
async fn datagrams_that_have_come_are_taken_at_the_end() {
    let rig = Rig::datagrams(SyslogSettings { batch_interval: Duration::from_secs(3_600), ..quick() });
    let socket = UdpSocket::bind(loopback()).await.unwrap();
    socket.send_to(b"one", rig.address).await.unwrap();
    assert_eq!(rig.ended().await.text(), "one\n");
}
