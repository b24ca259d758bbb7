//! `Encoder`: texts to ids and back.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::PyBytes;
use rustbpe_core::encode::Cache;
use rustbpe_core::pretokenize::Splitter;
use rustbpe_core::progress::Progress;
use rustbpe_core::threads::{on_threads, thread_count};
use rustbpe_core::{Result, encode};

use crate::doorway;
use crate::errors::invalid;
use crate::merges::Merges;

/// Texts of at least this many bytes are encoded with the GIL released.
const LONG_TEXT: usize = 1 << 16;

/// An encoder with its caches; shared by `Encoder` and `Tokenizer`.
pub struct Coder {
    pub encoder: encode::Encoder,
    special: HashMap<u32, Vec<u8>>,
    caches: Mutex<Vec<Cache>>,
}

impl Coder {
    pub fn new(encoder: encode::Encoder, special: HashMap<u32, Vec<u8>>) -> Self {
        Self {
            encoder,
            special,
            caches: Mutex::new(Vec::new()),
        }
    }

    /// Lends a cache: concurrent calls get one each, and later calls reuse the warm ones.
    fn with_cache<T>(&self, work: impl FnOnce(&mut Cache) -> T) -> T {
        let mut cache = self.caches().pop().unwrap_or_default();
        let result = work(&mut cache);
        self.caches().push(cache);
        result
    }

    fn caches(&self) -> std::sync::MutexGuard<'_, Vec<Cache>> {
        self.caches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ids of one text.
    pub fn encode(self: &Arc<Self>, py: Python<'_>, text: PyBackedStr) -> PyResult<Vec<u32>> {
        self.on_text(py, text, |coder, text| {
            let mut ids = Vec::with_capacity(text.len() / 3);
            coder.with_cache(|cache| coder.encoder.encode(text, cache, &mut ids))?;
            Ok(ids)
        })
    }

    /// Does something with a text, through the doorway if that can take long.
    fn on_text<T: Send + 'static>(
        self: &Arc<Self>,
        py: Python<'_>,
        text: PyBackedStr,
        work: impl FnOnce(&Self, &str) -> Result<T> + Send + 'static,
    ) -> PyResult<T> {
        if text.len() < LONG_TEXT {
            return doorway::here(py, || work(self, &text));
        }
        let coder = Arc::clone(self);
        doorway::run(py, None, move |_| work(&coder, &text))
    }

    /// The ids of many texts, on several threads.
    pub fn encode_batch(
        &self,
        texts: &[PyBackedStr],
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<u32>>> {
        let threads = thread_count(threads).min(texts.len().max(1));
        let next = AtomicUsize::new(0);
        let chunk = (texts.len() / (threads * 8)).clamp(1, 256);
        let parts = on_threads(threads, |_| {
            let mut found: Vec<(usize, Vec<u32>)> = Vec::new();
            self.with_cache(|cache| -> Result<()> {
                loop {
                    let start = next.fetch_add(chunk, Ordering::Relaxed);
                    if start >= texts.len() {
                        return Ok(());
                    }
                    for (index, text) in texts.iter().enumerate().skip(start).take(chunk) {
                        let mut ids = Vec::with_capacity(text.len() / 3);
                        self.encoder.encode(text, cache, &mut ids)?;
                        found.push((index, ids));
                        progress.update(start as u64, texts.len() as u64)?;
                    }
                }
            })?;
            Ok(found)
        })?;
        let mut all = vec![Vec::new(); texts.len()];
        for (index, ids) in parts.into_iter().flatten() {
            all[index] = ids;
        }
        Ok(all)
    }

    /// The bytes of ids, special tokens included.
    pub fn decode(&self, ids: &[u32]) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(ids.len() * 4);
        for &id in ids {
            match self.special.get(&id) {
                Some(token) => bytes.extend_from_slice(token),
                None => self.encoder.decode_bytes(&[id], &mut bytes)?,
            }
        }
        Ok(bytes)
    }

    /// One more than the largest id.
    pub fn vocab_size(&self) -> usize {
        let special = self
            .special
            .keys()
            .map(|&id| id as usize + 1)
            .max()
            .unwrap_or(0);
        self.encoder.vocab_size().max(special)
    }
}

/// Encodes texts by a vocabulary and a split pattern, and decodes ids.
#[pyclass(frozen, module = "rustbpe")]
pub struct Encoder {
    pub inner: Arc<Coder>,
}

