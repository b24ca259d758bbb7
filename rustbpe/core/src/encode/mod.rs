//! Encoding: a text to the ids of its tokens, exactly as tiktoken does.
//!
//! Each pre-token that is a token stands for itself; any other is merged from its bytes, the pair of
//! the lowest rank first. A [`Cache`] remembers what pre-tokens came to. Special tokens are no part of
//! this: where one is written in a text, it is ordinary text.

mod cache;
mod key;
mod merge;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::sync::atomic::{AtomicU64, Ordering};

pub use cache::Cache;
use cache::{FEW, Ids, MANY};
use key::{Key, LONGEST, TOO_LONG, key};
use vocabulary::Vocabulary;

use crate::error::{Error, Result};
use crate::pretokenize::{ROW, Splitter};

/// Most bytes of a pre-token: merging takes up to 40 bytes of memory for each.
pub const MOST_BYTES: usize = 8 << 20;

/// The bytes of a pre-token that is too long, where one of a row is.
#[inline(always)]
fn too_long(start: usize, ends: &[usize]) -> Option<usize> {
    if ends.last().is_none_or(|&end| end - start <= MOST_BYTES) {
        return None; // all of them together are not
    }
    let starts = std::iter::once(&start).chain(ends);
    let lengths = ends.iter().zip(starts).map(|(end, start)| end - start);
    lengths.max().filter(|&bytes| bytes > MOST_BYTES)
}

/// A vocabulary and a split pattern, ready to encode and decode.
#[derive(Debug)]
pub struct Encoder {
    vocabulary: Vocabulary,
    splitter: Splitter,
    /// Tells the caches of one encoder from another's.
    number: u64,
}

