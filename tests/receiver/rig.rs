//! Receivers on free ports, with an intake and an observer that remember, and a client that sends raw bytes.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use castmeter::clock::ManualClock;
use castmeter::receiver::{
    Batch, Event, HttpReceiver, HttpSettings, Incident, Intake, Observer, Refused, Surroundings,
    SyslogReceiver, SyslogSettings, Transport, bind, bind_udp,
};
use castmeter::units::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A test that waits longer than this for something has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the receivers' clock shows.
pub const NOW_SECONDS: i64 = 1_800_000_000;

/// What was received and what was observed.
pub struct Memory {
    batches: Mutex<Vec<Batch>>,
    /// Given in turn to the next batches before any is taken.
    pub refusals: Mutex<Vec<Refused>>,
    /// Each batch takes one permit for good; closed gates keep clients waiting.
    pub gate: Semaphore,
    events: Mutex<Vec<(Transport, Event)>>,
}

impl Memory {
    pub fn batches(&self) -> Vec<Batch> {
        self.batches.lock().unwrap().clone()
    }

    /// All batches, which nobody holds any more then.
    pub fn take_batches(&self) -> Vec<Batch> {
        std::mem::take(&mut *self.batches.lock().unwrap())
    }

    /// All lines in the order in which they came.
    pub fn text(&self) -> String {
        let batches = self.batches.lock().unwrap();
        batches.iter().map(|batch| String::from_utf8_lossy(&batch.lines).into_owned()).collect()
    }

    pub fn incidents(&self) -> Vec<Incident> {
        let events = self.events.lock().unwrap();
        let incident = |(_, event): &(_, Event)| match event {
            Event::Incident(incident) => Some(*incident),
            _ => None,
        };
        events.iter().filter_map(incident).collect()
    }

    pub fn count(&self, wanted: Event) -> usize {
        self.events.lock().unwrap().iter().filter(|(_, event)| *event == wanted).count()
    }

    pub fn open_connections(&self) -> usize {
        self.count(Event::Opened) - self.count(Event::Closed)
    }
}

impl Intake for Memory {
    async fn accept(&self, batch: Batch) -> Result<(), Refused> {
        self.gate.acquire().await.unwrap().forget();
        let refusal = self.refusals.lock().unwrap().pop();
        if let Some(refused) = refusal {
            self.gate.add_permits(1);
            return Err(refused);
        }
        self.batches.lock().unwrap().push(batch);
        Ok(())
    }
}

impl Observer for Memory {
    fn observe(&self, transport: Transport, event: Event) {
        self.events.lock().unwrap().push((transport, event));
    }
}

/// A running receiver.
pub struct Rig {
    pub address: SocketAddr,
    pub memory: Arc<Memory>,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

impl Rig {
    pub fn http(settings: HttpSettings) -> Self {
        Self::http_at(loopback(), settings)
    }

    pub fn http_at(address: SocketAddr, settings: HttpSettings) -> Self {
        Self::http_on(bind(address).unwrap(), settings)
    }

    pub fn http_on(listener: TcpListener, settings: HttpSettings) -> Self {
        let address = listener.local_addr().unwrap();
        Self::start(address, |memory, surroundings, shutdown| {
            let receiver = HttpReceiver::new(settings, memory, surroundings).unwrap();
            tokio::spawn(receiver.serve(vec![listener], shutdown))
        })
    }

    pub fn syslog(settings: SyslogSettings) -> Self {
        let listener = bind(loopback()).unwrap();
        let address = listener.local_addr().unwrap();
        Self::start(address, |memory, surroundings, shutdown| {
            let receiver = SyslogReceiver::new(settings, memory, surroundings).unwrap();
            tokio::spawn(receiver.serve(vec![listener], Vec::new(), shutdown))
        })
    }

    /// Takes datagrams, and no connections.
    pub fn datagrams(settings: SyslogSettings) -> Self {
        let socket = bind_udp(loopback()).unwrap();
        let address = socket.local_addr().unwrap();
        Self::start(address, |memory, surroundings, shutdown| {
            let receiver = SyslogReceiver::new(settings, memory, surroundings).unwrap();
            tokio::spawn(receiver.serve(Vec::new(), vec![socket], shutdown))
        })
    }

    /// Starts a receiver that is reached at an address.
    fn start(
        address: SocketAddr,
        serve: impl FnOnce(Arc<Memory>, Surroundings, CancellationToken) -> JoinHandle<()>,
    ) -> Self {
        let memory = Arc::new(Memory {
            batches: Mutex::default(),
            refusals: Mutex::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS / 2),
            events: Mutex::default(),
        });
        let surroundings = Surroundings {
            clock: Arc::new(ManualClock::new(Timestamp::from_seconds(NOW_SECONDS).unwrap())),
            observer: memory.clone(),
        };
        let shutdown = CancellationToken::new();
        let serving = serve(memory.clone(), surroundings, shutdown.clone());
        Self { address, memory, shutdown, serving }
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Tells the receiver to end, without waiting for it.
    pub fn shut_down(&self) {
        self.shutdown.cancel();
    }

    /// Waits for the receiver's end and gives back what it left.
    pub async fn ended(self) -> Arc<Memory> {
        self.shutdown.cancel();
        within(self.serving).await.unwrap();
        self.memory
    }
}

pub fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// The future's result, unless it takes too long.
pub async fn within<F: IntoFuture>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("takes too long")
}

/// Waits until something is true.
pub async fn until(condition: impl Fn() -> bool) {
    within(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// An answer over HTTP/1.1.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn has(&self, header: &str) -> bool {
        self.head.to_ascii_lowercase().lines().any(|line| line == header)
    }
}

/// A request with a body and its length.
pub fn post(head: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut request =
        format!("POST {head}\r\nhost: test\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    request.extend_from_slice(body);
    request
}

/// Sends bytes over a new connection and reads one answer.
pub async fn exchange(rig: &Rig, request: impl AsRef<[u8]>) -> Answer {
    let mut stream = rig.connect().await;
    stream.write_all(request.as_ref()).await.unwrap();
    answer(&mut stream).await
}

/// Reads one answer.
pub async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> Answer {
    within(read_answer(stream)).await
}

async fn read_answer(stream: &mut (impl AsyncRead + Unpin)) -> Answer {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an answer"));
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .to_ascii_lowercase()
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ").map(|length| length.parse().unwrap()));
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: String::from_utf8(body).unwrap() }
}

/// Whether the other side closes without sending anything more.
pub async fn is_closed(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut rest = Vec::new();
    within(stream.read_to_end(&mut rest)).await.is_err() || rest.is_empty()
}
