//! Hand-written scanners: where a pre-token that starts here ends.
//!
//! Each rule is one of the split patterns read as a program: its alternatives in their order, with
//! the backtracking worked out. Every scanner is linear in the length of the text.

use super::ROW;
use super::classes::{
    BLANK, CASELESS, Class, Classes, END, LETTER, LOWER, MARK, NEWLINE, NUMBER, OTHER, UPPER, WHITE,
};
use super::rule::{Rule, contraction};
use super::window::{self, WINDOW};

/// A text with the classes of its characters.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    bytes: &'a [u8],
    classes: &'static Classes,
}

impl<'a> Text<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            bytes: text.as_bytes(),
            classes: Classes::get(),
        }
    }

    /// Class of the character at `at`, and where it ends. [`END`] behind the last one.
    #[inline(always)]
    fn class(self, at: usize) -> (Class, usize) {
        match self.bytes.get(at) {
            None => (END, at),
            Some(&byte) if byte < 0x80 => (self.classes.ascii[usize::from(byte)], at + 1),
            Some(&byte) => self.wide(at, byte),
        }
    }

    /// [`Self::class`] of a character of two to four bytes. The text is a `str`, so they are there.
    #[inline(always)]
    fn wide(self, at: usize, lead: u8) -> (Class, usize) {
        let bits = |i: usize| u32::from(self.bytes[at + i] & 0x3F);
        let lead = u32::from(lead);
        let (code, length) = match lead {
            ..0xE0 => ((lead & 0x1F) << 6 | bits(1), 2),
            0xE0..0xF0 => ((lead & 0x0F) << 12 | bits(1) << 6 | bits(2), 3),
            _ => (
                (lead & 0x07) << 18 | bits(1) << 12 | bits(2) << 6 | bits(3),
                4,
            ),
        };
        (self.classes.of(code), at + length)
    }

    /// End of the characters from `at` on that have a bit of `set`.
    #[inline(always)]
    fn run(self, mut at: usize, set: Class) -> usize {
        loop {
            while at < self.bytes.len()
                && self.classes.ascii[usize::from(self.bytes[at])] & set != 0
            {
                at += 1;
            }
            if at == self.bytes.len() || self.bytes[at] < 0x80 {
                return at;
            }
            let (class, next) = self.wide(at, self.bytes[at]);
            if class & set == 0 {
                return at;
            }
            at = next;
        }
    }

    /// `\s+(?!\S)|\s+` for the white space from `at` to `end`: all of it where the text ends, else all
    /// but the last character, which may begin the next pre-token; a single character stands alone.
    #[inline]
    fn blanks(self, at: usize, end: usize) -> usize {
        if end == self.bytes.len() {
            return end;
        }
        let mut last = end - 1;
        while self.bytes[last] & 0xC0 == 0x80 {
            last -= 1;
        }
        if last == at { end } else { last }
    }
}

impl Rule {
    /// Where the pre-tokens from `at` on end: as many as fit `ends`, or as the text has. `at` is before
    /// the end of the text. Returns their number.
    pub(super) fn fill(self, text: Text<'_>, at: usize, ends: &mut [usize; ROW]) -> usize {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") {
            #[target_feature(enable = "avx2,bmi1")]
            fn wide(rule: Rule, text: Text<'_>, at: usize, ends: &mut [usize; ROW]) -> usize {
                rule.fill_portably(text, at, ends)
            }
            // SAFETY: the processor has what the function is compiled for
            return unsafe { wide(self, text, at, ends) };
        }
        self.fill_portably(text, at, ends)
    }

    /// [`Self::fill`], compiled for whatever the caller is.
    #[inline(always)]
    fn fill_portably(self, text: Text<'_>, at: usize, ends: &mut [usize; ROW]) -> usize {
        match self {
            Self::Gpt2 => fill(self, text, at, ends, gpt2),
            Self::Gpt4 => fill(self, text, at, ends, gpt4::<3, false>),
            Self::Cl100k => fill(self, text, at, ends, gpt4::<3, true>),
            Self::Gpt4o => fill(self, text, at, ends, gpt4o),
            Self::Nanochat => fill(self, text, at, ends, gpt4::<2, false>),
        }
    }
}

