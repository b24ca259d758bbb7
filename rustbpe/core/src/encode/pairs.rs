//! What pairs of ids merge to.

use std::collections::HashMap;
use std::hint::select_unpredictable;

use crate::bytes::{prefetch, table};

/// No id.
pub(super) const NONE: u32 = u32::MAX;

/// Bits of an id in a pair.
const ID_BITS: u32 = 21;
/// Most ids of a vocabulary.
pub(super) const MOST_IDS: usize = (1 << ID_BITS) - 1;
/// What no id merges with.
pub(super) const WALL: u32 = MOST_IDS as u32;
/// Bits of a pair.
const PAIR_BITS: u32 = 2 * ID_BITS;
/// Most bits of a tag: one less than it has room for, so that [`NO_TAG`] is none.
const TAG_BITS: u32 = 31;
/// No pair's tag.
const NO_TAG: u32 = u32::MAX;
/// Pairs in a line.
const PLACES: usize = 8;
/// In the last place of a line: some of its pairs are among the others.
const MORE: u32 = 1 << 31;

/// Pairs of ids and what they merge to: pairs of single bytes by index, the others in lines of the processor's cache.
///
/// A pair's bits, mixed without loss, are the number of its line and its tag there. Most pairs that are asked for
/// merge to nothing, and the filter says so for most of them without a look at the table. Which pairs those are
/// cannot be foreseen, so neither filter nor table is asked by a branch: a pair that the filter does not have is
/// looked for in the first line, under a tag that none has.
#[derive(Debug)]
pub(super) struct Pairs {
    /// Id of each single byte.
    pub(super) singles: [u32; 256],
    /// Id that two single bytes merge to, at `first << 8 | second`; [`NONE`] if they do not.
    pub(super) doubles: Vec<u32>,
    lines: Vec<Line>,
    tag_bits: u32,
    filter: Filter,
    /// Pairs that found no place in their lines.
    others: HashMap<(u32, u32), u32>,
}

/// Tags of pairs, and the ids that the pairs merge to plus 1; 0 where there is none.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
struct Line {
    tags: [u32; PLACES],
    ids: [u32; PLACES],
}

impl Pairs {
    pub(super) fn new(entries: usize) -> Self {
        let bits = bits_for(entries).saturating_sub(PLACES.ilog2());
        let bits = bits.max(PAIR_BITS - TAG_BITS);
        Self {
            singles: [NONE; 256],
            doubles: vec![NONE; 1 << 16],
            lines: table(1 << bits, Line::default()),
            tag_bits: PAIR_BITS - bits,
            filter: Filter::new(entries),
            others: HashMap::new(),
        }
    }

    /// A pair's bits, mixed, in the highest bits.
    #[inline(always)]
    fn mixed(left: u32, right: u32) -> u64 {
        let pair = u64::from(left) << ID_BITS | u64::from(right);
        // an odd factor loses nothing
        pair.wrapping_mul(0x9E37_79B9_7F4A_7C15) << (u64::BITS - PAIR_BITS)
    }

    /// The number of a pair's line, and its tag there.
    #[inline(always)]
    fn place(&self, mixed: u64) -> (usize, u32) {
        let pair = mixed >> (u64::BITS - PAIR_BITS);
        let tag = pair & ((1 << self.tag_bits) - 1);
        ((pair >> self.tag_bits) as usize, tag as u32)
    }

    /// Where to look for a pair: at its place, or where it is not.
    #[inline(always)]
    fn look(&self, left: u32, right: u32) -> (usize, u32) {
        let mixed = Self::mixed(left, right);
        let (line, tag) = self.place(mixed);
        let may = self.filter.may_have(mixed);
        (
            select_unpredictable(may, line, 0),
            select_unpredictable(may, tag, NO_TAG),
        )
    }

    pub(super) fn insert(&mut self, left: u32, right: u32, id: u32) {
        let mixed = Self::mixed(left, right);
        self.filter.insert(mixed);
        let (line, tag) = self.place(mixed);
        let Line { tags, ids } = &mut self.lines[line];
        match ids.iter().position(|&id| id & !MORE == 0) {
            Some(place) => {
                tags[place] = tag;
                ids[place] |= id + 1;
            }
            None => {
                ids[PLACES - 1] |= MORE;
                self.others.insert((left, right), id);
            }
        }
    }

    /// Has the processor fetch what [`Self::get`] will look at.
    #[inline(always)]
    pub(super) fn fetch(&self, left: u32, right: u32) {
        prefetch(&self.lines, self.look(left, right).0);
    }

    /// The id that a pair of ids merges to, or [`NONE`]. Pairs of single bytes are in [`Self::doubles`].
    #[inline(always)]
    pub(super) fn get(&self, left: u32, right: u32) -> u32 {
        let (line, tag) = self.look(left, right);
        let Line { tags, ids } = &self.lines[line];
        let mut found = 0;
        for (&other, &id) in tags.iter().zip(ids) {
            found |= if other == tag { id } else { 0 };
        }
        found &= !MORE;
        if found == 0 && ids[PLACES - 1] & MORE != 0 {
            return self.other(left, right);
        }
        found.wrapping_sub(1)
    }

    #[cold]
    fn other(&self, left: u32, right: u32) -> u32 {
        self.others.get(&(left, right)).copied().unwrap_or(NONE)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_found_also_where_lines_are_full() {
        let id = |i: u32| i.wrapping_mul(0x9E37_79B9) >> (32 - ID_BITS);
        let known: HashMap<(u32, u32), u32> = (0..60_000)
            .map(|i| ((id(i), id(i + 7)), id(i + 1).min(WALL - 1)))
            .collect();
        // a table for far fewer
        let mut pairs = Pairs::new(1_000);
        for (&(left, right), &id) in &known {
            pairs.insert(left, right, id);
        }
        assert!(pairs.others.len() > 1_000);
        for i in 0..60_000 {
            for pair in [(id(i), id(i + 7)), (id(i + 7), id(i)), (id(i), WALL)] {
                let wanted = known.get(&pair).copied().unwrap_or(NONE);
                assert_eq!(pairs.get(pair.0, pair.1), wanted, "{pair:?}");
            }
        }
    }
}
