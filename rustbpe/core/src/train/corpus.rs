//! All pre-tokens as one flat array of tokens.
//!
//! There is one cell for each byte of a pre-token, and one gap between two pre-tokens and at both ends. A
//! token stands in the cells of its first and its last byte, so that its right neighbour begins at its
//! start plus its length, its left neighbour's last cell is the one before its start, and a merge writes
//! two cells. A cell inside a token is never read as a neighbour; a cell where a token used to start, and
//! no longer does, is a gap or holds another token, so a stale position is seen to be one.
//!
//! Pre-tokens are ordered by count, highest first: the count of a position is that of its run.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

use crate::bytes::table;
use crate::error::{Error, Result};

/// What one cell holds: 0 for a gap, else a token's id plus 1.
pub(super) trait Cell: Copy + Eq + Send + Sync + 'static {
    /// No token.
    const GAP: Self;
    /// The cell value as an index.
    fn index(self) -> usize;
    /// The cell value of an index; the caller knows that it fits.
    fn from_index(index: usize) -> Self;
    /// How many values with the gap there are, for `Self::MAX.id_limit()`.
    fn id_limit(self) -> usize {
        self.index() + 1
    }
}

macro_rules! cell {
    ($type:ty) => {
        impl Cell for $type {
            const GAP: Self = 0;
            #[inline]
            fn index(self) -> usize {
                self as usize
            }
            #[inline]
            fn from_index(index: usize) -> Self {
                index as Self
            }
        }
    };
}
cell!(u16);
cell!(u32);

/// Neighbouring pre-tokens of the same count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// The first cell after the run.
    pub end: u32,
    /// How often each of its pre-tokens occurs.
    pub weight: u64,
}

/// Cells whose runs are found by one look into `Corpus::blocks`.
const BLOCK: usize = 32;

/// The pre-tokens as cells.
pub(super) struct Corpus<C> {
    pub cells: Vec<C>,
    pub runs: Vec<Run>,
    /// The run of the first cell of each block.
    blocks: Vec<u32>,
    weight: u64,
}

impl<C: Cell> Corpus<C> {
    /// Lays out all pre-tokens of two or more bytes.
    pub fn new<'a, I>(words: I) -> Result<Self>
    where
        I: Iterator<Item = (&'a [u8], u64)> + Clone,
    {
        let words = words.filter(|(bytes, count)| bytes.len() > 1 && *count > 0);
        let mut sizes: HashMap<u64, usize, BuildHasherDefault<CountHasher>> = HashMap::default();
        let mut weight = 0_u64;
        for (bytes, count) in words.clone() {
            *sizes.entry(count).or_default() += bytes.len() + 1;
            weight = (bytes.len() as u64 - 1)
                .checked_mul(count)
                .and_then(|pairs| weight.checked_add(pairs))
                .ok_or_else(|| {
                    Error::Value(
                        "the counts of the pairs of bytes add up to more than 2^64: train on fewer shards".to_owned(),
                    )
                })?;
        }
        let mut weights: Vec<u64> = sizes.keys().copied().collect();
        weights.sort_unstable_by(|a, b| b.cmp(a));
        let total = 1 + sizes.values().sum::<usize>();
        if u32::try_from(total).is_err() {
            return Err(Error::Value(format!(
                "the distinct pre-tokens have {total} bytes with one between two, and training takes at most \
                 {}: train on fewer shards, or leave out rare pre-tokens (min_count)",
                u32::MAX
            )));
        }
        let mut runs = Vec::with_capacity(weights.len());
        let mut end = 1;
        for weight in weights {
            if let Some(size) = sizes.get_mut(&weight) {
                // from now on where the run's next pre-token goes
                let start = end;
                end += *size;
                *size = start;
            }
            runs.push(Run {
                end: end as u32,
                weight,
            });
        }
        let mut cells = table(total, C::GAP);
        for (bytes, count) in words {
            if let Some(at) = sizes.get_mut(&count) {
                let room = &mut cells[*at..*at + bytes.len()];
                room.iter_mut()
                    .zip(bytes)
                    .for_each(|(cell, byte)| *cell = C::from_index(usize::from(*byte) + 1));
                *at += bytes.len() + 1;
            }
        }
        let blocks = first_runs(&runs, total);
        Ok(Self {
            cells,
            runs,
            blocks,
            weight,
        })
    }

    /// The sum of the counts of all pairs of neighbouring bytes, before any merge.
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// Calls `visit` with the cells of each run in `range` and the one after them, with where they start, and
    /// with the run's weight.
    pub fn each_run(&self, range: Range<usize>, mut visit: impl FnMut(&[C], u32, u64)) {
        let mut start = range.start;
        let first = self.runs.partition_point(|run| run.end as usize <= start);
        for run in &self.runs[first..] {
            let end = range.end.min(run.end as usize);
            if start >= end {
                return;
            }
            visit(&self.cells[start..=end], start as u32, run.weight);
            start = end;
        }
    }

    /// The run of a position.
    #[inline]
    pub fn run_of(&self, position: u32) -> Run {
        let mut run = self.blocks[position as usize / BLOCK] as usize;
        while self.runs[run].end <= position {
            run += 1;
        }
        self.runs[run]
    }
}

fn first_runs(runs: &[Run], cells: usize) -> Vec<u32> {
    let mut run = 0;
    let first_of = |block: usize| {
        while run + 1 < runs.len() && runs[run].end as usize <= block * BLOCK {
            run += 1;
        }
        run as u32
    };
    (0..cells.div_ceil(BLOCK)).map(first_of).collect()
}

/// Counts are spread by one multiplication; there are few different ones.
#[derive(Default)]
struct CountHasher(u64);

impl Hasher for CountHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, count: u64) {
        self.0 = (self.0 ^ count)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(26);
    }
}
