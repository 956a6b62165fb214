//! Tests of the registry as its users meet it.

#![allow(clippy::unwrap_used)]
