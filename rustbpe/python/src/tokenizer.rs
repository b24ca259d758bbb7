//! `Tokenizer`: a drop-in for the class of the public `rustbpe` package, and training from parquet.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use pyo3::exceptions::{PyTypeError, PyUnicodeDecodeError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{IntoPyDict, PyBytes, PyDict, PyIterator, PyString};
use rustbpe_core::artifacts::counts::Counts;
use rustbpe_core::artifacts::merges;
use rustbpe_core::count_shard::Counter;
use rustbpe_core::pretokenize::{PATTERNS, Splitter};
use rustbpe_core::threads::thread_count;
use rustbpe_core::{encode, train};

use crate::doorway;
use crate::encoder::Coder;
use crate::errors::invalid;

/// Trains merges and encodes with them.
#[pyclass(frozen, module = "rustbpe")]
#[derive(Default)]
pub struct Tokenizer {
    trained: RwLock<Option<Arc<Trained>>>,
}

struct Trained {
    merges: merges::Merges,
    coder: Arc<Coder>,
}

type Ranks<'py> = Vec<(Bound<'py, PyBytes>, u32)>;

#[pymethods]
impl Tokenizer {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Trains on an iterator of texts, taking `buffer_size` of them at a time.
    #[pyo3(signature = (iterator, vocab_size, buffer_size=8192, pattern=None))]
    fn train_from_iterator(
        &self,
        py: Python<'_>,
        iterator: &Bound<'_, PyAny>,
        vocab_size: u32,
        buffer_size: usize,
        pattern: Option<&str>,
    ) -> PyResult<()> {
        if buffer_size == 0 {
            return Err(invalid(
                py,
                "buffer_size is 0; give the number of texts to take at a time, 1 or more",
            ));
        }
        let (splitter, num_merges) = prepare(py, pattern, vocab_size)?;
        let mut texts = iterator.try_iter()?;
        let mut counter = Counter::new(&splitter, "", 0, None, 0);
        loop {
            let buffer = fill(&mut texts, buffer_size)?;
            if buffer.is_empty() {
                break;
            }
            counter = doorway::run(py, None, move |progress| {
                counter.add_texts(&buffer, progress)?;
                Ok(counter)
            })?;
        }
        let counts = doorway::run(py, None, move |_| counter.finish())?;
        self.train(py, counts, splitter, num_merges)
    }

    /// Trains on the text column of one parquet file.
    #[pyo3(signature = (parquet_path, vocab_size, pattern=None, text_column="text", doc_cap=0, max_chars=None))]
    #[expect(
        clippy::too_many_arguments,
        reason = "the arguments of the Python method"
    )]
    fn train_from_parquet_file(
        &self,
        py: Python<'_>,
        parquet_path: PathBuf,
        vocab_size: u32,
        pattern: Option<&str>,
        text_column: &str,
        doc_cap: u64,
        max_chars: Option<u64>,
    ) -> PyResult<()> {
        let paths = vec![parquet_path];
        self.train_from_parquet_files(
            py,
            paths,
            vocab_size,
            pattern,
            text_column,
            doc_cap,
            max_chars,
        )
    }

    /// Trains on the text column of several parquet files; `max_chars` runs over them in their order.
    #[pyo3(signature = (parquet_paths, vocab_size, pattern=None, text_column="text", doc_cap=0, max_chars=None))]
    #[expect(
        clippy::too_many_arguments,
        reason = "the arguments of the Python method"
    )]
    fn train_from_parquet_files(
        &self,
        py: Python<'_>,
        parquet_paths: Vec<PathBuf>,
        vocab_size: u32,
        pattern: Option<&str>,
        text_column: &str,
        doc_cap: u64,
        max_chars: Option<u64>,
    ) -> PyResult<()> {
        let (splitter, num_merges) = prepare(py, pattern, vocab_size)?;
        if parquet_paths.is_empty() {
            return Err(invalid(
                py,
                "parquet_paths is empty; give at least one file",
            ));
        }
        let (split, text_column) = (splitter.clone(), text_column.to_owned());
        let counts = doorway::run(py, None, move |progress| {
            let mut counter = Counter::new(&split, &text_column, doc_cap, max_chars, 0);
            for path in &parquet_paths {
                if counter.is_full() {
                    break;
                }
                counter.add_shard(path, progress)?;
            }
            counter.finish()
        })?;
        self.train(py, counts, splitter, num_merges)
    }

    /// The split pattern's regex; empty before training.
    fn get_pattern(&self) -> String {
        self.trained()
            .map_or_else(String::new, |trained| trained.merges.pattern.clone())
    }

    /// Number of tokens: the 256 bytes and the merges.
    #[getter]
    fn vocab_size(&self) -> usize {
        train::BYTES + self.trained().map_or(0, |trained| trained.merges.len())
    }

    /// The bytes and the id of every token, by id.
    fn get_mergeable_ranks<'py>(&self, py: Python<'py>) -> Ranks<'py> {
        match self.trained() {
            Some(trained) => ranks(py, trained.merges.token_bytes().iter().map(Vec::as_slice)),
            None => {
                let bytes: Vec<u8> = (0..=u8::MAX).collect();
                ranks(py, bytes.chunks(1))
            }
        }
    }

    /// The ids of a text; none before training.
    fn encode(&self, py: Python<'_>, text: PyBackedStr) -> PyResult<Vec<u32>> {
        self.trained()
            .map_or_else(|| Ok(Vec::new()), |trained| trained.coder.encode(py, text))
    }

    /// The ids of many texts, on all cores.
    fn batch_encode(&self, py: Python<'_>, texts: Vec<PyBackedStr>) -> PyResult<Vec<Vec<u32>>> {
        match self.trained() {
            Some(trained) => doorway::run(py, None, move |progress| {
                trained.coder.encode_batch(&texts, 0, progress)
            }),
            None => Ok(vec![Vec::new(); texts.len()]),
        }
    }

    /// The text of ids.
    fn decode(&self, py: Python<'_>, ids: Vec<u32>) -> PyResult<String> {
        let unknown = |id: u32| invalid(py, format!("Unknown token id: {id}"));
        let bytes = match self.trained() {
            Some(trained) => {
                let size = trained.coder.vocab_size();
                if let Some(&id) = ids.iter().find(|&&id| id as usize >= size) {
                    return Err(unknown(id));
                }
                doorway::here(py, || trained.coder.decode(&ids))?
            }
            None => ids
                .iter()
                .map(|&id| u8::try_from(id).map_err(|_| unknown(id)))
                .collect::<PyResult<Vec<u8>>>()?,
        };
        String::from_utf8(bytes).map_err(|error| {
            let made = PyUnicodeDecodeError::new_utf8(py, error.as_bytes(), error.utf8_error());
            made.map_or_else(|error| error, |made| PyErr::from_value(made.into_any()))
        })
    }
}

