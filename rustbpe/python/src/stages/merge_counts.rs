//! `merge_counts`.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use rustbpe_core::artifacts::counts;
use rustbpe_core::merge_counts as merging;

use crate::counts::Counts;
use crate::doorway;

/// What the sum was counted from, and what it holds.
#[derive(IntoPyObject)]
pub struct Totals {
    documents: u64,
    nulls: u64,
    characters: u64,
    bytes: u64,
    pretokens: u64,
    unique: u64,
}

/// Sums count files into one, reading a record batch of each at a time.
#[pyfunction]
#[pyo3(signature = (paths, out, *, weights=Vec::new(), extra=Vec::new(), min_count=1, threads=0, progress=None))]
#[expect(
    clippy::too_many_arguments,
    reason = "they are named where it is called"
)]
pub fn merge_counts(
    py: Python<'_>,
    paths: Vec<PathBuf>,
    out: PathBuf,
    weights: Vec<u64>,
    extra: Vec<PyRef<'_, Counts>>,
    min_count: u64,
    threads: usize,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Totals> {
    let extra: Vec<Arc<counts::Counts>> = extra
        .iter()
        .map(|counts| Arc::clone(&counts.inner))
        .collect();
    let totals = doorway::run(py, progress, move |progress| {
        let extra: Vec<&counts::Counts> = extra.iter().map(Arc::as_ref).collect();
        merging::merge_counts(&paths, &weights, &out, &extra, min_count, threads, progress)
    })?;
    Ok(Totals {
        documents: totals.documents,
        nulls: totals.nulls,
        characters: totals.characters,
        bytes: totals.bytes,
        pretokens: totals.pretokens,
        unique: totals.unique,
    })
}
