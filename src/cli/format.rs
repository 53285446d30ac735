//! placeholder
use super::Failure;
#[derive(Debug, clap::Args)]
pub struct Format {}
impl Format {
    pub fn run(self) -> Result<(), Failure> {
        Ok(())
    }
}
