//! placeholder
use super::Failure;
#[derive(Debug, clap::Args)]
pub struct Check {}
impl Check {
    pub fn run(self) -> Result<(), Failure> {
        Ok(())
    }
}
