//! Tests of the workspace as a whole: the real program, its documents, and the style of its files.

#![allow(clippy::unwrap_used)]

mod backtest;
mod check;
mod docs;
mod fuzz_smoke;
mod init;
mod live;
mod support;
mod tidy;
