//! `trueup backtest` from end to end: what it finds, that it finds the same every time, and that
//! it accounts for every row.

mod accounting;
mod digest;
mod look_ahead;
mod main_job;
mod misuse;
mod own_data;
