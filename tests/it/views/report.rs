//! `castmeter report` as a user meets it: the same lines from SQLite and from Postgres.

use castmeter::store::Report;

use super::world::World;
use crate::service::castmeter;

super::in_both!(every_report_is_printed, what_is_asked_is_printed, wrong_questions_are_answered);

/// Exit code, standard output and standard error.
fn report(world: &World, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = castmeter().args(["report", "--store", world.url()]).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// With a value in each column of numbers that are worked out: databases differ in the types of those.
async fn every_report_is_printed(world: World) {
    for (key, day) in [(1, 25), (2, 26), (3, 27), (4, 28), (5, 29)] {
        world.episode(key, 1, &format!("2026-11-{day}T00:00:00Z")).await;
        world.launch(key, &[(0, 5), (1, 4), (30, 3)]).await;
    }
    let day = "episode_day (episode_id, day, downloads, bulk_downloads, progressive_downloads, listeners, requests, \
               delivered_bytes, body_bytes, addresses, instance_id)";
    world.insert(day, &["1, '2026-11-25', 20, 11, 9, 20, 20, 9000, 9000, 1, 1"]).await;
    world.insert("listen_bin (episode_id, bin, covered, furthest, instance_id)", &["1, 40, 8, 8, 1"]).await;
    world.insert("chapter (episode_id, number, start_seconds, title)", &["1, 1, 0.0, 'Begin'"]).await;
    let (_, listening, _) = report(&world, &["listening", "--format=csv", "--episode=1"]);
    assert!(listening.ends_with("alpha,1,Episode 1,20,11,9,8,0.4,0.41\n"), "{listening}");
    for what in Report::ALL {
        let mut arguments = vec![what.name(), "--format=csv"];
        if what.has_episodes() {
            arguments.extend(["--show=alpha", "--episode=1"]);
        }
        if what.has_days() {
            arguments.extend(["--since=2026-11-01", "--until=2026-11-29"]);
        }
        let (code, csv, stderr) = report(&world, &arguments);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
        // Columns are named where there are no rows, too.
        assert!(csv.lines().next().is_some_and(|line| line.split(',').count() >= 2), "{arguments:?}: {csv}");
    }
}

async fn what_is_asked_is_printed(world: World) {
    for (key, show, published_at) in
        [(1, 1, "2026-11-01T00:00:00Z"), (2, 1, "2026-11-02T23:59:59Z"), (3, 2, "2026-11-03T00:00:00Z")]
    {
        world.episode(key, show, published_at).await;
        world.launch(key, &[(0, 5 * i64::from(key))]).await;
    }
    let csv = |arguments: &[&str]| {
        let (code, csv, stderr) = report(&world, &[arguments, &["--format=csv"]].concat());
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
        csv
    };
    let columns = "show,episode,title,published_at,downloads_1d,downloads_7d,downloads_30d,downloads_all,listeners_7d,\
                   listeners_all,file_equivalents\n";
    let rows = [
        "beta,3,Episode 3,2026-11-03T00:00:00Z,15,15,15,0,,,\n",
        "alpha,2,Episode 2,2026-11-02T23:59:59Z,10,10,10,0,,,\n",
        "alpha,1,Episode 1,2026-11-01T00:00:00Z,5,5,5,0,,,\n",
    ];
    assert_eq!(csv(&[]), format!("{columns}{}", rows.concat()));
    assert_eq!(csv(&["episodes", "--show=beta"]), format!("{columns}{}", rows[0]));
    assert_eq!(csv(&["--since=2026-11-02", "--until=2026-11-02"]), format!("{columns}{}", rows[1]));
    assert_eq!(csv(&["--episode=1", "--until=2026-11-01"]), format!("{columns}{}", rows[2]));
    assert_eq!(csv(&["--show=it's"]), columns);
    let curve = csv(&["curve", "--episode=1"]);
    assert_eq!(curve.lines().nth(2), Some("alpha,1,2026-11-01T00:00:00Z,1,0,5"));
    let ndjson = report(&world, &["projection", "--format=ndjson", "--show=beta"]).1;
    assert_eq!(ndjson, "", "its week is over");
}

async fn wrong_questions_are_answered(world: World) {
    for (arguments, code, says) in [
        (&["reach"][..], 64, "listen-through"),
        (&["shows", "--episode=1"], 64, "--episode does not apply to the report `shows`"),
        (&["subscribers", "--show=alpha"], 64, "--show does not apply"),
        (&["chapters", "--since=2026-11-01"], 64, "--since does not apply"),
        (&["curve"], 64, "needs --show or --episode"),
        (&["--since=yesterday"], 64, "yesterday"),
    ] {
        let (exit, stdout, stderr) = report(&world, arguments);
        assert_eq!((exit, stdout.as_str()), (Some(code), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(says), "{arguments:?}: {stderr}");
    }
    for (url, code, says) in [
        ("mysql://me:secret@db/x", 64, "postgres://"),
        ("sqlite:none.sqlite", 1, "none.sqlite"),
        ("postgres://nobody@localhost:1/none", 1, "Postgres"),
    ] {
        let output = castmeter().args(["report", "--store", url]).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(says) && !stderr.contains("secret"), "{stderr}");
    }
    world.run("DELETE FROM _sqlx_migrations WHERE version >= 5").await;
    let (exit, _, stderr) = report(&world, &[]);
    assert!(exit == Some(1) && stderr.contains("castmeter serve"), "{stderr}");
}
