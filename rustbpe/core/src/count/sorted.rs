//! Counts in the order of the bytes.

use super::table::CountTable;

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
    /// Of a long pre-token: its number among the long ones of all tables.
    long: usize,
}

/// Last byte of the key of a pre-token that has more than 15 bytes.
const LONG: u8 = 0xFF;

impl SortedCounts {
    /// Sorts the pre-tokens of tables that have none in common, such as [`CountTable::combine`] makes, on as
    /// many threads.
    #[must_use]
    pub fn from_tables(tables: &[CountTable]) -> Self {
        let len = tables.iter().map(CountTable::len).sum();
        let mut entries = Vec::with_capacity(len);
        let mut longs: Vec<&[u8]> = Vec::new();
        let mut total = 0;
        for (bytes, count) in tables.iter().flat_map(CountTable::iter) {
            total += bytes.len();
            let mut padded = [0; 16];
            let inline = bytes.len().min(15);
            padded[..inline].copy_from_slice(&bytes[..inline]);
            padded[15] = if bytes.len() > inline {
                LONG
            } else {
                inline as u8
            };
            entries.push(Entry {
                key: u128::from_be_bytes(padded),
                count,
                long: longs.len(),
            });
            if bytes.len() > inline {
                longs.push(bytes);
            }
        }
        sort(&mut entries, &longs, tables.len());
        let mut sorted = Self {
            bytes: Vec::with_capacity(total),
            offsets: Vec::with_capacity(len + 1),
            counts: Vec::with_capacity(len),
        };
        sorted.offsets.push(0);
        for entry in entries {
            let padded = entry.key.to_be_bytes();
            let bytes = if padded[15] == LONG {
                longs[entry.long]
            } else {
                &padded[..usize::from(padded[15])]
            };
            sorted.bytes.extend_from_slice(bytes);
            sorted.offsets.push(sorted.bytes.len() as i64);
            sorted.counts.push(entry.count);
        }
        sorted
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

/// Sorts by bytes: each of two threads takes one side of the median, and shares it again.
fn sort(entries: &mut [Entry], longs: &[&[u8]], threads: usize) {
    let order = |a: &Entry, b: &Entry| {
        // short pre-tokens of one key are the same pre-token
        a.key
            .cmp(&b.key)
            .then_with(|| match (longs.get(a.long), longs.get(b.long)) {
                (Some(a), Some(b)) => a.cmp(b),
                _ => std::cmp::Ordering::Equal,
            })
    };
    if threads < 2 || entries.len() < ENOUGH {
        entries.sort_unstable_by(order);
        return;
    }
    let (low, _, high) = entries.select_nth_unstable_by(entries.len() / 2, order);
    std::thread::scope(|scope| {
        scope.spawn(|| sort(low, longs, threads / 2));
        sort(high, longs, threads - threads / 2);
    });
}
