//! Short byte strings as integers, so that a table compares and hashes them in registers.

/// Longest string that fits a [`Key`].
pub(super) const LONGEST: usize = 15;

/// Up to 15 bytes, little-endian, and their number in the top byte. No string makes 0 but the empty one.
pub(super) type Key = u128;

/// What stands for a string that has no key; no string has it.
pub(super) const TOO_LONG: Key = Key::MAX;

/// Bytes to keep for each length.
const KEEP: [u128; LONGEST + 1] = {
    let mut keep = [0; LONGEST + 1];
    let mut length = 1;
    while length <= LONGEST {
        keep[length] = u128::MAX >> (128 - 8 * length);
        length += 1;
    }
    keep
};

/// The key of `text[start..end]`, where that is at most [`LONGEST`] bytes long.
///
/// Reads 16 bytes of the text at once wherever there are so many.
#[inline(always)]
pub(super) fn key(text: &[u8], start: usize, end: usize) -> Key {
    let length = end - start;
    let bytes = match text.get(start..start + 16) {
        Some(bytes) => load(bytes) & KEEP[length],
        None => {
            let mut padded = [0; 16];
            padded[..length].copy_from_slice(&text[start..end]);
            u128::from_le_bytes(padded)
        }
    };
    bytes | (length as u128) << 120
}

#[inline(always)]
fn load(bytes: &[u8]) -> u128 {
    let mut all = [0; 16];
    all.copy_from_slice(bytes);
    u128::from_le_bytes(all)
}

/// A hash of a key: the folded product of its halves, as in wyhash.
#[inline(always)]
pub(super) fn hash(key: Key) -> u64 {
    mix(
        key as u64 ^ 0x2D35_8DCC_AA6C_78A5,
        (key >> 64) as u64 ^ 0x8BB8_4B93_962E_ACC9,
    )
}

/// High and low half of a product, folded.
#[inline(always)]
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}
