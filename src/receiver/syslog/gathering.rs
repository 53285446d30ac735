//! Gathers lines into batches and hands those on; whoever gathers waits until they are kept.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Syslog;
use crate::receiver::admission::Account;
use crate::receiver::server::Stop;
use crate::receiver::{Batch, Event, Incident, Intake, Refused, Tail, Transport};
use crate::units::{ByteCount, Encoding};

/// How long to wait for memory that other batches hold.
const MEMORY_PAUSE: Duration = Duration::from_millis(20);

/// The lines that came and are not handed on yet, all of one source.
pub(super) struct Gathering<'a, I> {
    syslog: &'a Syslog<I>,
    account: Account,
    stop: Stop,
    /// Whether all lines come from the same client.
    one_client: bool,
    /// The token that the lines came with, where tokens are needed.
    token: Option<usize>,
    lines: Vec<u8>,
    /// A little more than the last batch held. Memory is taken once there is something to put into it.
    usual_bytes: usize,
    /// When to hand them on at the latest; set by the first line.
    due: Option<Instant>,
    has_handed_on: bool,
}

impl<'a, I: Intake> Gathering<'a, I> {
    pub(super) fn new(syslog: &'a Syslog<I>, account: Account, stop: Stop, one_client: bool) -> Self {
        Self {
            syslog,
            account,
            stop,
            one_client,
            token: None,
            lines: Vec::new(),
            usual_bytes: 0,
            due: None,
            has_handed_on: false,
        }
    }

    /// Whether a valid token came.
    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether a batch is kept.
    pub(super) fn has_handed_on(&self) -> bool {
        self.has_handed_on
    }

    /// When to hand on what is gathered, if anything is.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Adds a line that has ended; hands on what is gathered once it is enough.
    pub(super) async fn add_line(&mut self, raw: &[u8]) -> Result<(), Incident> {
        let (token, line) = self.split_token(raw).ok_or(Incident::Unauthorized)?;
        self.turn_to(token).await?;
        self.end_line(line);
        if self.is_full() { self.hand_on(Tail::Whole).await } else { Ok(()) }
    }

    /// The same where nothing has to be handed on for it; false where something has, and nothing was done. To make
    /// ready for waiting takes longer than to add a line.
    pub(super) fn add_line_at_once(&mut self, raw: &[u8]) -> Result<bool, Incident> {
        let (token, line) = self.split_token(raw).ok_or(Incident::Unauthorized)?;
        if token != self.token || self.lines.len() + line.len() >= self.syslog.batch_bytes {
            return Ok(false);
        }
        self.end_line(line);
        Ok(true)
    }

    /// Adds what came of a line that will not end. Where even its token is cut, it is nobody's.
    pub(super) async fn add_truncated(&mut self, rest: &[u8]) -> Result<Tail, Incident> {
        // Half of a line end.
        if rest == b"\r" {
            return Ok(Tail::Whole);
        }
        self.syslog.report(Incident::LineTruncated);
        let Some((token, line)) = self.split_token(rest) else { return Ok(Tail::Whole) };
        self.turn_to(token).await?;
        Ok(if self.add(line) { Tail::Truncated } else { Tail::Whole })
    }

    /// A line with this token comes next.
    async fn turn_to(&mut self, token: Option<usize>) -> Result<(), Incident> {
        if token != self.token {
            self.hand_on(Tail::Whole).await?;
            self.token = token;
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.lines.len() >= self.syslog.batch_bytes
    }

    fn end_line(&mut self, line: &[u8]) {
        if self.add(line) {
            self.lines.push(b'\n');
        }
    }

    /// Adds a line without its end, unless it is nothing.
    fn add(&mut self, line: &[u8]) -> bool {
        if line.is_empty() {
            return false;
        }
        if self.due.is_none() {
            self.due = Some(Instant::now() + self.syslog.batch_interval);
            self.lines.reserve(self.usual_bytes);
        }
        if line.strip_suffix(b"\r").unwrap_or(line).len() > self.syslog.line_bytes {
            self.syslog.report(Incident::LineTooLong);
        }
        // One byte more than allowed, so that whoever counts sees that it is too long.
        self.lines.extend_from_slice(&line[..line.len().min(self.syslog.line_bytes + 1)]);
        true
    }

    /// A line's token, where one is needed, and the rest.
    fn split_token<'l>(&self, raw: &'l [u8]) -> Option<(Option<usize>, &'l [u8])> {
        let tokens = &self.syslog.tokens;
        if tokens.is_open() {
            return Some((None, raw));
        }
        // What a client has proved to know need not be compared in constant time.
        if self.one_client
            && let Some(known) = self.token
            && let Some(line) = raw.strip_prefix(tokens.token(known))
        {
            return Some((Some(known), line));
        }
        let index = tokens.prefix_of(raw)?;
        Some((Some(index), &raw[tokens.token(index).len()..]))
    }

    /// Hands the gathered lines on and waits until they are kept, however often they are refused at first.
    pub(super) async fn hand_on(&mut self, tail: Tail) -> Result<(), Incident> {
        self.due = None;
        if self.lines.is_empty() {
            return Ok(());
        }
        let lines = std::mem::take(&mut self.lines);
        // One that is a line longer would have to be moved.
        self.usual_bytes = lines.len() + lines.len() / 32;
        let kept = self.stop.abort.run_until_cancelled(self.keep(lines, tail)).await;
        kept.unwrap_or(Err(Refused::ShuttingDown)).map_err(|_| Incident::BatchLost)?;
        self.has_handed_on = true;
        Ok(())
    }

    async fn keep(&self, lines: Vec<u8>, tail: Tail) -> Result<(), Refused> {
        let size = ByteCount(lines.len() as u64);
        let mut charge = self.account.charge();
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
