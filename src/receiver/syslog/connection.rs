//! One syslog connection: finds its lines and has them gathered, and does not read meanwhile.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, timeout_at};

use super::frame::{BadCount, Framer};
use super::gathering::Gathering;
use super::{QUIET, Syslog};
use crate::receiver::admission::Admitted;
use crate::receiver::server::{Connection, Conversation, Stop};
use crate::receiver::{Incident, Intake, Tail, Transport};

/// How much is read at once, at first …
const READ_BYTES: usize = 64 * 1024;
/// … and from whoever has delivered a batch and sends faster than that: each read makes the kernel tell the sender that
/// there is room again, which takes as long as copying some hundred lines.
const LARGE_READ_BYTES: usize = 512 * 1024;

impl<I: Intake> Conversation for Syslog<I> {
    const TRANSPORT: Transport = Transport::Syslog;

    async fn hold(self: Arc<Self>, connection: Connection, stop: Stop) {
        let place = &connection.place;
        let gathering = Gathering::new(&self, place.account().clone(), stop, true);
        let keep_bytes = self.line_bytes + 1 + self.tokens.longest();
        let framer = Framer::new(self.octet_counting, keep_bytes);
        let reading = Reading { place, gathering, framer, idle_timeout: self.idle_timeout };
        if let Err(incident) = reading.run(connection.stream).await {
            self.report(incident);
        }
    }
}

struct Reading<'a, I> {
    place: &'a Admitted,
    gathering: Gathering<'a, I>,
    framer: Framer,
    idle_timeout: Duration,
}

/// What comes next on a connection.
enum Next {
    Bytes(usize),
    Due,
    Closed,
}

impl<I: Intake> Reading<'_, I> {
    /// Reads until the connection ends, and hands on all lines. The incident, if any, is what ended it.
    async fn run(mut self, mut stream: impl AsyncRead + Unpin) -> Result<(), Incident> {
        let mut buffer = vec![0; READ_BYTES];
        let mut silent_until = Instant::now() + self.idle_timeout;
        let ended = loop {
            match self.next(&mut stream, &mut buffer, silent_until).await {
                Ok(Next::Bytes(count)) => {
                    match self.take(&buffer[..count]).await {
                        Ok(0) => {}
                        Ok(_) => silent_until = Instant::now() + self.idle_timeout,
                        Err(incident) => break Err(incident),
                    }
                    if count == buffer.len() && self.gathering.has_handed_on() {
                        buffer.resize(LARGE_READ_BYTES, 0);
                    }
                }
                Ok(Next::Due) => self.gathering.hand_on(Tail::Whole).await?,
                Ok(Next::Closed) => break Ok(()),
                Err(incident) => break Err(incident),
            }
            if self.gathering.has_handed_on() {
                self.place.has_delivered();
            } else if self.gathering.has_token() {
                self.place.has_token();
            }
        };
        // After a lost batch, a wrong token or a wrong count the rest is no line of anyone's.
        let in_order = matches!(ended, Ok(()) | Err(Incident::IdleTimeout | Incident::ProtocolError));
        let tail = match self.framer.unfinished() {
            Some(rest) if in_order => self.gathering.add_truncated(rest).await?,
            _ => Tail::Whole,
        };
        self.gathering.hand_on(tail).await?;
        ended
    }

    /// Waits for bytes, for the time to hand on, or for the end.
    async fn next(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        buffer: &mut [u8],
        silent_until: Instant,
    ) -> Result<Next, Incident> {
        let (stop, due) = (self.gathering.stop(), self.gathering.due());
        loop {
            let draining = stop.drain.is_cancelled();
            let last = if draining { Instant::now() + QUIET } else { silent_until };
            let until = due.map_or(last, |due| due.min(last));
            tokio::select! {
                biased;
                () = stop.abort.cancelled() => return Err(Incident::Aborted),
                () = stop.drain.cancelled(), if !draining => {}
                read = timeout_at(until, stream.read(buffer)) => return match read {
                    Ok(Ok(0)) => Ok(Next::Closed),
                    Ok(Ok(count)) => Ok(Next::Bytes(count)),
                    // Many clients leave a TLS connection without saying so; what a line lacks is seen anyway.
                    Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Next::Closed),
                    Ok(Err(_)) => Err(Incident::ProtocolError),
                    Err(_) if due == Some(until) => Ok(Next::Due),
                    Err(_) if draining => Ok(Next::Closed),
                    Err(_) => Err(Incident::IdleTimeout),
                },
            }
        }
    }

    /// Has all lines gathered that end within these bytes; says how many.
    async fn take(&mut self, mut bytes: &[u8]) -> Result<usize, Incident> {
        let mut count = 0;
        while let Some(raw) = self.framer.next_line(&mut bytes).map_err(|BadCount| Incident::BadOctetCount)? {
            if !self.gathering.add_line_at_once(raw)? {
                self.gathering.add_line(raw).await?;
            }
            count += 1;
        }
        Ok(count)
    }
}
