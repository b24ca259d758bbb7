//! Greedy merging by rank: of all adjacent pairs that make a token, the one of the lowest id first,
//! the leftmost of several, until none is left. The same as tiktoken's merge.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::pairs::{NONE, Pairs, WALL};
use crate::bytes::{Key, length};

/// Pieces up to this many bytes are merged by looking over all pairs for each merge, which is
/// quadratic and has no overhead; longer ones with a heap.
const SHORT: usize = 30;
/// Pieces up to this many bytes can be merged side by side.
pub(super) const SHORTER: usize = 14;

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

/// Bytes of a very long piece that are merged at a time.
const WINDOW: usize = 1 << 16;

/// Appends the ids of a piece. One that is a token as a whole is the caller's to find.
pub(super) fn merge(pairs: &Pairs, piece: &[u8], list: &mut List, out: &mut Vec<u32>) {
    if piece.len() <= SHORTER {
        out.extend(Parts::<16>::merged(pairs, piece).ids());
    } else if piece.len() <= SHORT {
        out.extend(Parts::<32>::merged(pairs, piece).ids());
    } else if piece.len() <= WINDOW {
        list.merge(pairs, piece, out);
    } else {
        merge_in_windows(pairs, piece, WINDOW, list, out);
    }
}

/// Merges a piece a window at a time, in memory for one window.
///
/// Two neighbouring parts of a piece can be merged apart if the last token of the one and the first of the other,
/// merged together, stay these two: a merge that crosses the place would cross it there too, as only parts of those
/// two tokens touch it, and their own merges come in the same order. Where they do not stay, the window before gives
/// back its last tokens, and the next one begins there and is twice as long.
pub(super) fn merge_in_windows(
    pairs: &Pairs,
    piece: &[u8],
    window: usize,
    list: &mut List,
    out: &mut Vec<u32>,
) {
    /// Tokens at the end of a window that what comes next would most likely change.
    const UNSURE: usize = 8;
    // where each token that has been found starts
    let mut starts: Vec<usize> = Vec::new();
    let first = out.len();
    let (mut start, mut size, mut back, mut reach) = (0_usize, window, UNSURE, 0);
    let mut found = Vec::new();
    loop {
        let end = piece.len().min(start.saturating_add(size));
        found.clear();
        list.merge(pairs, &piece[start..end], &mut found);
        let mut ends = list.ends(start);
        let seam = starts.last().zip(ends.first());
        if let Some((&left, &right)) = seam {
            let mut two = Vec::new();
            list.merge(pairs, &piece[left..right], &mut two);
            if two != [out[out.len() - 1], found[0]] {
                let kept = starts.len().saturating_sub(back);
                start = starts[kept];
                starts.truncate(kept);
                out.truncate(first + kept);
                back *= 2;
                size *= 2;
                continue;
            }
        }
        if end < piece.len() {
            let kept = found.len() - UNSURE.min(found.len() / 2);
            found.truncate(kept);
            ends.truncate(kept);
        }
        starts.push(start);
        starts.extend(&ends[..ends.len() - 1]);
        out.extend_from_slice(&found);
        start = ends[ends.len() - 1];
        if start == piece.len() {
            return;
        }
        if start > reach {
            (size, back, reach) = (window, UNSURE, start);
        }
    }
}

