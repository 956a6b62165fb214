//! What a user declares: one definition of a real-time machine-learning application.
//!
//! A project is a folder with a `trueup.toml` ([`Project`]) and definitions in `pipelines/`
//! ([`Definition`], [`RealtimeMlPipeline`]). A definition that passed [`Definition::check`] is a
//! [`trueup_learner::spec::Spec`], which is all that the core knows of it.
//!
//! Files are read here, and the process's environment variables where a project names them; no
//! event data is: schemas and samples are handed in.

pub mod check;
pub mod definition;
pub mod diagnostic;
pub mod infer;
pub mod keys;
pub mod overrides;
pub mod project;
pub mod reference;
pub mod schema;
mod shape;
pub mod source;
pub mod template;
mod tree;

pub use check::{Checked, Schemas};
pub use definition::{Definition, Label, LabelSource, RealtimeMlPipeline};
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use project::{Environment, Epoch, Event, Location, Place, Project, Record};
