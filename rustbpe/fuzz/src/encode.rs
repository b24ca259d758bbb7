//! The crate's own reference of the encoder.

use std::collections::HashMap;

#[path = "../../core/src/encode/reference.rs"]
mod reference;

/// The ids of a pre-token by the slow encoder.
pub fn slow(ranks: &HashMap<Vec<u8>, u32>, piece: &[u8]) -> Vec<u32> {
    reference::encode(ranks, piece)
}