/// Merges pieces of up to [`SHORTER`] bytes side by side, so that the waits for the table of pairs overlap, and calls
/// `take` with the number of each and its ids.
#[inline(always)]
pub(super) fn merge_side_by_side(
    pairs: &Pairs,
    pieces: impl Iterator<Item = Key>,
    mut take: impl FnMut(usize, &[u32]),
) {
    const MOST: usize = 8;
    let mut pieces = pieces.enumerate().fuse();
    let mut open: [(usize, Parts<16>); MOST] = std::array::from_fn(|_| (0, Parts::new(pairs, &[])));
    let mut number = 0;
    loop {
        while number < MOST
            && let Some((at, piece)) = pieces.next()
        {
            let bytes = &piece.to_le_bytes()[..length(piece)];
            open[number] = (at, Parts::new(pairs, bytes));
            number += 1;
        }
        if number == 0 {
            return;
        }
        let mut i = 0;
        while i < number {
            let (at, parts) = &mut open[i];
            if parts.choose(pairs) {
                i += 1;
                continue;
            }
            let mut ids = [0; SHORTER];
            ids.iter_mut()
                .zip(parts.ids())
                .for_each(|(slot, id)| *slot = id);
            take(*at, &ids[..parts.length() as usize]);
            number -= 1;
            open[i] = open[number];
        }
        for (_, parts) in &mut open[..number] {
            parts.look_up(pairs);
        }
    }
}

/// The parts of a piece of up to `N - 2` bytes. Each stays where its first byte is, and a bit says
/// that it is there; before the first and behind the last is a [`WALL`].
#[derive(Clone, Copy)]
struct Parts<const N: usize> {
    ids: [u32; N],
    /// For each part the [`rank`] of it and the next one: the lowest is merged first.
    ranks: [u32; N],
    alive: u64,
    /// Where the part is that was merged last, and the ones around it.
    last: [usize; 3],
}

/// Bits of a place in a short piece.
const PLACE_BITS: u32 = 5;

/// What a pair in a short piece merges to and where it is, in the order in which pairs are merged.
#[inline(always)]
fn rank(merged: u32, at: usize) -> u32 {
    merged << PLACE_BITS | at as u32
}

impl<const N: usize> Parts<N> {
    #[inline(always)]
    fn new(pairs: &Pairs, piece: &[u8]) -> Self {
        let mut parts = Self {
            ids: [WALL; N],
            ranks: [u32::MAX; N],
            alive: u64::MAX >> (62 - piece.len()),
            last: [0; 3],
        };
        for (id, &byte) in parts.ids[1..].iter_mut().zip(piece) {
            *id = pairs.singles[usize::from(byte)];
        }
        for (at, pair) in (1..N).zip(piece.windows(2)) {
            let merged = pairs.doubles[usize::from(pair[0]) << 8 | usize::from(pair[1])];
            parts.ranks[at] = rank(merged, at);
        }
        parts
    }

    /// The parts of a piece that are left.
    #[inline(always)]
    fn merged(pairs: &Pairs, piece: &[u8]) -> Self {
        let mut parts = Self::new(pairs, piece);
        while parts.step(pairs) {}
        parts
    }

    /// Number of parts.
    #[inline(always)]
    fn length(&self) -> u32 {
        self.alive.count_ones() - 2
    }

    /// Merges the pair of the lowest rank; false if there is none.
    #[inline(always)]
    fn step(&mut self, pairs: &Pairs) -> bool {
        let merges = self.choose(pairs);
        if merges {
            self.look_up(pairs);
        }
        merges
    }

    /// The first half of [`Self::step`], without the ranks of the new pairs, which the processor begins to fetch.
    #[inline(always)]
    fn choose(&mut self, pairs: &Pairs) -> bool {
        let lowest = self.ranks.iter().fold(u32::MAX, |low, &rank| low.min(rank));
        let (id, at) = (lowest >> PLACE_BITS, lowest as usize % N);
        if id == NONE >> PLACE_BITS {
            return false;
        }
        let behind = self.alive & (u64::MAX << at << 1);
        let gone = behind.trailing_zeros() as usize % N;
        let next = (behind & (behind - 1)).trailing_zeros() as usize % N;
        let previous = (self.alive & ((1 << at) - 1)).ilog2() as usize % N;
        self.alive &= !(1 << gone);
        self.ids[at] = id;
        self.ranks[gone] = u32::MAX;
        self.last = [previous, at, next];
        pairs.fetch(self.ids[previous], id);
        pairs.fetch(id, self.ids[next]);
        true
    }

