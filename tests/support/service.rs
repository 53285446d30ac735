//! The real binary as a service: started on free ports with a data folder of its own, driven over its sockets.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
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
    /// Programs to start it through, with their arguments: `nsenter` and the like.
    pub through: Vec<OsString>,
    pub environment: Vec<(&'static str, OsString)>,
    /// Where its log is added to; else it is shown.
    pub log: Option<PathBuf>,
}

impl Setup {
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            database_url: None,
            config: String::new(),
            through: Vec::new(),
            environment: Vec::new(),
            log: None,
        }
    }

    /// With the secret that all such have: of thousands of listeners the same two, if any, look like one in each.
    pub fn with_shared_secret(self) -> Self {
        std::fs::create_dir_all(self.data()).unwrap();
        std::fs::write(self.data().join("secret"), "5eed".repeat(8)).unwrap();
        self
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Where the sums end up.
    pub fn database_url(&self) -> String {
        let embedded = || format!("sqlite:{}", self.data().join("castmeter.sqlite").display());
        self.database_url.clone().unwrap_or_else(embedded)
    }

    pub fn start(&self) -> Service {
        self.begin().until_it_listens()
    }

    /// Starts the process, and waits for nothing.
    pub fn begin(&self) -> Starting {
        let log =
            self.log.as_ref().map(|path| OpenOptions::new().create(true).append(true).open(path).unwrap());
        Starting::new(self.command().spawn().unwrap(), log)
    }

    /// `castmeter serve` on free ports, not started yet.
    pub fn command(&self) -> Command {
        let config = self.folder.join("castmeter.toml");
        std::fs::write(&config, &self.config).unwrap();
        let mut command = match self.through.split_first() {
            None => castmeter(),
            Some((program, arguments)) => {
                let mut command = without_settings(Command::new(program));
                command.args(arguments).arg(BINARY);
                command
            }
        };
        command
            .current_dir(&self.folder)
            .arg("serve")
            .arg("--config")
            .arg(&config)
            .env("CASTMETER_DATA_DIR", self.data())
            .env("CASTMETER_LOGGING_FORMAT", "json")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stderr(Stdio::piped());
        if !self.config.contains("flush_interval") {
            command.env("CASTMETER_STORE_FLUSH_INTERVAL", "100ms");
        }
        for listener in ["HTTP", "SYSLOG", "ADMIN"] {
            command.env(format!("CASTMETER_{listener}_LISTEN"), "127.0.0.1:0");
        }
        if let Some(url) = &self.database_url {
            command.env("DATABASE_URL", url);
        }
        command
    }
}

const BINARY: &str = env!("CARGO_BIN_EXE_castmeter");

/// The binary under test, without any settings of the machine's.
pub fn castmeter() -> Command {
    without_settings(Command::new(BINARY))
}

fn without_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CASTMETER_")) {
        command.env_remove(name);
    }
    command.env_remove("DATABASE_URL").env_remove("RUST_LOG");
    command
}

/// Where a service listens.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    pub http: SocketAddr,
    pub syslog: SocketAddr,
    pub admin: SocketAddr,
}

/// A service that was started and may not listen yet; killed when dropped.
pub struct Starting {
    process: Process,
    said: Said,
    addresses: mpsc::Receiver<Addresses>,
}

impl Starting {
    fn new(mut child: Child, log: Option<File>) -> Self {
        let stderr = child.stderr.take().unwrap();
        let (found, addresses) = mpsc::channel();
        // Reads on to the end, so that the service never waits for its log to be read.
        let said = Said::default();
        let reading = {
            let said = Arc::clone(&said);
            thread::spawn(move || read_log(stderr, log, &said, &found))
        };
        Self { process: Process { child, reading: Some(reading) }, said, addresses }
    }

    /// Where it listens, once it does within that time.
    pub fn addresses(&self, patience: Duration) -> Option<Addresses> {
        self.addresses.recv_timeout(patience).ok()
    }

    pub fn until_it_listens(self) -> Service {
        let addresses = self.addresses(PATIENCE).expect("the service says where it listens");
        self.listening(addresses)
    }

