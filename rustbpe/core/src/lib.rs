//! Exact byte-pair encoding: pre-tokenize, count, train, encode.
//!
//! Knows bytes, counts and merges; nothing of Python and nothing of the workflow.

pub mod count;
pub mod encode;
pub mod error;
pub mod pretokenize;
pub mod progress;
pub mod train;

pub use error::{Error, Result};
