//! The pure rooms of castmeter and nothing else of it: they need neither sockets nor databases, so the fuzz
//! targets build in seconds. That this compiles is a test of their purity.

#[path = "../../src/event.rs"]
pub mod event;
#[path = "../../src/parser/mod.rs"]
pub mod parser;
#[path = "../../src/units/mod.rs"]
pub mod units;
