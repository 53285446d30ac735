//! What each stage of counting costs: `cargo bench --bench stages`, or `… -- json` for those with that in their name.
//!
//! Each runs over batches of 1,000 generated lines, one after the other so that no line stays in the cache. **The microseconds
//! that are shown for a batch are therefore nanoseconds a line.** Every run asserts what came out against a plainer way
//! of getting it (`input`). `cargo test --bench stages` runs each once over few lines, for the assertions alone.
//!
//! Sessions by the million (`sessions`), the journal (`journal`) and the metrics (`metrics`) are benches of their own.

mod counting;
mod input;
mod parsing;
mod who;

fn main() {
    divan::main();
}
