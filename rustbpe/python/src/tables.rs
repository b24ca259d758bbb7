//! `Counts` and `Merges`: tables that Python sees as Arrow streams.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchIterator};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule, PyList};
use rustbpe_core::{counts, merges};

use crate::doorway;

/// An Arrow C stream of one record batch.
fn stream<'py>(py: Python<'py>, batch: &RecordBatch) -> PyResult<Bound<'py, PyCapsule>> {
    let schema = batch.schema();
    let reader = RecordBatchIterator::new([Ok(batch.clone())], schema);
    let stream = FFI_ArrowArrayStream::new(Box::new(reader));
    PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
}

/// A table of pre-token counts.
#[pyclass(frozen, module = "rustbpe")]
pub struct Counts {
    pub inner: Arc<counts::Counts>,
}

#[pymethods]
impl Counts {
    /// Documents that were counted, empty ones included.
    #[getter]
    fn documents(&self) -> u64 {
        self.inner.totals.documents
    }

    /// Rows without a value: no documents.
    #[getter]
    fn nulls(&self) -> u64 {
        self.inner.totals.nulls
    }

    /// Unicode scalars that were counted, after `doc_cap`.
    #[getter]
    fn characters(&self) -> u64 {
        self.inner.totals.characters
    }

    /// Bytes of UTF-8 that were counted.
    #[getter]
    fn bytes(&self) -> u64 {
        self.inner.totals.bytes
    }

    /// The sum of the counts.
    #[getter]
    fn pretokens(&self) -> u64 {
        self.inner.totals.pretokens
    }

    /// Distinct pre-tokens: rows of the table.
    #[getter]
    fn unique(&self) -> u64 {
        self.inner.totals.unique
    }

    /// The split pattern's regex.
    #[getter]
    fn pattern(&self) -> &str {
        &self.inner.counting.pattern
    }

    /// The text column that was counted.
    #[getter]
    fn text_column(&self) -> &str {
        &self.inner.counting.text_column
    }

    /// Only the first this many characters of a document were counted; 0 is all.
    #[getter]
    fn doc_cap(&self) -> u64 {
        self.inner.counting.doc_cap
    }

    /// Documents were counted until their characters exceeded this; None is all.
    #[getter]
    fn max_chars(&self) -> Option<u64> {
        self.inner.counting.max_chars
    }

    /// Writes the table as a count file, whole or not at all.
    fn write(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let inner = Arc::clone(&self.inner);
        doorway::run(py, None, move |_| inner.write(&path))
    }

    /// Reads a count file.
    #[staticmethod]
    fn read(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let inner = doorway::run(py, None, move |progress| {
            counts::Counts::read(&path, progress)
        })?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema;
        stream(py, self.inner.batch())
    }

    fn __len__(&self) -> usize {
        self.inner.batch().num_rows()
    }

    fn __repr__(&self) -> String {
        let totals = &self.inner.totals;
        format!(
            "<rustbpe.Counts: {} pre-tokens, {} unique, of {} documents>",
            totals.pretokens, totals.unique, totals.documents
        )
    }
}

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

    /// The bytes of every token: the 256 bytes, then one token a merge.
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
        let _ = requested_schema;
        stream(py, self.inner.batch())
    }

    fn __len__(&self) -> usize {
        self.inner.len()
    }

    fn __repr__(&self) -> String {
        format!("<rustbpe.Merges: {} merges>", self.inner.len())
    }
}
