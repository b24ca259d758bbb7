//! The merge loop.

use std::collections::HashSet;

use super::corpus::{Cell, Corpus, Run};
use super::pairs::{Pair, Pairs, pack, unpack};
use super::{BYTES, Merge, scan};
use crate::bytes::prefetch;
use crate::error::Result;
use crate::progress::Progress;

/// Positions between the prefetch of cells and their use.
const AHEAD: usize = 16;
/// Merges between two calls of progress.
const REPORT: usize = 64;
/// The last merge's count is guessed to be this part of all pairs, divided by the number of merges. The
/// guess is only a matter of speed: were it too high, the corpus is scanned again with a lower floor.
const LAST_SHARE: u64 = 50;
/// By what the floor is divided when no pair reaches it and merges are still wanted.
const LOWERING: u64 = 8;

/// What a merge has seen of one neighbouring token.
#[derive(Clone, Copy, Default)]
struct Neighbour {
    weight: u64,
    /// Occurrences.
    seen: u32,
    /// The index of its new pair plus 1, 0 for none.
    fresh: u32,
}

/// One occurrence that has been merged.
struct Occurrence<C> {
    start: u32,
    left: C,
    right: C,
}

pub(super) struct Trainer<C> {
    corpus: Corpus<C>,
    /// Bytes of the token of each cell value; 1 for a gap.
    lengths: Vec<u32>,
    merges: Vec<Merge>,
    wanted: usize,
    threads: usize,
    pairs: Pairs,
    left: Side<C>,
    right: Side<C>,
    occurrences: Vec<Occurrence<C>>,
    /// The pairs with the new token that are kept, until they are in `pairs`.
    fresh: Vec<Pair>,
    /// While given merges are done, their pairs: no others are kept, whatever their counts.
    given: HashSet<u64>,
}

/// The neighbours on one side of the pair that is being merged.
struct Side<C> {
    /// By cell value, gaps too, so that the loop need not ask.
    neighbours: Vec<Neighbour>,
    /// Those with occurrences.
    touched: Vec<C>,
}

impl<C: Cell> Side<C> {
    fn new(values: usize) -> Self {
        Self {
            neighbours: vec![Neighbour::default(); values],
            touched: Vec::new(),
        }
    }

    #[inline]
    fn add(&mut self, cell: C, weight: u64) {
        let neighbour = &mut self.neighbours[cell.index()];
        if neighbour.seen == 0 && cell != C::GAP {
            self.touched.push(cell);
        }
        neighbour.seen += 1;
        neighbour.weight += weight;
    }

    fn clear(&mut self) {
        for cell in self.touched.drain(..) {
            self.neighbours[cell.index()] = Neighbour::default();
        }
    }
}

impl<C: Cell> Trainer<C> {
    pub fn new(corpus: Corpus<C>, wanted: usize, threads: usize) -> Self {
        let values = BYTES + wanted + 1;
        Self {
            corpus,
            lengths: vec![1; BYTES + 1],
            merges: Vec::new(),
            wanted,
            threads,
            pairs: Pairs::new(u64::MAX),
            left: Side::new(values),
            right: Side::new(values),
            occurrences: Vec::new(),
            fresh: Vec::new(),
            given: HashSet::new(),
        }
    }

    /// Does the merges of `start`, then finds the others.
    pub fn run(mut self, start: &[(u32, u32)], progress: &dyn Progress) -> Result<Vec<Merge>> {
        let floor = (self.corpus.weight() / (LAST_SHARE * self.wanted as u64).max(1)).max(1);
        if start.is_empty() {
            self.pairs = scan::byte_pairs(&self.corpus, floor, self.threads);
        } else {
            self.follow(&start[..start.len().min(self.wanted)], progress)?;
            self.pairs = scan::all_pairs(&self.corpus, &self.lengths, floor, self.threads);
        }
        while self.merges.len() < self.wanted {
            self.report(progress)?;
            let Some(next) = self.pairs.pop() else {
                if self.pairs.floor == 1 {
                    break;
                }
                let floor = (self.pairs.floor / LOWERING).max(1);
                self.pairs = scan::all_pairs(&self.corpus, &self.lengths, floor, self.threads);
                continue;
            };
            self.add(&next);
        }
        progress.update(self.merges.len() as u64, self.merges.len() as u64)?;
        Ok(self.merges)
    }

    fn report(&self, progress: &dyn Progress) -> Result<()> {
        if self.merges.len().is_multiple_of(REPORT) {
            progress.update(self.merges.len() as u64, self.wanted as u64)?;
        }
        Ok(())
    }

