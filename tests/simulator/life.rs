//! How the simulated service starts, stops and dies.

use castmeter::journal::{JournalError, RecordKind};
use castmeter::service::{note_rules, snapshot};
use castmeter::store::StoreError;

use crate::database::{copy, restore};
use crate::ledger::{Attempt, Content};
use crate::process::{Attempted, Committer, Process};
use crate::world::{Checked, World, Zombie, is_file};

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// SIGKILL: what was written is there, synced or not.
    Kill,
    /// What was not synced may be lost.
    PowerFailure,
}

impl World {
    /// Opens the journal and holds what it has against what was answered. The disk may fail meanwhile.
    pub async fn start(&mut self) -> Checked {
        self.disk.revive();
        for attempt in 0_u32.. {
            if attempt > 3 {
                self.disk.heal();
            }
            let store = match &self.zombie {
                Some(zombie) => zombie.store.clone(),
                None => self.open_store(&self.database()),
            };
            match Process::open(self.setup(store)) {
                Ok((process, first, entries)) => {
                    self.ledger.audit(first, &entries)?;
                    let next = process.journal.status().next;
                    self.say(format!("start: the journal holds {first}..{next}"));
                    self.process = Some(process);
                    return self.note_rules_at_start().await;
                }
                Err(error) => {
                    self.say(format!("start fails: {error}"));
                    self.disk.revive();
                    if attempt > 4 {
                        return Err(format!("the journal does not open on a sound disk: {error}"));
                    }
                }
            }
        }
        Ok(())
    }

    /// The store answers, and is claimed; then counting begins.
    pub async fn claim(&mut self) -> Checked {
        self.say("the store is claimed");
        let Some(process) = &mut self.process else { return Ok(()) };
        let claimed = process.claim(self.canary).await;
        claimed.map_err(|error| format!("the store cannot be claimed: {error}"))?;
        process.settle().await;
        if let Some(pipeline) = &process.pipeline {
            let from = pipeline.counting.replay.from;
            self.figures.snapshots_used += u64::from(from.0 > 0);
            self.say(format!("counting begins at {from}, the store is at {}", self.committed));
        }
        self.check_tables().await?;
        self.wake_the_zombie().await
    }

    /// Before any line is taken. Where the journal refuses, the service does not start.
    async fn note_rules_at_start(&mut self) -> Checked {
        if self.ledger.is_without_rules() {
            // What is counted before any rules were noted cannot be counted again.
            self.disk.heal();
        }
        match self.note_rules().await? {
            Ok(()) => Ok(()),
            Err(JournalError::Full(_)) => {
                self.are_rules_due = true;
                Ok(())
            }
            Err(_) => self.die(End::Kill).await,
        }
    }

    /// The catalogue is another one now, as far as anybody can note it.
    pub async fn note_rules(&mut self) -> Checked<Result<(), JournalError>> {
        let rules = self.service_rules();
        let at = self.attempt_to_note();
        let Some(process) = &self.process else { return Err("nothing to note rules in".to_owned()) };
        let position = process.journal.status().next;
        let result = note_rules(&process.journal, &rules, &*self.clock).await;
        process.settle().await;
        match &result {
            Ok(()) => {
                self.are_rules_due = false;
                self.ledger.answered(at, position);
            }
            Err(error) => self.say(format!("the rules cannot be noted: {error}")),
        }
        Ok(result)
    }

    fn attempt_to_note(&mut self) -> usize {
        self.figures.rules += 1;
        self.ledger.push(Attempt {
            kind: RecordKind::Rules,
            received_at: self.clock.receipt(),
            content: Content::Rules(self.catalogue.clone()),
            answered: false,
            position: None,
        })
    }

    /// One that was taken for dead finds that its journal is another's now.
    async fn wake_the_zombie(&mut self) -> Checked {
        let Some(mut zombie) = self.zombie.take() else { return Ok(()) };
        self.commits.heal();
        let attempted = zombie.committer.attempt(&self.commits, None, false).await;
        self.say(format!("the process before wakes up: {attempted:?}"));
        match attempted {
            Attempted::Refused(StoreError::Fenced { .. }) => self.figures.fenced += 1,
            // It had nothing to say.
            Attempted::Done => {}
            other => return Err(format!("a process of before could still write: {other:?}")),
        }
        self.check_tables().await
    }

    /// Everything in memory is gone, and perhaps more.
    pub async fn die(&mut self, end: End) -> Checked {
        let Some(process) = self.process.take() else { return Ok(()) };
        self.say(format!("{end:?}"));
        self.disk.kill();
        process.journal.close().await;
        match end {
            End::Kill => self.figures.kills += 1,
            End::PowerFailure => {
                self.figures.power_failures += 1;
                let folder = self.folder().join("journal");
                self.disk.fail_power(&folder, &mut self.dice);
            }
        }
        self.spoil_snapshots();
        self.leave(process, end == End::Kill).await
    }

