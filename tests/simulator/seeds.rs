//! Running seeds: the usual two hundred, as many as are asked for, or a single one that is told step by step.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use crate::canary::Canary;
use crate::figures::Figures;
use crate::world::{Trace, World};

const USUAL_SEEDS: u64 = 200;
const QUARTERS: u64 = 4;

/// What became of a seed.
pub struct Run {
    pub figures: Figures,
    /// What did not hold, or the panic's message.
    pub failure: Option<String>,
    pub trace: Vec<String>,
}

/// Runs a world from its beginning to its end.
pub fn run(seed: u64, canary: Option<Canary>) -> Run {
    let trace = Trace::default();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let trace = Arc::clone(&trace);
        runtime.block_on(async move {
            let mut world = World::new(seed, canary, trace);
            let result = world.run().await;
            (std::mem::take(&mut world.figures), result.err())
        })
    }));
    let (figures, failure) = ended.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        (Figures::default(), Some(format!("panic: {}", text.unwrap_or_default())))
    });
    let trace = trace.lock().map_or_else(|broken| broken.into_inner().clone(), |trace| trace.clone());
    Run { figures, failure, trace }
}

/// A fourth of the seeds, so that they run side by side.
pub fn quarter(part: u64) {
    let number = |name: &str| {
        let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
        Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")))
    };
    if let Some(seed) = number("SIMULATE_SEED") {
        if part == 0 {
            tell(seed);
        }
        return;
    }
    let seeds = number("SIMULATE_SEEDS").unwrap_or(USUAL_SEEDS);
    let mut figures = Figures::default();
    for seed in (part..seeds).step_by(QUARTERS as usize) {
        let run = run(seed, None);
        if let Some(failure) = run.failure {
            panic!("seed {seed}: {failure}\n\nSIMULATE_SEED={seed} make simulate   replays it step by step");
        }
        figures += run.figures;
    }
    // Those that run in one process add up; the last to end tells all.
    static ENDED: Mutex<Option<Figures>> = Mutex::new(None);
    let mut ended = ENDED.lock().expect("no panic while held");
    let all = ended.get_or_insert_default();
    *all += figures;
    println!("{all}");
}

fn tell(seed: u64) {
    let run = run(seed, None);
    run.trace.iter().enumerate().for_each(|(number, step)| println!("{number:4} {step}"));
    println!("{}", run.figures);
    if let Some(failure) = run.failure {
        panic!("seed {seed}: {failure}");
    }
}
