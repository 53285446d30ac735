//! Postgres failing under load: the journal takes the lines meanwhile, and all of them are counted once in the end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use sqlx::{Connection, PgConnection};

use crate::numbers::{Numbers, fresh_seed};
use crate::postgres::Server;
use crate::proxy::{Fault, Proxy};
use crate::service::wait_for;
use crate::stage::{Stage, now};
use crate::traffic::Shape;

/// Commits often, to be hit often.
const OFTEN: &str = "[store]\nflush_interval = \"5ms\"\n";

#[test]
fn postgres_stopped_and_killed_and_started_again() {
    let server = Server::start();
    let mut stage =
        Stage::with_database(Some(now(server.database())), Shape::SUSTAINED, &mut Numbers::new(fresh_seed()));
    stage.setup.config.push_str(OFTEN);
    let service = stage.start();
    service.wait_until_ready();
    for (part, stop) in [Server::stop, Server::kill, Server::stop].into_iter().enumerate() {
        stage.load.go_on_to(part + 1, 4);
        stage.load.wait_for_more(40);
        let failures = service.metric("castmeter_store_failures_total");
        stop(&server);
        // Batches are taken all the same.
        stage.load.wait_for_more(40);
        wait_for("a commit to fail", || service.metric("castmeter_store_failures_total") > failures);
        let commits = service.metric("castmeter_store_commits_total");
        server.start_again();
        wait_for("a commit", || service.metric("castmeter_store_commits_total") > commits);
    }
    let report = stage.end(service);
    report.expect_clean("Postgres stopped and started");
}

#[test]
fn a_start_without_postgres_serves_and_counts_later() {
    let server = Server::start();
    let mut stage =
        Stage::with_database(Some(now(server.database())), Shape::SUSTAINED, &mut Numbers::new(fresh_seed()));
    stage.setup.config.push_str(OFTEN);
    server.stop();
    let service = stage.start();
    stage.load.wait_for_more(100);
    let (status, why) = service.get(service.admin, "/readyz");
    assert!(status == 503 && why.contains("the store"), "{status} {why}");
    server.start_again();
    let report = stage.end(service);
    report.expect_clean("started without Postgres");
}

#[test]
fn connections_ended_over_and_over() {
    let mut stage = Stage::with_database(
        Some(now(Server::shared().database())),
        Shape::SUSTAINED,
        &mut Numbers::new(fresh_seed()),
    );
    stage.setup.config.push_str(OFTEN);
    let service = stage.start();
    service.wait_until_ready();
    let url = stage.setup.database_url();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| now(end_connections(&url, &done)));
        stage.load.wait_for_answers(usize::MAX);
        done.store(true, Ordering::Relaxed);
    });
    assert!(service.metric("castmeter_store_failures_total") > 0.0, "no commit was hit");
    let report = stage.end(service);
    report.expect_clean("connections ended");
}

async fn end_connections(database_url: &str, done: &AtomicBool) {
    let mut connection = PgConnection::connect(database_url).await.unwrap();
    let mut pauses = Numbers::new(fresh_seed());
    while !done.load(Ordering::Relaxed) {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE application_name = 'castmeter' AND datname = current_database()";
        sqlx::query(end).execute(&mut connection).await.unwrap();
        tokio::time::sleep(pauses.micros(1_000..=40_000)).await;
    }
}

/// The one thing a writer cannot tell: whether a commit whose answer was lost is in.
#[test]
fn commits_cut_off_and_their_answers_lost() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = {
        let _inside = runtime.enter();
        Proxy::start(Server::shared().socket_folder())
    };
    let url = proxy.url(&now(Server::shared().database()));
    let mut stage = Stage::with_database(Some(url), Shape::SUSTAINED, &mut Numbers::new(fresh_seed()));
    stage.setup.config.push_str(OFTEN);
    let service = stage.start();
    service.wait_until_ready();
    let faults = [Fault::BeforeCommit, Fault::AfterCommit].into_iter().cycle();
    for (part, fault) in faults.take(12).enumerate() {
        stage.load.go_on_to(part + 1, 13);
        proxy.set(fault);
        stage.load.wait_for_more(10);
        wait_for("the network to fail", || !proxy.is_armed());
    }
    wait_for("commits to have failed", || service.metric("castmeter_store_failures_total") >= 12.0);
    let report = stage.end(service);
    report.expect_clean("answers of commits lost");
}
