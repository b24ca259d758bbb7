//! `count_parquet`.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use rustbpe_core::count_shard::Counter;
use rustbpe_core::pretokenize::Splitter;

use crate::counts::Counts;
use crate::doorway;

/// Counts the pre-tokens of one shard.
#[pyfunction]
#[pyo3(signature = (path, *, pattern, text_column="text", doc_cap=0, max_chars=None, threads=0, progress=None))]
#[expect(
    clippy::too_many_arguments,
    reason = "the arguments of the Python function"
)]
pub fn count_parquet(
    py: Python<'_>,
    path: PathBuf,
    pattern: &str,
    text_column: &str,
    doc_cap: u64,
    max_chars: Option<u64>,
    threads: usize,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Counts> {
    let splitter = doorway::here(py, || Splitter::new(pattern))?;
    let text_column = text_column.to_owned();
    let inner = doorway::run(py, progress, move |progress| {
        let mut counter = Counter::new(&splitter, &text_column, doc_cap, max_chars, threads);
        counter.add_shard(&path, progress)?;
        counter.finish()
    })?;
    Ok(Counts {
        inner: Arc::new(inner),
    })
}