/// [`Rule::fill`] with the function that finds one end; one copy of the loop for each.
#[inline(always)]
fn fill(
    rule: Rule,
    text: Text<'_>,
    mut at: usize,
    ends: &mut [usize; ROW],
    end: impl Fn(Text<'_>, usize) -> usize,
) -> usize {
    let mut number = 0;
    while at < text.bytes.len() && number + WINDOW <= ROW {
        let mut starts = 1;
        // a window ends at the first character that is not ASCII
        if let Some(window) = text.bytes[at..].first_chunk()
            && window[0].max(window[1]) < 0x80
        {
            starts = window::starts(rule, text.bytes, at, window);
        }
        if starts == 1 {
            at = end(text, at);
            ends[number] = at;
            number += 1;
            continue;
        }
        starts &= starts - 1;
        let begin = at;
        while starts != 0 {
            at = begin + starts.trailing_zeros() as usize;
            ends[number] = at;
            number += 1;
            starts &= starts - 1;
        }
    }
    number
}

#[inline(always)]
fn gpt2(text: Text<'_>, at: usize) -> usize {
    if let Some(end) = contraction(text.bytes, at, false) {
        return end;
    }
    let mut word = at;
    let (mut class, mut next) = text.class(at);
    if text.bytes[at] == b' ' {
        let (behind, end) = text.class(next);
        if behind & (LETTER | NUMBER | OTHER) != 0 {
            (word, class, next) = (next, behind, end);
        }
    }
    debug_assert!(word < next);
    for set in [LETTER, NUMBER, OTHER] {
        if class & set != 0 {
            return text.run(next, set);
        }
    }
    text.blanks(at, text.run(next, WHITE))
}

#[inline(always)]
fn gpt4<const DIGITS: usize, const END_FIRST: bool>(text: Text<'_>, at: usize) -> usize {
    if let Some(end) = contraction(text.bytes, at, true) {
        return end;
    }
    let (class, next) = text.class(at);
    if class & LETTER != 0 {
        return text.run(next, LETTER);
    }
    if class & NUMBER != 0 {
        return digits::<DIGITS>(text, next);
    }
    let (behind, after) = text.class(next);
    if class != NEWLINE && behind & LETTER != 0 {
        return text.run(after, LETTER);
    }
    if class & OTHER != 0 {
        return text.run(text.run(next, OTHER), NEWLINE);
    }
    if text.bytes[at] == b' ' && behind & OTHER != 0 {
        return text.run(text.run(after, OTHER), NEWLINE);
    }
    white::<END_FIRST>(text, at)
}

/// `\p{N}{1,DIGITS}` whose first character ends at `next`.
#[inline(always)]
fn digits<const DIGITS: usize>(text: Text<'_>, mut next: usize) -> usize {
    for _ in 1..DIGITS {
        match text.class(next) {
            (class, end) if class & NUMBER != 0 => next = end,
            _ => break,
        }
    }
    next
}

/// `\s*[\r\n]+|\s+(?!\S)|\s+`, with `\s++$` before them where `END_FIRST`.
#[inline(always)]
fn white<const END_FIRST: bool>(text: Text<'_>, at: usize) -> usize {
    let end = text.run(at, WHITE);
    if END_FIRST && end == text.bytes.len() {
        return end;
    }
    match text.bytes[at..end]
        .iter()
        .rposition(|byte| matches!(byte, b'\r' | b'\n'))
    {
        Some(newline) => at + newline + 1,
        None => text.blanks(at, end),
    }
}

#[inline(always)]
fn gpt4o(text: Text<'_>, at: usize) -> usize {
    let (class, next) = text.class(at);
    let prefix = class & (BLANK | OTHER) != 0;
    let word = (if prefix { cased(text, next) } else { None })
        .or_else(|| cased(text, at))
        .or_else(|| if prefix { upper(text, next) } else { None })
        .or_else(|| upper(text, at));
    if let Some(end) = word {
        return contraction(text.bytes, end, true).unwrap_or(end);
    }
    if class & NUMBER != 0 {
        return digits::<3>(text, next);
    }
    let (behind, after) = text.class(next);
    let signs = match class {
        _ if class & OTHER != 0 => Some(next),
        _ if text.bytes[at] == b' ' && behind & OTHER != 0 => Some(after),
        _ => None,
    };
    if let Some(signs) = signs {
        let end = text.run(signs, OTHER);
        let tail = text.bytes[end..]
            .iter()
            .position(|byte| !matches!(byte, b'\r' | b'\n' | b'/'));
        return tail.map_or(text.bytes.len(), |length| end + length);
    }
    white::<false>(text, at)
}

/// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+` from `at`.
///
/// The first class takes all it can. Where no lower-case letter follows, it gives back down to its
/// last character that the second class has too, and the word ends behind that one.
#[inline(always)]
fn cased(text: Text<'_>, at: usize) -> Option<usize> {
    let mut shared = None;
    let mut here = at;
    loop {
        let (class, next) = text.class(here);
        if class & LOWER != 0 {
            return Some(text.run(next, LOWER | CASELESS | MARK));
        }
        if class & (UPPER | CASELESS | MARK) == 0 {
            return shared;
        }
        if class & UPPER == 0 {
            shared = Some(next);
        }
        here = next;
    }
}

/// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+` from `at`, where [`cased`] found nothing: capitals only.
#[inline(always)]
fn upper(text: Text<'_>, at: usize) -> Option<usize> {
    let end = text.run(at, UPPER | CASELESS | MARK);
    (end > at).then_some(end)
}
