//! Senders that people really use: curl, Python, rsyslog, syslog-ng and h2load.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use castmeter::receiver::{HttpSettings, SyslogSettings, Tail, TlsSettings};
use castmeter::units::Encoding;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::http::gzip;
use crate::rig::{Rig, until, within};
use crate::tls::Papers;

/// Where the senders that are not installed are unpacked.
fn tools() -> &'static Path {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let status = std::process::Command::new(root.join("tests/tools.sh")).status().unwrap();
        assert!(status.success(), "tests/tools.sh");
        root.join("target/tools")
    })
}

/// One of them, with the libraries it needs.
fn tool(path: &str) -> Command {
    let libraries =
        ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/syslog-ng", "usr/lib/syslog-ng/3.38"];
    let libraries: Vec<_> =
        libraries.iter().map(|folder| tools().join(folder).display().to_string()).collect();
    let mut command = Command::new(tools().join(path));
    command.env("LD_LIBRARY_PATH", libraries.join(":")).kill_on_drop(true);
    command
}

fn lines(count: usize) -> String {
    let line =
        |n| format!("{{\"v\":1,\"id\":\"{n}\",\"url\":\"/show/episode-{}.mp3?x=\\\"y\\\"\"}}\n", n % 7);
    (0..count).map(line).collect()
}

async fn curl(rig: &Rig, host: &str, arguments: &[&str]) -> String {
    let url = format!("http://{host}:{}/fastly", rig.address.port());
    let curl =
        Command::new("curl").args(["--silent", "--show-error", "--fail"]).args(arguments).arg(url).output();
    let output = within(curl).await.expect("curl is installed");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[tokio::test]
async fn curl_in_every_way() {
    let rig = Rig::http_at(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)), HttpSettings::default());
    let plain = lines(10_000);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let bodies = [
        ("identity", Encoding::Identity, file("plain", plain.as_bytes())),
        ("gzip", Encoding::Gzip, file("gzip", &gzip(plain.as_bytes()))),
        ("zstd", Encoding::Zstd, file("zstd", &zstd::encode_all(plain.as_bytes(), 3).unwrap())),
    ];
    for (name, encoding, path) in &bodies {
        let coding = format!("Content-Encoding: {name}");
        let data = format!("@{path}");
        let post = ["-H", &coding, "--data-binary", &data];
        let chunked = [&post[..], &["-H", "Transfer-Encoding: chunked"]].concat();
        let put = ["-H", &coding, "--upload-file", path];
        for arguments in [&post[..], &chunked, &put, &["-H", "Expect:", "--data-binary", &data]] {
            for version in ["--http1.1", "--http2-prior-knowledge"] {
                for host in ["127.0.0.1", "[::1]"] {
                    let answer = curl(&rig, host, &[arguments, &[version]].concat()).await;
                    let shown = format!("{arguments:?} {version} {host}");
                    assert_eq!(answer, format!("{{\"accepted_bytes\":{}}}", plain.len()), "{shown}");
                    let batch = rig.memory.take_batches().pop().unwrap();
                    assert_eq!((batch.encoding, batch.tail), (*encoding, Tail::Whole), "{shown}");
                    assert_eq!(batch.lines, plain, "{shown}");
                }
            }
        }
    }
}

