//! Sockets that a service manager hands over, here played by a few lines of Python.
//!
//! The process that gets them must be a new one: this test's own program, started again for one test only.

use castmeter::receiver::{HandedOver, HttpSettings, Which};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::rig::{Rig, answer, post, until, within};

/// Set in the process that gets the sockets.
const IS_SERVICE: &str = "CASTMETER_TEST_IS_SERVICE";

/// Opens two sockets, says the second's port, waits for a line, makes them numbers 3 and 4, and becomes
/// the service.
const MANAGER: &str = r#"
import os, socket, sys
a, b = socket.socket(), socket.socket()
a.bind(("127.0.0.1", 0)); a.listen()
b.bind(("127.0.0.1", 0)); b.listen()
print(b.getsockname()[1], flush=True)
sys.stdin.readline()
os.dup2(a.fileno(), 53), os.dup2(b.fileno(), 54)
os.dup2(53, 3), os.dup2(54, 4)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="other:http")
os.execv(sys.argv[1], sys.argv[1:])
"#;

#[tokio::test]
async fn sockets_are_found_by_name_and_connections_wait_for_the_service() {
    if std::env::var_os(IS_SERVICE).is_some() {
        return serve_one_batch().await;
    }
    let this = std::env::current_exe().unwrap();
    let name = "handed_over::sockets_are_found_by_name_and_connections_wait_for_the_service";
    let mut manager = Command::new("python3")
        .args(["-c", MANAGER])
        .arg(this)
        .args(["--exact", name])
        .env(IS_SERVICE, "1")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("python3 is installed");
    let mut output = BufReader::new(manager.stdout.take().unwrap());
    let mut port = String::new();
    within(output.read_line(&mut port)).await.unwrap();

    // The service is not there yet, but its socket is.
    let mut stream = TcpStream::connect(format!("127.0.0.1:{}", port.trim())).await.unwrap();
    stream.write_all(&post("/fastly HTTP/1.1", "x\n")).await.unwrap();
    let mut input = manager.stdin.take().unwrap();
    input.write_all(b"\n").await.unwrap();
    assert_eq!(answer(&mut stream).await.status, 200);
    drop(stream);
    assert!(within(manager.wait()).await.unwrap().success());
}

async fn serve_one_batch() {
    let mut sockets = HandedOver::from_environment().unwrap();
    let names = |sockets: &HandedOver| {
        sockets.left_over().iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&sockets), ["other", "http"]);
    assert!(sockets.listeners(Which::Named("syslog")).unwrap().is_empty());
    assert!(sockets.datagram_sockets(Which::Named("http")).unwrap().is_empty(), "of another kind");
    let listener = sockets.listeners(Which::Named("http")).unwrap().pop().unwrap();
    assert_eq!(names(&sockets), ["other"]);
    let address = sockets.left_over()[0].1;
    assert_eq!(sockets.listeners(Which::At(address)).unwrap().len(), 1);
    assert!(names(&sockets).is_empty());
    let rig = Rig::http_on(listener, HttpSettings::default());
    until(|| !rig.memory.batches().is_empty()).await;
    rig.ended().await;
}

#[tokio::test]
async fn without_a_manager_there_are_none() {
    let mut sockets = HandedOver::from_environment().unwrap();
    assert!(sockets.listeners(Which::Named("http")).unwrap().is_empty());
    assert!(sockets.datagram_sockets(Which::Named("http")).unwrap().is_empty());
    assert!(sockets.left_over().is_empty());
}
