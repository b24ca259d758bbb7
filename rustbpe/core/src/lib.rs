//! Exact byte-pair encoding: pre-tokenize, count, train, encode.
//!
//! Knows bytes, counts and merges; nothing of Python and nothing of the workflow. What makes a file of another is one
//! module each: `check_shard`, `count_shard`, `merge_counts`, `train_merges`, `encode_shard`. `json_lines` reads text
//! that is to become a shard. The others are what these are made of.

pub mod artifacts;
pub(crate) mod bytes;
pub mod check_shard;
pub mod count;
pub mod count_shard;
pub mod encode;
pub mod encode_shard;
pub mod error;
pub(crate) mod feed;
pub(crate) mod files;
pub mod json_lines;
pub mod merge_counts;
pub mod pretokenize;
pub mod progress;
pub mod shard;
pub mod threads;
pub mod train;
pub mod train_merges;

pub use error::{Error, Result};
