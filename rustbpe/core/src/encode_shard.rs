//! Encodes the documents of a shard into a token file.
//!
//! Documents are encoded on several threads, and written in the order of their rows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use crate::artifacts::tokens::{Hashed, Width};
use crate::encode::{Cache, Encoder};
use crate::error::{Error, Result};
use crate::feed::InOrder;
use crate::progress::Progress;
use crate::shard::{Batch, Shard};
use crate::threads::{lock, on_threads, thread_count, unpoisoned};

/// How a shard is encoded.
#[derive(Debug)]
pub struct Encoding<'a> {
    /// The encoder.
    pub encoder: &'a Encoder,
    /// The text column.
    pub text_column: &'a str,
    /// The token that stands before each document.
    pub bos_id: u32,
    /// Only the first this many characters of a document are encoded; 0 is all.
    pub doc_cap: u64,
    /// Width of a token.
    pub width: Width,
    /// Threads; 0 is one a core.
    pub threads: usize,
}

/// What a token file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Tokens, the one before each document included.
    pub tokens: u64,
    /// Documents.
    pub documents: u64,
    /// Rows without a document.
    pub nulls: u64,
    /// Bytes of UTF-8 that were encoded.
    pub bytes: u64,
    /// SHA-256 of the token file, in hex.
    pub sha256: String,
    /// SHA-256 of the index, in hex.
    pub index_sha256: String,
}

/// Encodes a shard into `out_tokens` and `out_index`, in the order of its rows; the index gets its name last.
/// Progress is in bytes of text.
///
/// # Errors
/// [`Error::Value`] where an id does not fit the width, those of [`Shard`] and of the encoder, [`Error::Io`]
/// where a file cannot be written, [`Error::Interrupted`].
pub fn encode_shard(
    path: &Path,
    out_tokens: &Path,
    out_index: &Path,
    how: &Encoding<'_>,
    progress: &dyn Progress,
) -> Result<Encoded> {
    let largest = how.bos_id.max(
        u32::try_from(how.encoder.vocab_size())
            .unwrap_or(u32::MAX)
            .saturating_sub(1),
    );
    if largest > how.width.largest() {
        return Err(Error::Value(format!(
            "the largest token id is {largest} and does not fit uint16, whose largest value is {}; use uint32",
            how.width.largest()
        )));
    }
    let shard = Shard::open(path, how.text_column)?;
    let threads = thread_count(how.threads);
    let feed = InOrder::new(&shard, how.doc_cap, None);
    let writer = Writer {
        state: Mutex::new(State {
            tokens: Hashed::create(out_tokens)?,
            index: Hashed::create(out_index)?,
            totals: Encoded {
                tokens: 0,
                documents: 0,
                nulls: 0,
                bytes: 0,
                sha256: String::new(),
                index_sha256: String::new(),
            },
            next: 0,
            rows: 0,
            waiting: BTreeMap::new(),
            failed: false,
        }),
        moved: Condvar::new(),
        most_waiting: 2 * threads,
        shard: &shard,
        width: how.width,
    };
    let work = || -> Result<()> {
        let mut cache = Cache::new();
        while let Some((number, batch)) = feed.next()? {
            let piece = encode_batch(&batch, how, &mut cache)?;
            if !writer.put(number, piece, progress)? {
                return Ok(());
            }
        }
        Ok(())
    };
    // a thread that fails, by an error or a panic, wakes those that wait for its piece
    on_threads(threads, |_| {
        let mut watch = FailsUnlessDone(Some(&writer));
        let done = work();
        if done.is_ok() {
            watch.0 = None;
        }
        done
    })?;
    progress.update(shard.text_bytes(), shard.text_bytes())?;
    writer.finish()
}

/// Ids of a document that are held before they are written with their width.
const FEW_IDS: usize = 1 << 16;

/// The tokens of one batch.
struct Piece {
    tokens: Vec<u8>,
    /// Ends of the documents, in tokens from the piece's first.
    ends: Vec<u64>,
    nulls: u64,
    rows: u64,
    bytes: u64,
}

