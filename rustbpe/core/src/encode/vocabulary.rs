//! The tables of a vocabulary: bytes of an id, id of some bytes, id that a pair merges to.

use std::collections::HashMap;

use super::key::{Folded, Key, LONGEST, hash, key};
use super::merge::{self, NONE};
use crate::error::{Error, Result};

/// A vocabulary whose ids are their ranks, ready to encode with.
#[derive(Debug)]
pub(super) struct Vocabulary {
    /// All tokens' bytes, one after the other.
    bytes: Vec<u8>,
    /// Where each id's bytes begin; one entry more at the end.
    offsets: Vec<u32>,
    /// Id of each single byte.
    pub(super) singles: [u32; 256],
    /// Id that two single bytes merge to, at `first << 8 | second`; [`NONE`] if they do not.
    pub(super) doubles: Vec<u32>,
    pairs: Pairs,
    short: Short,
    long: HashMap<Box<[u8]>, u32, Folded>,
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
            singles: [NONE; 256],
            doubles: vec![NONE; 1 << 16],
            pairs: Pairs::new(tokens.len()),
            short: Short::new(tokens.len()),
            long: HashMap::default(),
        };
        for (id, token) in tokens.iter().enumerate() {
            vocabulary.add(id as u32, token)?;
        }
        if let Some(missing) = vocabulary.singles.iter().position(|&id| id == NONE) {
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
            [byte] => Some(std::mem::replace(&mut self.singles[usize::from(byte)], id))
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
                self.doubles[at] = id;
                return;
            }
            _ => merge::last_pair(self, token),
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

    /// [`Self::id`] of a short token by its key.
    #[inline]
    pub(super) fn id_of_key(&self, key: Key) -> Option<u32> {
        self.short.get(key)
    }

    /// The id that a pair of ids merges to, or [`NONE`].
    #[inline(always)]
    pub(super) fn merged(&self, left: u32, right: u32) -> u32 {
        self.pairs.get(left, right)
    }
}

/// Pairs of ids and what they merge to: open addressing, at most half full.
///
/// Most pairs that are asked for merge to nothing, which the filter says without a look at the table.
#[derive(Debug)]
struct Pairs {
    /// Left id, right id and merged id, [`ID_BITS`] each; [`FREE`] where there is none.
    slots: Vec<u64>,
    shift: u32,
    filter: Filter,
}

/// Bits of an id in [`Pairs`].
const ID_BITS: u32 = 21;
/// Most ids of a vocabulary.
const MOST_IDS: usize = 1 << ID_BITS;
/// No three ids, which take 63 bits.
const FREE: u64 = u64::MAX;

impl Pairs {
    fn new(entries: usize) -> Self {
        let bits = bits_for(entries);
        Self {
            slots: vec![FREE; 1 << bits],
            shift: 64 - bits,
            filter: Filter::new(entries),
        }
    }

    #[inline(always)]
    fn pair(left: u32, right: u32) -> u64 {
        u64::from(left) << ID_BITS | u64::from(right)
    }

    #[inline(always)]
    fn hash(pair: u64) -> u64 {
        pair.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn insert(&mut self, left: u32, right: u32, id: u32) {
        let pair = Self::pair(left, right);
        let hash = Self::hash(pair);
        self.filter.insert(hash);
        let mut at = (hash >> self.shift) as usize;
        while self.slots[at] != FREE {
            at = (at + 1) & (self.slots.len() - 1);
        }
        self.slots[at] = pair << ID_BITS | u64::from(id);
    }

    #[inline(always)]
    fn get(&self, left: u32, right: u32) -> u32 {
        let pair = Self::pair(left, right);
        let hash = Self::hash(pair);
        if !self.filter.may_have(hash) {
            return NONE;
        }
        let mut at = (hash >> self.shift) as usize;
        loop {
            let slot = self.slots[at];
            if slot == FREE {
                return NONE;
            }
            if slot >> ID_BITS == pair {
                return slot as u32 % MOST_IDS as u32;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
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
            keys: vec![0; slots],
            ids: vec![NONE; slots],
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

/// A bit for each of the hashes that are there, small enough for the near caches: 8 to 16 bits an
/// entry, so that about a tenth of the others look as if they were there too.
#[derive(Debug)]
struct Filter {
    bits: Vec<u64>,
    shift: u32,
}

impl Filter {
    fn new(entries: usize) -> Self {
        let bits = (8 * entries.max(8)).next_power_of_two();
        Self {
            bits: vec![0; bits / 64],
            shift: 64 - bits.trailing_zeros(),
        }
    }

    fn insert(&mut self, hash: u64) {
        let bit = hash >> self.shift;
        self.bits[(bit / 64) as usize] |= 1 << (bit % 64);
    }

    #[inline(always)]
    fn may_have(&self, hash: u64) -> bool {
        let bit = hash >> self.shift;
        self.bits[(bit / 64) as usize] >> (bit % 64) & 1 != 0
    }
}

/// Bits of a table that the entries fill to a half at most.
fn bits_for(entries: usize) -> u32 {
    (2 * entries.max(1)).next_power_of_two().trailing_zeros()
}