    /// The second half of [`Self::step`].
    #[inline(always)]
    fn look_up(&mut self, pairs: &Pairs) {
        let [previous, at, next] = self.last.map(|at| at % N);
        let [before, id, behind] = [self.ids[previous], self.ids[at], self.ids[next]];
        self.ranks[previous] = rank(pairs.get(before, id), previous);
        self.ranks[at] = rank(pairs.get(id, behind), at);
    }

    /// Ids of the parts from left to right.
    #[inline(always)]
    fn ids(&self) -> impl Iterator<Item = u32> {
        let last = 63 - self.alive.leading_zeros();
        let mut alive = self.alive & !1 & !(1 << last);
        std::iter::from_fn(move || {
            let at = alive.trailing_zeros();
            alive &= alive.checked_sub(1)?;
            Some(self.ids[at as usize % N])
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
    /// Appends the ids of a piece.
    pub(super) fn merge(&mut self, pairs: &Pairs, piece: &[u8], out: &mut Vec<u32>) {
        self.start(pairs, piece);
        while self.step(pairs) {}
        out.extend(self.parts().map(|(_, id)| id));
    }

    /// Where each part of the piece ends, if the piece starts at `start`.
    fn ends(&self, start: usize) -> Vec<usize> {
        let starts = self.parts().skip(1).map(|(at, _)| start + at);
        starts.chain([start + self.nodes.len()]).collect()
    }

    /// Starts with the bytes of a piece, of which there are fewer than [`NONE`].
    fn start(&mut self, pairs: &Pairs, piece: &[u8]) {
        self.nodes.clear();
        self.length = piece.len();
        let mut entries = std::mem::take(&mut self.queue).into_vec();
        entries.clear();
        for (at, &byte) in piece.iter().enumerate() {
            let pair = piece
                .get(at + 1)
                .map(|&next| usize::from(byte) << 8 | usize::from(next));
            let merged = pair.map_or(NONE, |pair| pairs.doubles[pair]);
            let at = at as u32;
            let id = pairs.singles[usize::from(byte)];
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
    fn step(&mut self, pairs: &Pairs) -> bool {
        while let Some(Reverse(lowest)) = self.queue.pop() {
            let (merged, at) = ((lowest >> 32) as u32, lowest as u32);
            if self.nodes[at as usize].merged == merged {
                self.join(pairs, at, merged);
                return true;
            }
        }
        false
    }

    /// Makes the part at `at` and the next one the token `id`.
    fn join(&mut self, pairs: &Pairs, at: u32, id: u32) {
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
            self.pair(at, pairs.get(id, self.nodes[next as usize].id));
        }
        if previous != NONE {
            self.pair(previous, pairs.get(self.nodes[previous as usize].id, id));
        }
    }

    /// Notes what the part at `at` and the next one merge to.
    fn pair(&mut self, at: u32, merged: u32) {
        self.nodes[at as usize].merged = merged;
        if merged != NONE {
            self.queue.push(Reverse(entry(merged, at)));
        }
    }

    /// Where the parts start and their ids, from left to right.
    fn parts(&self) -> impl Iterator<Item = (usize, u32)> {
        let mut next = 0;
        std::iter::from_fn(move || {
            let at = next;
            let node = self.nodes.get(at)?;
            next = node.next as usize;
            Some((at, node.id))
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
pub(super) fn last_pair(pairs: &Pairs, token: &[u8]) -> Option<(u32, u32)> {
    if token.len() <= SHORT {
        let mut parts = Parts::<32>::new(pairs, token);
        while parts.length() > 2 && parts.step(pairs) {}
        if parts.length() == 2 {
            return parts.ids().next().zip(parts.ids().nth(1));
        }
    } else {
        let mut list = List::default();
        list.start(pairs, token);
        while list.length > 2 && list.step(pairs) {}
        if list.length == 2 {
            let mut ids = list.parts().map(|(_, id)| id);
            return ids.next().zip(ids.next());
        }
    }
    None
}
