//! Encoding: a text to the ids of its tokens, exactly as tiktoken does.
//!
//! Each pre-token that is a token stands for itself; any other is merged from its bytes, the pair of
//! the lowest rank first. A [`Cache`] remembers what pre-tokens came to. Special tokens are no part of
//! this: where one is written in a text, it is ordinary text.

mod cache;
mod merge;
mod pairs;
#[cfg(test)]
mod reference;
mod seams;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::sync::atomic::{AtomicU64, Ordering};

pub use cache::Cache;
use cache::{FEW, Ids, MANY};
use merge::SHORTER;
use vocabulary::Vocabulary;

use crate::bytes::{Key, LONGEST, TOO_LONG, key, length};
use crate::error::{Error, Result};
use crate::pretokenize::{ROW, Splitter};

/// Most bytes of a text: places in it have 32 bits where it is merged, and one of them means none.
const MOST_TEXT: usize = u32::MAX as usize - 1;

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
    /// [`Error::Pattern`] where a regex without a scanner gives up on the text, [`Error::Value`] for one of 4 GiB.
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
        if text.len() > MOST_TEXT {
            return Err(Error::Value(format!(
                "a text of {} bytes, of which at most {MOST_TEXT} can be encoded at once; split it",
                text.len()
            )));
        }
        cache.belong_to(self.number);
        let mut row = Row::default();
        self.splitter.for_each_row(text, |start, ends| {
            row.look_up(text.as_bytes(), start, ends, cache);
            self.learn(&mut row, cache);
            self.encode_row(text, start, ends, &row, cache, out);
            take(out);
        })
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

    /// Finds the ids of the pre-tokens of a row that the cache does not know and that are short enough to be merged side
    /// by side.
    fn learn(&self, row: &mut Row, cache: &mut Cache) {
        if row.unknown == 0 {
            return;
        }
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") {
            #[target_feature(enable = "avx2,bmi1")]
            fn wide(encoder: &Encoder, row: &mut Row, cache: &mut Cache) {
                encoder.learn_portably(row, cache);
            }
            // SAFETY: the processor has what the function is compiled for
            return unsafe { wide(self, row, cache) };
        }
        self.learn_portably(row, cache);
    }

    /// [`Self::learn`], compiled for whatever the caller is.
    #[inline(always)]
    fn learn_portably(&self, row: &mut Row, cache: &mut Cache) {
        let Row { keys, ids, new, .. } = row;
        let new = &mut new[..row.unknown];
        for &at in &*new {
            self.vocabulary.fetch(keys[usize::from(at)]);
        }
        let mut merged = 0;
        for i in 0..new.len() {
            let at = new[i];
            let key = keys[usize::from(at)];
            if length(key) > SHORTER {
                continue;
            }
            if let Some(id) = self.vocabulary.id_of_key(key) {
                ids[usize::from(at)] = cache.insert(key, &[id]);
            } else {
                new[merged] = at;
                merged += 1;
            }
        }
        let pieces = new[..merged].iter().map(|&at| keys[usize::from(at)]);
        merge::merge_side_by_side(&self.vocabulary.pairs, pieces, |i, found| {
            let at = usize::from(new[i]);
            ids[at] = cache.insert(keys[at], found);
        });
    }

    /// Appends the ids of a row of pre-tokens that has been looked up.
    #[inline]
    fn encode_row(
        &self,
        text: &str,
        mut start: usize,
        ends: &[usize],
        row: &Row,
        cache: &mut Cache,
        out: &mut Vec<u32>,
    ) {
        // room for whole entries, of which the next one overwrites what is not used
        let mut few = [0; ROW * FEW];
        let mut length = 0;
        for (i, &end) in ends.iter().enumerate() {
            let [ids @ .., number] = row.ids[i];
            if (1..=FEW).contains(&(number as usize)) {
                few[length..length + FEW].copy_from_slice(&ids);
                length += number as usize;
            } else {
                out.extend_from_slice(&few[..length]);
                length = 0;
                self.encode_rare(&text[start..end], cache, out);
            }
            start = end;
        }
        out.extend_from_slice(&few[..length]);
    }

    /// Appends the ids of a pre-token that the row has no ids for: a longer new one, or one of many ids.
    #[inline(never)]
    fn encode_rare(&self, piece: &str, cache: &mut Cache, out: &mut Vec<u32>) {
        let bytes = piece.as_bytes();
        if bytes.len() > LONGEST {
            return self.encode_long(piece, cache, out);
        }
        let key = key(bytes, 0, bytes.len());
        // a new one may have come before in the same row
        let ids = cache.get(key);
        if !append(cache, ids, out) {
            let before = out.len();
            self.encode_new(piece, cache, out);
            cache.insert(key, &out[before..]);
        }
    }

    #[inline(never)]
    fn encode_long(&self, piece: &str, cache: &mut Cache, out: &mut Vec<u32>) {
        // one that is not ASCII hardly comes again, and its parts are known
        let keep = piece.is_ascii();
        if keep && let Some(ids) = cache.get_long(piece.as_bytes()) {
            return out.extend_from_slice(ids);
        }
        let before = out.len();
        self.encode_new(piece, cache, out);
        if keep {
            cache.insert_long(piece.as_bytes(), &out[before..]);
        }
    }

    /// Appends the ids of a pre-token that no cache knows: its own, or those that its parts between seams come to.
    fn encode_new(&self, piece: &str, cache: &mut Cache, out: &mut Vec<u32>) {
        let Vocabulary { pairs, seams, .. } = &self.vocabulary;
        let bytes = piece.as_bytes();
        let whole = |cache: &mut Cache, out: &mut Vec<u32>| match self.vocabulary.id(bytes) {
            Some(id) => out.push(id),
            None => merge::merge(pairs, bytes, &mut cache.list, out),
        };
        if piece.is_ascii() {
            return whole(cache, out);
        }
        seams.for_each(piece, |start, end| {
            if end - start == bytes.len() {
                return whole(cache, out);
            }
            if end - start > LONGEST {
                return merge::merge(pairs, &bytes[start..end], &mut cache.list, out);
            }
            let key = key(bytes, start, end);
            let ids = cache.get_part(key);
            if !append(cache, ids, out) {
                let before = out.len();
                merge::merge(pairs, &bytes[start..end], &mut cache.list, out);
                cache.insert_part(key, &out[before..]);
            }
        });
    }
}

