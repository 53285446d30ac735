//! TLS for both receivers: negotiation, client certificates, new certificates while running, and nonsense.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use castmeter::receiver::{Event, HttpSettings, Incident, SyslogSettings, Tail, TlsSettings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::rig::{Rig, is_closed, until, within};

/// A folder with an authority and certificates of its own.
pub struct Papers {
    folder: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Papers {
    pub fn new() -> Self {
        let mut params = named("authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let papers = Self { folder: tempfile::tempdir().unwrap(), authority };
        std::fs::write(papers.path("authority.pem"), papers.authority.pem()).unwrap();
        papers.issue("server", "localhost");
        papers.issue("client", "client");
        papers
    }

    /// Writes `NAME.pem` and `NAME.key`, over what is there.
    fn issue(&self, name: &str, subject: &str) {
        let key = KeyPair::generate().unwrap();
        let params = named(subject);
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn settings(&self, with_clients: bool) -> TlsSettings {
        TlsSettings {
            certificate: self.path("server.pem"),
            key: self.path("server.key"),
            client_authority: with_clients.then(|| self.path("authority.pem")),
            handshake_timeout: Duration::from_millis(500),
            reload_interval: Duration::from_millis(10),
        }
    }

    fn http(&self, with_clients: bool) -> Rig {
        Rig::http(HttpSettings { tls: Some(self.settings(with_clients)), ..HttpSettings::default() })
    }

    /// Runs curl against a path with more arguments; its output is the status, the version and the answer.
    async fn curl(&self, rig: &Rig, path: &str, arguments: &[&str]) -> String {
        let port = rig.address.port();
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--write-out", "%{http_code} %{http_version} "])
            .args(["--output", "-", "--cacert"])
            .arg(self.path("authority.pem"))
            .args(["--connect-to", &format!("localhost:443:127.0.0.1:{port}")])
            .args(arguments)
            .arg(format!("https://localhost{path}"));
        let output = within(curl.output()).await.expect("curl is installed");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned()
    }

    /// Pipes lines into `openssl s_client`, which then hangs up.
    async fn s_client(&self, rig: &Rig, arguments: &[&Path], input: &str) -> Output {
        let mut client = Command::new("openssl")
            .args(["s_client", "-quiet", "-no_ign_eof", "-verify_return_error", "-servername", "localhost"])
            .args(["-connect", &rig.address.to_string(), "-CAfile"])
            .arg(self.path("authority.pem"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("openssl is installed");
        let mut stdin = client.stdin.take().unwrap();
        drop(stdin.write_all(input.as_bytes()).await);
        drop(stdin);
        within(client.wait_with_output()).await.unwrap()
    }
}

/// A certificate for a name, which is its alternative name too.
fn named(subject: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![subject.to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject);
    params
}

const BATCH: [&str; 2] = ["--data-binary", "one\ntwo\n"];
const TAKEN: &str = "{\"accepted_bytes\":8}";

#[tokio::test]
async fn both_versions_are_negotiated() {
    let papers = Papers::new();
    let rig = papers.http(false);
    for (choice, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let got = papers.curl(&rig, "/fastly", &[&BATCH[..], &[choice]].concat()).await;
        assert_eq!(got, format!("{TAKEN}200 {version}"), "{choice}");
    }
    for limit in ["1.2", "1.3"] {
        let got = papers.curl(&rig, "/fastly", &[&BATCH[..], &["--tls-max", limit]].concat()).await;
        assert_eq!(got, format!("{TAKEN}200 2"), "TLS {limit}");
    }
    assert_eq!(rig.memory.text(), "one\ntwo\n".repeat(4));
}

#[tokio::test]
async fn a_client_certificate_is_needed_to_send_but_not_for_the_challenge() {
    let papers = Papers::new();
    let rig = papers.http(true);
    let (certificate, key) = (papers.path("client.pem"), papers.path("client.key"));
    let shown = ["--cert", certificate.to_str().unwrap(), "--key", key.to_str().unwrap()];
    assert_eq!(papers.curl(&rig, "/fastly", &[&BATCH[..], &shown].concat()).await, format!("{TAKEN}200 2"));
    let without = papers.curl(&rig, "/fastly", &BATCH).await;
    assert!(without.contains("a client certificate is needed") && without.ends_with("401 2"), "{without}");
    let challenge = papers.curl(&rig, "/.well-known/fastly/logging/challenge", &[]).await;
    assert_eq!(challenge, "*\n200 2");

    let strangers = Papers::new();
    let (certificate, key) = (strangers.path("client.pem"), strangers.path("client.key"));
    let strange = ["--cert", certificate.to_str().unwrap(), "--key", key.to_str().unwrap()];
    let refused = papers.curl(&rig, "/fastly", &[&BATCH[..], &strange].concat()).await;
    assert!(refused.contains("000 0"), "{refused}");
    until(|| rig.memory.count(Event::Incident(Incident::HandshakeFailed)) == 1).await;
    assert_eq!(rig.memory.batches().len(), 1);
}

#[tokio::test]
async fn a_new_certificate_is_taken_without_dropping_connections() {
    let papers = Papers::new();
    let rig = papers.http(false);
    let serial =
        async || papers.curl(&rig, "/fastly", &["-X", "PUT", "-d", "x", "--write-out", "%{certs}"]).await;
    let first = serial().await;
    assert!(first.contains("BEGIN CERTIFICATE"), "{first}");
    assert_eq!(serial().await, first);

    // A certificate without its key changes nothing, and is reported.
    let key = std::fs::read(papers.path("server.key")).unwrap();
    papers.issue("server", "localhost");
    let new_key = std::fs::read(papers.path("server.key")).unwrap();
    std::fs::write(papers.path("server.key"), key).unwrap();
    let rejected = Event::Incident(Incident::CertificateRejected);
    until(|| rig.memory.count(rejected) > 0).await;
    assert_eq!(serial().await, first);

    std::fs::write(papers.path("server.key"), new_key).unwrap();
    within(async {
        while serial().await == first {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_no_handshake_is_counted_and_closed() {
    let papers = Papers::new();
    let rig = papers.http(false);
    let shapes: [&[u8]; 4] = [b"POST /fastly HTTP/1.1\r\n\r\n", &[0x16; 70_000], &[0; 100], b"\x16\x03\x01"];
    for (count, shape) in shapes.into_iter().enumerate() {
        let mut stream = rig.connect().await;
        drop(stream.write_all(shape).await);
        let failed = || rig.memory.count(Event::Incident(Incident::HandshakeFailed));
        until(|| failed() == count + 1).await;
    }
    until(|| rig.memory.open_connections() == 0).await;
    let got = papers.curl(&rig, "/fastly", &BATCH).await;
    assert_eq!(got, format!("{TAKEN}200 2"), "others are served");
}

#[tokio::test]
async fn a_handshake_does_not_hold_up_the_end() {
    let papers = Papers::new();
    let settings = TlsSettings { handshake_timeout: Duration::from_secs(3_600), ..papers.settings(false) };
    let rig = Rig::http(HttpSettings { tls: Some(settings), ..HttpSettings::default() });
    let mut stream = rig.connect().await;
    until(|| rig.memory.open_connections() == 1).await;
    rig.ended().await;
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn syslog_over_tls() {
    let papers = Papers::new();
    let batch_interval = Duration::from_millis(10);
    let tls = Some(papers.settings(false));
    let rig = Rig::syslog(SyslogSettings { tls, batch_interval, ..SyslogSettings::default() });
    papers.s_client(&rig, &[], "one\ntwo\nthr").await;
    until(|| rig.memory.text() == "one\ntwo\nthr").await;
    assert_eq!(rig.memory.batches().pop().unwrap().tail, Tail::Truncated);
    assert_eq!(rig.memory.incidents(), [Incident::LineTruncated]);
}

#[tokio::test]
async fn syslog_with_client_certificates_takes_nothing_from_strangers() {
    let papers = Papers::new();
    let tls = Some(papers.settings(true));
    let rig = Rig::syslog(SyslogSettings { tls, ..SyslogSettings::default() });
    papers.s_client(&rig, &[], "stranger\n").await;
    until(|| rig.memory.count(Event::Incident(Incident::HandshakeFailed)) == 1).await;
    let (certificate, key) = (papers.path("client.pem"), papers.path("client.key"));
    papers.s_client(&rig, &["-cert".as_ref(), &certificate, "-key".as_ref(), &key], "friend\n").await;
    until(|| rig.memory.text() == "friend\n").await;
}
