//! Exact byte-pair encoding: pre-tokenize, count, train, encode.
//!
//! Knows bytes, counts and merges; nothing of Python and nothing of the workflow.

pub(crate) mod bytes;
pub mod check_shard;
pub mod count;
pub mod counting;
pub mod counts;
pub mod counts_file;
pub mod counts_writer;
pub mod encode;
pub mod encode_shard;
pub mod error;
pub(crate) mod feed;
pub mod files;
pub(crate) mod ipc;
pub mod merge_counts;
pub mod merges;
pub mod pretokenize;
pub mod progress;
pub mod shard;
pub mod train;

pub use error::{Error, Result};
pub use feed::{on_threads, thread_count};
