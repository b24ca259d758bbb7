//! Threads: how many to use, and how work is shared among them.

use std::panic::resume_unwind;
use std::sync::{LockResult, Mutex, MutexGuard, PoisonError};

use crate::error::Result;

/// More threads than this are not started, whatever is asked for.
const MOST_THREADS: usize = 256;

/// Number of threads to use: what was asked for, or one a core where that is 0.
#[must_use]
pub fn thread_count(asked: usize) -> usize {
    let threads = match asked {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        asked => asked,
    };
    threads.min(MOST_THREADS)
}

/// What a job makes of each input, in their order: a thread for each, of which the caller's takes the first.
///
/// A panic goes on in the caller when all threads have ended.
pub(crate) fn in_parallel<I: Send, T: Send>(
    inputs: impl IntoIterator<Item = I>,
    job: impl Fn(I) -> T + Sync,
) -> Vec<T> {
    std::thread::scope(|scope| {
        let job = &job;
        let mut inputs = inputs.into_iter();
        let first = inputs.next();
        let others: Vec<_> = inputs
            .map(|input| scope.spawn(move || job(input)))
            .collect();
        let mut results: Vec<T> = first.into_iter().map(job).collect();
        for thread in others {
            results.push(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        results
    })
}

/// What the caller makes while a thread for each input does a job.
///
/// A panic goes on in the caller when all threads have ended.
pub(crate) fn beside<I: Send, T>(
    inputs: impl IntoIterator<Item = I>,
    job: impl Fn(I) + Sync,
    own: impl FnOnce() -> T,
) -> T {
    std::thread::scope(|scope| {
        let job = &job;
        for input in inputs {
            scope.spawn(move || job(input));
        }
        own()
    })
}

/// Runs a job on several threads, each with its number, and returns what they made.
///
/// # Errors
/// The first error by the number of the thread; all threads have ended by then.
pub fn on_threads<T: Send>(
    threads: usize,
    job: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    in_parallel(0..threads, job).into_iter().collect()
}

/// Locks a mutex.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    unpoisoned(mutex.lock())
}

/// What a lock guards: a panic elsewhere ends the call anyway, so that poison says nothing new.
pub(crate) fn unpoisoned<T>(locked: LockResult<T>) -> T {
    locked.unwrap_or_else(PoisonError::into_inner)
}
