//! SIGTERM under load: what was answered is kept, the service ends well, and the next start goes on.

use crate::numbers::{Numbers, fresh_seed};
use crate::postgres::Server;
use crate::stage::{Stage, Store, now};
use crate::traffic::Shape;

#[test]
fn terminated_under_load() {
    for store in [Store::Sqlite, Store::Postgres] {
        let stage = Stage::new(store, Shape::SUSTAINED, &mut Numbers::new(fresh_seed()));
        for part in 1..=4 {
            stage.load.go_on_to(part, 5);
            let service = stage.start();
            stage.load.wait_for_more(60);
            let ended = service.stop();
            stage.load.aim(None);
            assert!(ended.success(), "{store:?}: {ended}");
        }
        let service = stage.start();
        let report = stage.end(service);
        report.expect_clean(&format!("{store:?} terminated under load"));
    }
}

/// What cannot be committed waits in the journal.
#[test]
fn terminated_while_postgres_is_away() {
    let server = Server::start();
    let database = Some(now(server.database()));
    let mut stage = Stage::with_database(database, Shape::SUSTAINED, &mut Numbers::new(fresh_seed()));
    stage.setup.environment.push(("CASTMETER_DRAIN_TIMEOUT", "200ms".into()));
    for part in 1..=2 {
        stage.load.go_on_to(part, 3);
        let service = stage.start();
        service.wait_until_ready();
        stage.load.wait_for_more(60);
        server.stop();
        stage.load.wait_for_more(60);
        let ended = service.stop();
        stage.load.aim(None);
        assert!(ended.success(), "{ended}");
        server.start_again();
    }
    stage.setup.environment.clear();
    let service = stage.start();
    let report = stage.end(service);
    report.expect_clean("terminated while Postgres is away");
}
