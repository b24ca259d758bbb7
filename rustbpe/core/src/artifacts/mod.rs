//! The files that the core reads and writes, each by one module.

pub mod count_reader;
pub(crate) mod count_writer;
pub mod counts;
pub(crate) mod ipc;
pub mod merges;
pub mod replacing;
pub mod schema;
pub mod tokens;