    /// Does given merges in their order. Only pairs that are still to be merged are counted and have positions.
    fn follow(&mut self, start: &[(u32, u32)], progress: &dyn Progress) -> Result<()> {
        let packed = |&(left, right): &(u32, u32)| pack(left as usize, right as usize);
        self.given = start.iter().map(packed).collect();
        self.pairs = scan::byte_pairs(&self.corpus, 1, self.threads);
        for pair in start.iter().map(packed) {
            self.report(progress)?;
            let next = self.pairs.take(pair);
            self.add(&next.unwrap_or(Pair::with_room(pair, 0, 0)));
        }
        self.given.clear();
        Ok(())
    }

    /// Makes a pair a token.
    fn add(&mut self, next: &Pair) {
        let (left, right) = unpack(next.pair);
        self.merges.push(Merge {
            left: left as u32,
            right: right as u32,
            count: next.count,
        });
        let lengths = &mut self.lengths;
        lengths.push(lengths[left + 1] + lengths[right + 1]);
        // the last token has no use in the corpus, and no value where all are in use
        if self.merges.len() < self.wanted {
            self.merge(left + 1, right + 1, &next.positions);
        }
    }

    /// Merges all occurrences of the cell values `a` and `b` into the newest token.
    fn merge(&mut self, a: usize, b: usize, positions: &[u32]) {
        let new = self.lengths.len() - 1;
        self.occurrences.clear();
        self.replace(a, b, new, positions);
        self.count_pairs(a, b, new);
        self.store_positions();
        self.left.clear();
        self.right.clear();
    }

    /// Writes the new token and notes its neighbours.
    fn replace(&mut self, a: usize, b: usize, new: usize, positions: &[u32]) {
        let (a_len, b_len) = (self.lengths[a] as usize, self.lengths[b] as usize);
        let (a, b, new) = (C::from_index(a), C::from_index(b), C::from_index(new));
        let mut run = Run { end: 0, weight: 0 };
        for (i, &position) in positions.iter().enumerate() {
            if let Some(&ahead) = positions.get(i + AHEAD) {
                prefetch(&self.corpus.cells, ahead as usize);
            }
            let start = position as usize;
            let middle = start + a_len;
            let cells = &mut self.corpus.cells;
            if cells[start] != a || cells[middle] != b {
                continue;
            }
            let end = middle + b_len;
            let (left, right) = (cells[start - 1], cells[end]);
            cells[middle] = C::GAP;
            cells[end - 1] = new;
            cells[start] = new;
            if run.end <= position {
                run = self.corpus.run_of(position);
            }
            self.left.add(left, run.weight);
            self.right.add(right, run.weight);
            self.occurrences.push(Occurrence {
                start: position,
                left,
                right,
            });
        }
    }
    /// Lowers the counts of the pairs that are broken up, and notes the new ones that are kept.
    fn count_pairs(&mut self, a: usize, b: usize, new: usize) {
        // A left neighbour that is the new token itself was an `a b` when that one was merged: `new a` was
        // counted on the right there and is `new new` now.
        let doubled = self.left.neighbours[new].weight;
        let (floor, given) = (self.pairs.floor, &self.given);
        let keeps = |pair, count| count >= floor && (given.is_empty() || given.contains(&pair));
        for &cell in &self.left.touched {
            let neighbour = &mut self.left.neighbours[cell.index()];
            if cell.index() != new {
                self.pairs
                    .lower(pack(cell.index() - 1, a - 1), neighbour.weight);
            }
            let pair = pack(cell.index() - 1, new - 1);
            if keeps(pair, neighbour.weight) {
                self.fresh
                    .push(Pair::with_room(pair, neighbour.weight, neighbour.seen));
                neighbour.fresh = self.fresh.len() as u32;
            }
        }
        for &cell in &self.right.touched {
            let neighbour = &mut self.right.neighbours[cell.index()];
            self.pairs
                .lower(pack(b - 1, cell.index() - 1), neighbour.weight);
            let count = neighbour.weight - if cell.index() == a { doubled } else { 0 };
            let pair = pack(new - 1, cell.index() - 1);
            if keeps(pair, count) {
                self.fresh
                    .push(Pair::with_room(pair, count, neighbour.seen));
                neighbour.fresh = self.fresh.len() as u32;
            }
        }
    }

    /// Gives the new pairs their positions, which come in ascending order.
    fn store_positions(&mut self) {
        if self.fresh.is_empty() {
            return;
        }
        for occurrence in &self.occurrences {
            let left = occurrence.left.index();
            if let Some(index) = self.left.neighbours[left].fresh.checked_sub(1) {
                self.fresh[index as usize]
                    .positions
                    .push(occurrence.start - self.lengths[left]);
            }
            if let Some(index) = self.right.neighbours[occurrence.right.index()]
                .fresh
                .checked_sub(1)
            {
                self.fresh[index as usize].positions.push(occurrence.start);
            }
        }
        for pair in self.fresh.drain(..) {
            self.pairs.insert(pair);
        }
    }
}
