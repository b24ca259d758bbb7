//! Finds all pairs that reach a floor, by walking over the corpus.

use super::BYTES;
use super::corpus::{Cell, Corpus};
use super::pairs::{Pair, Pairs, Table, hash, pack};
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
    let chunk = cells.div_ceil(threads);
    let mut table = vec![(0_u64, 0_u32); VALUES * VALUES];
    for part in in_parallel(0..threads, |turn| {
        let mut table = vec![(0_u64, 0_u32); VALUES * VALUES];
        corpus.each_run(
            turn * chunk..cells.min((turn + 1) * chunk),
            |cells, _, weight| {
                for two in cells.windows(2) {
                    let (sum, seen) = &mut table[two[0].index() * VALUES + two[1].index()];
                    *sum += weight;
                    *seen += 1;
                }
            },
        );
        table
    }) {
        for ((sum, seen), (more, more_seen)) in table.iter_mut().zip(part) {
            *sum += more;
            *seen += more_seen;
        }
    }
    let parts = in_parallel(0..threads, |turn| {
        // by pair of cells: the index of its list plus 1
        let mut lists = vec![0_u32; VALUES * VALUES];
        let mut pairs = Vec::new();
        let chosen = |&at: &usize| at % VALUES > 0 && at % threads == turn && table[at].0 >= floor;
        for at in (VALUES..VALUES * VALUES).filter(chosen) {
            let (count, seen) = table[at];
            pairs.push(Pair::with_room(
                pack(at / VALUES - 1, at % VALUES - 1),
                count,
                seen,
            ));
            lists[at] = pairs.len() as u32;
        }
        corpus.each_run(0..cells, |cells, start, _| {
            for (i, two) in cells.windows(2).enumerate() {
                if let Some(list) = lists[two[0].index() * VALUES + two[1].index()].checked_sub(1) {
                    pairs[list as usize].positions.push(start + i as u32);
                }
            }
        });
        pairs
    });
    collect(parts, floor)
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
