//! How long-running calls report progress to the caller, and learn that they should stop.

use crate::error::Result;

/// Receives progress from any thread of a long call.
pub trait Progress: Sync {
    /// `done` of `total` units (bytes, merges, documents) are finished; `total` is 0 where it is unknown.
    ///
    /// # Errors
    /// [`crate::error::Error::Interrupted`] ends the call as soon as every thread has seen it.
    fn update(&self, done: u64, total: u64) -> Result<()>;
}

/// Progress that nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn update(&self, _done: u64, _total: u64) -> Result<()> {
        Ok(())
    }
}
