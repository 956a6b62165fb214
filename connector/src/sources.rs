//! Where events come from: one folder per kind of source.

pub(crate) mod parquet;
