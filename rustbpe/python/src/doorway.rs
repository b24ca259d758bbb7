//! The one doorway for long native calls.
//!
//! The work runs on a thread of its own with the GIL released, while the calling thread looks for signals and
//! hands progress to the caller a few times a second.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use pyo3::prelude::*;
use rustbpe_core::progress::Progress;
use rustbpe_core::{Error, Result};

use crate::errors::{exception, panicked};

/// How often signals are looked for and progress is reported.
const INTERVAL: Duration = Duration::from_millis(100);

/// Progress as the working threads see it: two numbers to write, one flag to obey.
#[derive(Default)]
struct Watched {
    done: AtomicU64,
    total: AtomicU64,
    stop: AtomicBool,
}

impl Progress for Watched {
    fn update(&self, done: u64, total: u64) -> Result<()> {
        self.done.fetch_max(done, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
        if self.stop.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }
}

/// Runs `work` with the GIL released.
///
/// Ctrl-C ends it with `KeyboardInterrupt`, an exception that `callback` raises ends it with that, and a panic
/// becomes a `RustbpeError`. `callback` is called from the calling thread, and once more when the work is done.
pub fn run<T: Send>(
    py: Python<'_>,
    callback: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&dyn Progress) -> Result<T> + Send,
) -> PyResult<T> {
    let callback = callback.map(|callback| callback.clone().unbind());
    let watched = Watched::default();
    let look = |py: Python<'_>, watched: &Watched| -> PyResult<()> {
        py.check_signals()?;
        let Some(callback) = &callback else { return Ok(()) };
        let done = watched.done.load(Ordering::Relaxed);
        callback.call1(py, (done, watched.total.load(Ordering::Relaxed)))?;
        Ok(())
    };
    let (outcome, raised) = py.detach(|| {
        let (ended, end) = channel::<()>();
        std::thread::scope(|scope| {
            let watched = &watched;
            let worker = scope.spawn(move || {
                let outcome = catch_unwind(AssertUnwindSafe(|| work(watched)));
                drop(ended);
                outcome
            });
            let mut raised = None;
            while end.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                if raised.is_none() {
                    raised = Python::attach(|py| look(py, watched)).err();
                    watched.stop.store(raised.is_some(), Ordering::Relaxed);
                }
            }
            (worker.join().unwrap_or_else(Err), raised)
        })
    });
    if let Some(raised) = raised {
        return Err(raised);
    }
    let value = outcome
        .map_err(|panic| panicked(panic.as_ref()))?
        .map_err(|error| exception(py, error))?;
    look(py, &watched)?;
    Ok(value)
}
