//! `train_merges`, and the memory that it will take.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use rustbpe_core::train_merges as training;

use crate::doorway;
use crate::merges::Merges;

/// The memory that training on a count file will take.
#[pyfunction]
pub fn training_memory(py: Python<'_>, counts_path: PathBuf, num_merges: u64) -> PyResult<u64> {
    doorway::run(py, None, move |progress| {
        training::training_memory(&counts_path, num_merges, progress)
    })
}

/// Finds up to `num_merges` merges over a count file; fewer if no pair is left. The first are those of `start`.
#[pyfunction]
#[pyo3(signature = (counts_path, num_merges, *, start=Vec::new(), threads=0, progress=None))]
pub fn train_merges(
    py: Python<'_>,
    counts_path: PathBuf,
    num_merges: usize,
    start: Vec<(u32, u32)>,
    threads: usize,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Merges> {
    let inner = doorway::run(py, progress, move |progress| {
        training::train_merges(&counts_path, &start, num_merges, threads, progress)
    })?;
    Ok(Merges {
        inner: Arc::new(inner),
    })
}
