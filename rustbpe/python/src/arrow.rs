//! Tables that Python sees as Arrow streams.

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchIterator};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use rustbpe_core::Result;

use crate::doorway;

/// An Arrow C stream of one record batch, always in its own schema, even if the caller requests another.
pub fn stream<'py>(
    py: Python<'py>,
    _requested_schema: Option<Bound<'py, PyAny>>,
    batch: impl FnOnce() -> Result<RecordBatch>,
) -> PyResult<Bound<'py, PyCapsule>> {
    let batch = doorway::here(py, batch)?;
    let schema = batch.schema();
    let reader = RecordBatchIterator::new([Ok(batch)], schema);
    let stream = FFI_ArrowArrayStream::new(Box::new(reader));
    PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
}
