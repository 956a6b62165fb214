//! Tests of the registry as its users meet it.

#![allow(clippy::unwrap_used)]

mod damage;
mod faults;
mod gc;
mod models;
mod race;
mod shards;
mod stores;
mod support;
