//! A crowd of clients that mean no good: each holds one connection, in its own manner, and comes back when it is closed.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// They come from so many addresses, `127.0.0.2` and following.
const ADDRESSES: usize = 8;
/// How often slow ones send a byte.
const SLOWNESS: Duration = Duration::from_secs(1);
/// How long until somebody who was sent away is back.
const RETURN_AFTER: Duration = Duration::from_secs(5);

/// What somebody does with a connection.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    /// Nothing.
    Idle,
    /// Sends a head, a byte at a time (slowloris).
    SlowHead,
    /// Sends a body a byte at a time, with a right token.
    SlowBody,
    /// Sends what is no protocol.
    Garbage,
    /// Tries tokens.
    Guess,
}

impl Manner {
    pub const ALL: [Self; 5] = [Self::Idle, Self::SlowHead, Self::SlowBody, Self::Garbage, Self::Guess];
}

/// Gone when dropped.
pub struct Crowd {
    /// Its members' work ends with it.
    _members: JoinSet<()>,
    held: Arc<AtomicUsize>,
}

impl Crowd {
    /// So many members, whose manners take turns. Must be called within a runtime.
    pub fn gather(to: SocketAddr, token: &'static str, manners: &'static [Manner], size: usize) -> Self {
        let held = Arc::new(AtomicUsize::new(0));
        let mut members = JoinSet::new();
        for number in 0..size {
            let manner = manners[number % manners.len()];
            let from =
                Ipv4Addr::new(127, 0, 0, u8::try_from(2 + number / manners.len() % ADDRESSES).unwrap());
            members.spawn(haunt(to, from, token, manner, Arc::clone(&held)));
        }
        Self { _members: members, held }
    }

    /// How many connections it holds, as far as it knows.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

async fn haunt(to: SocketAddr, from: Ipv4Addr, token: &'static str, manner: Manner, held: Arc<AtomicUsize>) {
    for attempt in 0.. {
        let socket = TcpSocket::new_v4().expect("a socket: is the limit of open files high enough?");
        socket.bind((from, 0).into()).expect("a loopback address");
        if let Ok(stream) = socket.connect(to).await {
            held.fetch_add(1, Ordering::Relaxed);
            hold(stream, token, manner, attempt).await;
            held.fetch_sub(1, Ordering::Relaxed);
        }
        tokio::time::sleep(RETURN_AFTER).await;
    }
}

/// Until the other side closes.
async fn hold(mut stream: TcpStream, token: &str, manner: Manner, attempt: usize) {
    let (mut reading, mut writing) = stream.split();
    let beginning = match manner {
        Manner::Idle => String::new(),
        Manner::SlowHead => "POST /fastly HTTP/1.1\r\nx-slow: ".to_owned(),
        Manner::SlowBody => head(token, 1_000_000),
        Manner::Garbage => "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0garbage\r\n\r\n".repeat(20),
        Manner::Guess => head(&format!("guess-{attempt}"), 10) + "0123456789",
    };
    let is_slow = matches!(manner, Manner::SlowHead | Manner::SlowBody);
    let speaking = async {
        let mut alive = writing.write_all(beginning.as_bytes()).await.is_ok();
        while alive && is_slow {
            tokio::time::sleep(SLOWNESS).await;
            alive = writing.write_all(b"x").await.is_ok();
        }
        std::future::pending::<()>().await;
    };
    let hearing = async {
        let mut answer = [0; 1024];
        while let Ok(1..) = reading.read(&mut answer).await {}
    };
    tokio::select! {
        () = speaking => {}
        () = hearing => {}
    }
}

fn head(token: &str, length: usize) -> String {
    format!(
        "POST /fastly HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n"
    )
}
