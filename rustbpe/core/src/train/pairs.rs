//! The pairs that can still be merged: counts, positions, and which comes next.

use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::bytes::table;

/// Key of no pair: ids have less than 32 bits.
const NONE: u64 = u64::MAX;

/// Pairs in the order in which they were added, and where each is.
pub(super) struct Table {
    pub entries: Vec<Pair>,
    /// Open addressing, at most half full: packed pairs and indices of `entries`.
    slots: Vec<(u64, u32)>,
}

impl Table {
    pub fn new() -> Self {
        Self {
            entries: Vec::new(),
            slots: vec![(NONE, 0); 1 << 12],
        }
    }

    /// The entry of a pair.
    #[inline]
    pub fn get(&mut self, pair: u64) -> Option<&mut Pair> {
        let (found, index) = self.slots[self.find(pair)];
        (found == pair).then(|| &mut self.entries[index as usize])
    }

    /// Adds a pair that is not there yet.
    pub fn insert(&mut self, pair: Pair) -> &mut Pair {
        let index = self.entries.len();
        self.entries.push(pair);
        if self.entries.len() * 2 > self.slots.len() {
            self.slots = table(self.slots.len() * 2, (NONE, 0));
            (0..=index).for_each(|index| self.link(index));
        } else {
            self.link(index);
        }
        &mut self.entries[index]
    }

    fn link(&mut self, index: usize) {
        let pair = self.entries[index].pair;
        let at = self.find(pair);
        self.slots[at] = (pair, index as u32);
    }

    /// The slot of a pair, or the empty one where it would go.
    #[inline]
    fn find(&self, pair: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = hash(pair) as usize >> (usize::BITS - self.slots.len().trailing_zeros());
        while self.slots[at].0 != pair && self.slots[at].0 != NONE {
            at = (at + 1) & mask;
        }
        at
    }
}

/// A pair of ids as one number that sorts as the pair does.
#[inline]
pub(super) fn pack(left: usize, right: usize) -> u64 {
    (left as u64) << 32 | right as u64
}

/// The ids of a packed pair.
#[inline]
pub(super) fn unpack(pair: u64) -> (usize, usize) {
    ((pair >> 32) as usize, (pair & 0xFFFF_FFFF) as usize)
}

/// A number that is higher the sooner a pair is to be merged: by count, then the smaller pair.
#[inline]
fn rank(count: u64, pair: u64) -> u128 {
    u128::from(count) << 64 | u128::from(!pair)
}

/// Spreads packed pairs; the top bits are good.
#[inline]
pub(super) fn hash(pair: u64) -> u64 {
    let mixed = (pair ^ pair >> 29).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

/// One pair that is counted.
pub(super) struct Pair {
    pub pair: u64,
    /// Exact, and 0 once it has fallen below the floor.
    pub count: u64,
    /// Where its left token starts, ascending. Some may be stale: the tokens have been merged with others.
    pub positions: Vec<u32>,
}

impl Pair {
    /// A pair with room for `positions` positions and none yet.
    pub fn with_room(pair: u64, count: u64, positions: u32) -> Self {
        Self {
            pair,
            count,
            positions: Vec::with_capacity(positions as usize),
        }
    }
}

/// Pairs whose counts reach a floor, by pair, and in the order of merging.
///
/// A pair's count never rises once the merge that made the later of its tokens is done. So a pair below the
/// floor can be forgotten, and a heap entry with an old count is an upper bound that is put right when it comes
/// to the top.
pub(super) struct Pairs {
    pub floor: u64,
    table: Table,
    /// Counts as they once were, and pairs: see [`rank`].
    heap: BinaryHeap<u128>,
}

impl Pairs {
    /// No pairs, and a floor that none has to be below of.
    pub fn new(floor: u64) -> Self {
        Self {
            floor,
            table: Table::new(),
            heap: BinaryHeap::new(),
        }
    }

    /// Adds a pair that is not there yet.
    pub fn insert(&mut self, pair: Pair) {
        self.heap.push(rank(pair.count, pair.pair));
        self.table.insert(pair);
    }

    /// Takes `by` from a pair's count, if the pair is there.
    #[inline]
    pub fn lower(&mut self, pair: u64, by: u64) {
        if let Some(entry) = self.table.get(pair) {
            entry.count = entry.count.saturating_sub(by);
            if entry.count < self.floor {
                entry.count = 0;
                entry.positions = Vec::new();
            }
        }
    }

    /// A pair, which is then gone from here; `None` where it is nowhere in the corpus.
    pub fn take(&mut self, pair: u64) -> Option<Pair> {
        let entry = self.table.get(pair).filter(|entry| entry.count > 0)?;
        Some(Pair {
            pair,
            count: std::mem::take(&mut entry.count),
            positions: std::mem::take(&mut entry.positions),
        })
    }

    /// The next pair to merge, which is then gone from here; `None` where none reaches the floor.
    pub fn pop(&mut self) -> Option<Pair> {
        while let Some(mut top) = self.heap.peek_mut() {
            let (old, pair) = ((*top >> 64) as u64, !(*top as u64));
            let Some(entry) = self.table.get(pair) else {
                unreachable!("what is in the heap is in the table: nothing leaves it")
            };
            let count = entry.count;
            if count == old {
                PeekMut::pop(top);
                entry.count = 0;
                return Some(Pair {
                    pair,
                    count,
                    positions: std::mem::take(&mut entry.positions),
                });
            }
            if count > 0 {
                *top = rank(count, pair);
            } else {
                PeekMut::pop(top);
            }
        }
        None
    }
}
