//! `encode_parquet`.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use rustbpe_core::artifacts::tokens::Width;
use rustbpe_core::encode_shard::{Encoding, encode_shard};

use crate::doorway;
use crate::encoder::Encoder;
use crate::errors::invalid;

/// What the token file holds, and the hashes of it and its index.
#[derive(IntoPyObject)]
pub struct Encoded {
    tokens: u64,
    documents: u64,
    nulls: u64,
    bytes: u64,
    sha256: String,
    index_sha256: String,
}

/// Encodes a shard's documents into a token file and its index.
#[pyfunction]
#[pyo3(signature = (path, out_tokens, out_index, *, encoder, text_column="text", bos_id, doc_cap=0,
                    dtype="uint16", threads=0, progress=None))]
#[expect(
    clippy::too_many_arguments,
    reason = "the arguments of the Python function"
)]
pub fn encode_parquet(
    py: Python<'_>,
    path: PathBuf,
    out_tokens: PathBuf,
    out_index: PathBuf,
    encoder: PyRef<'_, Encoder>,
    text_column: &str,
    bos_id: u32,
    doc_cap: u64,
    dtype: &str,
    threads: usize,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Encoded> {
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
        encode_shard(&path, &out_tokens, &out_index, &how, progress)
    })?;
    Ok(Encoded {
        tokens: encoded.tokens,
        documents: encoded.documents,
        nulls: encoded.nulls,
        bytes: encoded.bytes,
        sha256: encoded.sha256,
        index_sha256: encoded.index_sha256,
    })
}
