//! A Range or Content-Range header; see `castmeter::parser::fuzzing::ranges`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| castmeter_fuzz::parser::fuzzing::ranges(input));
