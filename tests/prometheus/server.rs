//! Prometheus and promtool, unpacked by `tests/tools.sh`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::service::wait_for;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn tool(name: &str) -> PathBuf {
    static UNPACKED: OnceLock<()> = OnceLock::new();
    UNPACKED.get_or_init(|| {
        assert!(Command::new(root().join("tests/tools.sh")).status().unwrap().success(), "tests/tools.sh");
    });
    root().join("target/tools/usr/bin").join(name)
}

/// Runs promtool; gives whether it succeeded, and all it said.
pub fn promtool(arguments: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new(tool("promtool"))
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// A Prometheus that scrapes one address each second; killed when dropped.
pub struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    /// With the rules of the repository.
    pub fn start(folder: &Path, scraped: SocketAddr) -> Self {
        let rules = root().join("dashboards/rules/*.yml");
        let mut config = String::from("global: { scrape_interval: 1s, evaluation_interval: 1s }\n");
        writeln!(config, "rule_files: [{:?}]", rules.display().to_string()).unwrap();
        writeln!(
            config,
            "scrape_configs: [{{ job_name: castmeter, static_configs: [{{ targets: ['{scraped}'] }}] }}]"
        )
        .unwrap();
        let file = folder.join("prometheus.yml");
        std::fs::write(&file, config).unwrap();
        let address = free_address();
        let child = Command::new(tool("prometheus"))
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("prometheus").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn")
            .spawn()
            .unwrap();
        let prometheus = Self { child, address };
        wait_for("Prometheus to be ready", || {
            ureq::get(format!("http://{address}/-/ready")).call().is_ok_and(|answer| answer.status() == 200)
        });
        prometheus
    }

    /// `data` of an API answer; panics with what the server says is wrong.
    pub fn api(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let request = agent.get(format!("http://{}/api/v1/{path}", self.address));
        let mut answer = request.query_pairs(parameters.iter().copied()).call().unwrap();
        let mut answer: Value =
            serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).expect("JSON");
        assert_eq!(answer["status"], "success", "{parameters:?}: {answer}");
        answer["data"].take()
    }

    /// The series that an expression gives just now, with their values.
    pub fn query(&self, expression: &str) -> Vec<(Value, f64)> {
        let data = self.api("query", &[("query", expression)]);
        let number = |value: &Value| value[1].as_str().unwrap().parse::<f64>().unwrap();
        if data["resultType"] == "scalar" {
            return vec![(Value::Null, number(&data["result"]))];
        }
        let series = data["result"].as_array().unwrap();
        series.iter().map(|it| (it["metric"].clone(), number(&it["value"]))).collect()
    }

    /// The values of a label, sorted.
    pub fn label_values(&self, label: &str) -> Vec<String> {
        let values = self.api(&format!("label/{label}/values"), &[]);
        values.as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Free a moment ago: Prometheus cannot be given a socket.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