    /// With what [`Self::addresses`] gave.
    pub fn listening(self, addresses: Addresses) -> Service {
        let Addresses { http, syslog, admin } = addresses;
        Service { process: self.process, said: self.said, http, syslog, admin }
    }
}

/// A process and the thread that reads its log.
struct Process {
    child: Child,
    reading: Option<thread::JoinHandle<()>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.reading.take().into_iter().for_each(|reading| drop(reading.join()));
    }
}

/// What a service logged so far.
type Said = Arc<Mutex<Vec<Value>>>;

fn read_log(stderr: ChildStderr, mut log: Option<File>, said: &Said, found: &mpsc::Sender<Addresses>) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if let Some(addresses) = addresses_in(&line) {
            let _ = found.send(addresses);
        }
        said.lock().unwrap().extend(serde_json::from_str::<Value>(&line));
        match &mut log {
            Some(log) => writeln!(log, "{line}").unwrap(),
            None => eprintln!("castmeter: {line}"),
        }
    }
}

fn addresses_in(line: &str) -> Option<Addresses> {
    let fields = &serde_json::from_str::<Value>(line).ok()?["fields"];
    let address = |name: &str| fields[name].as_str()?.parse().ok();
    Some(Addresses { http: address("http")?, syslog: address("syslog")?, admin: address("admin")? })
}

/// A service that listens; killed when dropped.
pub struct Service {
    process: Process,
    said: Said,
    pub http: SocketAddr,
    pub syslog: SocketAddr,
    pub admin: SocketAddr,
}

impl Service {
    /// Posts a batch; gives the status and the answer's body.
    pub fn post(&self, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
        let answer = post(self.http, headers, body).unwrap();
        (answer.status, answer.body)
    }

    pub fn get(&self, from: SocketAddr, path: &str) -> (u16, String) {
        let head = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        let answer = exchange(from, &head, b"").unwrap();
        (answer.status, answer.body)
    }

    /// Until `/readyz` says so.
    pub fn wait_until_ready(&self) {
        wait_for("the service to be ready", || self.get(self.admin, "/readyz").0 == 200);
    }

    /// The fields of what was logged with that message so far.
    pub fn logged(&self, message: &str) -> Vec<Value> {
        let said = self.said.lock().unwrap();
        let fields = said.iter().map(|line| &line["fields"]);
        fields.filter(|fields| fields["message"] == message).cloned().collect()
    }

    /// Until there is a message, and then its fields.
    pub fn wait_for_log(&self, message: &str) -> Value {
        wait_for(message, || !self.logged(message).is_empty());
        self.logged(message).swap_remove(0)
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
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    }

    /// The processor time that the process has used so far.
    pub fn processor_time(&self) -> Duration {
        const TICK: Duration = Duration::from_millis(10);
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.child.id())).unwrap();
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
        self.terminate();
        self.process.child.wait().unwrap()
    }

    /// Sends SIGTERM and waits for nothing.
    pub fn terminate(&self) {
        let pid = self.process.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.process.child.try_wait().unwrap()
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

/// What an HTTP server said.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// Posts a batch. An error where the connection ended without a whole head: then nothing is known.
pub fn post(to: SocketAddr, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
    let mut head = format!("POST /fastly HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    exchange(to, &format!("{head}connection: close\r\n\r\n"), body)
}

pub fn exchange(to: SocketAddr, head: &str, body: &[u8]) -> io::Result<Answer> {
    let answer = try_raw_exchange(to, &[head.as_bytes(), body].concat())?;
    let cut = || io::Error::new(io::ErrorKind::UnexpectedEof, format!("no HTTP answer: {answer:?}"));
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(cut)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(cut)?;
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

/// Sends bytes over a new connection; gives all that comes until the other side closes it.
pub fn raw_exchange(to: SocketAddr, bytes: &[u8]) -> String {
    try_raw_exchange(to, bytes).unwrap()
}

fn try_raw_exchange(to: SocketAddr, bytes: &[u8]) -> io::Result<String> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(bytes)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