#[tokio::test]
async fn python_in_chunks_over_one_connection() {
    const SCRIPT: &str = r#"
import gzip, http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
for n in range(50):
    body = gzip.compress(b"".join(b"%d %d\n" % (n, k) for k in range(1000)))
    pieces = (body[at:at + 777] for at in range(0, len(body), 777))
    connection.request("POST", "/fastly", pieces, {"Content-Encoding": "gzip"}, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    answer.read()
"#;
    let rig = Rig::http(HttpSettings::default());
    let python = Command::new("python3").args(["-c", SCRIPT, &rig.address.port().to_string()]).status();
    assert!(within(python).await.expect("python3 is installed").success());
    let expected: String = (0..50).flat_map(|n| (0..1_000).map(move |k| format!("{n} {k}\n"))).collect();
    assert_eq!(rig.memory.text(), expected);
}

#[tokio::test]
async fn h2load_with_many_streams() {
    let rig = Rig::http(HttpSettings::default());
    let body = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(body.path(), lines(100)).unwrap();
    for version in ["--h1", "--npn-list=h2"] {
        let output = tool("usr/bin/h2load")
            .args(["-n", "2000", "-c", "20", "-m", "10", version, "-d"])
            .arg(body.path())
            .arg(format!("http://{}/fastly", rig.address))
            .output();
        let output = String::from_utf8(within(output).await.unwrap().stdout).unwrap();
        assert!(output.contains("2000 succeeded, 0 failed, 0 errored"), "{version}: {output}");
        assert!(output.contains("status codes: 2000 2xx"), "{version}: {output}");
        let batches = rig.memory.take_batches();
        assert_eq!(batches.len(), 2_000, "{version}");
        assert!(batches.iter().all(|batch| batch.lines == lines(100)), "{version}");
    }
    assert_eq!(rig.memory.incidents(), []);
}

/// A syslog receiver with TLS or without.
fn syslog(tls: Option<TlsSettings>, octet_counting: bool) -> Rig {
    let batch_interval = Duration::from_millis(20);
    Rig::syslog(SyslogSettings { tls, octet_counting, batch_interval, ..SyslogSettings::default() })
}

/// What a sender's lines must have become; both put `<134>` before each.
fn expected(plain: &str) -> String {
    plain.lines().map(|line| format!("<134>{line}\n")).collect()
}

#[tokio::test]
async fn rsyslog_over_tcp_and_tls() {
    let papers = Papers::new();
    let plain = lines(5_000);
    for (tls, framing) in [(false, "traditional"), (false, "octet-counted"), (true, "traditional")] {
        let rig = syslog(tls.then(|| papers.settings(false)), framing == "octet-counted");
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("input.log");
        std::fs::write(&input, &plain).unwrap();
        let driver = format!(
            r#"StreamDriver="ossl" StreamDriverMode="1" StreamDriverAuthMode="x509/name"
               StreamDriverPermittedPeers="localhost" StreamDriver.CAFile="{}""#,
            papers.path("authority.pem").display()
        );
        let configuration = format!(
            r#"global(workDirectory="{folder}" maxMessageSize="64k" defaultNetstreamDriverCAFile="{authority}")
               module(load="imfile" mode="polling" pollingInterval="1")
               template(name="as-it-is" type="string" string="<134>%rawmsg%\n")
               template(name="counted" type="string" string="<134>%rawmsg%")
               input(type="imfile" file="{input}" tag="x" freshStartTail="off")
               action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="{framing}"
                      template="{template}" {driver})
            "#,
            folder = folder.path().display(),
            authority = papers.path("authority.pem").display(),
            input = input.display(),
            port = rig.address.port(),
            template = if framing == "traditional" { "as-it-is" } else { "counted" },
            driver = if tls { &driver } else { "" },
        );
        let file = folder.path().join("rsyslog.conf");
        std::fs::write(&file, configuration).unwrap();
        let mut sender = tool("usr/sbin/rsyslogd");
        sender.args(["-n", "-i"]).arg(folder.path().join("pid")).arg("-f").arg(file);
        sender.arg("-M").arg(tools().join("usr/lib/x86_64-linux-gnu/rsyslog"));
        let sender = sender.spawn().unwrap();
        let expected = expected(&plain);
        until(|| rig.memory.text().len() >= expected.len()).await;
        assert_eq!(rig.memory.text(), expected, "TLS {tls}, {framing}");
        drop(sender);
    }
}

#[tokio::test]
async fn syslog_ng_over_tcp_and_tls() {
    let papers = Papers::new();
    let plain = lines(5_000);
    for tls in [false, true] {
        let rig = syslog(tls.then(|| papers.settings(false)), false);
        let folder = tempfile::tempdir().unwrap();
        let transport = match tls {
            true => format!(
                r#"transport("tls") tls(ca-file("{}") peer-verify(required-trusted))"#,
                papers.path("authority.pem").display()
            ),
            false => r#"transport("tcp")"#.to_owned(),
        };
        let configuration = format!(
            r#"@version: 3.38
               source input {{ stdin(flags(no-parse) log-msg-size(65536)); }};
               destination receiver {{
                   network("localhost" port({}) {transport} template("<134>${{MSG}}\n"));
               }};
               log {{ source(input); destination(receiver); }};
            "#,
            rig.address.port()
        );
        let file = folder.path().join("syslog-ng.conf");
        std::fs::write(&file, configuration).unwrap();
        let in_folder = |name: &str| folder.path().join(name);
        let mut sender = tool("usr/sbin/syslog-ng")
            .args(["--foreground", "--no-caps", "--cfgfile"])
            .arg(file)
            .arg("--module-path")
            .arg(tools().join("usr/lib/syslog-ng/3.38"))
            .arg("--persist-file")
            .arg(in_folder("persist"))
            .arg("--pidfile")
            .arg(in_folder("pid"))
            .arg("--control")
            .arg(in_folder("control"))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = sender.stdin.take().unwrap();
        stdin.write_all(plain.as_bytes()).await.unwrap();
        let expected = expected(&plain);
        until(|| rig.memory.text().len() >= expected.len()).await;
        assert_eq!(rig.memory.text(), expected, "TLS {tls}");
    }
}
