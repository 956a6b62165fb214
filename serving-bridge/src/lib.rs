//! Answers requests with the version that an alias names, and swaps it live.
//!
//! - [`Bridge`] follows the models of a registry on a thread of its own: it builds and warms what
//!   an alias names, and then swaps it in. Whoever asks never waits for that.
//! - [`Corrector`] answers questions in the process, by the code and the bytes that the core serves
//!   with. It always answers: where no version can, with the primary estimate and the reason.
//! - [`Server`] answers over HTTP: its own protocol, and Open Inference Protocol V2.
//!
//! Nothing here learns, and nothing is written to the registry.

mod bridge;
mod build;
mod corrector;
mod definition;
mod follow;
pub mod http;
mod question;
mod slot;
mod telemetry;

pub use bridge::{Bridge, BridgeOptions, Models, OpenError};
pub use build::BuildError;
pub use corrector::Corrector;
pub use definition::Definition;
pub use http::server::{Server, ServerOptions};
pub use question::{Answer, Question, Reason, Refused, Status};
pub use slot::{Current, Served, Slot};
pub use trueup_learner::effect::StateDigest;
pub use trueup_learner::features::Value;
