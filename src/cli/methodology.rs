//! placeholder
use super::Failure;
#[derive(Debug, clap::Args)]
pub struct Methodology {}
impl Methodology {
    pub fn run(self) -> Result<(), Failure> {
        Ok(())
    }
}
