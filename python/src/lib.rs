//! The wheel `trueup`: the same pipeline object, replay and model, for notebooks and services in
//! Python.
//!
//! Only translation stands here: what is declared, replayed or answered is so by the other crates.
//! The interpreter is free while they work.

mod arrow_io;
mod error;
mod model;
mod pipeline;
mod question;
mod replay;
mod report;
mod toml;

use pyo3::prelude::*;

/// The native half of the package `trueup`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<pipeline::Pipeline>()?;
    module.add_class::<report::Report>()?;
    module.add_class::<arrow_io::Table>()?;
    module.add_class::<model::Model>()?;
    module.add_function(wrap_pyfunction!(model::load, module)?)?;
    module.add_function(wrap_pyfunction!(replay::backtest, module)?)
}
