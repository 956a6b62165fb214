//! `trueup registry watch`: every change as it happens.

use super::list::row;
use super::{Context, columns, split};
use crate::failure::Failure;
use crate::signals::{self, Stop};
use crate::{stores, words};
use std::process::ExitCode;
use std::time::Duration;

/// Tell of every change as it happens, until interrupted.
#[derive(Debug, clap::Args)]
pub(crate) struct Watch {
    /// The model.
    #[arg(value_name = "MODEL")]
    model: String,

    /// How often the registry is asked, in milliseconds.
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    poll_milliseconds: u64,
}

impl Watch {
    pub(super) fn run(&self, context: &Context) -> Result<ExitCode, Failure> {
        let stop = Stop::default();
        signals::listen(&stop)?;
        let mut model = context.registry.model(&stores::model_name(split(&self.model).0)?);
        model.refresh()?;
        words::say(&format!("watching {} from entry {}", self.model, model.state().number()));
        while !stop.is_asked() {
            for entry in model.refresh()? {
                let line = match context.json {
                    true => serde_json::to_string(&entry).expect("an entry is plain data") + "\n",
                    false => columns(&[row(&entry)]),
                };
                words::out(&line);
            }
            std::thread::sleep(Duration::from_millis(self.poll_milliseconds));
        }
        Ok(ExitCode::SUCCESS)
    }
}
