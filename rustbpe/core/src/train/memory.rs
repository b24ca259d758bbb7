//! What memory training will need, known before it starts.

use super::BYTES;

/// The most bytes of memory that [`super::train`] takes on top of the pre-tokens themselves, for `unique`
/// distinct pre-tokens of `bytes` bytes together.
///
/// One cell of 2 bytes (4 from 65,280 merges on) for each byte and each pre-token; 4 bytes for the position of
/// each pair of neighbours, with as much again while lists grow; a part for counters that is always there.
/// Merges free more positions than they add.
#[must_use]
pub fn memory_needed(unique: u64, bytes: u64, num_merges: u64) -> u64 {
    let values = num_merges + BYTES as u64 + 1;
    let cell = if values <= 1 << 16 { 2 } else { 4 };
    let cells = (bytes + unique) * cell;
    let positions = bytes.saturating_sub(unique) * 8;
    cells + positions + values * 36 + FIXED
}

/// The most bytes of memory that reading a count file and training on it take together.
///
/// On top of [`memory_needed`], the table itself: the bytes, and for each pre-token where it starts and its count,
/// in lists that may have room for twice as much.
#[must_use]
pub fn memory_with_table(unique: u64, bytes: u64, num_merges: u64) -> u64 {
    2 * (bytes + 16 * unique) + memory_needed(unique, bytes, num_merges)
}

/// The sketch of a scan, and small tables.
const FIXED: u64 = 8 << 20;
