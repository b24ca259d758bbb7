//! Many pre-tokens at once: 64 bytes of ASCII as bit masks, one bit for each byte.
//!
//! Where a pre-token starts depends on little around it, so that shifts and additions of masks find
//! all the starts of a window together, with no branch for a character. What a window cannot know
//! (other characters, white space that runs out of the window, the end of the text) stays to the
//! scanner, which the window's caller asks for one pre-token at a time.

use super::rule::{Rule, contraction};

/// Bytes in a window.
pub(super) const WINDOW: usize = 64;

/// Classes of the bytes of a window, as far as they are ASCII.
struct Masks {
    lower: u64,
    upper: u64,
    number: u64,
    space: u64,
    /// White space but for the space and the newlines.
    tab: u64,
    newline: u64,
    apostrophe: u64,
    slash: u64,
    /// The bytes before the first that is not ASCII.
    known: u64,
}

/// One bit for each byte: whether `test` holds.
#[inline(always)]
fn mask(window: &[u8; WINDOW], test: impl Fn(u8) -> bool) -> u64 {
    let mut flags = [0_u8; WINDOW];
    for (flag, &byte) in flags.iter_mut().zip(window) {
        *flag = if test(byte) { 0xFF } else { 0 };
    }
    let mut mask = 0;
    for (i, flags) in flags.as_chunks().0.iter().enumerate() {
        mask |= u64::from(gather(*flags)) << (16 * i);
    }
    mask
}

/// The highest bit of each byte.
#[inline(always)]
#[cfg(target_arch = "x86_64")]
fn gather(flags: [u8; 16]) -> u16 {
    use std::arch::x86_64::{_mm_movemask_epi8, _mm_set_epi64x};
    let flags = u128::from_le_bytes(flags);
    // SAFETY: every x86-64 processor has SSE2
    unsafe { _mm_movemask_epi8(_mm_set_epi64x((flags >> 64) as i64, flags as i64)) as u16 }
}

/// The highest bit of each byte.
#[inline(always)]
#[cfg(not(target_arch = "x86_64"))]
fn gather(flags: [u8; 16]) -> u16 {
    let flags = u128::from_le_bytes(flags);
    let eight = |flags: u64| {
        // a product that has the lowest bits of eight bytes in its highest byte
        (flags >> 7 & 0x0101_0101_0101_0101).wrapping_mul(0x0102_0408_1020_4080) >> 56
    };
    (eight((flags >> 64) as u64) << 8 | eight(flags as u64)) as u16
}

/// The lowest `bits` bits.
#[inline(always)]
fn low(bits: u32) -> u64 {
    if bits >= 64 {
        u64::MAX
    } else {
        (1 << bits) - 1
    }
}

impl Masks {
    #[inline(always)]
    fn new(window: &[u8; WINDOW]) -> Self {
        let known = low(mask(window, |byte| byte >= 0x80).trailing_zeros());
        Self {
            lower: mask(window, |byte| byte.wrapping_sub(b'a') < 26) & known,
            upper: mask(window, |byte| byte.wrapping_sub(b'A') < 26) & known,
            number: mask(window, |byte| byte.wrapping_sub(b'0') < 10) & known,
            space: mask(window, |byte| byte == b' ') & known,
            tab: mask(window, |byte| matches!(byte, b'\t' | 0x0B | 0x0C)) & known,
            newline: mask(window, |byte| matches!(byte, b'\r' | b'\n')) & known,
            apostrophe: mask(window, |byte| byte == b'\'') & known,
            slash: mask(window, |byte| byte == b'/') & known,
            known,
        }
    }

    #[inline(always)]
    fn letter(&self) -> u64 {
        self.lower | self.upper
    }

    #[inline(always)]
    fn blank(&self) -> u64 {
        self.space | self.tab
    }

    #[inline(always)]
    fn white(&self) -> u64 {
        self.blank() | self.newline
    }

    /// `[^\s\p{L}\p{N}]`
    #[inline(always)]
    fn other(&self) -> u64 {
        self.known & !(self.letter() | self.number | self.white())
    }

    /// The bits up to which starts are certain: up to the first of the white space at the end of what
    /// is known, since how that is cut depends on what comes behind it.
    #[inline(always)]
    fn certain(&self) -> u64 {
        let last = 64 - (self.known & !self.white()).leading_zeros();
        self.known & low(last + 1)
    }
}

/// Bits that begin a run of ones.
#[inline(always)]
fn firsts(bits: u64) -> u64 {
    bits & !(bits << 1)
}

/// Bits that end a run of ones.
#[inline(always)]
fn lasts(bits: u64) -> u64 {
    bits & !(bits >> 1)
}

