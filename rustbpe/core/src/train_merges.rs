//! Finds the merges over a count file.

use std::path::Path;

use crate::artifacts::count_reader::CountReader;
use crate::artifacts::counts::Counts;
use crate::artifacts::merges::Merges;
use crate::error::Result;
use crate::progress::Progress;
use crate::threads::thread_count;
use crate::train::{memory_with_table, train};

/// Finds up to `num_merges` merges, fewer where no pair is left. Progress counts merges.
///
/// # Errors
/// Those of [`Counts::read`] and of [`train`].
pub fn train_merges(
    counts: &Path,
    num_merges: usize,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Merges> {
    let counts = Counts::read(counts, progress)?;
    let found = train(counts.iter(), num_merges, thread_count(threads), progress)?;
    Merges::new(&counts.counting.pattern, &found)
}

/// The most bytes of memory that [`train_merges`] takes; the file is read once, a batch at a time.
///
/// # Errors
/// Those of [`Counts::read`].
pub fn training_memory(counts: &Path, num_merges: u64, progress: &dyn Progress) -> Result<u64> {
    let (unique, bytes) = CountReader::open(counts)?.size(progress)?;
    Ok(memory_with_table(unique, bytes, num_merges))
}
