//! Senders: over HTTP until every batch is answered, whatever happens to the service meanwhile, and over syslog.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::service::{Addresses, PATIENCE, post};
use crate::traffic::{Batch, Traffic};

const SENDERS: usize = 8;

/// How far a sender may be ahead of the oldest batch that is not answered: days close by the time in the lines, and none may
/// be late by a sender's bad luck.
pub const AHEAD: usize = 16;

/// A batch is sent again after so many others.
const LATER: usize = 30;

/// What became of a batch, as its sender knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sent {
    #[default]
    Waiting,
    /// Answered with 200.
    Acknowledged,
    /// Sent once and never answered.
    Abandoned,
}

/// What the senders did.
#[derive(Debug, Default)]
pub struct Outcome {
    /// By batch.
    pub sent: Vec<Sent>,
    /// For want of an answer.
    pub sent_again: usize,
    /// Though there was an answer.
    pub repeated: usize,
    /// Answers that asked to come back later, each with a `Retry-After`.
    pub refused: usize,
    /// How often the syslog sender sent all of its lines, or began to.
    pub streamed: usize,
}

/// Senders at work.
pub struct Load {
    shared: Arc<Shared>,
    senders: Vec<JoinHandle<()>>,
}

struct Shared {
    traffic: Arc<Traffic>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<usize>,
    /// Taken and not answered.
    open: BTreeSet<usize>,
    outcome: Outcome,
    answers: usize,
    target: Option<Addresses>,
    /// Counts the targets.
    generation: usize,
    /// So many batches may be taken, for now.
    limit: usize,
    taken: usize,
    /// Nothing is added any more.
    is_complete: bool,
}

impl Load {
    /// Sends the traffic's batches, as soon as it has an aim.
    pub fn start(traffic: &Arc<Traffic>) -> Self {
        let state = State {
            queue: (0..traffic.batches.len()).collect(),
            outcome: Outcome {
                sent: vec![Sent::Waiting; traffic.all_batches().count()],
                ..Outcome::default()
            },
            limit: usize::MAX,
            ..State::default()
        };
        let shared = Arc::new(Shared {
            traffic: Arc::clone(traffic),
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let sender = |work: fn(&Shared)| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || work(&shared))
        };
        let mut senders: Vec<_> = (0..SENDERS).map(|_| sender(Shared::post_all)).collect();
        if !traffic.stream.is_empty() {
            senders.push(sender(Shared::stream_all));
        }
        Self { shared, senders }
    }

    /// Where the service listens now, if it does.
    pub fn aim(&self, target: Option<Addresses>) {
        self.shared.change(|state| {
            state.generation += usize::from(target.is_some());
            state.target = target;
        });
    }

    /// Lets the newcomer's batches go too.
    pub fn release_newcomer(&self) {
        let (known, all) = (self.shared.traffic.batches.len(), self.shared.traffic.all_batches().count());
        self.shared.change(|state| state.queue.extend(known..all));
    }

    /// Lets senders go on up to that part of all batches, so that some are left for what is to come.
    pub fn go_on_to(&self, part: usize, parts: usize) {
        let all = self.shared.traffic.batches.len();
        self.shared.change(|state| state.limit = all * part / parts);
    }

    pub fn answers(&self) -> usize {
        self.shared.lock().answers
    }

    /// Until so many more batches were answered, or nothing is left that may be sent.
    pub fn wait_for_more(&self, answers: usize) {
        self.wait_for_answers(self.answers() + answers);
    }

    /// Until a batch is refused for the time being.
    pub fn wait_for_refusal(&self) {
        let before = self.shared.lock().outcome.refused;
        drop(self.shared.wait(|state| state.outcome.refused > before));
    }

    /// Until there are so many answers, or nothing is left that may be sent.
    pub fn wait_for_answers(&self, answers: usize) {
        drop(self.shared.wait(|state| {
            let may_send = !state.queue.is_empty() && state.taken < state.limit;
            state.answers >= answers || (state.open.is_empty() && !may_send)
        }));
    }

