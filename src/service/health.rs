//! Whether the service is ready for traffic: what `/readyz` says.

use std::sync::Mutex;

use crate::journal::Status;

/// What the parts of the service say of themselves.
#[derive(Debug, Default)]
pub struct Health {
    store: Mutex<StoreState>,
}

/// How it stands with the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StoreState {
    /// Not migrated and claimed yet.
    #[default]
    Starting,
    Ready,
    /// Does not answer; the journal keeps what comes in.
    Failing(String),
}

impl Health {
    pub fn set_store(&self, state: StoreState) {
        *self.store.lock().expect("nothing panics with it held") = state;
    }

    /// Why the service is not ready, if it is not.
    pub fn problems(&self, journal: &Status) -> Vec<String> {
        let mut problems = Vec::new();
        if !journal.running {
            problems.push("the journal has stopped".to_owned());
        }
        if journal.full.is_some() {
            problems.push("the journal is full".to_owned());
        }
        match &*self.store.lock().expect("nothing panics with it held") {
            StoreState::Starting => problems.push("the store is not migrated yet".to_owned()),
            StoreState::Failing(error) => problems.push(format!("the store does not answer: {error}")),
            StoreState::Ready => {}
        }
        problems
    }
}