impl Encoder {
    /// An encoder for tokens whose ids are their places in `tokens`, and their ranks.
    ///
    /// An empty entry is an id that stands for nothing, as where a vocabulary leaves one out.
    ///
    /// # Errors
    /// [`Error::Value`] where a single byte is missing or two tokens are the same.
    pub fn new(tokens: Vec<Vec<u8>>, splitter: Splitter) -> Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let vocabulary = Vocabulary::new(&tokens)?;
        Ok(Self {
            vocabulary,
            splitter,
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
        })
    }

    /// The split pattern.
    pub fn splitter(&self) -> &Splitter {
        &self.splitter
    }

    /// Number of ids, without special tokens.
    pub fn vocab_size(&self) -> usize {
        self.vocabulary.len()
    }

    /// The bytes of an id; `None` for ids outside of the vocabulary.
    pub fn token_bytes(&self, id: u32) -> Option<&[u8]> {
        ((id as usize) < self.vocabulary.len()).then(|| self.vocabulary.token(id))
    }

    /// Appends the ids of `text` to `out`.
    ///
    /// # Errors
    /// [`Error::Pattern`] where a regex without a scanner gives up on the text, or makes a pre-token of more bytes
    /// than [`MOST_BYTES`].
    pub fn encode(&self, text: &str, cache: &mut Cache, out: &mut Vec<u32>) -> Result<()> {
        self.encode_in_parts(text, cache, out, |_| ())
    }

    /// As [`Self::encode`], but calls `take` after each few pre-tokens with the ids so far, which it may clear.
    ///
    /// # Errors
    /// As [`Self::encode`]; the ids before that place have been seen by then.
    #[inline]
    pub fn encode_in_parts(
        &self,
        text: &str,
        cache: &mut Cache,
        out: &mut Vec<u32>,
        mut take: impl FnMut(&mut Vec<u32>),
    ) -> Result<()> {
        cache.belong_to(self.number);
        let mut row = Row::default();
        let mut longest = 0;
        self.splitter.for_each_row(text, |start, ends| {
            if let Some(too_long) = too_long(start, ends) {
                longest = longest.max(too_long);
                return;
            }
            row.look_up(text.as_bytes(), start, ends, cache);
            self.encode_row(text.as_bytes(), start, ends, &row, cache, out);
            take(out);
        })?;
        match longest {
            0 => Ok(()),
            bytes => Err(Error::Pattern {
                pattern: self.splitter.regex().to_owned(),
                reason: format!(
                    "makes a pre-token of {bytes} bytes, at most {MOST_BYTES} can be merged; \
                     use a pattern that cuts more often, or cap the documents"
                ),
            }),
        }
    }

    /// Number of ids that [`Self::encode`] gives.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn count(&self, text: &str, cache: &mut Cache) -> Result<usize> {
        let mut ids = Vec::new();
        self.encode(text, cache, &mut ids)?;
        Ok(ids.len())
    }

    /// Appends the bytes of `ids` to `out`.
    ///
    /// # Errors
    /// [`Error::Value`] for an id outside of the vocabulary.
    pub fn decode_bytes(&self, ids: &[u32], out: &mut Vec<u8>) -> Result<()> {
        for &id in ids {
            let Some(bytes) = self.token_bytes(id) else {
                let message = format!(
                    "id {id} is not in the vocabulary, whose ids are 0 to {}",
                    self.vocabulary.len() - 1
                );
                return Err(Error::Value(message));
            };
            out.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Appends the ids of a row of pre-tokens that has been looked up.
    #[inline]
    fn encode_row(
        &self,
        text: &[u8],
        mut start: usize,
        ends: &[usize],
        row: &Row,
        cache: &mut Cache,
        out: &mut Vec<u32>,
    ) {
        // room for whole entries, of which the next one overwrites what is not used
        let mut length = out.len();
        out.resize(length + ends.len() * FEW + 1, 0);
        for (i, &end) in ends.iter().enumerate() {
            let [ids @ .., number] = row.ids[i];
            if (1..=FEW).contains(&(number as usize)) {
                out[length..length + FEW].copy_from_slice(&ids);
                length += number as usize;
            } else {
                out.truncate(length);
                self.encode_rare(&text[start..end], cache, out);
                length = out.len();
                out.resize(length + (ends.len() - i) * FEW, 0);
            }
            start = end;
        }
        out.truncate(length);
    }

    /// Appends the ids of a pre-token that the row has no ids for: a new one, or one of many ids.
    #[inline(never)]
    fn encode_rare(&self, piece: &[u8], cache: &mut Cache, out: &mut Vec<u32>) {
        if piece.len() > LONGEST {
            return self.encode_long(piece, cache, out);
        }
        let key = key(piece, 0, piece.len());
        // a new one may have come before in the same row
        match cache.get(key) {
            ids if ids[3] == MANY => return out.extend_from_slice(cache.many(ids)),
            ids if ids[3] != 0 => return out.extend_from_slice(&ids[..ids[3] as usize]),
            _ => (),
        }
        let before = out.len();
        match self.vocabulary.id_of_key(key) {
            Some(id) => out.push(id),
            None => merge::merge(&self.vocabulary, piece, &mut cache.list, out),
        }
        cache.insert(key, &out[before..]);
    }

    #[inline(never)]
    fn encode_long(&self, piece: &[u8], cache: &mut Cache, out: &mut Vec<u32>) {
        if let Some(ids) = cache.get_long(piece) {
            return out.extend_from_slice(ids);
        }
        let before = out.len();
        match self.vocabulary.id(piece) {
            Some(id) => out.push(id),
            None => merge::merge(&self.vocabulary, piece, &mut cache.list, out),
        }
        cache.insert_long(piece, &out[before..]);
    }
}

/// What the cache knows of a row of pre-tokens.
///
/// The table is larger than the processor's nearest caches. Looking up a row with no branch between
/// lets the loads overlap, where one by one each would be waited for.
struct Row {
    keys: [Key; ROW],
    ids: [Ids; ROW],
}

impl Default for Row {
    fn default() -> Self {
        Self {
            keys: [0; ROW],
            ids: [[0; 4]; ROW],
        }
    }
}

impl Row {
    #[inline]
    fn look_up(&mut self, text: &[u8], mut start: usize, ends: &[usize], cache: &Cache) {
        for (slot, &end) in self.keys.iter_mut().zip(ends) {
            *slot = if end - start <= LONGEST {
                key(text, start, end)
            } else {
                TOO_LONG
            };
            cache.fetch(*slot);
            start = end;
        }
        for (slot, &key) in self.ids.iter_mut().zip(&self.keys[..ends.len()]) {
            *slot = cache.get(key);
        }
    }
}
