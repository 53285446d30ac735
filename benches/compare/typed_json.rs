//! What reading the same lines costs with serde: `typed_json FILE`, for `make bench` to measure beside `castmeter count`.
//!
//! Every field of a version 1 line into a struct, its texts borrowed, by `serde_json`; then requests and body bytes by path
//! in a hash map. No episodes, robots, sessions or ranges: the least that a program would do. Prints its sums as JSON.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;

use hashbrown::HashMap;
use serde::Deserialize;

#[derive(Deserialize)]
#[expect(dead_code, reason = "what is read, whether it is counted or not")]
struct Line<'a> {
    v: u8,
    #[serde(borrow)]
    id: Cow<'a, str>,
    start_us: i64,
    elapsed_us: u64,
    ip: IpAddr,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    host: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
    #[serde(borrow)]
    range: Cow<'a, str>,
    status: u16,
    body_bytes: u64,
    #[serde(borrow)]
    content_range: Cow<'a, str>,
    completed: bool,
    #[serde(borrow)]
    ua: Cow<'a, str>,
    #[serde(borrow)]
    referer: Cow<'a, str>,
    #[serde(borrow)]
    country: Cow<'a, str>,
    #[serde(borrow)]
    region: Cow<'a, str>,
    asn: Option<u32>,
    #[serde(borrow)]
    proxy_type: Cow<'a, str>,
    #[serde(borrow)]
    proxy_desc: Cow<'a, str>,
    #[serde(borrow)]
    pop: Cow<'a, str>,
    #[serde(borrow)]
    state: Cow<'a, str>,
    edge: bool,
    inner: bool,
}

#[derive(Default)]
struct Sums {
    requests: u64,
    body_bytes: u64,
}

fn main() {
    let path = std::env::args_os().nth(1).expect("usage: typed_json FILE");
    let mut file = BufReader::with_capacity(256 * 1024, File::open(path).expect("a file"));
    let mut by_path: HashMap<String, Sums> = HashMap::new();
    let (mut lines, mut line) = (0_u64, Vec::new());
    while file.read_until(b'\n', &mut line).expect("a file that can be read") > 0 {
        lines += 1;
        if let Ok(read) = serde_json::from_slice::<Line<'_>>(&line) {
            let path = read.url.split('?').next().unwrap_or_default();
            let sums = by_path.entry_ref(path).or_default();
            sums.requests += 1;
            sums.body_bytes += read.body_bytes;
        }
        line.clear();
    }
    let requests: u64 = by_path.values().map(|sums| sums.requests).sum();
    let body_bytes: u64 = by_path.values().map(|sums| sums.body_bytes).sum();
    println!(
        r#"{{"lines":{lines},"paths":{},"requests":{requests},"body_bytes":{body_bytes}}}"#,
        by_path.len()
    );
}
