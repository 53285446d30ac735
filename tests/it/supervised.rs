//! The service under a service manager, played by a few lines of Python: sockets are handed over, and it is told what
//! `sd_notify(3)` has words for.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::service::{PATIENCE, Setup, raw_exchange, wait_for};

/// Opens three sockets and says their ports. Each line that it reads is the sockets' names and variables for a new
/// service: it says that one's process id, and when it has ended its exit code.
const MANAGER: &str = r#"
import os, socket, sys
sockets = [socket.socket() for _ in range(3)]
for opened in sockets:
    opened.bind(("127.0.0.1", 0))
    opened.listen(1024)
print(*(opened.getsockname()[1] for opened in sockets), flush=True)
for line in sys.stdin:
    names, *variables = line.split()
    service = os.fork()
    if service == 0:
        for at, opened in enumerate(sockets):
            os.dup2(opened.fileno(), 50 + at, inheritable=False)
        for at in range(3):
            os.dup2(50 + at, 3 + at)
        os.environ.update(variable.split("=", 1) for variable in variables)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="3", LISTEN_FDNAMES=names)
        os.execv(sys.argv[1], sys.argv[1:])
    print(service, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(service, 0)[1]), flush=True)
"#;

struct Manager {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    notified: UnixDatagram,
    /// HTTP, syslog, admin.
    addresses: [SocketAddr; 3],
    service: String,
}

impl Manager {
    fn new(setup: &Setup) -> Self {
        let service = setup.command();
        let path = setup.folder.join("notify");
        let notified = UnixDatagram::bind(&path).unwrap();
        notified.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut child = Command::new("python3")
            .args(["-c", MANAGER])
            .arg(service.get_program())
            .args(service.get_args())
            .envs(service.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "400000")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is installed");
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut ports = String::new();
        output.read_line(&mut ports).unwrap();
        let address = |port: &str| SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()));
        let addresses: Vec<_> = ports.split_whitespace().map(address).collect();
        let addresses = addresses.try_into().unwrap();
        Self { child, input, output, notified, addresses, service: String::new() }
    }

    fn start(&mut self, names_and_variables: &str) {
        writeln!(self.input, "{names_and_variables}").unwrap();
        self.service = self.next_line();
    }

    fn terminate(&mut self) {
        assert!(Command::new("kill").args(["-TERM", &self.service]).status().unwrap().success());
    }

    fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// Until it is told something that holds this; gives all of that.
    fn hears(&self, what: &str) -> String {
        let mut datagram = [0; 4096];
        loop {
            let length = self.notified.recv(&mut datagram).unwrap_or_else(|error| panic!("{what}: {error}"));
            let text = String::from_utf8_lossy(&datagram[..length]).into_owned();
            if text.contains(what) {
                return text;
            }
        }
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        // Both may have ended already.
        let _ = Command::new("kill").args(["-KILL", &self.service]).stderr(Stdio::null()).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Clients that connect all the time, each for one batch of one line.
struct Clients {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Clients {
    fn start(http: SocketAddr) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = |_| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            thread::spawn(move || {
                let request =
                    b"POST /fastly HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\nx\n";
                while !stop.load(Ordering::Relaxed) {
                    let answer = raw_exchange(http, request);
                    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let threads = (0..4).map(client).collect();
        Self { stop, answered, threads }
    }

    fn wait_for_more(&self) {
        let before = self.answered.load(Ordering::Relaxed);
        wait_for("more answers", || self.answered.load(Ordering::Relaxed) > before + 20);
    }

    /// How many were answered; all were.
    fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.threads {
            client.join().expect("every connection is answered with 200");
        }
        self.answered.load(Ordering::Relaxed)
    }
}

#[test]
fn a_restart_refuses_no_connection() {
    let folder = tempfile::tempdir().unwrap();
    let mut manager = Manager::new(&Setup::new(folder.path()));
    let [http, syslog, admin] = manager.addresses;
    // Before there is any service: the manager's sockets take the connections.
    let clients = Clients::start(http);
    let by_port = format!(
        "castmeter.socket:castmeter.socket:castmeter.socket CASTMETER_HTTP_LISTEN={http} \
         CASTMETER_SYSLOG_LISTEN=[::]:{} CASTMETER_ADMIN_LISTEN={admin}",
        syslog.port()
    );
    for sockets in ["http:syslog:admin", &by_port, "http:syslog:admin"] {
        manager.start(sockets);
        let ready = manager.hears("READY=1");
        assert!(ready.contains("STATUS=taking batches"), "{ready}");
        clients.wait_for_more();
        manager.hears("WATCHDOG=1");
        let standing = manager.hears("WATCHDOG=1");
        assert!(standing.contains("STATUS=") && standing.contains("batches taken: "), "{standing}");
        manager.hears("STATUS=ready; ");
        manager.terminate();
        manager.hears("STOPPING=1");
        assert_eq!(manager.next_line(), "0", "the exit code");
        thread::sleep(Duration::from_millis(100));
    }
    manager.start("http:syslog:admin");
    clients.wait_for_more();
    let answered = clients.stop();
    manager.terminate();
    assert_eq!(manager.next_line(), "0");

    let database = format!("sqlite:{}", folder.path().join("data/castmeter.sqlite").display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lines: i64 = runtime.block_on(async {
        let pool = sqlx::SqlitePool::connect(&database).await.unwrap();
        sqlx::query_scalar("SELECT sum(requests) FROM fate_day").fetch_one(&pool).await.unwrap()
    });
    assert_eq!(usize::try_from(lines), Ok(answered), "what was answered was counted, once");
}

#[test]
fn a_socket_that_no_setting_is_for_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut manager = Manager::new(&Setup::new(folder.path()));
    manager.start("http:syslog:colour");
    assert_eq!(manager.next_line(), "64");
}