/// Appends what a cache has; false if it has nothing.
#[inline(always)]
fn append(cache: &Cache, ids: Ids, out: &mut Vec<u32>) -> bool {
    match ids[FEW] {
        0 => return false,
        MANY => out.extend_from_slice(cache.many(ids)),
        number => {
            // a copy of known length, of which the next one overwrites what is not used
            let length = out.len() + number as usize;
            out.extend_from_slice(&ids[..FEW]);
            out.truncate(length);
        }
    }
    true
}

/// What the cache knows of a row of pre-tokens.
///
/// The table is larger than the processor's nearest caches. Looking up a row with no branch between
/// lets the loads overlap, where one by one each would be waited for.
struct Row {
    keys: [Key; ROW],
    /// Where the cache has each of them, if it does.
    lines: [u32; ROW],
    ids: [Ids; ROW],
    /// Which of them the cache does not know, and how many those are.
    new: [u8; ROW],
    unknown: usize,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            keys: [0; ROW],
            lines: [0; ROW],
            ids: [[0; 4]; ROW],
            new: [0; ROW],
            unknown: 0,
        }
    }
}

impl Row {
    #[inline]
    fn look_up(&mut self, text: &[u8], mut start: usize, ends: &[usize], cache: &Cache) {
        for ((slot, line), &end) in self.keys.iter_mut().zip(&mut self.lines).zip(ends) {
            *slot = if end - start <= LONGEST {
                key(text, start, end)
            } else {
                TOO_LONG
            };
            *line = cache.fetch(*slot);
            start = end;
        }
        self.unknown = 0;
        let looked_up = self.keys[..ends.len()].iter().zip(&self.lines);
        for (i, (slot, (&key, &line))) in self.ids.iter_mut().zip(looked_up).enumerate() {
            *slot = cache.at(line, key);
            self.new[self.unknown] = i as u8;
            self.unknown += usize::from(slot[FEW] == 0);
        }
    }
}
