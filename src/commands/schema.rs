//! `trueup schema`: what a pipeline or project file may hold, for editors and people.

use crate::failure::Failure;
use crate::words;
use std::process::ExitCode;

/// Print the JSON Schema of a pipeline or project file, or the reference of all keys.
#[derive(Debug, clap::Args)]
pub(crate) struct Schema {
    /// Which file.
    #[arg(value_enum, default_value_t = File::Pipeline)]
    file: File,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum File {
    /// `pipelines/NAME.toml`, as JSON Schema.
    Pipeline,
    /// `trueup.toml`, as JSON Schema.
    Project,
    /// Every key of both, as Markdown.
    Reference,
}

impl Schema {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        match self.file {
            File::Pipeline => words::json(&trueup_pipeline::schema::pipeline_schema()),
            File::Project => words::json(&trueup_pipeline::schema::project_schema()),
            File::Reference => words::out(&trueup_pipeline::reference::reference_markdown()),
        }
        Ok(ExitCode::SUCCESS)
    }
}
