//! `trueup append` and `trueup run` from end to end: a live run learns what a replay learns,
//! through kills, takeovers and disks that fail.

mod append;
mod disk;
mod kill;
mod replay;
mod seen;
mod silent;
mod soak;
mod stop;
mod support;