/// Starts of pre-tokens in the window of `text` that begins at `at`, itself a start; bit 0 is it.
///
/// Bits that are not certain are 0: the last start is that of a pre-token whose end is not known.
#[inline(always)]
pub(super) fn starts(rule: Rule, text: &[u8], at: usize, window: &[u8; WINDOW]) -> u64 {
    let masks = Masks::new(window);
    let starts = match rule {
        Rule::Gpt2 => gpt2(&masks, text, at),
        Rule::Gpt4 | Rule::Cl100k => gpt4(&masks, text, at, 3),
        Rule::Nanochat => gpt4(&masks, text, at, 2),
        Rule::Gpt4o => gpt4o(&masks, text, at),
    };
    starts & masks.certain() | 1
}

#[inline(always)]
fn gpt2(masks: &Masks, text: &[u8], at: usize) -> u64 {
    let (other, white) = (masks.other(), masks.white());
    // a space joins what follows it; white space gives up its last character to be joined so
    let runs = firsts(masks.letter()) | firsts(masks.number) | firsts(other);
    let starts = runs & !(masks.space << 1) | firsts(white) | lasts(white);
    let apostrophes = masks.apostrophe & starts;
    contractions(starts, apostrophes, text, at, false)
}

#[inline(always)]
fn gpt4(masks: &Masks, text: &[u8], at: usize, digits: u32) -> u64 {
    let (letter, other) = (masks.letter(), masks.other());
    // newlines right behind signs belong to them
    let tail = run_from(other << 1 & masks.newline, masks.newline);
    let signs = firsts(other) & !(masks.space << 1);
    let prefix = masks.blank() | signs & letter >> 1;
    let words = firsts(letter) & !(prefix << 1);
    let starts = words | signs | groups(masks.number, digits) | white(masks, tail);
    contractions(starts, masks.apostrophe & signs, text, at, true)
}

#[inline(always)]
fn gpt4o(masks: &Masks, text: &[u8], at: usize) -> u64 {
    let letter = masks.letter();
    // newlines right behind signs belong to them, and slashes among and behind those newlines
    let tail = run_from(
        masks.other() << 1 & masks.newline,
        masks.newline | masks.slash,
    );
    let other = masks.other() & !tail;
    let signs = firsts(other) & !(masks.space << 1);
    let prefix = masks.blank() | signs & letter >> 1;
    let words = firsts(letter) & !(prefix << 1) | masks.upper & masks.lower << 1;
    let starts = words | signs | groups(masks.number, 3) | white(masks, tail);
    suffixes(starts, masks.apostrophe & signs & letter << 1, text, at)
}

/// The bits of `set` in a row from each of `seeds` on, which are in `set`.
#[inline(always)]
fn run_from(seeds: u64, set: u64) -> u64 {
    // an addition carries through a run of ones and leaves zeros
    set & !set.wrapping_add(seeds) | seeds
}

/// Starts of `\p{N}{1,length}`: every `length` bits from the beginning of a run.
#[inline(always)]
fn groups(number: u64, length: u32) -> u64 {
    let mut inside = number;
    for shift in 1..=length {
        inside &= number << shift;
    }
    let mut starts = firsts(number);
    let mut new = starts;
    while new != 0 {
        new = new << length & inside;
        starts |= new;
    }
    starts
}

/// Starts in white space, for `\s*[\r\n]+|\s+(?!\S)|\s+`, but for the newlines in `tail`.
///
/// All up to the last newline is one pre-token, the blanks behind it but for the last one another, and
/// the last one begins the third, whatever it joins.
#[inline(always)]
fn white(masks: &Masks, tail: u64) -> u64 {
    let blank = masks.blank();
    let runs = firsts(blank);
    let mut starts = runs;
    // blanks before a newline are not behind the last one
    let mut before = blank << 1 & masks.newline;
    while before != 0 {
        let below = runs & ((before & before.wrapping_neg()) - 1);
        starts &= !(1 << (63 - below.leading_zeros()));
        before &= before - 1;
    }
    let rest = masks.white() & !tail;
    starts | firsts(rest) | lasts(blank) & !(masks.newline >> 1)
}

/// Cuts behind contractions that begin at one of `apostrophes`, and not within them.
#[inline(always)]
fn contractions(mut starts: u64, mut apostrophes: u64, text: &[u8], at: usize, fold: bool) -> u64 {
    while apostrophes != 0 {
        let begin = apostrophes.trailing_zeros();
        apostrophes &= apostrophes - 1;
        if let Some(end) = contraction(text, at + begin as usize, fold) {
            let end = (end - at) as u32;
            starts &= !(low(end) & !low(begin + 1));
            starts |= low(end + 1) & !low(end);
        }
    }
    starts
}

/// Joins contractions to the words before them, at most one to each word.
#[inline(always)]
fn suffixes(mut starts: u64, mut apostrophes: u64, text: &[u8], at: usize) -> u64 {
    let mut behind_one = 64;
    while apostrophes != 0 {
        let begin = apostrophes.trailing_zeros();
        apostrophes &= apostrophes - 1;
        if begin == behind_one {
            continue;
        }
        if let Some(end) = contraction(text, at + begin as usize, true) {
            let end = (end - at) as u32;
            starts &= !(low(end) & !low(begin));
            starts |= low(end + 1) & !low(end);
            behind_one = end;
        }
    }
    starts
}