    /// What an end can do to the files of snapshots: one that was being written is a draft. And bits fall over, even in
    /// what was durable; while two are kept one may be damaged.
    fn spoil_snapshots(&mut self) {
        let states = self.folder().join("state");
        let snapshots = snapshot::list(&states).expect("the folder can be read");
        if let Some((position, path)) = snapshots.last() {
            if self.dice.percent(30) {
                let half = std::fs::read(path).expect("a file of ours");
                let draft = states.join(format!("{:020}.draft", position.0 + 1));
                std::fs::write(draft, &half[..self.dice.index(half.len())]).expect("there is room");
            }
            let usable = snapshots.iter().filter(|(position, _)| *position <= self.committed).count();
            if usable >= 2 && self.dice.percent(50) {
                self.figures.snapshots_spoilt += 1;
                self.say(format!("the snapshot at {position} is damaged"));
                let mut bytes = std::fs::read(path).expect("a file of ours");
                let at = self.dice.index(bytes.len());
                match self.dice.percent(50) {
                    true => bytes.truncate(at),
                    false => bytes[at] ^= 1 << self.dice.below(8),
                }
                std::fs::write(path, bytes).expect("there is room");
            }
        }
    }

    /// Receivers stop, the journal is closed, what it holds is counted and committed if the store takes it in time.
    pub async fn stop(&mut self) -> Checked {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        self.figures.stops += 1;
        self.say("an orderly stop");
        process.journal.close().await;
        if let Some(pipeline) = &mut process.pipeline {
            while pipeline.counting.count_next() {}
            pipeline.counting.publish_reach();
            pipeline.counting.publish();
            if self.dice.percent(80) {
                self.commits.heal();
            }
            // One may be under way, of what was published before.
            let mut left = 2;
            while left > 0 {
                match pipeline.committer.attempt(&self.commits, self.canary, true).await {
                    Attempted::Done => left -= 1,
                    Attempted::Failed if self.dice.percent(50) => {}
                    Attempted::Failed => break,
                    Attempted::Refused(error) => return Err(format!("the store refuses: {error}")),
                }
            }
            if left == 0 {
                pipeline.counting.finish();
            }
        }
        self.leave(process, false).await
    }

    /// What becomes of the store when its process is gone.
    async fn leave(&mut self, process: Process, may_linger: bool) -> Checked {
        let Process { pipeline, store, .. } = process;
        if may_linger && self.zombie.is_none() && self.dice.percent(15) {
            if let Some(pipeline) = pipeline {
                self.say("…but its commits are still to come");
                self.zombie = Some(Zombie { committer: pipeline.committer, store });
            }
            return Ok(());
        }
        drop(pipeline);
        if self.zombie.is_some() {
            return Ok(());
        }
        store.close().await;
        drop(store);
        self.check_store().await?;
        if is_file(&self.database()) {
            self.back_up_or_restore().await;
        }
        Ok(())
    }

    /// A journal that has dropped records cannot give them to a store that has forgotten them.
    async fn back_up_or_restore(&mut self) {
        if self.is_tight {
            return;
        }
        if self.dice.percent(30) {
            self.backup = Some((copy(&self.database()), self.committed));
        } else if self.dice.percent(25)
            && let Some((bytes, position)) = &self.backup
        {
            restore(&self.database(), bytes);
            let from = std::mem::replace(&mut self.committed, *position);
            self.figures.restored += 1;
            self.say(format!("the store is restored from a backup: {from} becomes {}", self.committed));
        }
    }

    /// Ends the processes that are left, without any fault.
    pub async fn end(&mut self) -> Checked {
        self.zombie = None;
        self.disk.heal();
        self.commits.heal();
        self.stop().await
    }

    /// Whether the store was claimed by this process.
    pub fn is_counting(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.pipeline.is_some())
    }

    /// Another process claims the journal's place in the store, as one with a copied data folder would.
    pub async fn fence(&mut self) -> Checked {
        let Some(process) = self.process.as_ref().filter(|process| process.pipeline.is_some()) else {
            return Ok(());
        };
        let other = process.store.claim(process.identity.journal.0, "another").await;
        other.map_err(|error| format!("cannot be claimed: {error}"))?;
        self.say("another process claims the store");
        let Some(pipeline) = self.process.as_mut().and_then(|process| process.pipeline.as_mut()) else {
            return Ok(());
        };
        pipeline.counting.publish();
        self.commits.heal();
        match pipeline.committer.attempt(&self.commits, None, false).await {
            Attempted::Refused(StoreError::Fenced { .. }) => self.figures.fenced += 1,
            Attempted::Done => {}
            other => return Err(format!("a second writer was not seen: {other:?}")),
        }
        self.die(End::Kill).await
    }
}

/// What is under way needs no end.
impl Drop for World {
    fn drop(&mut self) {
        self.disk.open_gate();
        if let Some(process) = &mut self.process
            && let Some(pipeline) = &mut process.pipeline
        {
            pipeline.committer = Committer::Ended;
        }
    }
}
