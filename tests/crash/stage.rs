//! What every attack needs: a folder, a database, traffic, and a service's setup for them.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use crate::judge::{Report, judge};
use crate::load::{Load, Outcome};
use crate::numbers::Numbers;
use crate::postgres::Server;
use crate::service::{Addresses, Service, Setup};
use crate::tables::{Tables, tables};
use crate::traffic::{Shape, Traffic};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    Sqlite,
    Postgres,
}

pub struct Stage {
    folder: TempDir,
    pub setup: Setup,
    pub traffic: Arc<Traffic>,
    pub load: Load,
    /// Then nothing is kept to be looked at.
    pub is_expected_to_fail: bool,
}

impl Stage {
    /// With an empty database; for Postgres one on the server that all tests share.
    pub fn new(store: Store, shape: Shape, numbers: &mut Numbers) -> Self {
        let database_url = (store == Store::Postgres).then(|| now(Server::shared().database()));
        Self::with_database(database_url, shape, numbers)
    }

    /// Without a database's URL: SQLite.
    pub fn with_database(database_url: Option<String>, shape: Shape, numbers: &mut Numbers) -> Self {
        let folder = tempfile::Builder::new().prefix("castmeter-crash-").tempdir().unwrap();
        let traffic = Arc::new(Traffic::generate(folder.path(), shape, numbers));
        let setup = Setup {
            database_url,
            config: traffic.config(),
            log: Some(folder.path().join("castmeter.log")),
            ..Setup::new(folder.path())
        };
        let load = Load::start(&traffic);
        Self { folder, setup, traffic, load, is_expected_to_fail: false }
    }

    /// Starts the service and lets the senders at it.
    pub fn start(&self) -> Service {
        let service = self.setup.start();
        self.load.aim(Some(Addresses { http: service.http, syslog: service.syslog, admin: service.admin }));
        service
    }

    pub fn journal(&self) -> PathBuf {
        self.setup.data().join("journal")
    }

    /// Sends what is left to send, stops the service and judges it.
    pub fn end(self, service: Service) -> Report {
        let (ended, outcome) = self.drain(service);
        ended.judge(&outcome)
    }

    /// Sends what is left to send, and stops the service in order.
    pub fn drain(self, service: Service) -> (Ended, Outcome) {
        let Self { folder, setup, traffic, load, is_expected_to_fail } = self;
        service.wait_until_ready();
        let outcome = load.finish();
        assert!(service.stop().success(), "an orderly stop");
        (Ended { folder, setup, traffic, is_expected_to_fail }, outcome)
    }
}

/// A stage whose service has stopped in order.
pub struct Ended {
    folder: TempDir,
    pub setup: Setup,
    pub traffic: Arc<Traffic>,
    is_expected_to_fail: bool,
}

impl Ended {
    pub fn judge(mut self, outcome: &Outcome) -> Report {
        let report = judge(&self.traffic, outcome, &self.setup.data().join("journal"), &self.tables());
        let is_kept = !report.is_clean() && !self.is_expected_to_fail;
        self.folder.disable_cleanup(is_kept);
        if is_kept {
            eprintln!("the service's folder is kept: {}", self.folder.path().display());
        }
        report
    }

    pub fn tables(&self) -> Tables {
        now(tables(&self.setup.database_url()))
    }
}

/// The result of a database's work, waited for.
pub fn now<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
