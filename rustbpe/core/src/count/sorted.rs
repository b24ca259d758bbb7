//! Counts in the order of the bytes.

use std::ops::RangeInclusive;

use super::table::CountTable;
use crate::bytes::{LONGEST, room};
use crate::threads::in_parallel;

/// Entries below which a second thread does not pay.
const ENOUGH: usize = 1 << 14;

/// Distinct pre-tokens, sorted by bytes, and how often each occurred.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SortedCounts {
    /// The pre-tokens end to end.
    bytes: Vec<u8>,
    /// Pre-token `i` is `bytes[offsets[i]..offsets[i + 1]]`; signed, as in an Arrow array.
    offsets: Vec<i64>,
    counts: Vec<u64>,
}

/// A pre-token on its way to its place.
///
/// Short ones are whole in `key`: sorting them looks at nothing else.
#[derive(Clone, Copy)]
struct Entry {
    /// The first 15 bytes as they sort, then the length, or [`LONG`].
    key: u128,
    count: u64,
    /// Of a long pre-token: its number among the long ones that are sorted together.
    long: u32,
}

/// Last byte of the key of a pre-token that has more.
const LONG: u8 = 0xFF;
/// Pre-tokens of each table that are looked at to tell ranges of equal size.
const SAMPLED: usize = 1 << 10;

impl SortedCounts {
    /// Sums and sorts the tables of as many threads, on as many: each takes the pre-tokens between two, and
    /// what they make is put end to end.
    #[must_use]
    pub fn from_tables(tables: &[CountTable]) -> Self {
        let len: usize = tables.iter().map(CountTable::len).sum();
        let ranges = ranges(tables, if len < ENOUGH { 1 } else { tables.len() });
        let size = len / ranges.len() * 9 / 8;
        let parts = in_parallel(&ranges, |range| Self::within(tables, range, size));
        let mut parts = parts.into_iter();
        let mut sorted = parts.next().unwrap_or_default();
        parts.for_each(|part| sorted.append(&part));
        sorted
    }

    /// The pre-tokens whose keys are in a range, with room for so many.
    fn within(tables: &[CountTable], range: &RangeInclusive<u128>, size: usize) -> Self {
        let mut entries = room(size);
        let mut longs: Vec<&[u8]> = Vec::new();
        for (key, bytes, count) in tables.iter().flat_map(CountTable::sorting) {
            if range.contains(&key) {
                let long = longs.len() as u32;
                entries.push(Entry { key, count, long });
                if bytes.len() > LONGEST {
                    longs.push(bytes);
                }
            }
        }
        entries.sort_unstable_by_key(|entry| entry.key);
        let mut sorted = Self::default();
        sorted.bytes.reserve(16 * entries.len());
        sorted.offsets.reserve(entries.len() + 1);
        sorted.counts.reserve(entries.len());
        sorted.offsets.push(0);
        for same in entries.chunk_by_mut(|a, b| a.key == b.key) {
            let key = same[0].key;
            if key as u8 == LONG {
                let long = |entry: &Entry| longs[entry.long as usize];
                same.sort_unstable_by_key(long);
                for same in same.chunk_by(|a, b| long(a) == long(b)) {
                    sorted.bytes.extend_from_slice(long(&same[0]));
                    sorted.add(same);
                }
            } else {
                // short pre-tokens of one key are the same pre-token; a copy of known length, cut to its own
                let end = sorted.bytes.len() + usize::from(key as u8);
                sorted.bytes.extend_from_slice(&key.to_be_bytes());
                sorted.bytes.truncate(end);
                sorted.add(same);
            }
        }
        sorted
    }

    /// Adds the pre-token whose bytes have been appended, and of which these are all entries.
    fn add(&mut self, entries: &[Entry]) {
        self.offsets.push(self.bytes.len() as i64);
        self.counts
            .push(entries.iter().map(|entry| entry.count).sum());
    }

    /// Appends pre-tokens that all sort after those that are there.
    fn append(&mut self, other: &Self) {
        let before = self.bytes.len() as i64;
        self.bytes.extend_from_slice(&other.bytes);
        self.offsets
            .extend(other.offsets[1..].iter().map(|offset| before + offset));
        self.counts.extend_from_slice(&other.counts);
    }

    /// The number of distinct pre-tokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// All pre-tokens and counts, by bytes ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], u64)> + Clone {
        let pretokens = self
            .offsets
            .windows(2)
            .map(|at| &self.bytes[at[0] as usize..at[1] as usize]);
        pretokens.zip(self.counts.iter().copied())
    }

    /// The buffers of an Arrow table: bytes, their offsets (one more than pre-tokens), counts.
    #[must_use]
    pub fn into_parts(self) -> (Vec<u8>, Vec<i64>, Vec<u64>) {
        (self.bytes, self.offsets, self.counts)
    }
}

/// Ranges that together are all keys and hold about the same number of pre-tokens, by a sample of them.
fn ranges(tables: &[CountTable], number: usize) -> Vec<RangeInclusive<u128>> {
    let mut sample: Vec<u128> = if number > 1 {
        let some = tables.iter().flat_map(|table| {
            let every = (table.len() / SAMPLED).max(1);
            table.sorting().step_by(every).map(|(key, ..)| key)
        });
        some.collect()
    } else {
        Vec::new()
    };
    sample.sort_unstable();
    let mut first = 0;
    let mut ranges = Vec::with_capacity(number);
    for place in 1..number {
        let next = sample[place * sample.len() / number];
        if next > first {
            ranges.push(first..=next - 1);
            first = next;
        }
    }
    ranges.push(first..=u128::MAX);
    ranges
}
