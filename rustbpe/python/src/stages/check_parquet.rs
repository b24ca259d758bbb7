//! `check_parquet` and `row_groups`.

use std::path::PathBuf;

use pyo3::prelude::*;
use rustbpe_core::check_shard::check_shard;
use rustbpe_core::shard;

use crate::doorway;

/// What a shard holds.
#[derive(IntoPyObject)]
pub struct Facts {
    rows: u64,
    row_groups: u64,
    characters: u64,
    nulls: u64,
    empty: u64,
}

/// Reads a shard from end to end and reports what it holds.
#[pyfunction]
#[pyo3(signature = (path, *, text_column="text", most_page=None, progress=None))]
pub fn check_parquet(
    py: Python<'_>,
    path: PathBuf,
    text_column: &str,
    most_page: Option<u64>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Facts> {
    let text_column = text_column.to_owned();
    let facts = doorway::run(py, progress, move |progress| {
        check_shard(&path, &text_column, most_page, progress)
    })?;
    Ok(Facts {
        rows: facts.rows,
        row_groups: facts.row_groups,
        characters: facts.characters,
        nulls: facts.nulls,
        empty: facts.empty,
    })
}

/// The rows of each row group, by the footer.
#[pyfunction]
#[pyo3(signature = (path, *, text_column=None))]
pub fn row_groups(py: Python<'_>, path: PathBuf, text_column: Option<&str>) -> PyResult<Vec<u64>> {
    doorway::here(py, || py.detach(|| shard::row_groups(&path, text_column)))
}
