//! `trueup init`: a project that runs at once, or one for your own files.

use crate::failure::Failure;
use std::process::ExitCode;

/// Make a project that runs at once, or one for your own files.
#[derive(Debug, clap::Args)]
pub(crate) struct Init {}

impl Init {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        Ok(ExitCode::SUCCESS)
    }
}
