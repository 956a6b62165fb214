//! Models, metrics, drift, label join, gate, and the pure step that ties them.
//!
//! This crate knows no clock, no input or output, no thread and no unordered iteration. Its state
//! after n inputs is a function of those inputs and the definition, bit for bit, on every machine
//! with IEEE 754 arithmetic and little-endian words.

pub mod answer;
pub mod arena;
pub mod artifact;
pub mod bind;
pub mod checkpoint;
pub mod confidence;
pub mod decay;
pub mod drift;
pub mod effect;
pub mod engine;
pub mod features;
pub mod gate;
pub mod join;
pub mod learners;
pub mod linfa_traits;
pub mod loss;
pub mod metrics;
pub mod model;
pub mod orders;
mod publish;
mod served;
pub mod spec;
pub mod state;
pub mod step;
