//! A small HTTP/1.1 server that answers as it is told, well or badly.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

/// What a request is answered with.
#[derive(Clone, Debug)]
pub enum Answer {
    Response {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
        cut_short: bool,
    },
    /// Nothing, until the client is gone.
    Silence,
    /// The connection is closed at once.
    HangUp,
}

impl Answer {
    pub fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::Response { status: 200, headers: Vec::new(), body: body.as_ref().to_vec(), cut_short: false }
    }

    pub fn gzip(body: impl AsRef<[u8]>) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body.as_ref()).unwrap();
        Self::ok(encoder.finish().unwrap()).header("Content-Encoding", "gzip")
    }

    pub fn status(code: u16) -> Self {
        Self::Response { status: code, headers: Vec::new(), body: Vec::new(), cut_short: false }
    }

    pub fn redirect(to: &str) -> Self {
        Self::status(302).header("Location", to)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Self::Response { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Promises the whole body, sends half of it.
    pub fn cut_short(mut self) -> Self {
        if let Self::Response { cut_short, .. } = &mut self {
            *cut_short = true;
        }
        self
    }

    /// `sent` counts the body's bytes.
    fn send(&self, stream: &mut TcpStream, sent: &mut usize) -> std::io::Result<()> {
        match self {
            Self::HangUp => Ok(()),
            Self::Silence => {
                stream.set_read_timeout(Some(Duration::from_secs(10)))?;
                std::io::copy(stream, &mut std::io::sink()).map(drop)
            }
            Self::Response { status, headers, body, cut_short } => {
                write!(stream, "HTTP/1.1 {status} Answer\r\nConnection: close\r\n")?;
                if !matches!(status, 204 | 304) {
                    write!(stream, "Content-Length: {}\r\n", body.len())?;
                }
                for (name, value) in headers {
                    write!(stream, "{name}: {value}\r\n")?;
                }
                stream.write_all(b"\r\n")?;
                for piece in body[..if *cut_short { body.len() / 2 } else { body.len() }].chunks(1 << 16) {
                    stream.write_all(piece)?;
                    *sent += piece.len();
                }
                Ok(())
            }
        }
    }
}

#[derive(Debug, Default)]
struct Script {
    answer: Option<Answer>,
    by_path: HashMap<String, Answer>,
    last_request: String,
    /// How many requests each path had.
    requests: HashMap<String, usize>,
    /// Of each path's last body, until the client had enough.
    sent_bytes: HashMap<String, usize>,
    stopped: bool,
}

/// Serves one connection after another until it is dropped.
#[derive(Debug)]
pub struct Server {
    address: std::net::SocketAddr,
    script: Arc<Mutex<Script>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = Arc::clone(&script);
        let serve = move || {
            for stream in listener.incoming() {
                if shared.lock().unwrap().stopped {
                    return;
                }
                // A client that went away is what some of the tests are about.
                let _ = stream.and_then(|stream| serve(stream, &shared));
            }
        };
        Self { address, script, thread: Some(std::thread::spawn(serve)) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What every request is answered with from now on.
    pub fn answer(&self, answer: Answer) {
        self.script.lock().unwrap().answer = Some(answer);
    }

    /// What requests for this path are answered with instead.
    pub fn answer_at(&self, path: &str, answer: Answer) {
        self.script.lock().unwrap().by_path.insert(path.to_owned(), answer);
    }

    /// The head of the last request, in lower case.
    pub fn last_request(&self) -> String {
        self.script.lock().unwrap().last_request.clone()
    }

    /// How many requests there were for this path.
    pub fn requests(&self, path: &str) -> usize {
        self.script.lock().unwrap().requests.get(path).copied().unwrap_or(0)
    }

    /// How much of the last body for this path went out until the client had enough; waits until it has.
    pub fn sent_bytes(&self, path: &str) -> usize {
        loop {
            if let Some(&sent) = self.script.lock().unwrap().sent_bytes.get(path) {
                return sent;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.script.lock().unwrap().stopped = true;
        let woken = TcpStream::connect(self.address);
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

fn serve(mut stream: TcpStream, script: &Mutex<Script>) -> std::io::Result<()> {
    let mut head = String::new();
    let mut reader = BufReader::new(stream.try_clone()?);
    while reader.read_line(&mut head)? > 2 {}
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let answer = {
        let mut script = script.lock().unwrap();
        *script.requests.entry(path.clone()).or_default() += 1;
        script.last_request = head.to_ascii_lowercase();
        script.by_path.get(&path).or(script.answer.as_ref()).cloned()
    };
    let mut sent = 0;
    let result = answer.unwrap_or(Answer::status(404)).send(&mut stream, &mut sent);
    script.lock().unwrap().sent_bytes.insert(path, sent);
    result?;
    stream.shutdown(Shutdown::Both)
}
