//! One syslog connection: reads, gathers lines into batches, hands them on, and does not read meanwhile.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, timeout_at};

use super::frame::{BadCount, Framer};
use crate::receiver::admission::Admitted;
use crate::receiver::server::{Connection, Conversation, Stop, report};
use crate::receiver::tokens::Tokens;
use crate::receiver::{
    Batch, Event, Incident, Intake, Refused, SetupError, Surroundings, SyslogSettings, Tail, Transport,
};
use crate::units::{ByteCount, Encoding};

/// How much is read at once.
const READ_BYTES: usize = 64 * 1024;
/// While shutting down, a connection is read from until nothing came for this long.
const QUIET: Duration = Duration::from_millis(100);
/// How long to wait for memory that other batches hold.
const MEMORY_PAUSE: Duration = Duration::from_millis(20);

/// How all connections are spoken.
pub(super) struct Syslog<I> {
    tokens: Tokens,
    octet_counting: bool,
    line_bytes: usize,
    batch_bytes: usize,
    batch_interval: Duration,
    idle_timeout: Duration,
    intake: Arc<I>,
    surroundings: Surroundings,
}

impl<I: Intake> Syslog<I> {
    pub(super) fn new(
        settings: &SyslogSettings,
        intake: Arc<I>,
        surroundings: Surroundings,
    ) -> Result<Self, SetupError> {
        Ok(Self {
            tokens: Tokens::load(&settings.source, &settings.tokens)?,
            octet_counting: settings.octet_counting,
            line_bytes: settings.line_bytes,
            batch_bytes: settings.batch_bytes,
            batch_interval: settings.batch_interval,
            idle_timeout: settings.idle_timeout,
            intake,
            surroundings,
        })
    }

    fn report(&self, incident: Incident) {
        report(&*self.surroundings.observer, Transport::Syslog, incident);
    }
}

impl<I: Intake> Conversation for Syslog<I> {
    const TRANSPORT: Transport = Transport::Syslog;

    async fn hold(self: Arc<Self>, connection: Connection, stop: Stop) {
        let (token, lines, due) = (None, Vec::new(), None);
        let gathering = Gathering { syslog: &self, place: connection.place, stop, token, lines, due };
        if let Err(incident) = gathering.run(connection.stream).await {
            self.report(incident);
        }
    }
}

/// The lines that came and are not handed on yet, all of one source.
struct Gathering<'a, I> {
    syslog: &'a Syslog<I>,
    place: Admitted,
    stop: Stop,
    /// The token that the lines came with, where tokens are needed. The client has proved to know it.
    token: Option<usize>,
    lines: Vec<u8>,
    /// When to hand them on at the latest; set by the first line.
    due: Option<Instant>,
}

/// What comes next on a connection.
enum Next {
    Bytes(usize),
    Due,
    Closed,
}

