//! Tests of the bridge as its users meet it.

#![allow(clippy::unwrap_used)]

mod answers;
mod client;
mod fixture;
mod openapi;
mod requests;
mod shutdown;
mod swap;
mod trouble;
