//! Replays recorded streams through the same path as a live run, and reports.
//!
//! The engine is the one that a live run drives; what differs is who feeds it and what becomes of
//! its effects. One pass over the data serves several definitions, each on a thread of its own:
//! they share what is decoded, never any state, so that neither their number nor that of the
//! threads has an influence on a digest.

mod broadcast;
mod columns;
mod compare;
pub mod error;
mod findings;
#[cfg(test)]
mod fixture;
pub mod page;
mod plan;
pub mod predictions;
mod progress;
pub mod publication;
pub mod replay;
pub mod report;
pub mod setup;
pub mod source;
pub mod table;
mod tally;
mod vocabulary;
mod wording;

pub use columns::requests;
pub use error::Error;
pub use plan::publication as publication_of;
pub use progress::Progress;
pub use replay::{Job, Options, Output, replay};
pub use report::Report;
pub use source::{Opened, Place, Source};
