//! `Documents`: the texts of one row group, one after the other.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use rustbpe_core::shard::{RowGroup, Shard};
use rustbpe_core::{Error, Result};

use crate::doorway;

/// The rows of one row group, a batch at a time.
#[pyclass(frozen, module = "rustbpe")]
pub struct Documents {
    state: Mutex<State>,
}

struct State {
    row_group: RowGroup,
    ready: VecDeque<Option<String>>,
}

#[pymethods]
impl Documents {
    #[new]
    #[pyo3(signature = (path, row_group, *, text_column="text"))]
    fn new(py: Python<'_>, path: PathBuf, row_group: usize, text_column: &str) -> PyResult<Self> {
        let open = || -> Result<RowGroup> {
            let shard = Shard::open(&path, text_column)?;
            match shard.row_groups() {
                groups if row_group < groups => shard.row_group(row_group),
                groups => Err(Error::Value(format!(
                    "row group {row_group} is asked for, {} has {groups}, counted from 0",
                    path.display()
                ))),
            }
        };
        let row_group = doorway::here(py, || py.detach(open))?;
        Ok(Self {
            state: Mutex::new(State {
                row_group,
                ready: VecDeque::new(),
            }),
        })
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    /// The next row's text, or none if it has no value.
    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Option<String>>> {
        let next = || {
            self.state
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .next()
        };
        doorway::here(py, || py.detach(next))
    }
}

impl State {
    fn next(&mut self) -> Result<Option<Option<String>>> {
        while self.ready.is_empty() {
            let Some(batch) = self.row_group.next_batch()? else {
                return Ok(None);
            };
            for document in batch.rows_in_order() {
                let text = document.map(|document| document.text(0).map(str::to_owned));
                self.ready.push_back(text.transpose()?);
            }
        }
        Ok(self.ready.pop_front())
    }
}
