//! Short byte strings as integers, so that a table compares and hashes them in registers.

use std::hash::{BuildHasher, Hasher};

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

/// The hash of strings that have no key, for maps: their words, folded one after the other.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Folded(u64);

impl BuildHasher for Folded {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self(0x2D35_8DCC_AA6C_78A5)
    }
}

impl Hasher for Folded {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.write_u64(u64::from_le_bytes(last));
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.0 = mix(self.0 ^ word, 0x8BB8_4B93_962E_ACC9);
    }

    #[inline]
    fn write_usize(&mut self, length: usize) {
        self.write_u64(length as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// High and low half of a product, folded.
#[inline(always)]
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}
