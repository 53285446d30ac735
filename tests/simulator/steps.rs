//! What can happen next, and how it is drawn.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use castmeter::clock::Clock;
use castmeter::journal::RecordKind;
use castmeter::receiver::{Intake, Refused};
use castmeter::store::Moment;

use crate::disk::Fault;
use crate::ledger::Attempt;
use crate::life::End;
use crate::plain::EPISODES;
use crate::process::{Attempted, Committer, Pipeline};
use crate::world::{Checked, World};

#[derive(Clone, Copy, Debug)]
enum Step {
    Send,
    SendAgain,
    Count,
    Publish,
    Commit,
    Maintain,
    Forward,
    Back,
    ChangeCatalogue,
    FailDisk,
    FillDisk,
    FailStore,
    Crash,
    CrashSoon,
    Stop,
    Fence,
    HealAll,
}

/// How often each happens.
const STEPS: [(u64, Step); 17] = [
    (22, Step::Send),
    (8, Step::SendAgain),
    (20, Step::Count),
    (12, Step::Publish),
    (14, Step::Commit),
    (8, Step::Maintain),
    (12, Step::Forward),
    (3, Step::Back),
    (3, Step::ChangeCatalogue),
    (4, Step::FailDisk),
    (1, Step::FillDisk),
    (8, Step::FailStore),
    (4, Step::Crash),
    (4, Step::CrashSoon),
    (2, Step::Stop),
    (1, Step::Fence),
    (3, Step::HealAll),
];

impl World {
    /// Lets a random number of things happen, then mends everything and compares.
    pub async fn run(&mut self) -> Checked {
        for _ in 0..self.dice.between(30, 100) {
            self.figures.steps += 1;
            self.step().await?;
            self.notice_death().await?;
            self.check_store().await?;
        }
        self.settle().await?;
        // Once more, now and then with an older store: nothing may change.
        self.start().await?;
        self.backup = None;
        self.settle().await?;
        if !self.is_tight {
            self.check_twin().await?;
        }
        self.figures.lines = self.sender.lines;
        Ok(())
    }

    /// All faults mended, all batches answered but those given up, all counted and committed.
    async fn settle(&mut self) -> Checked {
        self.say("everything is mended");
        self.disk.heal();
        self.commits.heal();
        self.be_alive().await?;
        for at in self.sender.unanswered() {
            if self.sender.parcels[at].attempts == 0 || self.dice.percent(70) {
                self.send(&[at]).await?;
                if !self.sender.parcels[at].answered {
                    return Err("refused though nothing is wrong".to_owned());
                }
            }
        }
        self.count(usize::MAX);
        self.publish(true);
        // One may be under way, of what was published before.
        for _ in 0..2 {
            while let Attempted::Failed = self.commit(true).await? {}
        }
        self.check_store().await?;
        let end = self.process.as_ref().map(|process| process.journal.status().next);
        if end != Some(self.committed) {
            return Err(format!("the store is at {}, the journal ends at {end:?}", self.committed));
        }
        self.check_tables().await?;
        self.end().await
    }

    async fn be_alive(&mut self) -> Checked {
        while !self.is_counting() {
            if self.process.is_none() {
                self.start().await?;
            }
            self.claim().await?;
        }
        Ok(())
    }

    async fn step(&mut self) -> Checked {
        if self.process.is_none() && self.dice.percent(60) {
            if self.dice.percent(30) {
                self.change_catalogue();
            }
            return self.start().await;
        }
        if self.process.is_some() && !self.is_counting() && self.dice.percent(50) {
            return self.claim().await;
        }
        if self.process.is_some() && self.are_rules_due && self.dice.percent(30) {
            return self.note_rules().await.map(drop);
        }
        match self.dice.weighted(&STEPS) {
            Step::Send => {
                let count = self.dice.weighted(&[(6, 1), (1, 2), (1, 3), (1, 6)]);
                let parcels: Vec<usize> =
                    (0..count).map(|_| self.sender.make(&mut self.dice, self.clock.now())).collect();
                return self.send(&parcels).await;
            }
            Step::SendAgain => return self.send_again().await,
            Step::Count => {
                let count = self.dice.weighted(&[(1, 1), (1, 2), (2, 5), (2, usize::MAX)]);
                self.count(count);
            }
            Step::Publish => {
                let with_reach = self.dice.percent(50);
                self.publish(with_reach);
            }
            Step::Commit => drop(self.commit(false).await?),
            Step::Maintain => self.maintain().await,
            Step::Forward => {
                let seconds = self.dice.weighted(&[(4, 40), (4, 900), (3, 5_000), (1, 30_000)]);
                self.clock.forward(1 + self.dice.below(seconds));
            }
            Step::Back => self.clock.back(1 + self.dice.below(60)),
            Step::ChangeCatalogue => {
                self.change_catalogue();
                if self.process.is_some() {
                    drop(self.note_rules().await?);
                }
            }
            Step::FailDisk => self.fail_disk(),
            Step::FillDisk if !self.is_tight => {}
            Step::FillDisk => {
                self.say("the disk is full");
                self.figures.disk_faults += 1;
                self.disk.set_full(true);
            }
            Step::FailStore => self.fail_store(),
            Step::Crash => {
                let end = self.dice.pick(&[End::Kill, End::PowerFailure]);
                return self.die(end).await;
            }
            Step::CrashSoon => {
                let operations = self.dice.below(12);
                self.say(format!("the disk dies after {operations} more operations"));
                self.disk.die_in(operations);
            }
            Step::Stop => return self.stop().await,
            Step::Fence => return self.fence().await,
            Step::HealAll => {
                self.say("disk and store are mended");
                self.disk.heal();
                self.commits.heal();
            }
        }
        Ok(())
    }

