//! What the machine itself allows, to hold castmeter's figures against: `cargo bench --bench limits`.
//!
//! Memory read from front to back, and at places that depend on one another (what a session costs that is in no cache); bytes
//! through a TCP connection to itself, written and read by plain calls; bytes copied; a write made durable. The best of several
//! runs, since whatever else the machine does only adds. Files lie in the target folder, so the disk is the one that holds it.
//! `cargo test --bench limits` does each once with little. Linux only.

use std::fs::File;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use castmeter::clock::{Clock, SystemClock};

const RUNS: usize = 5;
const FEW_BYTES: usize = 1 << 20;
/// Far more than any cache that one process has for itself.
const MANY_BYTES: usize = 1 << 30;
/// What a receiver reads at a time.
const PIECE_BYTES: usize = 64 << 10;
/// A batch of 1,000 lines.
const BATCH_BYTES: usize = 495_000;
/// A generated line.
const LINE_BYTES: f64 = 495.0;

fn main() {
    let is_measuring = std::env::args().any(|argument| argument == "--bench");
    let (bytes, runs) = if is_measuring { (MANY_BYTES, RUNS) } else { (FEW_BYTES, 1) };
    report_bytes("memory, read from front to back", bytes, sequential(bytes, runs));
    report_bytes("memory, copied", bytes, copied(bytes, runs));
    let steps = bytes / 256;
    let chase = dependent(bytes, steps, runs);
    println!(
        "{:34} {:8.1} ns each",
        "memory, one place after another",
        chase.as_nanos() as f64 / steps as f64
    );
    report_bytes("TCP to itself, written and read", bytes, loopback(bytes, runs));
    for (what, size) in
        [("a write of 4 KiB made durable", 4_096), ("a batch of 495 kB made durable", BATCH_BYTES)]
    {
        println!("{what:34} {:8.1} µs", durable(size, 20 * runs).as_nanos() as f64 / 1e3);
    }
}

fn report_bytes(what: &str, bytes: usize, span: Duration) {
    let nanos = span.as_nanos() as f64 / bytes as f64;
    println!("{what:34} {:8.2} GB/s, {:.1} ns a line of {LINE_BYTES} bytes", 1.0 / nanos, LINE_BYTES * nanos);
}

/// The shortest of some runs.
fn best(runs: usize, mut work: impl FnMut()) -> Duration {
    let clock = SystemClock::new();
    let timed = |_| {
        let began = clock.monotonic();
        work();
        clock.monotonic() - began
    };
    (0..runs).map(timed).min().expect("one run at least")
}

fn sequential(bytes: usize, runs: usize) -> Duration {
    let words = vec![1_u64; bytes / 8];
    best(runs, || assert_eq!(black_box(&words).iter().sum::<u64>(), words.len() as u64))
}

fn copied(bytes: usize, runs: usize) -> Duration {
    let from = vec![7_u8; bytes];
    let mut to = vec![0; bytes];
    best(runs, || {
        to.copy_from_slice(black_box(&from));
        assert_eq!(black_box(&to).last(), Some(&7));
    })
}

/// So many steps from one cache line to another, in one circle through all of them without a pattern (Sattolo's).
fn dependent(bytes: usize, steps: usize, runs: usize) -> Duration {
    const WORDS_A_LINE: usize = 64 / 4;
    let places = bytes / 64;
    let mut circle: Vec<u32> = (0..u32::try_from(places).expect("few enough")).collect();
    let mut random = 1_u64;
    for last in (1..places).rev() {
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        circle.swap(last, (random >> 33) as usize % last);
    }
    let mut memory = vec![0_u32; places * WORDS_A_LINE];
    for (place, next) in circle.iter().enumerate() {
        memory[place * WORDS_A_LINE] = *next;
    }
    drop(circle);
    best(runs, || {
        let mut place = 0;
        for _ in 0..steps {
            place = memory[place as usize * WORDS_A_LINE];
        }
        assert!((black_box(place) as usize) < places);
    })
}

fn loopback(bytes: usize, runs: usize) -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    best(runs, || {
        let sending = thread::spawn(move || {
            let mut stream = TcpStream::connect(address).expect("it listens");
            let piece = vec![7; PIECE_BYTES];
            for _ in 0..bytes / PIECE_BYTES {
                stream.write_all(&piece).expect("it is read");
            }
        });
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut piece = vec![0; PIECE_BYTES];
        let mut received = 0;
        while let count @ 1.. = stream.read(&mut piece).expect("bytes") {
            received += count;
        }
        assert_eq!(received, bytes);
        sending.join().expect("no panic");
    })
}

fn durable(bytes: usize, runs: usize) -> Duration {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let mut file = File::create(folder.path().join("durable")).expect("a file");
    let mut piece = vec![0; bytes];
    getrandom::fill(&mut piece).expect("random bytes");
    best(runs, || {
        file.write_all(&piece).expect("space");
        file.sync_data().expect("a disk that syncs");
    })
}
