//! One line in every format; see `castmeter::parser::fuzzing::line`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| castmeter_fuzz::parser::fuzzing::line(input));
