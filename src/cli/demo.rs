//! placeholder
use super::Failure;
#[derive(Debug, clap::Args)]
pub struct Demo {}
impl Demo {
    pub fn run(self) -> Result<(), Failure> {
        Ok(())
    }
}
