//! What pairs of ids merge to.

use crate::bytes::table;

/// No id.
pub(super) const NONE: u32 = u32::MAX;

/// Bits of an id in a slot.
const ID_BITS: u32 = 21;
/// Most ids of a vocabulary.
pub(super) const MOST_IDS: usize = 1 << ID_BITS;
/// No three ids, which take 63 bits.
const FREE: u64 = u64::MAX;

/// Pairs of ids and what they merge to: pairs of single bytes by index, the others by open addressing, at most half
/// full.
///
/// Most pairs that are asked for merge to nothing, which the filter says without a look at the table.
#[derive(Debug)]
pub(super) struct Pairs {
    /// Id of each single byte.
    pub(super) singles: [u32; 256],
    /// Id that two single bytes merge to, at `first << 8 | second`; [`NONE`] if they do not.
    pub(super) doubles: Vec<u32>,
    /// Left id, right id and merged id, [`ID_BITS`] each; [`FREE`] where there is none.
    slots: Vec<u64>,
    shift: u32,
    filter: Filter,
}

impl Pairs {
    pub(super) fn new(entries: usize) -> Self {
        let bits = bits_for(entries);
        Self {
            singles: [NONE; 256],
            doubles: vec![NONE; 1 << 16],
            slots: table(1 << bits, FREE),
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

    pub(super) fn insert(&mut self, left: u32, right: u32, id: u32) {
        let pair = Self::pair(left, right);
        let hash = Self::hash(pair);
        self.filter.insert(hash);
        let mut at = (hash >> self.shift) as usize;
        while self.slots[at] != FREE {
            at = (at + 1) & (self.slots.len() - 1);
        }
        self.slots[at] = pair << ID_BITS | u64::from(id);
    }

    /// The id that a pair of ids merges to, or [`NONE`]. Pairs of single bytes are in [`Self::doubles`].
    #[inline(always)]
    pub(super) fn get(&self, left: u32, right: u32) -> u32 {
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

/// A bit for each of the hashes that are there, small enough for the near caches: 8 to 16 bits an
/// entry, so that about a tenth of the others look as if they were there too.
#[derive(Debug)]
pub(super) struct Filter {
    bits: Vec<u64>,
    shift: u32,
}

impl Filter {
    pub(super) fn new(entries: usize) -> Self {
        let bits = (8 * entries.max(8)).next_power_of_two();
        Self {
            bits: vec![0; bits / 64],
            shift: 64 - bits.trailing_zeros(),
        }
    }

    pub(super) fn insert(&mut self, hash: u64) {
        let bit = hash >> self.shift;
        self.bits[(bit / 64) as usize] |= 1 << (bit % 64);
    }

    #[inline(always)]
    pub(super) fn may_have(&self, hash: u64) -> bool {
        let bit = hash >> self.shift;
        self.bits[(bit / 64) as usize] >> (bit % 64) & 1 != 0
    }
}

/// Bits of a table that the entries fill to a half at most.
pub(super) fn bits_for(entries: usize) -> u32 {
    (2 * entries.max(1)).next_power_of_two().trailing_zeros()
}