    async fn notice_death(&mut self) -> Checked {
        if self.disk.is_dead() && self.process.is_some() {
            let end = self.dice.pick(&[End::Kill, End::PowerFailure]);
            return self.die(end).await;
        }
        Ok(())
    }

    async fn send_again(&mut self) -> Checked {
        let unanswered = self.sender.unanswered();
        let any = self.sender.parcels.len();
        let at = match unanswered.as_slice() {
            [] if any == 0 => return Ok(()),
            [_, ..] if self.dice.percent(80) => self.dice.pick(&unanswered),
            _ => self.dice.index(any),
        };
        // A stream's piece that was taken is never sent a second time: nothing would tell.
        let parcel = &self.sender.parcels[at];
        if parcel.kind != RecordKind::Batch && parcel.answered {
            return Ok(());
        }
        self.figures.sent_again += u64::from(parcel.attempts > 0);
        self.send(&[at]).await
    }

    /// Sends parcels: one alone, or several at once. Those behind the first wait together and share an fsync.
    async fn send(&mut self, parcels: &[usize]) -> Checked {
        self.avoid_doubt(parcels);
        let Some(process) = &self.process else { return Ok(()) };
        let first_position = process.journal.status().next;
        let mut attempts = Vec::new();
        let mut answers: Vec<Answer<'_>> = Vec::new();
        for &at in parcels {
            let parcel = &mut self.sender.parcels[at];
            parcel.attempts += 1;
            let received_at = self.clock.receipt();
            attempts.push(self.ledger.push(Attempt {
                kind: parcel.kind,
                received_at,
                content: parcel.content(),
                answered: false,
                position: None,
            }));
            let batch = parcel.batch(received_at);
            let is_body = parcel.kind == RecordKind::Batch;
            let intake = if is_body { &process.bodies } else { &process.streams };
            answers.push(Box::pin(intake.accept(batch)));
        }
        if parcels.len() > 1 {
            self.disk.shut_gate();
            for (number, answer) in answers.iter_mut().enumerate() {
                if poll_once(answer).await.is_some() {
                    return Err("an answer before the journal has looked for room".to_owned());
                }
                while number == 0 && !self.disk.gate_is_reached() {}
            }
            self.disk.open_gate();
        }
        let mut results = Vec::new();
        for answer in answers {
            results.push(answer.await);
        }
        process.settle().await;
        self.take_answers(parcels, &attempts, &results, first_position)
    }

    fn take_answers(
        &mut self,
        parcels: &[usize],
        attempts: &[usize],
        results: &[Result<(), Refused>],
        mut position: castmeter::units::JournalPosition,
    ) -> Checked {
        for ((&parcel, &attempt), result) in parcels.iter().zip(attempts).zip(results) {
            let what = self.sender.parcels[parcel].describe();
            match result {
                Ok(()) => {
                    self.say(format!("send #{parcel} ({what}): kept at {position}"));
                    self.sender.parcels[parcel].answered = true;
                    self.ledger.answered(attempt, position);
                    position = position.next();
                }
                Err(refused) => {
                    self.figures.refused += 1;
                    self.say(format!("send #{parcel} ({what}): {refused}"));
                }
            }
        }
        let next = self.process.as_ref().map(|process| process.journal.status().next);
        if next != Some(position) {
            return Err(format!("the journal ends at {next:?}, by the answers at {position}"));
        }
        Ok(())
    }

