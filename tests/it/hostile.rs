//! The service among clients that mean no good: others are served, memory stays bounded, and each kind shows in a metric.
//!
//! How much slower it gets is measured by `make hostile`.

use std::net::TcpStream;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};

use crate::crowd::{Crowd, Manner};
use crate::service::{Setup, raw_exchange, wait_for};

const TOKEN: &str = "correct";
const CONNECTIONS: usize = 1_000;
/// What the process may hold at the most with these settings, in a debug build.
const MEMORY_BYTES: u64 = 320 << 20;

fn config(folder: &std::path::Path) -> String {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    std::fs::write(path("certificate.pem"), certificate.pem()).unwrap();
    std::fs::write(path("key.pem"), key.serialize_pem()).unwrap();
    format!(
        r#"
        token = "{TOKEN}"
        [http]
        connections = {CONNECTIONS}
        connections_per_address = 300
        head_timeout = "2s"
        body_timeout = "2s"
        [syslog.tls]
        certificate = "{}"
        key = "{}"
        handshake_timeout = "2s"
        "#,
        path("certificate.pem"),
        path("key.pem"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_bad_connections_keep_nobody_out() {
    castmeter::service::file_limit::raise();
    let folder = tempfile::tempdir().unwrap();
    let service = Setup { config: config(folder.path()), ..Setup::new(folder.path()) }.start();
    service.wait_until_ready();
    let authorization = ("authorization", "Bearer correct");
    let post = |body: &str| service.post(&[authorization], body.as_bytes());

    let crowd = Crowd::gather(service.http, TOKEN, &Manner::ALL, 2_000);
    let _garbage = Crowd::gather(service.syslog, TOKEN, &[Manner::Garbage, Manner::Idle], 200);
    tokio::task::block_in_place(|| {
        wait_for("the crowd", || crowd.held() > CONNECTIONS / 2);
        for incident in [
            "displaced",
            "head_timeout",
            "body_timeout",
            "protocol_error",
            "unauthorized",
            "handshake_failed",
        ] {
            for n in 0..20 {
                assert_eq!(post(&format!("{incident} {n}\n")).0, 200);
            }
            wait_for(incident, || service.incidents(incident) > 0.0);
        }
        let open = service.metric_with("castmeter_receiver_connections", "transport=\"http\"");
        // Those who gave way may be on their way out.
        assert!(open < 1.1 * CONNECTIONS as f64, "{open}");
        service.wait_for_lines(120);
        let peak = service.peak_memory();
        assert!(peak < MEMORY_BYTES, "{peak} bytes");
    });
    drop(crowd);
    tokio::task::block_in_place(|| {
        let open = || service.metric_with("castmeter_receiver_connections", "transport=\"http\"");
        wait_for("the crowd to be gone", || open() < 5.0);
        assert_eq!(post("the last one\n").0, 200);
    });
}

/// Single requests, each of which is refused, counted, and costs no memory to speak of.
#[test]
fn hostile_requests_show_in_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup { config: "[http]\nhead_timeout = \"1s\"\n".to_owned(), ..Setup::new(folder.path()) };
    let service = setup.start();
    service.wait_until_ready();
    let zeros = vec![b'0'; 128 << 20];
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, &zeros).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = zstd::encode_all(&zeros[..], 1).unwrap();
    let post = |headers: &str, body: &[u8]| {
        [format!("POST /fastly HTTP/1.1\r\nhost: x\r\n{headers}\r\n\r\n").as_bytes(), body].concat()
    };
    let whole = |body: &[u8]| post(&format!("content-length: {}", body.len()), body);
    let reset = |n: u32| {
        let stream = (2 * n + 1).to_be_bytes();
        let headers = [&[0, 0, 3, 1, 4][..], &stream, &[0x83, 0x86, 0x84]].concat();
        [headers, [&[0, 0, 4, 3, 0][..], &stream, &[0, 0, 0, 8]].concat()].concat()
    };
    let rapid_reset: Vec<u8> =
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), vec![0, 0, 0, 4, 0, 0, 0, 0, 0]]
            .into_iter()
            .chain((0..2_000).map(reset))
            .flatten()
            .collect();
    let before = service.peak_memory();
    for (bytes, status, incident) in [
        (whole(&gzip), "HTTP/1.1 413 ", "ratio_too_high"),
        (whole(&zstd), "HTTP/1.1 413 ", "ratio_too_high"),
        (post("content-length: 10000000000", b""), "HTTP/1.1 413 ", "body_too_large"),
        (post("transfer-encoding: chunked", b"4\r\none\nnonsense"), "HTTP/1.1 400 ", "body_broken"),
        (post("content-length: 4\r\ncontent-length: 5", b"one\n"), "HTTP/1.1 400 ", "protocol_error"),
        (post("transfer-encoding: xchunked", b"4\r\none\n\r\n0\r\n\r\n"), "HTTP/1.1 400 ", "protocol_error"),
        (rapid_reset, "", "protocol_error"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), "", "head_timeout"),
    ] {
        let counted = service.incidents(incident);
        if status.is_empty() {
            // What comes back is HTTP/2, or nothing where the connection was cut off while it was written to.
            let mut stream = TcpStream::connect(service.http).unwrap();
            stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
            let _ = std::io::Write::write_all(&mut stream, &bytes);
            wait_for(incident, || service.incidents(incident) > counted);
        } else {
            let answer = raw_exchange(service.http, &bytes);
            assert!(answer.starts_with(status), "{incident}: {answer}");
            wait_for(incident, || service.incidents(incident) > counted);
        }
    }
    let grown = service.peak_memory() - before;
    assert!(grown < 64 << 20, "{grown} bytes for bombs of {}", zeros.len());
    assert_eq!(service.post(&[], b"x\n").0, 200);
}
