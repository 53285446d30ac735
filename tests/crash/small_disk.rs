//! A file system of a few megabytes, seen by the programs that are started through it and by nobody else.
//!
//! A tmpfs in a mount namespace of its own; who is not root needs a user namespace for that. A process of ours holds the
//! namespace, and with it goes the disk.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub struct SmallDisk {
    holder: Child,
    flags: &'static [&'static str],
}

impl SmallDisk {
    /// At a folder that is there. None, and a word on standard error, where the machine does not permit it.
    pub fn mount(at: &Path, mebibytes: u32) -> Option<Self> {
        let ways: [(&[&str], &[&str]); 2] = [
            (&["--mount"], &["--mount"]),
            (&["--mount", "--user", "--map-root-user"], &["--mount", "--user", "--preserve-credentials"]),
        ];
        let disk = ways.into_iter().find_map(|(unshare, flags)| Self::hold(at, mebibytes, unshare, flags));
        if disk.is_none() {
            eprintln!("SKIPPED: neither root nor a user namespace may mount a small disk on this machine");
        }
        disk
    }

    fn hold(at: &Path, mebibytes: u32, unshare: &[&str], flags: &'static [&'static str]) -> Option<Self> {
        let script =
            "mount -t tmpfs -o size=$1m castmeter-small-disk \"$2\" && echo mounted && exec cat >/dev/null";
        let mut holder = Command::new("unshare")
            .args(unshare)
            .args(["--", "sh", "-c", script, "sh"])
            .arg(mebibytes.to_string())
            .arg(at)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("unshare runs");
        let mut said = String::new();
        BufReader::new(holder.stdout.take().expect("it is piped")).read_line(&mut said).unwrap();
        if said.trim() != "mounted" {
            holder.wait().unwrap();
            return None;
        }
        Some(Self { holder, flags })
    }

    /// What a program that is to see the disk is started through.
    pub fn through(&self) -> Vec<OsString> {
        let target = format!("--target={}", self.holder.id());
        ["nsenter", &target].iter().chain(self.flags).chain(&["--"]).map(OsString::from).collect()
    }

    /// A path on the disk, for this process.
    pub fn seen(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(path.strip_prefix("/").expect("a path from the root"))
    }

    /// Fills the disk with a file, to the last byte.
    pub fn fill(&self, file: &Path) {
        let mut file = File::create(self.seen(file)).unwrap();
        let mut block = vec![0; 1 << 20];
        while !block.is_empty() {
            match file.write_all(&block) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => block.truncate(block.len() / 2),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        self.holder.wait().expect("the holder ends");
    }
}
