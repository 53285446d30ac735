//! A network between the store and Postgres that fails on demand.

use std::path::Path;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// What the network does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    #[default]
    None,
    /// Once: the connection is cut instead of passing on a COMMIT.
    BeforeCommit,
    /// Once: the connection is cut when the server has answered a COMMIT; the answer is lost.
    AfterCommit,
    /// Nothing that the store sends arrives.
    Silence,
}

pub struct Proxy {
    folder: TempDir,
    fault: Arc<Mutex<Fault>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Before the server whose socket lies in `server`.
    pub fn start(server: &Path) -> Self {
        let folder = TempDir::new().expect("a folder");
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).expect("a socket");
        let server = server.join(".s.PGSQL.5432");
        let fault = Arc::new(Mutex::new(Fault::None));
        let armed = fault.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&server).await.expect("the server listens");
                tokio::spawn(pass(client, server, armed.clone()));
            }
        });
        Self { folder, fault, accepting }
    }

    /// The same database through this proxy.
    pub fn url(&self, database_url: &str) -> String {
        let (before, _) = database_url.split_once("?host=").expect("a socket's URL");
        format!("{before}?host={}", self.folder.path().display())
    }

    pub fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    /// Whether a fault that happens once is still to come.
    pub fn is_armed(&self) -> bool {
        *self.fault.lock().unwrap() != Fault::None
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Until either side closes, or the fault cuts the connection.
async fn pass(mut client: UnixStream, mut server: UnixStream, fault: Arc<Mutex<Fault>>) {
    let (mut question, mut answer) = ([0; 65536], [0; 65536]);
    let mut losing = false;
    loop {
        tokio::select! {
            read = client.read(&mut question) => {
                let Ok(length @ 1..) = read else { return };
                let bytes = &question[..length];
                let now = *fault.lock().unwrap();
                match now {
                    Fault::Silence => continue,
                    Fault::BeforeCommit if holds_commit(bytes) => {
                        *fault.lock().unwrap() = Fault::None;
                        return;
                    }
                    Fault::AfterCommit if holds_commit(bytes) => losing = true,
                    _ => (),
                }
                if server.write_all(bytes).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answer) => {
                let Ok(length @ 1..) = read else { return };
                if losing && holds_commit(&answer[..length]) {
                    *fault.lock().unwrap() = Fault::None;
                    return;
                }
                if client.write_all(&answer[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// The statement, or the tag that answers it.
fn holds_commit(bytes: &[u8]) -> bool {
    bytes.windows(6).any(|window| window == b"COMMIT")
}
