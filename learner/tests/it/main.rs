//! The core as a whole, on synthetic streams: determinism, accounting, honesty about time.
#![allow(clippy::unwrap_used, missing_docs, reason = "a panic is how a test fails")]

mod accounting;
mod determinism;
mod gate;
mod orders;
mod serving;
mod stream;
