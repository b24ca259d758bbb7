//! Short byte strings as integers, their hashes, and fetching ahead: what every table of bytes is made with.
//!
//! A string of up to [`LONGEST`] bytes is its own key: the bytes, little-endian, and their number in the top byte.
//! No two strings have one key, and only the empty one has 0.

use std::hash::{BuildHasher, Hasher};

/// Longest string that has a key.
pub(crate) const LONGEST: usize = 15;

/// Up to [`LONGEST`] bytes and their number.
pub(crate) type Key = u128;

/// Not a string's key, and none that is larger is.
pub(crate) const TOO_LONG: Key = 0xFF << 120;

const SEEDS: [u64; 2] = [0x2D35_8DCC_AA6C_78A5, 0x8BB8_4B93_962E_ACC9];

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
/// Reads 16 bytes of the text at once wherever there are so many: a copy of unknown length costs a mispredicted
/// branch nearly every time.
#[inline(always)]
pub(crate) fn key(text: &[u8], start: usize, end: usize) -> Key {
    let length = end - start;
    let bytes = match text.get(start..).and_then(|rest| rest.first_chunk()) {
        Some(chunk) => u128::from_le_bytes(*chunk) & KEEP[length],
        None => {
            let mut padded = [0; 16];
            padded[..length].copy_from_slice(&text[start..end]);
            u128::from_le_bytes(padded)
        }
    };
    bytes | (length as u128) << 120
}

/// The length of the string of a key.
#[inline]
pub(crate) fn length(key: Key) -> usize {
    (key >> 120) as usize
}

/// The first [`LONGEST`] bytes as a number that sorts as they do, and the length, or 0xFF for more, in its lowest
/// byte: two strings with different numbers sort as those do.
pub(crate) fn sorting(bytes: &[u8]) -> u128 {
    let kept = bytes.len().min(LONGEST);
    let number = key(bytes, 0, kept).swap_bytes();
    if bytes.len() > kept {
        number | 0xFF
    } else {
        number
    }
}

/// A hash of a key, of which all bits are good.
#[inline(always)]
pub(crate) fn hash(key: Key) -> u64 {
    folded(key as u64 ^ SEEDS[0], (key >> 64) as u64 ^ SEEDS[1])
}

/// High and low half of a product, folded, as in wyhash.
#[inline(always)]
fn folded(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// The hash of a string of any length.
pub(crate) fn hash_long(bytes: &[u8]) -> u64 {
    let mut words = Words(SEEDS[0]);
    words.write(bytes);
    words.write_usize(bytes.len());
    words.finish()
}

/// Hashes strings of any length for maps: their words, folded one after the other.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Words(u64);

impl BuildHasher for Words {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self(SEEDS[0])
    }
}

impl Hasher for Words {
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
        self.0 = folded(self.0 ^ word, SEEDS[1]);
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

/// Bytes of a table from which on large pages are asked for.
#[cfg(target_os = "linux")]
const LARGE_PAGE: usize = 1 << 21;

/// A table of so many values, on large pages where the system has them: each look-up is at another place, and with
/// small pages the processor would have to find most of them anew.
pub(crate) fn table<T: Clone>(number: usize, value: T) -> Vec<T> {
    let mut table = room(number);
    table.resize(number, value);
    table
}

/// An empty list with room for so many values, on large pages where the system has them.
pub(crate) fn room<T>(number: usize) -> Vec<T> {
    let mut room: Vec<T> = Vec::with_capacity(number);
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 4096;
        let space = room.spare_capacity_mut();
        let (start, bytes) = (space.as_mut_ptr().cast::<u8>(), size_of_val(space));
        let skip = start.align_offset(PAGE);
        if bytes >= LARGE_PAGE && skip < bytes {
            // SAFETY: the range is within the allocation, and the advice changes no content. That it
            // may be refused does not matter.
            unsafe { libc::madvise(start.add(skip).cast(), bytes - skip, libc::MADV_HUGEPAGE) };
        }
    }
    room
}

/// Has the processor fetch what is at an index, which will be looked at soon; does nothing outside of the slice.
#[inline(always)]
pub(crate) fn prefetch<T>(values: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(value) = values.get(index) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the address is that of a value, and a prefetch reads nothing that the program sees
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (values, index);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_do_not_depend_on_what_is_around() {
        let text: Vec<u8> = (0..40_u8).map(|i| i.wrapping_mul(7)).collect();
        for start in 0..text.len() {
            for end in start..=text.len().min(start + LONGEST) {
                let found = key(&text, start, end);
                assert_eq!(found, key(&text[start..end], 0, end - start));
                assert_eq!((length(found), found < TOO_LONG), (end - start, true));
            }
        }
    }

    #[test]
    fn sorting_numbers_sort_as_the_strings() {
        let mut strings: Vec<Vec<u8>> =
            vec![vec![], vec![0], vec![0, 0], vec![1; 15], vec![255; 16]];
        strings.extend((0..200_u32).map(|i| {
            let bytes = i.wrapping_mul(0x9E37_79B9).to_be_bytes();
            bytes
                .iter()
                .copied()
                .cycle()
                .take(i as usize % 15)
                .collect()
        }));
        for a in &strings {
            for b in &strings {
                assert_eq!(a.cmp(b), sorting(a).cmp(&sorting(b)), "{a:?} {b:?}");
            }
        }
    }
}