    /// Until all is sent. The service must be there to answer.
    pub fn finish(self) -> Outcome {
        self.shared.change(|state| (state.limit, state.is_complete) = (usize::MAX, true));
        self.senders.into_iter().for_each(|sender| sender.join().expect("senders do not fail"));
        std::mem::take(&mut self.shared.lock().outcome)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn wait(&self, holds: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let (state, waited) = self
            .changed
            .wait_timeout_while(self.lock(), PATIENCE, |state| !holds(state))
            .unwrap_or_else(PoisonError::into_inner);
        assert!(
            !waited.timed_out(),
            "nothing happened for {PATIENCE:?} after {} answers, with {} batches left",
            state.answers,
            state.queue.len()
        );
        state
    }

    fn post_all(&self) {
        while let Some(index) = self.take() {
            let batch = self.traffic.all_batches().nth(index).expect("batches do not vanish");
            let sent = self.post_until_done(batch);
            self.change(|state| {
                state.open.remove(&index);
                if state.outcome.sent[index] == Sent::Acknowledged {
                    return;
                }
                state.outcome.sent[index] = sent;
                if sent == Sent::Acknowledged {
                    state.answers += 1;
                    if batch.repeated && self.traffic.shape.with_repeats {
                        state.outcome.repeated += 1;
                        state.queue.insert(LATER.min(state.queue.len()), index);
                    }
                }
            });
            thread::sleep(self.traffic.shape.pause);
        }
    }

    /// The next batch; None when there are no more.
    fn take(&self) -> Option<usize> {
        let may_take = |state: &State| {
            let (next, oldest) = (state.queue.front()?, state.open.first());
            let is_near = oldest.is_none_or(|oldest| *next < oldest + AHEAD);
            (is_near && state.taken < state.limit).then_some(())
        };
        let ended = |state: &State| state.queue.is_empty() && state.is_complete;
        let mut state = self.wait(|state| may_take(state).is_some() || ended(state));
        let index = state.queue.pop_front()?;
        state.open.insert(index);
        state.taken += 1;
        Some(index)
    }

    fn post_until_done(&self, batch: &Batch) -> Sent {
        let authorization = format!("Bearer {}", self.traffic.token);
        let mut headers = vec![("authorization", &*authorization)];
        if batch.gzip {
            headers.push(("content-encoding", "gzip"));
        }
        loop {
            let target = self.wait(|state| state.target.is_some()).target.expect("just seen");
            match post(target.http, &headers, &batch.body) {
                Ok(answer) if answer.status == 200 => return Sent::Acknowledged,
                Ok(answer) if matches!(answer.status, 429 | 503) => {
                    assert!(answer.head.to_ascii_lowercase().contains("\r\nretry-after: "), "{answer:?}");
                    self.change(|state| state.outcome.refused += 1);
                    thread::sleep(Duration::from_millis(20));
                }
                // The port was given to another service since.
                Ok(answer) if answer.status == 401 => thread::sleep(Duration::from_millis(2)),
                Ok(answer) => panic!("a batch was answered with {answer:?}"),
                Err(_) if batch.abandoned_unanswered => return Sent::Abandoned,
                Err(_) => {
                    self.change(|state| state.outcome.sent_again += 1);
                    thread::sleep(Duration::from_millis(2));
                }
            }
        }
    }

    /// Syslog has no answers. So all lines are sent to each process anew; ids tell which were received before.
    fn stream_all(&self) {
        let mut done = 0;
        loop {
            let state =
                self.wait(|state| (state.target.is_some() && state.generation > done) || state.is_complete);
            if state.is_complete && state.generation == done {
                return;
            }
            let Some(target) = state.target else { continue };
            let generation = state.generation;
            drop(state);
            self.change(|state| state.outcome.streamed += 1);
            // A connection that was cut is no news: then there will be another target.
            if self.stream_to(target.syslog).is_ok() || self.lock().generation > generation {
                done = generation;
            } else {
                thread::sleep(Duration::from_millis(2));
            }
        }
    }

    fn stream_to(&self, address: SocketAddr) -> io::Result<()> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        for lines in self.traffic.stream.split_inclusive(|byte| *byte == b'\n').collect::<Vec<_>>().chunks(20)
        {
            let piece: Vec<u8> =
                lines.iter().flat_map(|line| [self.traffic.token.as_bytes(), line].concat()).collect();
            stream.write_all(&piece)?;
            thread::sleep(Duration::from_millis(1));
        }
        stream.shutdown(std::net::Shutdown::Write)?;
        // The service closes once it has read all.
        stream.read_to_end(&mut Vec::new()).map(drop)
    }
}
