//! The open-addressing table of one thread.

use crate::bytes::{self, LONGEST, TOO_LONG, prefetch};

/// Pre-tokens between the prefetch of a slot and its use.
const AHEAD: usize = 32;
/// Slots of a new table, as a power of two.
const FIRST_BITS: u32 = 12;

/// 32 bytes, two to a cache line. Empty while the key is 0, which is no pre-token's key.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
struct Slot {
    /// The key, little-endian: a short pre-token's bytes are its first ones.
    key: [u8; 16],
    count: u64,
    /// Where a long pre-token stands in the arena.
    long: u64,
}

const EMPTY: Slot = Slot {
    key: [0; 16],
    count: 0,
    long: 0,
};

impl Slot {
    #[inline]
    fn key(&self) -> u128 {
        u128::from_le_bytes(self.key)
    }
}

/// Pre-tokens and how often each occurred.
///
/// Takes 32 bytes a slot, with at least one slot in four empty, and the bytes of the pre-tokens that are
/// longer than 15 bytes.
pub struct CountTable {
    /// A power of two of slots; a pre-token's place is the top bits of its hash, or the next free slot.
    slots: Vec<Slot>,
    shift: u32,
    len: usize,
    /// The long pre-tokens end to end.
    arena: Vec<u8>,
    /// Where each starts, and at last where the next one will.
    starts: Vec<u64>,
}

impl Default for CountTable {
    fn default() -> Self {
        Self::new()
    }
}

impl CountTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self {
            slots: vec![EMPTY; 1 << FIRST_BITS],
            shift: u64::BITS - FIRST_BITS,
            len: 0,
            arena: Vec::new(),
            starts: vec![0],
        }
    }

    /// The number of distinct pre-tokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no pre-token has been added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds `count` occurrences of a pre-token. Empty pre-tokens do not exist and are left out.
    pub fn add(&mut self, pretoken: &[u8], count: u64) {
        match pretoken.len() {
            0 => {}
            length @ 1..=LONGEST => {
                let key = bytes::key(pretoken, 0, length);
                self.add_short(key, bytes::hash(key), count);
            }
            _ => self.add_long(pretoken, count),
        }
    }

    /// Takes the pre-tokens of one document, faster than [`Self::add`].
    pub fn batch<'a>(&'a mut self, text: &'a str) -> Batch<'a> {
        Batch {
            table: self,
            text: text.as_bytes(),
            waiting: [(0, 0); AHEAD],
            taken: 0,
        }
    }

    /// All pre-tokens and counts, in no order.
    pub fn iter(&self) -> Counts<'_> {
        Counts {
            table: self,
            slots: self.slots.iter(),
        }
    }

    /// The [`bytes::sorting`] number, the bytes and the count of each pre-token, in no order.
    pub(super) fn sorting(&self) -> impl Iterator<Item = (u128, &[u8], u64)> {
        let filled = self.slots.iter().filter(|slot| slot.key() != 0);
        filled.map(|slot| {
            let bytes = self.bytes(slot);
            let number = match slot.key() {
                TOO_LONG.. => bytes::sorting(bytes),
                key => key.swap_bytes(),
            };
            (number, bytes, slot.count)
        })
    }

    #[inline]
    fn add_short(&mut self, key: u128, hash: u64, count: u64) {
        let mask = self.slots.len() - 1;
        let mut at = (hash >> self.shift) as usize;
        loop {
            let slot = &mut self.slots[at & mask];
            if slot.key() == key {
                slot.count += count;
                return;
            }
            if slot.key() == 0 {
                *slot = Slot {
                    key: key.to_le_bytes(),
                    count,
                    long: 0,
                };
                self.grow_if_full();
                return;
            }
            at += 1;
        }
    }

    fn add_long(&mut self, pretoken: &[u8], count: u64) {
        let key = TOO_LONG | u128::from(bytes::hash_long(pretoken));
        let mask = self.slots.len() - 1;
        let mut at = (bytes::hash(key) >> self.shift) as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.key() == key && self.long_bytes(&slot) == pretoken {
                self.slots[at].count += count;
                return;
            }
            if slot.key() == 0 {
                self.slots[at] = Slot {
                    key: key.to_le_bytes(),
                    count,
                    long: self.starts.len() as u64 - 1,
                };
                self.arena.extend_from_slice(pretoken);
                self.starts.push(self.arena.len() as u64);
                self.grow_if_full();
                return;
            }
            at = (at + 1) & mask;
        }
    }

    #[inline]
    fn grow_if_full(&mut self) {
        self.len += 1;
        if self.len * 4 > self.slots.len() * 3 {
            self.grow();
        }
    }

    #[cold]
    fn grow(&mut self) {
        let slots = bytes::table(self.slots.len() * 2, EMPTY);
        let old = std::mem::replace(&mut self.slots, slots);
        self.shift -= 1;
        let mask = self.slots.len() - 1;
        for slot in old.into_iter().filter(|slot| slot.key() != 0) {
            let mut at = (bytes::hash(slot.key()) >> self.shift) as usize & mask;
            while self.slots[at].key() != 0 {
                at = (at + 1) & mask;
            }
            self.slots[at] = slot;
        }
    }

    #[inline]
    fn bytes<'a>(&'a self, slot: &'a Slot) -> &'a [u8] {
        if slot.key() >= TOO_LONG {
            self.long_bytes(slot)
        } else {
            &slot.key[..bytes::length(slot.key())]
        }
    }

    fn long_bytes(&self, slot: &Slot) -> &[u8] {
        let index = slot.long as usize;
        &self.arena[self.starts[index] as usize..self.starts[index + 1] as usize]
    }
}

/// The pre-tokens of one document on their way into a table.
///
/// Each waits until its slot has come into the cache; the last ones are added when this is dropped.
pub struct Batch<'a> {
    table: &'a mut CountTable,
    text: &'a [u8],
    /// Keys and hashes; key 0 is nobody.
    waiting: [(u128, u64); AHEAD],
    taken: usize,
}

impl Batch<'_> {
    /// Adds one occurrence of the pre-token that starts and ends there in the document.
    #[inline]
    pub fn add(&mut self, start: usize, end: usize) {
        if end - start > LONGEST {
            self.table.add_long(&self.text[start..end], 1);
        } else if end > start {
            let key = bytes::key(self.text, start, end);
            let hash = bytes::hash(key);
            let slots = &self.table.slots;
            let at = (hash >> self.table.shift) as usize & (slots.len() - 1);
            prefetch(slots, at);
            let turn = &mut self.waiting[self.taken % AHEAD];
            let (ready, ready_hash) = std::mem::replace(turn, (key, hash));
            self.taken += 1;
            if ready != 0 {
                self.table.add_short(ready, ready_hash, 1);
            }
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for (key, hash) in self.waiting {
            if key != 0 {
                self.table.add_short(key, hash, 1);
            }
        }
    }
}

/// The pre-tokens and counts of one table, in no order.
#[derive(Clone)]
pub struct Counts<'a> {
    table: &'a CountTable,
    slots: std::slice::Iter<'a, Slot>,
}

impl<'a> Iterator for Counts<'a> {
    type Item = (&'a [u8], u64);

    fn next(&mut self) -> Option<Self::Item> {
        let slot = self.slots.find(|slot| slot.key() != 0)?;
        Some((self.table.bytes(slot), slot.count))
    }
}

impl<'a> IntoIterator for &'a CountTable {
    type Item = (&'a [u8], u64);
    type IntoIter = Counts<'a>;

    fn into_iter(self) -> Counts<'a> {
        self.iter()
    }
}
