//! The encoder as one would write it down: slow, and easy to see to be right.

use std::collections::HashMap;

/// Merges by the definition: tiktoken's rule over a map from bytes to rank.
pub(super) fn encode(ranks: &HashMap<Vec<u8>, u32>, piece: &[u8]) -> Vec<u32> {
    if let Some(&id) = ranks.get(piece) {
        return vec![id];
    }
    let mut parts: Vec<Vec<u8>> = piece.iter().map(|&byte| vec![byte]).collect();
    loop {
        let pairs = parts.windows(2).map(|pair| pair.concat()).enumerate();
        let ranked = pairs.filter_map(|(at, bytes)| Some((*ranks.get(&bytes)?, at, bytes)));
        match ranked.min() {
            Some((_, at, bytes)) => drop(parts.splice(at..at + 2, [bytes])),
            None => return parts.iter().map(|part| ranks[part]).collect(),
        }
    }
}
