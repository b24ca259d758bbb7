//! Python binding of `rustbpe-core`.
#![allow(missing_docs)]

use pyo3::prelude::*;

#[pymodule]
fn rustbpe(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
