//! `trueup init`: a project that runs at once, or one for your own files.

use crate::failure::Failure;
use crate::words;
use anyhow::Context;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use trueup_connector::Dataset;
use trueup_pipeline::infer::{FileSample, Level, infer};
use trueup_pipeline::template;

/// Rows of each file that `--from` looks at.
const SAMPLE_ROWS: usize = 2_000_000;

/// Make a project that runs at once, or one for your own files.
#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    /// The folder; it is made if it is not there.
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,

    /// Your Parquet data: estimates and outcomes, or one place that has both. Each is a file, a
    /// folder (with `dt=…` folders or without), or a pattern in quotes.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    from: Vec<String>,
}

impl Init {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        let existing = self.folder.join("trueup.toml");
        if existing.exists() {
            let message = format!("there is a project already: `{}`", existing.display());
            let hint = "name another folder, such as `trueup init my_project`".to_owned();
            return Err(Failure::Usage(message, Some(hint)));
        }
        if self.from.is_empty() { self.template() } else { self.infer() }
    }

    /// Makes the project that runs at once in a folder.
    pub(crate) fn template_in(folder: &Path) -> Result<(), Failure> {
        let this = Self { folder: folder.to_path_buf(), from: Vec::new() };
        this.write_template()
    }

    fn template(&self) -> Result<ExitCode, Failure> {
        self.write_template()?;
        self.next("eta");
        Ok(ExitCode::SUCCESS)
    }

    fn write_template(&self) -> Result<(), Failure> {
        let data = template::data();
        self.vacant(template::files().map(|(path, _)| path))?;
        self.vacant(data.each_ref().map(|(path, _)| *path))?;
        for (path, text) in template::files() {
            self.write(path, text)?;
        }
        for (path, rows) in data {
            let path = self.prepared(path)?;
            trueup_connector::write::parquet(&path, &rows)?;
        }
        Ok(())
    }

    fn infer(&self) -> Result<ExitCode, Failure> {
        let here = std::env::current_dir().context("cannot tell the current folder")?;
        let mut samples = Vec::new();
        for from in &self.from {
            let dataset = Dataset::open(from, &here)?;
            samples.push(FileSample {
                path: self.location(from, &here)?,
                schema: dataset.schema().clone(),
                rows: vec![dataset.sample(SAMPLE_ROWS, None)?],
            });
        }
        let inference = infer(&samples)
            .map_err(|refusal| Failure::Usage(refusal.message, Some(refusal.remedy)))?;
        let definition = format!("pipelines/{}.toml", inference.name);
        self.vacant(["trueup.toml", &definition])?;
        self.write("trueup.toml", &inference.project)?;
        self.write(&definition, &inference.definition)?;
        for notice in &inference.notices {
            let level = match notice.level {
                Level::Note => "note",
                Level::Warning => "warning",
            };
            words::say(&format!("{level}: {}", notice.message));
            if !notice.remedy.is_empty() {
                words::say(&format!("hint: {}", notice.remedy));
            }
        }
        self.next(&inference.name);
        Ok(ExitCode::SUCCESS)
    }

    /// How the project's file names a place that was given relative to the current folder.
    fn location(&self, from: &str, here: &Path) -> Result<String, Failure> {
        if from.contains("://") || Path::new(from).is_absolute() {
            return Ok(from.to_owned());
        }
        let folder = std::path::absolute(&self.folder).context("cannot tell the folder")?;
        let place = here.join(from);
        let inside = place.strip_prefix(folder.components().as_path()).ok();
        Ok(inside.unwrap_or(&place).display().to_string())
    }

    fn write(&self, path: &str, text: &str) -> Result<(), Failure> {
        let path = self.prepared(path)?;
        std::fs::write(&path, text)
            .with_context(|| format!("cannot write the file: `{}`", path.display()))?;
        Ok(())
    }

    /// Complains when one of the files is there already, before the first is written.
    fn vacant<const N: usize>(&self, paths: [&str; N]) -> Result<(), Failure> {
        for path in paths {
            let path = self.folder.join(path);
            if path.exists() {
                let message = format!("the file is there already: `{}`", path.display());
                let hint = "move it, or name another folder".to_owned();
                return Err(Failure::Usage(message, Some(hint)));
            }
        }
        Ok(())
    }

    /// The path of a file of the project, its folder made, and told of.
    fn prepared(&self, path: &str) -> Result<PathBuf, Failure> {
        let path = self.folder.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the folder: `{}`", folder.display()))?;
        }
        words::say(&format!("wrote {}", path.display()));
        Ok(path)
    }

    fn next(&self, name: &str) {
        let folder = match self.folder.as_os_str() == "." {
            true => String::new(),
            false => format!("-C {} ", self.folder.display()),
        };
        words::say(&format!("next: trueup {folder}check {name}"));
        words::say(&format!("      trueup {folder}backtest {name}"));
    }
}