fn encode_batch(batch: &Batch, how: &Encoding<'_>, cache: &mut Cache) -> Result<Piece> {
    let mut piece = Piece {
        tokens: Vec::with_capacity(batch.bytes() * how.width.bytes() as usize / 4),
        ends: Vec::with_capacity(batch.rows()),
        nulls: batch.nulls() as u64,
        rows: batch.rows() as u64,
        bytes: 0,
    };
    let mut ids = Vec::new();
    let mut end = 0;
    for document in batch.documents() {
        let text = document.text(how.doc_cap)?;
        ids.clear();
        ids.push(how.bos_id);
        let tokens = &mut piece.tokens;
        let encoded = how.encoder.encode_in_parts(text, cache, &mut ids, |ids| {
            if ids.len() >= FEW_IDS {
                end += ids.len() as u64;
                how.width.append(ids, tokens);
                ids.clear();
            }
        });
        encoded.map_err(|error| document.named_in(error))?;
        how.width.append(&ids, tokens);
        end += ids.len() as u64;
        piece.ends.push(end);
        piece.bytes += text.len() as u64;
    }
    Ok(piece)
}

/// Puts pieces that come in any order into the files in theirs.
struct Writer<'a> {
    state: Mutex<State>,
    moved: Condvar,
    most_waiting: usize,
    shard: &'a Shard,
    width: Width,
}

struct State {
    tokens: Hashed,
    index: Hashed,
    totals: Encoded,
    next: u64,
    rows: u64,
    waiting: BTreeMap<u64, Piece>,
    failed: bool,
}

impl Writer<'_> {
    /// Takes a piece; waits while too many wait for an earlier one. False where another thread failed.
    fn put(&self, number: u64, piece: Piece, progress: &dyn Progress) -> Result<bool> {
        let mut state = lock(&self.state);
        state.waiting.insert(number, piece);
        while let Some(piece) = {
            let next = state.next;
            state.waiting.remove(&next)
        } {
            state.write(&piece)?;
            state.next += 1;
            self.moved.notify_all();
        }
        self.report(&state, progress)?;
        while state.waiting.len() > self.most_waiting && !state.failed {
            state = unpoisoned(self.moved.wait_timeout(state, Duration::from_millis(100))).0;
            self.report(&state, progress)?;
        }
        Ok(!state.failed)
    }

    fn report(&self, state: &State, progress: &dyn Progress) -> Result<()> {
        progress.update(
            self.shard.bytes_of_rows(state.rows),
            self.shard.text_bytes(),
        )
    }

    fn fail(&self) {
        lock(&self.state).failed = true;
        self.moved.notify_all();
    }

    fn finish(self) -> Result<Encoded> {
        let state = unpoisoned(self.state.into_inner());
        let mut totals = state.totals;
        debug_assert_eq!(totals.tokens * self.width.bytes(), state.tokens.written);
        totals.sha256 = state.tokens.commit()?;
        totals.index_sha256 = state.index.commit()?;
        Ok(totals)
    }
}

/// Tells the other threads that this one failed.
struct FailsUnlessDone<'a, 'b>(Option<&'a Writer<'b>>);

impl Drop for FailsUnlessDone<'_, '_> {
    fn drop(&mut self) {
        if let Some(writer) = self.0 {
            writer.fail();
        }
    }
}

impl State {
    fn write(&mut self, piece: &Piece) -> Result<()> {
        self.tokens.write(&piece.tokens)?;
        let before = self.totals.tokens;
        let ends: Vec<u8> = piece
            .ends
            .iter()
            .flat_map(|end| (before + end).to_le_bytes())
            .collect();
        self.index.write(&ends)?;
        self.totals.tokens += piece.ends.last().copied().unwrap_or(0);
        self.totals.documents += piece.ends.len() as u64;
        self.totals.nulls += piece.nulls;
        self.totals.bytes += piece.bytes;
        self.rows += piece.rows;
        Ok(())
    }
}
