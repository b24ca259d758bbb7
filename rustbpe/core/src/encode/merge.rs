//! Greedy merging by rank: of all adjacent pairs that make a token, the one of the lowest id first,
//! the leftmost of several, until none is left. The same as tiktoken's merge.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::vocabulary::Vocabulary;

/// No id.
pub(super) const NONE: u32 = u32::MAX;

/// Pieces up to this many bytes are merged by looking over all pairs for each merge, which is
/// quadratic and has no overhead; longer ones with a heap.
const SHORT: usize = 32;

/// A part of a long piece, in a list linked by indices.
#[derive(Debug, Clone, Copy)]
struct Node {
    /// What the part is.
    id: u32,
    /// What it and the next part merge to.
    merged: u32,
    previous: u32,
    next: u32,
}

/// Appends the ids of a piece. One that is a token as a whole is the caller's to find.
pub(super) fn merge(vocabulary: &Vocabulary, piece: &[u8], list: &mut List, out: &mut Vec<u32>) {
    if piece.len() <= SHORT {
        let mut parts = Parts::new(vocabulary, piece);
        while parts.step(vocabulary) {}
        out.extend(parts.ids());
    } else {
        list.start(vocabulary, piece);
        while list.step(vocabulary) {}
        out.extend(list.ids());
    }
}

/// The parts of a piece of up to [`SHORT`] bytes. Each stays where its first byte is, and a bit says
/// that it is there.
struct Parts {
    ids: [u32; SHORT],
    /// For each part the [`entry`] of it and the next one: the lowest is merged first.
    pairs: [u64; SHORT],
    alive: u64,
}

impl Parts {
    #[inline(always)]
    fn new(vocabulary: &Vocabulary, piece: &[u8]) -> Self {
        let alive = u64::MAX >> (64 - piece.len());
        let mut parts = Self {
            ids: [NONE; SHORT],
            pairs: [u64::MAX; SHORT],
            alive,
        };
        for (id, &byte) in parts.ids.iter_mut().zip(piece) {
            *id = vocabulary.singles[usize::from(byte)];
        }
        for (at, (slot, pair)) in parts.pairs.iter_mut().zip(piece.windows(2)).enumerate() {
            let merged = vocabulary.doubles[usize::from(pair[0]) << 8 | usize::from(pair[1])];
            *slot = entry(merged, at as u32);
        }
        parts
    }

    /// Number of parts.
    #[inline(always)]
    fn length(&self) -> u32 {
        self.alive.count_ones()
    }

    /// Merges the pair of the lowest rank; false if there is none.
    #[inline(always)]
    fn step(&mut self, vocabulary: &Vocabulary) -> bool {
        let (mut lowest, mut rest) = (u64::MAX, self.alive);
        while rest != 0 {
            lowest = lowest.min(self.pairs[rest.trailing_zeros() as usize % SHORT]);
            rest &= rest - 1;
        }
        let (id, at) = ((lowest >> 32) as u32, lowest as u32);
        if id == NONE {
            return false;
        }
        // the part that the next one is joined to, and the ones around them
        let behind = self.alive & (u64::MAX << at << 1);
        let gone = behind.trailing_zeros();
        let behind = behind & (behind - 1);
        let before = self.alive & !(u64::MAX << at);
        self.alive &= !(1 << gone);
        self.ids[at as usize] = id;
        self.pairs[at as usize] = u64::MAX;
        if behind != 0 {
            let next = self.ids[behind.trailing_zeros() as usize];
            self.pairs[at as usize] = entry(vocabulary.merged(id, next), at);
        }
        if before != 0 {
            let at = before.ilog2();
            let previous = self.ids[at as usize];
            self.pairs[at as usize] = entry(vocabulary.merged(previous, id), at);
        }
        true
    }

    /// Ids of the parts from left to right.
    #[inline(always)]
    fn ids(&self) -> impl Iterator<Item = u32> {
        let mut alive = self.alive;
        std::iter::from_fn(move || {
            let at = alive.trailing_zeros();
            alive &= alive.checked_sub(1)?;
            Some(self.ids[at as usize])
        })
    }
}

/// The parts of a long piece as a linked list, and a heap of the pairs that merge: O(n log n) in all.
#[derive(Debug, Default)]
pub(super) struct List {
    nodes: Vec<Node>,
    /// Pairs by [`entry`]; stale ones stay until they come up.
    queue: BinaryHeap<Reverse<u64>>,
    length: usize,
}

