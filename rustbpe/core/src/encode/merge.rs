//! Greedy merging by rank: of all adjacent pairs that make a token, the one of the lowest id first,
//! the leftmost of several, until none is left. The same as tiktoken's merge.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::vocabulary::Vocabulary;

/// No id.
pub(super) const NONE: u32 = u32::MAX;

/// Pieces up to this many bytes are merged by looking over all pairs for each merge, which is
/// quadratic and has no overhead; longer ones with a heap.
const SHORT: usize = 40;

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
        out.extend_from_slice(&parts.ids[..parts.length]);
    } else {
        list.start(vocabulary, piece);
        while list.step(vocabulary) {}
        out.extend(list.ids());
    }
}

/// The parts of a short piece, and for each what it and the next one merge to.
struct Parts {
    ids: [u32; SHORT],
    merged: [u32; SHORT],
    length: usize,
}

impl Parts {
    #[inline(always)]
    fn new(vocabulary: &Vocabulary, piece: &[u8]) -> Self {
        let mut parts = Self {
            ids: [NONE; SHORT],
            merged: [NONE; SHORT],
            length: piece.len(),
        };
        for (id, &byte) in parts.ids.iter_mut().zip(piece) {
            *id = vocabulary.singles[usize::from(byte)];
        }
        for (merged, pair) in parts.merged.iter_mut().zip(piece.windows(2)) {
            *merged = vocabulary.doubles[usize::from(pair[0]) << 8 | usize::from(pair[1])];
        }
        parts
    }

    /// Merges the pair of the lowest rank; false if there is none.
    #[inline(always)]
    fn step(&mut self, vocabulary: &Vocabulary) -> bool {
        let (mut at, mut lowest) = (0, NONE);
        for (i, &merged) in self.merged[..self.length].iter().enumerate() {
            if merged < lowest {
                (at, lowest) = (i, merged);
            }
        }
        if lowest == NONE {
            return false;
        }
        self.ids[at] = lowest;
        self.ids.copy_within(at + 2..self.length, at + 1);
        self.merged.copy_within(at + 1..self.length, at);
        self.length -= 1;
        if at > 0 {
            self.merged[at - 1] = vocabulary.merged(self.ids[at - 1], lowest);
        }
        if at + 1 < self.length {
            self.merged[at] = vocabulary.merged(lowest, self.ids[at + 1]);
        }
        true
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
                entries.push(entry(merged, at));
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
            self.queue.push(entry(merged, at));
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

/// A heap entry: by rank, then by place.
#[inline(always)]
fn entry(merged: u32, at: u32) -> Reverse<u64> {
    Reverse(u64::from(merged) << 32 | u64::from(at))
}

/// The two parts that are left before a token's own merge, or `None` if merging does not lead there.
///
/// For a vocabulary that is still being built: all pairs of the ids below the token's are known.
pub(super) fn last_pair(vocabulary: &Vocabulary, token: &[u8]) -> Option<(u32, u32)> {
    if token.len() <= SHORT {
        let mut parts = Parts::new(vocabulary, token);
        while parts.length > 2 && parts.step(vocabulary) {}
        if parts.length == 2 {
            return Some((parts.ids[0], parts.ids[1]));
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
