//! Finds the merges: exact byte-pair encoding over counted pre-tokens.
//!
//! The rule: merge the pair of tokens with the highest count, of several the one with the smallest
//! `(left, right)`; a merge takes the occurrences in a pre-token from left to right without overlap;
//! stop when no pair is left. The result depends on nothing else: not on threads, not on the order of the
//! pre-tokens. `docs/tokenizer/training.md` explains the algorithm and its cost.

mod corpus;
mod memory;
mod merge;
mod pairs;
mod scan;

use crate::error::{Error, Result};
use crate::progress::Progress;
use corpus::{Cell, Corpus};
use merge::Trainer;

pub use memory::{memory_needed, memory_with_table};

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

/// Bytes are the first tokens, merge `i` makes token `BYTES + i`.
pub const BYTES: usize = 256;

/// One merge: the two tokens that become one, and how often they stood side by side when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merge {
    /// Id of the left token.
    pub left: u32,
    /// Id of the right token.
    pub right: u32,
    /// Occurrences of the pair in all pre-tokens, overlapping ones (`aaa`) counted each.
    pub count: u64,
}

/// Finds up to `num_merges` merges, fewer where no pair is left.
///
/// # Errors
/// Those of [`train_from`].
pub fn train<'a, I>(
    words: I,
    num_merges: usize,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Vec<Merge>>
where
    I: Iterator<Item = (&'a [u8], u64)> + Clone,
{
    train_from(words, &[], num_merges, threads, progress)
}

/// Finds up to `num_merges` merges, of which the first are those of `start`, whatever their counts.
///
/// Goes through `words` (distinct pre-tokens and their counts) twice; each clone of it has to give the same.
/// A pre-token that stands in it twice counts with the sum. Progress counts merges.
///
/// # Errors
/// [`Error::Value`] where ids or positions would need more than 32 bits, or a merge of `start` takes a token that is
/// not made before it, and what `progress` returns.
pub fn train_from<'a, I>(
    words: I,
    start: &[(u32, u32)],
    num_merges: usize,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Vec<Merge>>
where
    I: Iterator<Item = (&'a [u8], u64)> + Clone,
{
    for (made, &(left, right)) in (BYTES..).zip(start) {
        if left.max(right) as usize >= made {
            return Err(Error::Value(format!(
                "merge {} takes the tokens {left} and {right}, but only tokens below {made} are made before it",
                made - BYTES
            )));
        }
    }
    // The token of the last merge never gets into the corpus, and one value is no token.
    let values = BYTES + num_merges;
    if values <= u16::MAX.id_limit() {
        run::<u16, I>(words, start, num_merges, threads, progress)
    } else if values <= u32::MAX.id_limit() {
        run::<u32, I>(words, start, num_merges, threads, progress)
    } else {
        let most = u32::MAX.id_limit() - BYTES;
        Err(Error::Value(format!(
            "{num_merges} merges are asked for, and at most {most} can be made: ask for fewer"
        )))
    }
}

fn run<'a, C: Cell, I>(
    words: I,
    start: &[(u32, u32)],
    num_merges: usize,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Vec<Merge>>
where
    I: Iterator<Item = (&'a [u8], u64)> + Clone,
{
    let corpus = Corpus::<C>::new(words)?;
    Trainer::new(corpus, num_merges, threads).run(start, progress)
}
