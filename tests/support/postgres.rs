//! A real Postgres server for tests: started in a temporary folder, reached by its socket, gone with the process.
//!
//! Debian's packages are found by themselves; without any Postgres a test fails and says so. As root the server
//! runs as user `postgres`, for it refuses to run as root.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// A server. Stopped and removed when dropped or when this process ends.
pub struct Server {
    folder: PathBuf,
    databases: AtomicU32,
    supervisor: Mutex<Supervisor>,
}

struct Supervisor {
    process: Child,
    /// None once it was told to end.
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Server {
    /// The one that all tests share which do not stop it.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Server> = LazyLock::new(Server::start);
        &SHARED
    }

    /// A server of one's own.
    pub fn start() -> Self {
        let mut process = command()
            .args(["sh", "-c", include_str!("postgres.sh"), "castmeter-postgres"])
            .arg(binaries())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh starts");
        let commands = process.stdin.take();
        let mut answers = BufReader::new(process.stdout.take().expect("it is piped"));
        let folder = PathBuf::from(read_line(&mut answers));
        let supervisor = Mutex::new(Supervisor { process, commands, answers });
        let server = Self { folder, databases: AtomicU32::new(0), supervisor };
        server.start_again();
        server
    }

    pub fn start_again(&self) {
        self.tell("start");
    }

    /// As an operator stops it: connections are ended, all that was committed is written.
    pub fn stop(&self) {
        self.tell("stop");
    }

    /// As a crash of its processes.
    pub fn kill(&self) {
        self.tell("kill");
    }

    /// The folder with the server's socket.
    pub fn socket_folder(&self) -> &Path {
        &self.folder
    }

    /// URL of a database, as the superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.folder.display())
    }

    /// URL of a new, empty database.
    pub async fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.execute(&format!("CREATE DATABASE {name}")).await;
        self.url(&name)
    }

    /// Runs a statement in the database `postgres`, as the superuser.
    pub async fn execute(&self, sql: &str) {
        let mut connection = PgConnection::connect(&self.url("postgres")).await.expect("the server answers");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect(sql);
        connection.close().await.expect("the connection closes");
    }

    fn tell(&self, command: &str) {
        let mut supervisor =
            self.supervisor.lock().expect("no test panicked while it told the server something");
        let commands = supervisor.commands.as_mut().expect("it has not ended");
        writeln!(commands, "{command}").expect("the supervisor runs");
        assert_eq!(read_line(&mut supervisor.answers), "done", "pg_ctl {command}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let supervisor = self.supervisor.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        drop(supervisor.commands.take());
        supervisor.process.wait().expect("the supervisor ends");
    }
}

/// A line without its end; what went wrong is on standard error.
fn read_line(answers: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    answers.read_line(&mut line).expect("UTF-8 from the supervisor");
    assert!(line.ends_with('\n'), "Postgres did not start or stop: see above");
    line.trim_end().to_owned()
}

/// What a command begins with, so that it does not run as root.
fn command() -> Command {
    let owner = Command::new("id").arg("-u").output().expect("id runs").stdout;
    if owner.trim_ascii() != b"0" {
        return Command::new("env");
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]);
    command
}

/// The folder of the newest Postgres' programs: Debian's, else the one in the path.
fn binaries() -> PathBuf {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let versions = debian.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let newest = versions.max().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    newest
        .into_iter()
        .chain(std::env::split_paths(&path))
        .find(|folder| folder.join("pg_ctl").is_file() && folder.join("initdb").is_file())
        .expect("this test needs Postgres (initdb and pg_ctl); on Debian: apt-get install postgresql")
}