impl List {
    /// Starts with the bytes of a piece, of which there are fewer than [`NONE`].
    fn start(&mut self, vocabulary: &Vocabulary, piece: &[u8]) {
        self.nodes.clear();
        self.length = piece.len();
        let mut entries = std::mem::take(&mut self.queue).into_vec();
        entries.clear();
        for (at, &byte) in piece.iter().enumerate() {
            let pair = piece
                .get(at + 1)
                .map(|&next| usize::from(byte) << 8 | usize::from(next));
            let merged = pair.map_or(NONE, |pair| vocabulary.doubles[pair]);
            let at = at as u32;
            let id = vocabulary.singles[usize::from(byte)];
            self.nodes.push(Node {
                id,
                merged,
                previous: at.wrapping_sub(1),
                next: at + 1,
            });
            if merged != NONE {
                entries.push(Reverse(entry(merged, at)));
            }
        }
        self.queue = BinaryHeap::from(entries);
    }

    /// Merges the pair of the lowest rank; false if there is none.
    fn step(&mut self, vocabulary: &Vocabulary) -> bool {
        while let Some(Reverse(lowest)) = self.queue.pop() {
            let (merged, at) = ((lowest >> 32) as u32, lowest as u32);
            if self.nodes[at as usize].merged == merged {
                self.join(vocabulary, at, merged);
                return true;
            }
        }
        false
    }

    /// Makes the part at `at` and the next one the token `id`.
    fn join(&mut self, vocabulary: &Vocabulary, at: u32, id: u32) {
        let Node {
            previous,
            next: gone,
            ..
        } = self.nodes[at as usize];
        let next = self.nodes[gone as usize].next;
        self.nodes[gone as usize].merged = NONE;
        self.nodes[at as usize] = Node {
            id,
            merged: NONE,
            previous,
            next,
        };
        self.length -= 1;
        if (next as usize) < self.nodes.len() {
            self.nodes[next as usize].previous = at;
            self.pair(at, vocabulary.merged(id, self.nodes[next as usize].id));
        }
        if previous != NONE {
            self.pair(
                previous,
                vocabulary.merged(self.nodes[previous as usize].id, id),
            );
        }
    }

    /// Notes what the part at `at` and the next one merge to.
    fn pair(&mut self, at: u32, merged: u32) {
        self.nodes[at as usize].merged = merged;
        if merged != NONE {
            self.queue.push(Reverse(entry(merged, at)));
        }
    }

    /// Ids of the parts from left to right.
    fn ids(&self) -> impl Iterator<Item = u32> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let node = self.nodes.get(at)?;
            at = node.next as usize;
            Some(node.id)
        })
    }
}

/// What a pair merges to and where it is, in the order in which pairs are merged.
#[inline(always)]
fn entry(merged: u32, at: u32) -> u64 {
    u64::from(merged) << 32 | u64::from(at)
}

/// The two parts that are left before a token's own merge, or `None` if merging does not lead there.
///
/// For a vocabulary that is still being built: all pairs of the ids below the token's are known.
pub(super) fn last_pair(vocabulary: &Vocabulary, token: &[u8]) -> Option<(u32, u32)> {
    if token.len() <= SHORT {
        let mut parts = Parts::new(vocabulary, token);
        while parts.length() > 2 && parts.step(vocabulary) {}
        if parts.length() == 2 {
            return parts.ids().next().zip(parts.ids().nth(1));
        }
    } else {
        let mut list = List::default();
        list.start(vocabulary, token);
        while list.length > 2 && list.step(vocabulary) {}
        if list.length == 2 {
            return list.ids().next().zip(list.ids().nth(1));
        }
    }
    last_pair_by_bytes(vocabulary, token)
}

/// [`last_pair`] by the definition: any two parts merge whose bytes together are a token.
///
/// For tokens that are made of ones with higher ids, and those that no merges lead to.
fn last_pair_by_bytes(vocabulary: &Vocabulary, token: &[u8]) -> Option<(u32, u32)> {
    let mut ends: Vec<usize> = (1..=token.len()).collect();
    let id = |ends: &[usize], first: usize, last: usize| {
        let start = if first == 0 { 0 } else { ends[first - 1] };
        vocabulary.id(&token[start..ends[last]])
    };
    while ends.len() > 2 {
        let pairs = (0..ends.len() - 1).filter_map(|i| id(&ends, i, i + 1).map(|id| (id, i)));
        let (_, at) = pairs.min()?;
        ends.remove(at);
    }
    Some((id(&ends, 0, 0)?, id(&ends, 1, 1)?))
}
