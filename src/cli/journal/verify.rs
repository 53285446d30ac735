//! `castmeter journal verify`: every byte against its checksum.

use std::io::Write;

use clap::Args;

use super::ls::segments;
use super::{Place, describe, unreadable};
use crate::cli::Failure;
use crate::cli::output::{Format, stdout};
use crate::journal::inspect;

/// Check every record against its checksum; exit 1 if some cannot be read
#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Verify {
    pub fn run(self) -> Result<(), Failure> {
        let verified = self.place.look(inspect::verify)?;
        let mut out = stdout();
        segments(&verified.segments).print(self.format, &mut out)?;
        out.flush()?;
        if let Some(tail) = &verified.tail {
            let about = "being written just now, or torn by a crash and cut at the next start";
            eprintln!("castmeter: at the end, {about}: {}", describe(tail));
        }
        for damage in &verified.damages {
            eprintln!("castmeter: {}", describe(damage));
        }
        match verified.damages.len() as u64 {
            0 => Ok(()),
            places => Err(unreadable(places)),
        }
    }
}