    /// Steps on where the window of re-deliveries would be a matter of seconds.
    fn avoid_doubt(&self, parcels: &[usize]) {
        let window = self.counting.redelivery_window;
        let doubtful = || {
            let now = self.clock.now();
            parcels.iter().any(|at| self.sender.parcels[*at].is_doubtful(&self.ledger, now, window))
        };
        while doubtful() {
            self.clock.forward(700);
        }
    }

    fn count(&mut self, most: usize) {
        let Some(pipeline) = self.process.as_mut().and_then(|process| process.pipeline.as_mut()) else {
            return;
        };
        let mut counted = 0;
        while counted < most && pipeline.counting.count_next() {
            counted += 1;
        }
        let position = pipeline.counting.counter.position();
        self.say(format!("count {counted} records, up to {position}"));
    }

    fn publish(&mut self, with_reach: bool) {
        if let Some(pipeline) = self.process.as_mut().and_then(|process| process.pipeline.as_mut()) {
            if with_reach {
                pipeline.counting.publish_reach();
            }
            pipeline.counting.publish();
            pipeline.counting.look_after_snapshots();
            self.say(if with_reach { "publish, listeners too" } else { "publish" });
        }
    }

    async fn commit(&mut self, is_last: bool) -> Checked<Attempted> {
        let Some(pipeline) = self.process.as_mut().and_then(|process| process.pipeline.as_mut()) else {
            return Ok(Attempted::Done);
        };
        let attempted = pipeline.committer.attempt(&self.commits, self.canary, is_last).await;
        match &attempted {
            Attempted::Done => self.figures.commits += 1,
            Attempted::Failed => self.figures.failed_commits += 1,
            Attempted::Refused(error) => return Err(format!("the store refuses: {error}")),
        }
        if let Some(process) = &self.process {
            process.settle().await;
        }
        self.say(format!("commit: {attempted:?}"));
        Ok(attempted)
    }

    async fn maintain(&mut self) {
        let Some(process) = &self.process else { return };
        if let Some(Pipeline { committer: Committer::Idle(committing), .. }) = &process.pipeline {
            committing.maintain().await;
            let status = process.journal.status();
            self.say(format!("maintain: the journal holds {}..{}", status.first, status.next));
        }
    }

    /// An episode more, or other facts of one that is known. Where days close, facts stay: what a closed day was judged
    /// by is not told again.
    fn change_catalogue(&mut self) {
        let at = self.dice.index(EPISODES.len());
        let known = self.catalogue.0.iter().position(|(other, _)| *other == at);
        match known {
            None => self.catalogue.0.push((at, EPISODES[at])),
            Some(row) if self.counting.lateness.is_none() => {
                let mut file = EPISODES[at];
                file.size = self.dice.pick(&[None, Some(400), Some(1_500), Some(2_600)]);
                file.duration_ms = self.dice.pick(&[None, Some(50_000), Some(200_000)]);
                self.catalogue.0[row].1 = file;
            }
            Some(_) => {}
        }
        self.say(format!(
            "the catalogue: {:?}",
            self.catalogue.0[known.unwrap_or(self.catalogue.0.len() - 1)]
        ));
    }

    fn fail_disk(&mut self) {
        let faults: Vec<Fault> = (0..self.dice.between(1, 10))
            .map(|_| {
                let torn = self.dice.below(600);
                let no_space = if self.is_tight { Fault::NoSpace } else { Fault::Error };
                let table = [(4, Fault::None), (2, Fault::Error), (1, no_space), (2, Fault::Torn(torn))];
                self.dice.weighted(&table)
            })
            .collect();
        self.figures.disk_faults += faults.iter().filter(|fault| **fault != Fault::None).count() as u64;
        self.say(format!("the disk's next operations: {faults:?}"));
        self.disk.plan(faults);
    }

    fn fail_store(&mut self) {
        let table = [(1, None), (2, Some(Moment::BeforeCommit)), (3, Some(Moment::AfterCommit))];
        let faults: Vec<_> = (0..self.dice.between(1, 4)).map(|_| self.dice.weighted(&table)).collect();
        self.say(format!("the store's next commits: {faults:?}"));
        self.commits.plan(faults);
    }
}

/// What a sender waits for.
type Answer<'a> = Pin<Box<dyn Future<Output = Result<(), Refused>> + 'a>>;

/// Asks once; None where there is no answer yet.
async fn poll_once<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Option<F::Output> {
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
