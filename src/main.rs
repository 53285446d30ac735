//! The `castmeter` command. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    castmeter::cli::run()
}
