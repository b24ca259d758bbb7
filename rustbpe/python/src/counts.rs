//! `Counts`.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use rustbpe_core::artifacts::count_reader::CountReader;
use rustbpe_core::artifacts::counts;

use crate::arrow::stream;
use crate::doorway;

/// A table of pre-token counts.
#[pyclass(frozen, module = "rustbpe")]
pub struct Counts {
    pub inner: Arc<counts::Counts>,
}

/// How and from what a count file was counted, and what its table holds.
#[derive(IntoPyObject)]
pub struct Header {
    pattern: String,
    text_column: String,
    doc_cap: u64,
    max_chars: Option<u64>,
    min_count: u64,
    documents: u64,
    nulls: u64,
    characters: u64,
    bytes: u64,
    pretokens: u64,
    unique: u64,
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

    /// What a count file says about itself, without reading its table.
    #[staticmethod]
    fn header(py: Python<'_>, path: PathBuf) -> PyResult<Header> {
        let file = doorway::run(py, None, move |_| CountReader::open(&path))?;
        let (counting, totals) = (file.counting, file.totals);
        Ok(Header {
            pattern: counting.pattern,
            text_column: counting.text_column,
            doc_cap: counting.doc_cap,
            max_chars: counting.max_chars,
            min_count: counting.min_count,
            documents: totals.documents,
            nulls: totals.nulls,
            characters: totals.characters,
            bytes: totals.bytes,
            pretokens: totals.pretokens,
            unique: totals.unique,
        })
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        stream(py, requested_schema, || self.inner.batch())
    }

    fn __len__(&self) -> usize {
        self.inner.totals.unique as usize
    }

    fn __repr__(&self) -> String {
        let totals = &self.inner.totals;
        format!(
            "<rustbpe.Counts: {} pre-tokens, {} unique, of {} documents>",
            totals.pretokens, totals.unique, totals.documents
        )
    }
}
