//! The trainer as one would write it down: slow, and easy to see to be right.

use std::collections::HashMap;

use super::{BYTES, Merge};

/// Counts all pairs again before each merge; the first merges are given.
pub(super) fn train(
    words: &[(Vec<u8>, u64)],
    start: &[(u32, u32)],
    num_merges: usize,
) -> Vec<Merge> {
    let mut words: Vec<(Vec<u32>, u64)> = words
        .iter()
        .map(|(bytes, count)| (bytes.iter().map(|b| u32::from(*b)).collect(), *count))
        .collect();
    let mut merges = Vec::new();
    while merges.len() < num_merges {
        let mut counts: HashMap<(u32, u32), u64> = HashMap::new();
        for (tokens, count) in words.iter().filter(|(_, count)| *count > 0) {
            for pair in tokens.windows(2) {
                *counts.entry((pair[0], pair[1])).or_default() += count;
            }
        }
        let best = match start.get(merges.len()) {
            Some(pair) => Some((*pair, counts.get(pair).copied().unwrap_or(0))),
            None => counts
                .into_iter()
                .min_by_key(|&(pair, count)| (std::cmp::Reverse(count), pair)),
        };
        let Some(((left, right), count)) = best else {
            break;
        };
        let new = (BYTES + merges.len()) as u32;
        merges.push(Merge { left, right, count });
        for (tokens, _) in &mut words {
            *tokens = replace(tokens, left, right, new);
        }
    }
    merges
}

fn replace(tokens: &[u32], left: u32, right: u32, new: u32) -> Vec<u32> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut i = 0;
    while i < tokens.len() {
        if tokens[i] == left && tokens.get(i + 1) == Some(&right) {
            out.push(new);
            i += 2;
        } else {
            out.push(tokens[i]);
            i += 1;
        }
    }
    out
}
