//! Counts in the order of the bytes.

use super::table::CountTable;

/// Distinct pre-tokens, sorted by bytes, and how often each occurred.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SortedCounts {
    /// The pre-tokens end to end.
    bytes: Vec<u8>,
    /// Pre-token `i` is `bytes[offsets[i]..offsets[i + 1]]`; signed, as in an Arrow array.
    offsets: Vec<i64>,
    counts: Vec<u64>,
}

impl SortedCounts {
    /// Sorts the pre-tokens of tables that have none in common, such as [`CountTable::combine`] makes.
    #[must_use]
    pub fn from_tables(tables: &[CountTable]) -> Self {
        let len = tables.iter().map(CountTable::len).sum();
        let mut order: Vec<(u128, &[u8], u64)> = Vec::with_capacity(len);
        for table in tables {
            order.extend(
                table
                    .iter()
                    .map(|(bytes, count)| (prefix(bytes), bytes, count)),
            );
        }
        order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(b.1)));
        let total = order.iter().map(|(_, bytes, _)| bytes.len()).sum();
        let mut sorted = Self {
            bytes: Vec::with_capacity(total),
            offsets: Vec::with_capacity(len + 1),
            counts: Vec::with_capacity(len),
        };
        sorted.offsets.push(0);
        for (_, bytes, count) in order {
            sorted.bytes.extend_from_slice(bytes);
            sorted.offsets.push(sorted.bytes.len() as i64);
            sorted.counts.push(count);
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

/// The first 16 bytes as a number that sorts as they do; a shorter pre-token ends in zeros, so equal
/// numbers decide nothing.
fn prefix(bytes: &[u8]) -> u128 {
    let mut padded = [0; 16];
    let len = bytes.len().min(16);
    padded[..len].copy_from_slice(&bytes[..len]);
    u128::from_be_bytes(padded)
}
