//! What the public views cost with 2,000 episodes and three years of rows: `cargo bench --bench views`.
//!
//! Each is asked as a dashboard would: a show, an episode or some days; the lists of episodes and shows as a whole. Told
//! are the best of several runs with all rows fetched, since whatever else the machine does only adds, and the CPU time
//! that an answer takes on average, for a machine that is busy with more than this. SQLite in the target folder; Postgres
//! too where `CASTMETER_BENCH_DATABASE_URL` names an empty database, as a superuser, for keys are not checked while its
//! rows are written. Filling takes about a minute and 2 GB in SQLite, some minutes and 5 GB in Postgres. Linux only.

use std::time::Duration;

use castmeter::clock::{Clock, SystemClock};
use castmeter::store::{Settings, Store};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, SqliteConnection};

const RUNS: u32 = 10;

/// Where an answer should stay below.
const BOUND: Duration = Duration::from_millis(100);

const SHOW: &str = "show = 'show-3'";
const EPISODE: &str = "show = 'show-3' AND episode = 'episode-1502'";

/// Questions, with `{show}` and `{episode}` for what is chosen.
const QUESTIONS: [&str; 35] = [
    "SELECT * FROM episode_reach",
    "SELECT * FROM episode_reach WHERE {show}",
    "SELECT * FROM show_reach",
    "SELECT * FROM listeners_span WHERE scope = 'show' AND {show} AND span = 'rolling_7'",
    "SELECT * FROM listeners_span WHERE scope = 'episode' AND {episode} AND span = 'day'",
    "SELECT episode, age_hours, cumulative FROM launch_curve WHERE {show} AND age_hours < 168",
    "SELECT * FROM launch_curve WHERE {episode}",
    "SELECT * FROM launch_pace WHERE {episode}",
    "SELECT * FROM launch_pace WHERE {show} AND age_hours = 167",
    "SELECT * FROM launch_projection",
    "SELECT * FROM launch_projection_hour WHERE {episode}",
    "SELECT * FROM launch_projection_hour WHERE {show} AND age_hours = 23",
    "SELECT * FROM listen_summary WHERE {show}",
    "SELECT * FROM listen_through WHERE {episode}",
    "SELECT episode, bin, share FROM listen_through WHERE {show}",
    "SELECT * FROM chapter_reach WHERE {episode}",
    "SELECT * FROM downloads_day WHERE {episode}",
    "SELECT * FROM downloads_day WHERE {show} AND day >= '2026-10-25'",
    "SELECT day, sum(downloads) FROM downloads_day WHERE {show} AND day >= '2026-10-01' GROUP BY day",
    "SELECT * FROM show_day WHERE day >= '2026-10-01'",
    "SELECT * FROM show_day WHERE {show}",
    "SELECT * FROM downloads_hour WHERE {episode} AND hour >= '2026-10-01T00:00:00Z'",
    "SELECT hour, sum(downloads) FROM downloads_hour WHERE {show} AND hour >= '2026-10-25T00:00:00Z' GROUP BY hour",
    "SELECT country, app, sum(downloads) FROM audience_day WHERE {episode} GROUP BY country, app",
    "SELECT country, sum(downloads) FROM audience_day WHERE {show} AND day >= '2026-10-01' GROUP BY country",
    "SELECT region, sum(downloads) FROM audience_region_day WHERE {show} AND day >= '2026-10-01' GROUP BY region",
    "SELECT referrer, sum(downloads) FROM audience_referrer_day WHERE {show} AND day >= '2026-10-01' GROUP BY referrer",
    "SELECT rule, sum(requests) FROM exclusions_day WHERE {show} AND day >= '2026-10-25' GROUP BY rule",
    "SELECT rule, sum(requests) FROM exclusions_day WHERE {episode} GROUP BY rule",
    "SELECT * FROM exclusion_changes WHERE {show} AND day = '2026-10-01'",
    "SELECT * FROM exclusion_changes WHERE day = '2026-10-01'",
    "SELECT * FROM subscribers_day WHERE feed = '/show-3/feed.xml' AND day >= '2026-10-01'",
    "SELECT pop, sum(requests) FROM traffic_day WHERE {show} AND day >= '2026-10-01' GROUP BY pop",
    "SELECT * FROM parity WHERE {episode}",
    "SELECT * FROM parity WHERE {show} AND day >= '2026-10-25'",
];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("castmeter.sqlite").display());
    make_tables(&url).await;
    let mut sqlite = SqliteConnection::connect(&url).await.expect("SQLite opens");
    sqlx::raw_sql(include_str!("views/sqlite.sql")).execute(&mut sqlite).await.expect("rows for SQLite");
    ask_all("SQLite", std::process::id(), sqlite).await;

    let Ok(url) = std::env::var("CASTMETER_BENCH_DATABASE_URL") else { return };
    make_tables(&url).await;
    let options: PgConnectOptions = url.parse().expect("the URL of a Postgres database");
    let mut postgres: PgConnection =
        options.options([("jit", "off")]).connect().await.expect("Postgres answers");
    sqlx::raw_sql(include_str!("views/postgres.sql"))
        .execute(&mut postgres)
        .await
        .expect("rows for Postgres");
    let backend: i32 =
        sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut postgres).await.expect("a process");
    ask_all("Postgres", backend.unsigned_abs(), postgres).await;
}

async fn make_tables(url: &str) {
    let store = Store::open(url, Settings::default()).expect("the URL is right");
    store.migrate().await.expect("migrations run");
    store.close().await;
}

/// Prints a line for each question. `process` is the one that answers.
async fn ask_all<C>(name: &str, process: u32, mut connection: C)
where
    C: Connection,
    for<'c> &'c mut C: Executor<'c, Database = C::Database>,
{
    println!("{name}\n{:>9} {:>7} {:>7}", "best ms", "CPU ms", "rows");
    for question in QUESTIONS {
        let question = question.replace("{show}", SHOW).replace("{episode}", EPISODE);
        let (mut best, mut rows) = (Duration::MAX, 0);
        let cpu = cpu_time(process);
        for _ in 0..RUNS {
            let clock = SystemClock::new();
            // Planned with the values, as dashboards send them.
            let answer = connection.fetch_all(AssertSqlSafe(question.as_str())).await.expect(&question);
            (best, rows) = (best.min(clock.monotonic()), answer.len());
        }
        let cpu = cpu_time(process).zip(cpu).map(|(after, before)| after - before);
        let cpu =
            cpu.map_or("-".to_owned(), |cpu| format!("{:.0}", cpu.as_secs_f64() * 1000.0 / f64::from(RUNS)));
        let mark = if best > BOUND { '!' } else { ' ' };
        println!("{:>8.1}{mark} {cpu:>7} {rows:>7}  {question}", best.as_secs_f64() * 1000.0);
    }
}

/// User and system time of a process of this machine; in ticks of 10 ms, as proc_pid_stat(5) says.
fn cpu_time(process: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, behind_name) = stat.rsplit_once(')')?;
    let ticks = behind_name.split_ascii_whitespace().skip(11).take(2);
    Some(Duration::from_millis(10 * ticks.map(|count| count.parse::<u64>().expect("a number")).sum::<u64>()))
}
