//! Seams: places between two characters of a pre-token that no token spans.
//!
//! A merge makes a token of two parts that touch, so that none ever crosses a place that no token spans: what is on
//! its two sides is merged apart, with the same result. Text without spaces has a seam every few characters, and
//! what is between two seams comes again and again where the pre-token does not.

use super::pairs::Filter;

/// Bytes of a character.
const MOST: usize = 4;

/// What tokens span: a character or a part of one on each side of a place.
#[derive(Debug)]
pub(super) struct Seams {
    /// By the bytes before and behind a place: in bit `4 * (l - 1) + r - 1`, whether a token spans it that has `l`
    /// bytes of the character before it, and `r` of the one behind it.
    lengths: Vec<u16>,
    /// The hashes of those bytes.
    filter: Filter,
}

impl Seams {
    pub(super) fn new(tokens: &[Vec<u8>]) -> Self {
        let spans = || {
            tokens
                .iter()
                .filter(|token| !token.is_ascii())
                .flat_map(|token| (1..token.len()).filter_map(|at| span(token, at)))
        };
        let mut seams = Self {
            lengths: vec![0; 1 << 16],
            filter: Filter::new(2 * spans().count()),
        };
        for (left, right) in spans() {
            let place = usize::from(left[left.len() - 1]) << 8 | usize::from(right[0]);
            seams.lengths[place] |= 1 << (4 * (left.len() - 1) + right.len() - 1);
            let (left, right) = (load(left, left.len()), load(right, right.len()));
            seams.filter.insert(hash(left, right));
        }
        seams
    }

    /// Calls `take` with where each part between seams starts and ends.
    #[inline]
    pub(super) fn for_each(&self, piece: &str, mut take: impl FnMut(usize, usize)) {
        let bytes = piece.as_bytes();
        let (mut start, mut at) = (0, 0);
        let (mut left, mut left_length) = (0, 0);
        while at < bytes.len() {
            let length = length(bytes[at]);
            let right = load(&bytes[at..], length);
            if at > start && self.is_seam(left, left_length, right, length) {
                take(start, at);
                start = at;
            }
            (left, left_length) = (right, length);
            at += length;
        }
        take(start, at);
    }

    /// Whether no token spans the place between two characters; true only where that is certain.
    #[inline(always)]
    fn is_seam(&self, left: u32, left_length: usize, right: u32, right_length: usize) -> bool {
        if left_length + right_length == 2 {
            return false; // ASCII is full of tokens
        }
        let last = left >> (8 * (left_length - 1));
        let mut lengths = self.lengths[(last << 8 | right & 0xFF) as usize];
        while lengths != 0 {
            let bit = lengths.trailing_zeros() as usize;
            lengths &= lengths - 1;
            let (before, behind) = (bit / 4 + 1, bit % 4 + 1);
            if before > left_length || behind > right_length {
                continue;
            }
            let left = left >> (8 * (left_length - before));
            let right = right & u32::MAX >> (32 - 8 * behind);
            if self.filter.may_have(hash(left, right)) {
                return false;
            }
        }
        true
    }
}

/// The bytes of the characters before and behind a place in a token, as far as the token has them; nothing inside of
/// a character, and between two of ASCII.
fn span(token: &[u8], at: usize) -> Option<(&[u8], &[u8])> {
    let continues = |byte: &u8| byte & 0xC0 == 0x80;
    if continues(&token[at]) || token[at - 1].is_ascii() && token[at].is_ascii() {
        return None;
    }
    let before = &token[at.saturating_sub(MOST)..at];
    let lead = before.iter().rposition(|byte| !continues(byte));
    let right = &token[at..];
    Some((
        &before[lead.unwrap_or(0)..],
        &right[..length(right[0]).min(right.len())],
    ))
}

/// Bytes of the character that a byte begins.
#[inline(always)]
fn length(lead: u8) -> usize {
    match lead {
        ..0xC0 => 1,
        0xC0..0xE0 => 2,
        0xE0..0xF0 => 3,
        _ => 4,
    }
}

/// The first `length` bytes, little-endian.
#[inline(always)]
fn load(bytes: &[u8], length: usize) -> u32 {
    match bytes.first_chunk() {
        Some(chunk) => u32::from_le_bytes(*chunk) & u32::MAX >> (32 - 8 * length),
        None => (0..length).fold(0, |all, i| all | u32::from(bytes[i]) << (8 * i)),
    }
}

#[inline(always)]
fn hash(left: u32, right: u32) -> u64 {
    (u64::from(left) << 32 | u64::from(right)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
