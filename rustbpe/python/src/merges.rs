//! `Merges`.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule, PyList};
use rustbpe_core::artifacts::merges;

use crate::arrow::stream;
use crate::doorway;

/// Merges in the order of their ranks; merge `i` makes token `256 + i`.
#[pyclass(frozen, module = "rustbpe")]
pub struct Merges {
    pub inner: Arc<merges::Merges>,
}

#[pymethods]
impl Merges {
    /// The split pattern's regex.
    #[getter]
    fn pattern(&self) -> &str {
        &self.inner.pattern
    }

    /// How many of the first merges were given, and not found in the counts.
    #[getter]
    fn given(&self) -> usize {
        self.inner.given
    }

    /// Writes the merges as a file, whole or not at all.
    fn write(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let inner = Arc::clone(&self.inner);
        doorway::run(py, None, move |_| inner.write(&path))
    }

    /// Reads a merges file.
    #[staticmethod]
    fn read(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let inner = doorway::run(py, None, move |_| merges::Merges::read(&path))?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The ids of both tokens of every merge.
    fn pairs(&self) -> Vec<(u32, u32)> {
        self.inner.pairs().collect()
    }

    /// The bytes of every token: the 256 bytes, then one token per merge.
    fn token_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(
            py,
            self.inner
                .token_bytes()
                .iter()
                .map(|token| PyBytes::new(py, token)),
        )
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        stream(py, requested_schema, || Ok(self.inner.batch().clone()))
    }

    fn __len__(&self) -> usize {
        self.inner.len()
    }

    fn __repr__(&self) -> String {
        format!("<rustbpe.Merges: {} merges>", self.inner.len())
    }
}
