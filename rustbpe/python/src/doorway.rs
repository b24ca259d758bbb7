//! The one doorway for native calls: what comes out is a value or a named exception.
//!
//! Long work runs on its own thread with the GIL released, while the calling thread checks for signals and
//! reports progress to the caller a few times a second.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use pyo3::prelude::*;
use rustbpe_core::progress::Progress;
use rustbpe_core::{Error, Result};

use crate::errors::{RustbpeError, exception, panicked};

/// How often to check for signals and report progress.
const INTERVAL: Duration = Duration::from_millis(100);
/// How long to wait for work that was told to stop.
///
/// It stops after the current document or a few thousand merges. A document of hundreds of megabytes or a regex
/// that backtracks is abandoned: it ends when it next checks the flag, before any file gets its name.
const GRACE: Duration = Duration::from_millis(700);

/// Progress for the working threads: two numbers that they write, one flag that they obey.
#[derive(Default)]
struct Watched {
    done: AtomicU64,
    total: AtomicU64,
    stop: AtomicBool,
}

impl Progress for Watched {
    fn update(&self, done: u64, total: u64) -> Result<()> {
        self.total.store(total, Ordering::Relaxed);
        self.done.fetch_max(done, Ordering::Relaxed);
        if self.stop.load(Ordering::Relaxed) {
            Err(Error::Interrupted)
        } else {
            Ok(())
        }
    }
}

type Outcome<T> = std::thread::Result<Result<T>>;

/// Runs `work` with the GIL released.
///
/// Ctrl-C ends it with `KeyboardInterrupt`, an exception that `callback` raises ends it with that, and a panic
/// becomes a `RustbpeError`. `callback` is called from the calling thread, and once more when the work is done.
pub fn run<T: Send + 'static>(
    py: Python<'_>,
    callback: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&dyn Progress) -> Result<T> + Send + 'static,
) -> PyResult<T> {
    let callback = callback.map(|callback| callback.clone().unbind());
    let watched = Arc::new(Watched::default());
    let (sender, outcome) = channel::<Outcome<T>>();
    let seen_by_work = Arc::clone(&watched);
    let started = std::thread::Builder::new()
        .name("rustbpe".to_owned())
        .spawn(move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| work(seen_by_work.as_ref())));
            // nobody listens any more where the caller was interrupted
            let _ = sender.send(outcome);
        });
    started
        .map_err(|error| RustbpeError::new_err(format!("no thread could be started: {error}")))?;
    let (seen, heard) = (watched.as_ref(), callback.as_ref());
    let outcome = py.detach(move || wait(&outcome, seen, heard))?;
    let value = outcome
        .map_err(|panic| panicked(panic.as_ref()))?
        .map_err(|error| exception(py, error))?;
    look(py, &watched, callback.as_ref())?;
    Ok(value)
}

/// Does quick work on the calling thread; a panic becomes a `RustbpeError` here too.
pub fn here<T>(py: Python<'_>, work: impl FnOnce() -> Result<T>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|panic| panicked(panic.as_ref()))?
        .map_err(|error| exception(py, error))
}

/// Waits for the outcome; an exception in the meantime stops the work and is returned instead.
fn wait<T>(
    outcome: &Receiver<Outcome<T>>,
    watched: &Watched,
    callback: Option<&Py<PyAny>>,
) -> PyResult<Outcome<T>> {
    loop {
        match outcome.recv_timeout(INTERVAL) {
            Ok(outcome) => return Ok(outcome),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(RustbpeError::new_err(
                    "a defect in rustbpe: the work ended without a result",
                ));
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Err(raised) = Python::attach(|py| look(py, watched, callback)) {
                    watched.stop.store(true, Ordering::Relaxed);
                    // temporary files are gone when it has ended
                    let _ = outcome.recv_timeout(GRACE);
                    return Err(raised);
                }
            }
        }
    }
}

/// Checks for signals and reports progress.
fn look(py: Python<'_>, watched: &Watched, callback: Option<&Py<PyAny>>) -> PyResult<()> {
    py.check_signals()?;
    let Some(callback) = callback else {
        return Ok(());
    };
    let (done, total) = (
        watched.done.load(Ordering::Relaxed),
        watched.total.load(Ordering::Relaxed),
    );
    callback.call1(py, (done, total))?;
    Ok(())
}