impl<I: Intake> Gathering<'_, I> {
    /// Reads until the connection ends, and hands on all lines. The incident, if any, is what ended it.
    async fn run(mut self, mut stream: impl AsyncRead + Unpin) -> Result<(), Incident> {
        let keep_bytes = self.syslog.line_bytes + 1 + self.syslog.tokens.longest();
        let mut framer = Framer::new(self.syslog.octet_counting, keep_bytes);
        let mut buffer = vec![0; READ_BYTES];
        let mut silent_until = Instant::now() + self.syslog.idle_timeout;
        let ended = loop {
            match self.next(&mut stream, &mut buffer, silent_until).await {
                Ok(Next::Bytes(count)) => match self.take(&mut framer, &buffer[..count]).await {
                    Ok(0) => {}
                    Ok(_) => silent_until = Instant::now() + self.syslog.idle_timeout,
                    Err(incident) => break Err(incident),
                },
                Ok(Next::Due) => self.hand_on(Tail::Whole).await?,
                Ok(Next::Closed) => break Ok(()),
                Err(incident) => break Err(incident),
            }
        };
        // After a lost batch, a wrong token or a wrong count the rest is no line of anyone's.
        let in_order = matches!(ended, Ok(()) | Err(Incident::IdleTimeout | Incident::ProtocolError));
        let tail = match framer.unfinished() {
            Some(rest) if in_order => self.add_truncated(rest).await?,
            _ => Tail::Whole,
        };
        self.hand_on(tail).await?;
        ended
    }

    /// Waits for bytes, for the time to hand on, or for the end.
    async fn next(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        buffer: &mut [u8],
        silent_until: Instant,
    ) -> Result<Next, Incident> {
        loop {
            let draining = self.stop.drain.is_cancelled();
            let last = if draining { Instant::now() + QUIET } else { silent_until };
            let until = self.due.map_or(last, |due| due.min(last));
            tokio::select! {
                biased;
                () = self.stop.abort.cancelled() => return Err(Incident::Aborted),
                () = self.stop.drain.cancelled(), if !draining => {}
                read = timeout_at(until, stream.read(buffer)) => return match read {
                    Ok(Ok(0)) => Ok(Next::Closed),
                    Ok(Ok(count)) => Ok(Next::Bytes(count)),
                    // Many clients leave a TLS connection without saying so; what a line lacks is seen anyway.
                    Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Next::Closed),
                    Ok(Err(_)) => Err(Incident::ProtocolError),
                    Err(_) if self.due == Some(until) => Ok(Next::Due),
                    Err(_) if draining => Ok(Next::Closed),
                    Err(_) => Err(Incident::IdleTimeout),
                },
            }
        }
    }

    /// Adds all lines that end within these bytes; says how many.
    async fn take(&mut self, framer: &mut Framer, mut bytes: &[u8]) -> Result<usize, Incident> {
        let mut count = 0;
        while let Some(raw) = framer.next_line(&mut bytes).map_err(|BadCount| Incident::BadOctetCount)? {
            if self.add(raw).await? {
                self.lines.push(b'\n');
            }
            count += 1;
            if self.lines.len() >= self.syslog.batch_bytes {
                self.hand_on(Tail::Whole).await?;
            }
        }
        Ok(count)
    }

    /// Adds a line without its end, unless it is nothing but a token.
    async fn add(&mut self, raw: &[u8]) -> Result<bool, Incident> {
        let (token, line) = self.split_token(raw).ok_or(Incident::Unauthorized)?;
        if token != self.token {
            self.hand_on(Tail::Whole).await?;
            self.token = token;
        }
        if line.is_empty() {
            return Ok(false);
        }
        if line.len() > self.syslog.line_bytes {
            self.syslog.report(Incident::LineTooLong);
        }
        // One byte more than allowed, so that whoever counts sees that it is too long.
        self.lines.extend_from_slice(&line[..line.len().min(self.syslog.line_bytes + 1)]);
        self.due.get_or_insert_with(|| Instant::now() + self.syslog.batch_interval);
        Ok(true)
    }

    /// Adds what came of a line that will not end. Where even its token is cut, it is nobody's.
    async fn add_truncated(&mut self, rest: &[u8]) -> Result<Tail, Incident> {
        self.syslog.report(Incident::LineTruncated);
        match self.add(rest).await {
            Ok(true) => Ok(Tail::Truncated),
            Ok(false) | Err(Incident::Unauthorized) => Ok(Tail::Whole),
            Err(incident) => Err(incident),
        }
    }

    /// A line's token, where one is needed, and the rest.
    fn split_token<'l>(&self, raw: &'l [u8]) -> Option<(Option<usize>, &'l [u8])> {
        let tokens = &self.syslog.tokens;
        if tokens.is_open() {
            return Some((None, raw));
        }
        // What the client is known to know need not be compared in constant time.
        if let Some(known) = self.token
            && let Some(line) = raw.strip_prefix(tokens.token(known))
        {
            return Some((Some(known), line));
        }
        let index = tokens.prefix_of(raw)?;
        Some((Some(index), &raw[tokens.token(index).len()..]))
    }

    /// Hands the gathered lines on and waits until they are kept, however often they are refused at first.
    async fn hand_on(&mut self, tail: Tail) -> Result<(), Incident> {
        self.due = None;
        if self.lines.is_empty() {
            return Ok(());
        }
        let spare = Vec::with_capacity(self.lines.len());
        let lines = std::mem::replace(&mut self.lines, spare);
        let kept = self.stop.abort.run_until_cancelled(self.keep(lines, tail)).await;
        kept.unwrap_or(Err(Refused::ShuttingDown)).map_err(|_| Incident::BatchLost)
    }

    async fn keep(&self, lines: Vec<u8>, tail: Tail) -> Result<(), Refused> {
        let size = ByteCount(lines.len() as u64);
        let mut charge = self.place.charge();
        while let Err(incident) = charge.grow(lines.capacity() as u64) {
            self.syslog.report(incident);
            tokio::time::sleep(MEMORY_PAUSE).await;
        }
        let tokens = &self.syslog.tokens;
        let lines = charge.cover(lines);
        let batch = Batch {
            source: Arc::clone(self.token.map_or(tokens.default_source(), |index| tokens.source(index))),
            encoding: Encoding::Identity,
            payload: lines.clone(),
            lines,
            received_at: self.syslog.surroundings.clock.now(),
            tail,
        };
        while let Err(refused) = self.syslog.intake.accept(batch.clone()).await {
            if refused == Refused::ShuttingDown {
                return Err(refused);
            }
            self.syslog.report(Incident::IntakeRefused);
            tokio::time::sleep(refused.retry_after()).await;
        }
        let sizes = Event::Accepted { payload: size, lines: size };
        self.syslog.surroundings.observer.observe(Transport::Syslog, sizes);
        Ok(())
    }
}
