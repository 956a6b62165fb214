//! Tests of the bridge as its users meet it.

#![allow(clippy::unwrap_used)]

mod fixture;
mod swap;
