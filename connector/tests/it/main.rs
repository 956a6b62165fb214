//! Data sets as their readers see them: on disk and in memory, orderly and not, whole and damaged.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod folder;
mod live;
mod locations;
mod log;
mod log_crash;
mod order;
mod recording;
mod support;
mod times;
