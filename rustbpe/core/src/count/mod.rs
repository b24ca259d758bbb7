//! Counts how often each pre-token occurs.
//!
//! One [`CountTable`] per thread takes the pre-tokens; [`SortedCounts::from_tables`] sums the tables of all
//! threads and puts the result in the order of the bytes, which is the order of a count file.

mod sorted;
mod table;

pub use sorted::SortedCounts;
pub use table::{CountTable, Counts};

#[cfg(test)]
mod tests;
