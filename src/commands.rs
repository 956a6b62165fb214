//! The commands, one file each.

pub(crate) mod append;
pub(crate) mod backtest;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod init;
pub(crate) mod list;
pub(crate) mod registry;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod status;
