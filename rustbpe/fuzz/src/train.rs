//! The crate's own reference of the trainer.

#[path = "../../core/src/train/reference.rs"]
mod reference;

use rustbpe_core::train::{BYTES, Merge};

/// The merges that the slow trainer finds.
pub fn slow(words: &[(Vec<u8>, u64)], num_merges: usize) -> Vec<Merge> {
    reference::train(words, &[], num_merges)
}
