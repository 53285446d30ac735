//! The disk under a simulated journal: real files, operations that fail as planned, and a power failure that takes
//! away what was not made durable.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use castmeter::journal::{Faults, Operation, Verdict};

use crate::dice::Dice;

/// What becomes of one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    Error,
    NoSpace,
    /// Of a write, so many bytes reach the file.
    Torn(u64),
}

#[derive(Default)]
pub struct SimulatedDisk {
    state: Mutex<State>,
    changed: Condvar,
    /// An injected defect: what an fsync covers is durable only with the next one.
    fsync_lags: bool,
}

#[derive(Default)]
struct State {
    dead: bool,
    /// Operations that still happen before nothing reaches the disk any more.
    dies_in: Option<u64>,
    /// Of the next operations.
    plan: VecDeque<Fault>,
    /// No space is left for anything new.
    full: bool,
    gate: Gate,
    /// Bytes of each file that a power failure leaves.
    durable: HashMap<PathBuf, u64>,
    /// What the last fsync covered.
    synced: HashMap<PathBuf, u64>,
    /// Files whose names are not durable yet.
    unnamed: HashSet<PathBuf>,
}

/// Holds the journal's thread at its next look at the free space, with which each append begins.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Gate {
    #[default]
    Open,
    Shut,
    Reached,
}

impl SimulatedDisk {
    pub fn new(fsync_lags: bool) -> Self {
        Self { fsync_lags, ..Self::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }

    pub fn plan(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().plan.extend(faults);
    }

    pub fn set_full(&self, full: bool) {
        self.state().full = full;
    }

    /// After so many more operations nothing reaches the disk any more.
    pub fn die_in(&self, operations: u64) {
        self.state().dies_in = Some(operations);
    }

    pub fn is_dead(&self) -> bool {
        self.state().dead
    }

    pub fn kill(&self) {
        self.state().dead = true;
    }

    /// All faults are mended.
    pub fn heal(&self) {
        let mut state = self.state();
        (state.plan, state.dies_in, state.full) = (VecDeque::new(), None, false);
    }

    /// A new process has it.
    pub fn revive(&self) {
        let mut state = self.state();
        (state.dead, state.dies_in) = (false, None);
    }

    pub fn shut_gate(&self) {
        self.state().gate = Gate::Shut;
    }

    pub fn open_gate(&self) {
        self.state().gate = Gate::Open;
        self.changed.notify_all();
    }

    /// Whether the journal's thread stands before the gate; waits a little for it.
    pub fn gate_is_reached(&self) -> bool {
        let wait = Duration::from_millis(1);
        let waited = self.changed.wait_timeout_while(self.state(), wait, |state| state.gate == Gate::Shut);
        waited.expect("no panic while held").0.gate == Gate::Reached
    }

    /// Takes away what was not made durable, up to anywhere; of what remains of it, some may be zeros or noise.
    pub fn fail_power(&self, folder: &Path, dice: &mut Dice) {
        let mut state = self.state();
        let mut paths: Vec<_> =
            fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
        paths.retain(|path| is_segment(path));
        paths.sort();
        for path in paths {
            if state.unnamed.contains(&path) && dice.percent(50) {
                fs::remove_file(&path).expect("a file of ours");
                continue;
            }
            let length = fs::metadata(&path).expect("a file of ours").len();
            let durable = state.durable.get(&path).copied().unwrap_or(0).min(length);
            let kept = dice.between(durable, length + 1);
            let mut file = OpenOptions::new().write(true).open(&path).expect("a file of ours");
            file.set_len(kept).expect("it shrinks");
            if kept > durable && dice.percent(50) {
                let from = dice.between(durable, kept);
                let zeros = dice.percent(50);
                let noise: Vec<u8> =
                    (from..kept).map(|_| if zeros { 0 } else { dice.below(256) as u8 }).collect();
                file.seek(SeekFrom::Start(from)).and_then(|_| file.write_all(&noise)).expect("it is written");
            }
            state.durable.insert(path, kept);
        }
        state.unnamed.clear();
    }
}

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "segment")
}

impl Faults for SimulatedDisk {
    fn before(&self, operation: Operation, path: &Path) -> Verdict {
        let mut state = self.state();
        if operation == Operation::FreeSpace {
            if state.gate == Gate::Shut {
                state.gate = Gate::Reached;
                self.changed.notify_all();
                let waited = self.changed.wait_while(state, |state| state.gate != Gate::Open);
                state = waited.expect("no panic while held");
            }
            return if state.full { Verdict::Fail(ErrorKind::StorageFull) } else { Verdict::Proceed };
        }
        state.verdict(operation).unwrap_or_else(|| {
            state.note(operation, path, self.fsync_lags);
            Verdict::Proceed
        })
    }
}

impl State {
    /// None where nothing is in the operation's way.
    fn verdict(&mut self, operation: Operation) -> Option<Verdict> {
        if let Some(left) = self.dies_in {
            self.dead |= left == 0;
            self.dies_in = left.checked_sub(1);
        }
        if self.dead {
            return Some(Verdict::Fail(ErrorKind::Other));
        }
        let takes_space = matches!(operation, Operation::Create | Operation::Write { .. });
        if self.full && takes_space {
            return Some(Verdict::Fail(ErrorKind::StorageFull));
        }
        match self.plan.pop_front()? {
            Fault::None => None,
            Fault::Error => Some(Verdict::Fail(ErrorKind::Other)),
            Fault::NoSpace => Some(Verdict::Fail(ErrorKind::StorageFull)),
            Fault::Torn(written) => Some(Verdict::Tear { written, error: ErrorKind::Other }),
        }
    }

    fn note(&mut self, operation: Operation, path: &Path, lags: bool) {
        match operation {
            Operation::Create => drop(self.unnamed.insert(path.to_owned())),
            Operation::SyncFolder => self.unnamed.retain(|file| file.parent() != Some(path)),
            Operation::Sync => {
                let length = fs::metadata(path).expect("a file that is open").len();
                let before = self.synced.insert(path.to_owned(), length);
                self.durable.insert(path.to_owned(), if lags { before.unwrap_or(0) } else { length });
            }
            Operation::Remove => {
                self.unnamed.remove(path);
                self.durable.remove(path);
                self.synced.remove(path);
            }
            Operation::Write { .. } | Operation::Truncate | Operation::FreeSpace => {}
        }
    }
}
