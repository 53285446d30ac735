//! The real binary as a service: started on free ports with a data folder of its own, driven over its sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// How long anything may take before a test gives up on it; far more than it takes.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A configuration file and what else a service is started with.
pub struct Setup {
    pub folder: PathBuf,
    pub database_url: Option<String>,
    /// TOML, beside the addresses and the data folder.
    pub config: String,
}

impl Setup {
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), database_url: None, config: String::new() }
    }

    /// Where the sums end up.
    pub fn database_url(&self) -> String {
        let embedded = || format!("sqlite:{}", self.folder.join("data/castmeter.sqlite").display());
        self.database_url.clone().unwrap_or_else(embedded)
    }

    pub fn start(&self) -> Service {
        Service::new(self.command().spawn().unwrap())
    }

    /// `castmeter serve` on free ports, not started yet.
    pub fn command(&self) -> Command {
        let config = self.folder.join("castmeter.toml");
        std::fs::write(&config, &self.config).unwrap();
        let mut command = castmeter();
        command
            .arg("serve")
            .arg("--config")
            .arg(&config)
            .env("CASTMETER_DATA_DIR", self.folder.join("data"))
            .env("CASTMETER_LOGGING_FORMAT", "json")
            .env("CASTMETER_STORE_FLUSH_INTERVAL", "100ms")
            .stderr(Stdio::piped());
        for listener in ["HTTP", "SYSLOG", "ADMIN"] {
            command.env(format!("CASTMETER_{listener}_LISTEN"), "127.0.0.1:0");
        }
        if let Some(url) = &self.database_url {
            command.env("DATABASE_URL", url);
        }
        command
    }
}

/// The binary under test, without any settings of the machine's.
pub fn castmeter() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_castmeter"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CASTMETER_")) {
        command.env_remove(name);
    }
    command.env_remove("DATABASE_URL").env_remove("RUST_LOG");
    command
}

/// A service that runs; killed when dropped.
pub struct Service {
    child: Child,
    pub http: SocketAddr,
    pub syslog: SocketAddr,
    pub admin: SocketAddr,
}

impl Service {
    fn new(mut child: Child) -> Self {
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (found, addresses) = mpsc::channel();
        // Reads on to the end, so that the service never waits for its log to be read.
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if let Some(addresses) = addresses_in(&line) {
                    let _ = found.send(addresses);
                }
                eprintln!("castmeter: {line}");
            }
        });
        let [http, syslog, admin] =
            addresses.recv_timeout(PATIENCE).expect("the service says where it listens");
        Self { child, http, syslog, admin }
    }

    /// Posts a batch; gives the status and the answer's body.
    pub fn post(&self, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
        let mut head = format!("POST /fastly HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        exchange(self.http, &format!("{head}connection: close\r\n\r\n"), body)
    }

    pub fn get(&self, from: SocketAddr, path: &str) -> (u16, String) {
        exchange(from, &format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"), b"")
    }

    /// Until `/readyz` says so.
    pub fn wait_until_ready(&self) {
        wait_for("the service to be ready", || self.get(self.admin, "/readyz").0 == 200);
    }

    /// A metric's value, summed over its labels.
    pub fn metric(&self, name: &str) -> f64 {
        self.metric_with(name, "")
    }

    /// The same over the samples whose labels hold this text.
    pub fn metric_with(&self, name: &str, label: &str) -> f64 {
        let (status, page) = self.get(self.admin, "/metrics");
        assert_eq!(status, 200);
        let sample = |line: &str| {
            let rest = line.strip_prefix(name)?;
            let is_meant = rest.starts_with(['{', ' ']) && rest.contains(label);
            is_meant.then(|| rest.rsplit(' ').next()?.parse::<f64>().ok())?
        };
        page.lines().filter_map(sample).sum()
    }

    /// How often a receiver refused or met something.
    pub fn incidents(&self, incident: &str) -> f64 {
        self.metric_with("castmeter_receiver_incidents_total", &format!("incident=\"{incident}\""))
    }

    /// The most memory that the process has held so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    }

    /// The processor time that the process has used so far.
    pub fn processor_time(&self) -> Duration {
        const TICK: Duration = Duration::from_millis(10);
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The program's name, in brackets, may hold spaces; then fields 14 and 15 are the ticks in user and kernel.
        let fields = stat.rsplit(')').next().unwrap().split_whitespace();
        let ticks: u32 = fields.skip(11).take(2).map(|ticks| ticks.parse::<u32>().unwrap()).sum();
        TICK * ticks
    }

    /// Until so many lines were counted.
    pub fn wait_for_lines(&self, lines: u64) {
        let counted = || self.metric("castmeter_lines_received_total") >= lines as f64;
        wait_for(&format!("{lines} lines to be counted"), counted);
    }

    /// SIGTERM, as a service manager stops it.
    pub fn stop(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Polls until something holds.
pub fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let pause = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    while !holds() {
        assert!(waited < PATIENCE, "waited in vain for {what}");
        thread::sleep(pause);
        waited += pause;
    }
}

fn addresses_in(line: &str) -> Option<[SocketAddr; 3]> {
    let fields = &serde_json::from_str::<Value>(line).ok()?["fields"];
    let address = |name: &str| fields[name].as_str()?.parse().ok();
    Some([address("http")?, address("syslog")?, address("admin")?])
}

fn exchange(to: SocketAddr, head: &str, body: &[u8]) -> (u16, String) {
    let answer = raw_exchange(to, &[head.as_bytes(), body].concat());
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned());
    (status.unwrap_or_else(|| panic!("no HTTP answer: {answer:?}")), body)
}

/// Sends bytes over a new connection; gives all that comes until the other side closes it.
pub fn raw_exchange(to: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
