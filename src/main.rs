//! The command line: threads, signals, configuration and words. Only wiring stands here.
//!
//! Data goes to standard output, talk to standard error. Exit codes: 0 done, 2 wrong usage or
//! definition, 3 an operation failed.

mod append;
mod commands;
mod daemon;
mod failure;
mod logs;
mod overrides;
mod progress;
mod publishing;
mod setup;
mod signals;
mod stores;
mod words;

use clap::{Parser, Subcommand};

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

use failure::Failure;
use std::process::ExitCode;

/// Corrects the estimates of a primary model with a light one that learns from every label.
#[derive(Debug, Parser)]
#[command(name = "trueup", version, arg_required_else_help = true, max_term_width = 100)]
struct Arguments {
    /// The project's folder; by default this one or the nearest above with a `trueup.toml`.
    #[arg(long, short = 'C', global = true, value_name = "DIR", default_value = ".")]
    project: std::path::PathBuf,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Append events to the embedded log of an environment.
    Append(commands::append::Append),
    /// Replay recorded events through pipelines, and report what serving would have seen.
    Backtest(commands::backtest::Backtest),
    /// Say what is wrong in pipelines and the project, against the data where they are at hand.
    Check(commands::check::Check),
    /// Show all of it in one terminal: a live stream, a learner, a server, the error falling.
    Demo(commands::demo::Demo),
    /// Make a project that runs at once, or one for your own files.
    Init(commands::init::Init),
    /// List the pipelines, or what they can be made of.
    List(commands::list::List),
    /// List, show and move published versions.
    Registry(commands::registry::Registry),
    /// Rebuild a published version from its inputs, and compare.
    Replay(commands::replay::Replay),
    /// Learn from live events, publish versions, and go on: the continuous daemon.
    Run(commands::run::Run),
    /// Print the JSON Schema of a pipeline or project file, or the reference of all keys.
    Schema(commands::schema::Schema),
    /// Answer corrections over HTTP, and follow promotions and rollbacks.
    Serve(commands::serve::Serve),
    /// Say where a run stands, and what holds it back.
    Status(commands::status::Status),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return words::usage(&error),
    };
    let project = &arguments.project;
    let result = match &arguments.command {
        Command::Append(command) => command.run(project),
        Command::Backtest(command) => command.run(project),
        Command::Check(command) => command.run(project),
        Command::Demo(command) => command.run(project),
        Command::Init(command) => command.run(),
        Command::List(command) => command.run(project),
        Command::Registry(command) => command.run(project),
        Command::Replay(command) => command.run(project),
        Command::Run(command) => command.run(project),
        Command::Schema(command) => command.run(),
        Command::Serve(command) => command.run(project),
        Command::Status(command) => command.run(project),
    };
    result.unwrap_or_else(Failure::tell)
}
