//! Finds the merges over a count file.

use std::path::Path;

use crate::artifacts::count_reader::CountReader;
use crate::artifacts::counts::Counts;
use crate::artifacts::merges::Merges;
use crate::error::Result;
use crate::progress::Progress;
use crate::threads::thread_count;
use crate::train::{memory_with_table, train_from};

/// Finds up to `num_merges` merges, fewer where no pair is left; the first are those of `start`. Progress counts merges.
///
/// # Errors
/// Those of [`Counts::read`] and of [`train_from`].
pub fn train_merges(
    counts: &Path,
    start: &[(u32, u32)],
    num_merges: usize,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Merges> {
    let counts = Counts::read(counts, progress)?;
    let threads = thread_count(threads);
    let found = train_from(counts.iter(), start, num_merges, threads, progress)?;
    Merges::new(
        &counts.counting.pattern,
        start.len().min(found.len()),
        &found,
    )
}

/// The most bytes of memory that [`train_merges`] takes; the file is read once, a batch at a time.
///
/// # Errors
/// Those of [`Counts::read`].
pub fn training_memory(counts: &Path, num_merges: u64, progress: &dyn Progress) -> Result<u64> {
    let (unique, bytes) = CountReader::open(counts)?.size(progress)?;
    Ok(memory_with_table(unique, bytes, num_merges))
}
