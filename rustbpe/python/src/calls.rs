//! The module's functions.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use rustbpe_core::counting::Counter;
use rustbpe_core::encode_shard::{Encoding, Width};
use rustbpe_core::pretokenize::Splitter;
use rustbpe_core::{
    check_shard, counts, counts_file, encode_shard, merge_counts as merging, merges, train,
};

use crate::doorway;
use crate::encoder::Encoder;
use crate::errors::invalid;
use crate::tables::{Counts, Merges};

/// Reads a shard from end to end and says what it holds.
#[pyfunction]
#[pyo3(signature = (path, *, text_column="text", most_page=None, progress=None))]
pub fn check_parquet<'py>(
    py: Python<'py>,
    path: PathBuf,
    text_column: &str,
    most_page: Option<u64>,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let text_column = text_column.to_owned();
    let facts = doorway::run(py, progress, move |progress| {
        check_shard::check_shard(&path, &text_column, most_page, progress)
    })?;
    let result = PyDict::new(py);
    result.set_item("rows", facts.rows)?;
    result.set_item("row_groups", facts.row_groups)?;
    result.set_item("characters", facts.characters)?;
    result.set_item("nulls", facts.nulls)?;
    result.set_item("empty", facts.empty)?;
    Ok(result)
}

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

/// Sums count files into one, reading a record batch of each at a time.
#[pyfunction]
#[pyo3(signature = (paths, out, *, extra=Vec::new(), min_count=1, threads=0, progress=None))]
pub fn merge_counts<'py>(
    py: Python<'py>,
    paths: Vec<PathBuf>,
    out: PathBuf,
    extra: Vec<PyRef<'py, Counts>>,
    min_count: u64,
    threads: usize,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let extra: Vec<Arc<counts::Counts>> = extra
        .iter()
        .map(|counts| Arc::clone(&counts.inner))
        .collect();
    let totals = doorway::run(py, progress, move |progress| {
        let extra: Vec<&counts::Counts> = extra.iter().map(Arc::as_ref).collect();
        merging::merge_counts(&paths, &out, &extra, min_count, threads, progress)
    })?;
    let result = PyDict::new(py);
    result.set_item("documents", totals.documents)?;
    result.set_item("nulls", totals.nulls)?;
    result.set_item("characters", totals.characters)?;
    result.set_item("bytes", totals.bytes)?;
    result.set_item("pretokens", totals.pretokens)?;
    result.set_item("unique", totals.unique)?;
    Ok(result)
}

/// The memory that training on a count file will take.
#[pyfunction]
pub fn training_memory(py: Python<'_>, counts_path: PathBuf, num_merges: u64) -> PyResult<u64> {
    doorway::run(py, None, move |progress| {
        let (unique, bytes) = counts_file::size(&counts_path, progress)?;
        Ok(train::memory_with_table(unique, bytes, num_merges))
    })
}

/// Finds up to `num_merges` merges over a count file; fewer where no pair is left.
#[pyfunction]
#[pyo3(signature = (counts_path, num_merges, *, threads=0, progress=None))]
pub fn train_merges(
    py: Python<'_>,
    counts_path: PathBuf,
    num_merges: usize,
    threads: usize,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Merges> {
    let inner = doorway::run(py, progress, move |progress| {
        let counts = counts::Counts::read(&counts_path, progress)?;
        let threads = rustbpe_core::thread_count(threads);
        let found = train::train(counts.iter(), num_merges, threads, progress)?;
        merges::Merges::new(&counts.counting.pattern, &found)
    })?;
    Ok(Merges {
        inner: Arc::new(inner),
    })
}

/// Encodes a shard's documents into a token file and its index.
#[pyfunction]
#[pyo3(signature = (path, out_tokens, out_index, *, encoder, text_column="text", bos_id, doc_cap=0,
                    dtype="uint16", threads=0, progress=None))]
#[expect(
    clippy::too_many_arguments,
    reason = "the arguments of the Python function"
)]
pub fn encode_parquet<'py>(
    py: Python<'py>,
    path: PathBuf,
    out_tokens: PathBuf,
    out_index: PathBuf,
    encoder: PyRef<'py, Encoder>,
    text_column: &str,
    bos_id: u32,
    doc_cap: u64,
    dtype: &str,
    threads: usize,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let width = match dtype {
        "uint16" => Width::Two,
        "uint32" => Width::Four,
        other => {
            return Err(invalid(
                py,
                format!("dtype is {other:?}; allowed are \"uint16\" and \"uint32\""),
            ));
        }
    };
    let inner = Arc::clone(&encoder.inner);
    let text_column = text_column.to_owned();
    drop(encoder);
    let encoded = doorway::run(py, progress, move |progress| {
        let how = Encoding {
            encoder: &inner.encoder,
            text_column: &text_column,
            bos_id,
            doc_cap,
            width,
            threads,
        };
        encode_shard::encode_shard(&path, &out_tokens, &out_index, &how, progress)
    })?;
    let result = PyDict::new(py);
    result.set_item("tokens", encoded.tokens)?;
    result.set_item("documents", encoded.documents)?;
    result.set_item("nulls", encoded.nulls)?;
    result.set_item("bytes", encoded.bytes)?;
    result.set_item("sha256", encoded.sha256)?;
    result.set_item("index_sha256", encoded.index_sha256)?;
    Ok(result)
}
