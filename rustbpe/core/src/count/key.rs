//! Keys and hashes of pre-tokens.
//!
//! A pre-token of up to [`INLINE`] bytes is its own key: the bytes, little-endian, in the low 15 bytes of
//! a `u128`, and the length in the top byte. No two pre-tokens share a key and no key is zero. A longer
//! pre-token has a hash of its bytes and its length as key, and the table compares the bytes.

/// Longest pre-token that is kept inside its slot, in bytes.
pub(super) const INLINE: usize = 15;

/// Top byte of the key of a pre-token that is kept in the arena.
const LONG: u128 = 0xFF << 120;

const SEED_LOW: u64 = 0xA076_1D64_78BD_642F;
const SEED_HIGH: u64 = 0xE703_7ED1_A0B4_28DB;

/// `MASKS[n]` keeps the low `n` bytes; the length goes on top.
const MASKS: [u128; INLINE + 1] = {
    let mut masks = [0; INLINE + 1];
    let mut n = 0;
    while n <= INLINE {
        masks[n] = (1 << (8 * n)) - 1;
        n += 1;
    }
    masks
};

/// The key of a pre-token of at most [`INLINE`] bytes.
#[inline]
pub(super) fn short(bytes: &[u8]) -> u128 {
    let mut padded = [0; 16];
    padded[..bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(padded) | (bytes.len() as u128) << 120
}

/// The same for a pre-token that stands at `start` of `text`, if it does.
///
/// Reads 16 bytes at once and masks them, where the text has that many: a copy of unknown length costs
/// a mispredicted branch for nearly every pre-token.
#[inline]
pub(super) fn short_within(text: &[u8], start: usize, pretoken: &[u8]) -> u128 {
    let len = pretoken.len();
    match text.get(start..).and_then(|rest| rest.first_chunk::<16>()) {
        Some(chunk) => u128::from_le_bytes(*chunk) & MASKS[len] | (len as u128) << 120,
        None => short(pretoken),
    }
}

/// The key of a pre-token of more than [`INLINE`] bytes; other pre-tokens may have the same.
pub(super) fn long(bytes: &[u8]) -> u128 {
    let mut state = bytes.len() as u64;
    let mut chunks = bytes.chunks_exact(16);
    for chunk in &mut chunks {
        state = mix(state, chunk);
    }
    if !chunks.remainder().is_empty() {
        // more than 15 bytes: the last 16 overlap the chunk before
        state = mix(state, &bytes[bytes.len() - 16..]);
    }
    LONG | u128::from(state)
}

fn mix(state: u64, chunk: &[u8]) -> u64 {
    let mut word = [0; 16];
    word.copy_from_slice(chunk);
    hash(u128::from_le_bytes(word) ^ u128::from(state) << 32)
}

/// Whether this is the key of a pre-token in the arena.
#[inline]
pub(super) fn is_long(key: u128) -> bool {
    key >= LONG
}

/// The length of the pre-token of a short key.
#[inline]
pub(super) fn short_len(key: u128) -> usize {
    (key >> 120) as usize
}

/// 64 bits of which the top ones choose a slot: a folded multiplication, as in wyhash.
#[inline]
pub(super) fn hash(key: u128) -> u64 {
    let product = u128::from(key as u64 ^ SEED_LOW) * u128::from((key >> 64) as u64 ^ SEED_HIGH);
    product as u64 ^ (product >> 64) as u64
}