impl Tokenizer {
    fn trained(&self) -> Option<Arc<Trained>> {
        self.trained
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Finds the merges; the tokenizer changes only on success.
    fn train(
        &self,
        py: Python<'_>,
        counts: Counts,
        splitter: Splitter,
        num_merges: usize,
    ) -> PyResult<()> {
        let trained = doorway::run(py, None, move |progress| {
            let found = train::train(counts.iter(), num_merges, thread_count(0), progress)?;
            let merges = merges::Merges::new(splitter.regex(), 0, &found)?;
            let encoder = encode::Encoder::new(merges.token_bytes().to_vec(), splitter)?;
            Ok(Trained {
                merges,
                coder: Arc::new(Coder::new(encoder, HashMap::new())),
            })
        })?;
        *self.trained.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(trained));
        Ok(())
    }
}

/// The splitter (by default GPT-4's) and the number of merges.
fn prepare(py: Python<'_>, pattern: Option<&str>, vocab_size: u32) -> PyResult<(Splitter, usize)> {
    let bytes = train::BYTES;
    let Some(num_merges) = (vocab_size as usize).checked_sub(bytes) else {
        return Err(invalid(
            py,
            format!("vocab_size is {vocab_size}; at least {bytes} are needed, one for each byte"),
        ));
    };
    let splitter = doorway::here(py, || Splitter::new(pattern.unwrap_or("gpt4")))?;
    Ok((splitter, num_merges))
}

fn ranks<'a, 'py>(py: Python<'py>, tokens: impl Iterator<Item = &'a [u8]>) -> Ranks<'py> {
    (0..)
        .zip(tokens)
        .map(|(rank, token)| (PyBytes::new(py, token), rank))
        .collect()
}

/// The next texts of an iterator.
fn fill(texts: &mut Bound<'_, PyIterator>, most: usize) -> PyResult<Vec<PyBackedStr>> {
    let mut buffer = Vec::new();
    while buffer.len() < most {
        let Some(text) = texts.next() else { break };
        let text = text?;
        let Ok(text) = text.cast::<PyString>() else {
            let message = format!(
                "the iterator gave a {}, only str can be counted",
                text.get_type().name()?
            );
            return Err(PyTypeError::new_err(message));
        };
        buffer.push(PyBackedStr::try_from(text.clone())?);
    }
    Ok(buffer)
}

/// The known split patterns by name, always in the same order.
pub fn patterns(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    PATTERNS.into_py_dict(py)
}
