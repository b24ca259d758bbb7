//! `JsonLines`: the texts of lines of JSON.

use arrow_array::RecordBatch;
use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use rustbpe_core::json_lines;

use crate::arrow::stream;
use crate::doorway;
use crate::errors::invalid;

/// The texts of some lines, as a table.
#[pyclass(frozen, module = "rustbpe")]
pub struct JsonLines {
    batch: RecordBatch,
}

#[pymethods]
impl JsonLines {
    #[new]
    fn new(py: Python<'_>, data: PyBuffer<u8>, keys: Vec<String>) -> PyResult<Self> {
        let bytes = data
            .as_slice_ptr()
            .ok_or_else(|| invalid(py, "the bytes are not contiguous"))?;
        // SAFETY: `data` keeps the memory, and no Python code writes to it while this thread has the GIL.
        let bytes = unsafe { bytes.as_ref() };
        let batch = doorway::here(py, || json_lines::texts(bytes, &keys))?;
        Ok(Self { batch })
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        stream(py, requested_schema, || Ok(self.batch.clone()))
    }
}
