//! A format string and a line in it; see `castmeter::parser::fuzzing::format`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| castmeter_fuzz::parser::fuzzing::format(input));
