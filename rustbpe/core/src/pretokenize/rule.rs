//! The split patterns that have a scanner, and the contractions that they all know.

/// A split pattern with a scanner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// GPT-2's.
    Gpt2,
    /// GPT-4's: at most three digits.
    Gpt4,
    /// GPT-4's as tiktoken spells it: white space at the end of the text is one pre-token.
    Cl100k,
    /// GPT-4o's: words also end where the case falls, contractions stay with their word.
    Gpt4o,
    /// GPT-4's with at most two digits.
    Nanochat,
}

/// End of a contraction whose apostrophe would stand at `at`: `'s 't 'd 'm 'll 've 're`.
///
/// With `fold`, in either case, and then the long s (U+017F) is an s too, as in `(?i:s)`.
#[inline]
pub(super) fn contraction(text: &[u8], at: usize, fold: bool) -> Option<usize> {
    if text.get(at) != Some(&b'\'') {
        return None;
    }
    let letter = |i: usize| match text.get(at + i) {
        Some(byte) if fold => byte.to_ascii_lowercase(),
        Some(&byte) => byte,
        None => 0,
    };
    match (letter(1), letter(2)) {
        (b's' | b't' | b'd' | b'm', _) => Some(at + 2),
        (b'l', b'l') | (b'v' | b'r', b'e') => Some(at + 3),
        (0xC5, 0xBF) if fold => Some(at + 3),
        _ => None,
    }
}
