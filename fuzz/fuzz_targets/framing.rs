//! A body, cut into pieces; see `castmeter::parser::fuzzing::framing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| castmeter_fuzz::parser::fuzzing::framing(input));
