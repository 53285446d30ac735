//! A service under generated traffic of today.

use std::path::Path;
use std::process::Stdio;

use crate::service::{Service, Setup, castmeter};

/// Lines that a load has.
pub const LINES: u64 = 6_000;

/// Traffic, and a service that knows its catalogue.
pub struct Load {
    batches: Vec<Vec<u8>>,
    pub service: Service,
}

impl Load {
    pub fn start(folder: &Path) -> Self {
        let catalog = folder.join("catalog.csv").display().to_string();
        let today = castmeter::clock::Clock::now(&castmeter::clock::SystemClock::new()).day().to_string();
        let output = castmeter()
            .args(["generate", "--seed=3", "--listeners=2000", "--episodes=40", "--shows=3", "--days=1"])
            .args([&format!("--start={today}"), &format!("--lines={LINES}"), "--catalog-out", &catalog])
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success());
        let lines: Vec<&[u8]> = output.stdout.split_inclusive(|byte| *byte == b'\n').collect();
        let mut batches: Vec<Vec<u8>> = lines.chunks(200).map(<[&[u8]]>::concat).collect();
        for batch in &mut batches {
            batch.extend_from_slice(b"{\"v\":1, this is no line\n");
        }
        let setup = Setup { config: format!("catalog = {catalog:?}\n"), ..Setup::new(folder) };
        let service = setup.start();
        service.wait_until_ready();
        Self { batches, service }
    }

    /// Lines that all batches have.
    pub fn lines(&self) -> u64 {
        LINES + self.batches.len() as u64
    }

    /// Posts all batches, calling `between` after each.
    pub fn post(&self, mut between: impl FnMut()) {
        for batch in &self.batches {
            assert_eq!(self.service.post(&[], batch).0, 200);
            between();
        }
        self.service.wait_for_lines(self.lines());
    }
}
