//! The tables of a vocabulary: bytes of an id, id of some bytes, id that a pair merges to.

use std::collections::HashMap;

use super::merge;
use super::pairs::{Filter, MOST_IDS, NONE, Pairs, bits_for};
use super::seams::Seams;
use crate::bytes::{Key, LONGEST, Words, hash, key, prefetch, table};
use crate::error::{Error, Result};

/// A vocabulary whose ids are their ranks, ready to encode with.
#[derive(Debug)]
pub(super) struct Vocabulary {
    /// All tokens' bytes, one after the other.
    bytes: Vec<u8>,
    /// Where each id's bytes begin; one entry more at the end.
    offsets: Vec<u32>,
    pub(super) pairs: Pairs,
    pub(super) seams: Seams,
    short: Short,
    long: HashMap<Box<[u8]>, u32, Words>,
}

impl Vocabulary {
    /// Builds the tables. An empty entry is an id that no text encodes to.
    pub(super) fn new(tokens: &[Vec<u8>]) -> Result<Self> {
        let total: usize = tokens.iter().map(Vec::len).sum();
        if u32::try_from(total).is_err() || tokens.len() > MOST_IDS {
            let message = format!(
                "{} tokens of {total} bytes are too many: at most {MOST_IDS} tokens of 4 GiB can be encoded with",
                tokens.len()
            );
            return Err(Error::Value(message));
        }
        let mut vocabulary = Self {
            bytes: Vec::with_capacity(total),
            offsets: vec![0],
            pairs: Pairs::new(tokens.len()),
            seams: Seams::new(tokens),
            short: Short::new(tokens.len()),
            long: HashMap::default(),
        };
        for (id, token) in tokens.iter().enumerate() {
            vocabulary.add(id as u32, token)?;
        }
        if let Some(missing) = vocabulary.pairs.singles.iter().position(|&id| id == NONE) {
            let message = format!(
                "the vocabulary of {} tokens lacks the single byte 0x{missing:02X}; \
                all 256 bytes have to be tokens, or some texts cannot be encoded",
                tokens.len()
            );
            return Err(Error::Value(message));
        }
        for id in 0..tokens.len() as u32 {
            vocabulary.find_pair(id);
        }
        Ok(vocabulary)
    }

    fn add(&mut self, id: u32, token: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(token);
        self.offsets.push(self.bytes.len() as u32);
        let before = match *token {
            [] => None,
            [byte] => Some(std::mem::replace(
                &mut self.pairs.singles[usize::from(byte)],
                id,
            ))
            .filter(|&id| id != NONE),
            _ => None,
        };
        let before = before.or_else(|| match token.len() {
            0 => None,
            length @ 1..=LONGEST => self.short.insert(key(token, 0, length), id),
            _ => self.long.insert(token.into(), id),
        });
        match before {
            None => Ok(()),
            Some(before) => Err(Error::Value(format!(
                "tokens {before} and {id} of the vocabulary are the same bytes {:?}",
                String::from_utf8_lossy(token)
            ))),
        }
    }

    /// Finds the one pair of ids that merges to `id`, and enters it.
    ///
    /// Merges inside a token's bytes happen in the same order wherever the bytes stand, so the two
    /// parts that are left last when the token itself is encoded are the only pair that ever makes it.
    /// Tokens that no merges lead to have none. The pairs of all lower ids are known by then, and
    /// enough for nearly all tokens; the others go by the bytes.
    fn find_pair(&mut self, id: u32) {
        let token = self.token(id);
        let pair = match *token {
            [] | [_] => return,
            [first, second] => {
                let at = usize::from(first) << 8 | usize::from(second);
                self.pairs.doubles[at] = id;
                return;
            }
            _ => merge::last_pair(&self.pairs, token).or_else(|| self.last_pair(token)),
        };
        if let Some((left, right)) = pair {
            self.pairs.insert(left, right, id);
        }
    }

    /// Number of ids.
    pub(super) fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Bytes of an id below [`Self::len`].
    pub(super) fn token(&self, id: u32) -> &[u8] {
        &self.bytes[self.offsets[id as usize] as usize..self.offsets[id as usize + 1] as usize]
    }

    /// The id whose bytes are exactly these.
    #[inline]
    pub(super) fn id(&self, token: &[u8]) -> Option<u32> {
        match token.len() {
            length @ 0..=LONGEST => self.id_of_key(key(token, 0, length)),
            _ => self.long.get(token).copied(),
        }
    }

    /// Has the processor fetch what [`Self::id_of_key`] will look at.
    #[inline]
    pub(super) fn fetch(&self, key: Key) {
        let at = hash(key) as usize & (self.short.keys.len() - 1);
        prefetch(&self.short.keys, at);
        prefetch(&self.short.ids, at);
    }

    /// [`Self::id`] of a short token by its key.
    #[inline]
    pub(super) fn id_of_key(&self, key: Key) -> Option<u32> {
        self.short.get(key)
    }

    /// The two parts that are left before a token's own merge, by the definition: any two parts merge whose bytes
    /// together are a token.
    ///
    /// For tokens that are made of ones with higher ids, and those that no merges lead to.
    fn last_pair(&self, token: &[u8]) -> Option<(u32, u32)> {
        let mut ends: Vec<usize> = (1..=token.len()).collect();
        let id = |ends: &[usize], first: usize, last: usize| {
            let start = if first == 0 { 0 } else { ends[first - 1] };
            self.id(&token[start..ends[last]])
        };
        while ends.len() > 2 {
            let pairs = (0..ends.len() - 1).filter_map(|i| id(&ends, i, i + 1).map(|id| (id, i)));
            let (_, at) = pairs.min()?;
            ends.remove(at);
        }
        Some((id(&ends, 0, 0)?, id(&ends, 1, 1)?))
    }
}

/// Ids of the tokens of up to 15 bytes: open addressing, at most half full, behind a filter.
#[derive(Debug)]
struct Short {
    keys: Vec<Key>,
    ids: Vec<u32>,
    filter: Filter,
}

impl Short {
    fn new(entries: usize) -> Self {
        let slots = 1 << bits_for(entries);
        Self {
            keys: table(slots, 0),
            ids: table(slots, NONE),
            filter: Filter::new(entries),
        }
    }

    /// Where the key stands, or the free slot where it would.
    #[inline]
    fn place(&self, key: Key, hash: u64) -> usize {
        let mut at = hash as usize & (self.keys.len() - 1);
        while self.keys[at] != key && self.keys[at] != 0 {
            at = (at + 1) & (self.keys.len() - 1);
        }
        at
    }

    fn insert(&mut self, key: Key, id: u32) -> Option<u32> {
        let hash = hash(key);
        self.filter.insert(hash);
        let at = self.place(key, hash);
        self.keys[at] = key;
        Some(std::mem::replace(&mut self.ids[at], id)).filter(|&before| before != NONE)
    }

    #[inline]
    fn get(&self, key: Key) -> Option<u32> {
        let hash = hash(key);
        if key == 0 || !self.filter.may_have(hash) {
            return None;
        }
        let at = self.place(key, hash);
        (self.keys[at] == key).then(|| self.ids[at])
    }
}
