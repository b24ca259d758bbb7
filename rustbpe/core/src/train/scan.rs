//! Finds all pairs that reach a floor, by walking over the corpus.

use super::BYTES;
use super::corpus::{Cell, Corpus};
use super::pairs::{Pair, Pairs, Table, hash, pack, unpack};
use crate::threads::in_parallel;

/// Counters of the sketch, as a power of two: 4 MiB.
const SKETCH_BITS: u32 = 20;

/// Calls `visit(left, right, start of left, weight)` for each two neighbouring tokens, by position.
fn walk<C: Cell>(corpus: &Corpus<C>, lengths: &[u32], mut visit: impl FnMut(C, C, u32, u64)) {
    let cells = corpus.cells.as_slice();
    let mut at = 1;
    for run in &corpus.runs {
        let end = run.end as usize;
        while at < end {
            let left = cells[at];
            let next = at + lengths[left.index()] as usize;
            let right = cells[next];
            if right == C::GAP {
                at = next + 1;
            } else {
                visit(left, right, at as u32, run.weight);
                at = next;
            }
        }
    }
}

/// All pairs of bytes with counts of at least `floor`, and none other, before any merge.
pub(super) fn byte_pairs<C: Cell>(corpus: &Corpus<C>, floor: u64, threads: usize) -> Pairs {
    let threads = threads.max(1);
    let cells = corpus.cells.len() - 1;
    let size = cells.div_ceil(threads);
    let chunk = |turn: usize| (turn * size).min(cells)..((turn + 1) * size).min(cells);
    let place = |two: &[C]| two[0].index() * VALUES + two[1].index();
    // by pair of cells: the sum of the counts, and how many positions there are
    let tables = in_parallel(0..threads, |turn| {
        let mut table = vec![(0_u64, 0_usize); VALUES * VALUES];
        corpus.each_run(chunk(turn), |cells, _, weight| {
            for two in cells.windows(2) {
                let (sum, seen) = &mut table[place(two)];
                *sum += weight;
                *seen += 1;
            }
        });
        table
    });
    // by pair of cells: the index of its list plus 1
    let mut lists = vec![0; VALUES * VALUES];
    let mut found = Vec::new();
    for at in (VALUES..VALUES * VALUES).filter(|at| at % VALUES > 0) {
        let count = tables.iter().map(|table| table[at].0).sum();
        if count >= floor {
            let seen = tables.iter().map(|table| table[at].1).sum();
            found.push(Pair {
                pair: pack(at / VALUES - 1, at % VALUES - 1),
                count,
                positions: vec![0; seen],
            });
            lists[at] = found.len();
        }
    }
    // for each thread, by index plus 1, where the positions in its chunk go; at 0, for pairs below the floor, nowhere
    let mut places: Vec<_> = tables.iter().map(|_| vec![[].iter_mut()]).collect();
    for pair in &mut found {
        let (left, right) = unpack(pair.pair);
        let at = (left + 1) * VALUES + right + 1;
        let mut rest = &mut pair.positions[..];
        for (places, table) in places.iter_mut().zip(&tables) {
            let own = rest.split_off_mut(..table[at].1).unwrap_or_default();
            places.push(own.iter_mut());
        }
    }
    in_parallel(places.iter_mut().enumerate(), |(turn, places)| {
        corpus.each_run(chunk(turn), |cells, start, _| {
            for (position, two) in (start..).zip(cells.windows(2)) {
                if let Some(next) = places[lists[place(two)]].next() {
                    *next = position;
                }
            }
        });
    });
    collect(vec![found], floor)
}

/// Cell values before any merge.
const VALUES: usize = BYTES + 1;

/// All pairs with counts of at least `floor`, and none other.
///
/// First a sketch: each pair adds to the counter that its hash chooses, so that a counter is an upper bound
/// for its pairs. Then only pairs whose counter reaches the floor are counted one by one, each thread
/// taking those of a part of the hash range.
pub(super) fn all_pairs<C: Cell>(
    corpus: &Corpus<C>,
    lengths: &[u32],
    floor: u64,
    threads: usize,
) -> Pairs {
    let mut sketch = vec![0_u32; 1 << SKETCH_BITS];
    walk(corpus, lengths, |left, right, _, weight| {
        let bound = &mut sketch[counter(left, right)];
        *bound = bound.saturating_add(u32::try_from(weight).unwrap_or(u32::MAX));
    });
    let reach = u32::try_from(floor).unwrap_or(u32::MAX);
    let threads = threads.max(1);
    let parts = in_parallel(0..threads, |turn| {
        let mut found = Table::new();
        walk(corpus, lengths, |left, right, start, weight| {
            let counter = counter(left, right);
            if sketch[counter] >= reach && counter % threads == turn {
                let pair = pack(left.index() - 1, right.index() - 1);
                let found = match found.get(pair) {
                    Some(found) => found,
                    None => found.insert(Pair::with_room(pair, 0, 0)),
                };
                found.count += weight;
                found.positions.push(start);
            }
        });
        found.entries.retain(|pair| pair.count >= floor);
        found.entries
    });
    collect(parts, floor)
}

fn collect(parts: Vec<Vec<Pair>>, floor: u64) -> Pairs {
    let mut pairs = Pairs::new(floor);
    parts
        .into_iter()
        .flatten()
        .for_each(|pair| pairs.insert(pair));
    pairs
}

/// The counter of the sketch for two neighbours.
#[inline]
fn counter<C: Cell>(left: C, right: C) -> usize {
    (hash(pack(left.index(), right.index())) >> (u64::BITS - SKETCH_BITS)) as usize
}