/// What an encoder can be made from.
#[derive(FromPyObject)]
enum Vocabulary<'py> {
    Merges(PyRef<'py, Merges>),
    Tokens(Vec<PyBackedBytes>),
}

#[pymethods]
impl Encoder {
    #[new]
    #[pyo3(signature = (vocabulary, *, pattern, special_tokens=HashMap::new()))]
    fn new(
        py: Python<'_>,
        vocabulary: Vocabulary<'_>,
        pattern: &str,
        special_tokens: HashMap<String, u32>,
    ) -> PyResult<Self> {
        let tokens: Vec<Vec<u8>> = match vocabulary {
            Vocabulary::Merges(merges) => merges.inner.token_bytes().to_vec(),
            Vocabulary::Tokens(tokens) => tokens.iter().map(|token| token.to_vec()).collect(),
        };
        let mut special: HashMap<u32, Vec<u8>> = HashMap::new();
        for (token, id) in special_tokens {
            if tokens
                .get(id as usize)
                .is_some_and(|ordinary| !ordinary.is_empty())
            {
                let first = tokens.len();
                let message = format!(
                    "special token {token:?} has the id {id}, which is a token's; use {first} or more"
                );
                return Err(invalid(py, message));
            }
            if let Some(other) = special.insert(id, token.clone().into_bytes()) {
                let other = String::from_utf8_lossy(&other);
                let message = format!(
                    "the special tokens {other:?} and {token:?} have the same id {id}; give each its own"
                );
                return Err(invalid(py, message));
            }
        }
        let encoder = doorway::here(py, || {
            Splitter::new(pattern).and_then(|splitter| encode::Encoder::new(tokens, splitter))
        })?;
        Ok(Self {
            inner: Arc::new(Coder::new(encoder, special)),
        })
    }

    /// The ids of a text; special tokens in it are ordinary text.
    fn encode(&self, py: Python<'_>, text: PyBackedStr) -> PyResult<Vec<u32>> {
        self.inner.encode(py, text)
    }

    /// The ids of a text as little-endian uint32.
    fn encode_to_bytes<'py>(
        &self,
        py: Python<'py>,
        text: PyBackedStr,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let ids = self.inner.encode(py, text)?;
        PyBytes::new_with(py, ids.len() * size_of::<u32>(), |bytes| {
            let (words, _) = bytes.as_chunks_mut();
            for (word, id) in words.iter_mut().zip(ids) {
                *word = id.to_le_bytes();
            }
            Ok(())
        })
    }

    /// The ids of many texts.
    #[pyo3(signature = (texts, threads=0))]
    fn encode_batch(
        &self,
        py: Python<'_>,
        texts: Vec<PyBackedStr>,
        threads: usize,
    ) -> PyResult<Vec<Vec<u32>>> {
        let coder = Arc::clone(&self.inner);
        doorway::run(py, None, move |progress| {
            coder.encode_batch(&texts, threads, progress)
        })
    }

    /// Number of ids of a text.
    fn count(&self, py: Python<'_>, text: PyBackedStr) -> PyResult<usize> {
        self.inner.on_text(py, text, |coder, text| {
            coder.with_cache(|cache| coder.encoder.count(text, cache))
        })
    }

    /// The text of ids; bytes that are not UTF-8 become U+FFFD.
    fn decode(&self, py: Python<'_>, ids: Vec<u32>) -> PyResult<String> {
        let bytes = doorway::here(py, || self.inner.decode(&ids))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The bytes of ids.
    fn decode_bytes<'py>(&self, py: Python<'py>, ids: Vec<u32>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = doorway::here(py, || self.inner.decode(&ids))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// The pre-tokens of a text.
    fn split(&self, py: Python<'_>, text: PyBackedStr) -> PyResult<Vec<String>> {
        self.inner.on_text(py, text, |coder, text| {
            let mut pretokens = Vec::new();
            let push = |bytes: &[u8]| pretokens.push(String::from_utf8_lossy(bytes).into_owned());
            coder.encoder.splitter().for_each(text, push)?;
            Ok(pretokens)
        })
    }

    /// One more than the largest id, special tokens included.
    #[getter]
    fn vocab_size(&self) -> usize {
        self.inner.vocab_size()
    }

    /// The split pattern's regex.
    #[getter]
    fn pattern(&self) -> &str {
        self.inner.encoder.splitter().regex()
    }
}
