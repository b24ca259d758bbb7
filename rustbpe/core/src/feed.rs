//! Hands the documents of a shard to worker threads, batch by batch.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::Result;
use crate::shard::{Batch, RowGroup, Shard, characters_in};
use crate::threads::{lock, unpoisoned};

/// Batches in any order: each worker reads a row group of its own, and helps others when none is left.
pub(crate) struct AnyOrder<'a> {
    shard: &'a Shard,
    next: AtomicUsize,
    open: Vec<Mutex<Option<RowGroup>>>,
}

impl<'a> AnyOrder<'a> {
    pub(crate) fn new(shard: &'a Shard, workers: usize) -> Self {
        Self {
            shard,
            next: AtomicUsize::new(0),
            open: (0..workers).map(|_| Mutex::new(None)).collect(),
        }
    }

    pub(crate) fn next(&self, worker: usize) -> Result<Option<Batch>> {
        loop {
            let mut own = lock(&self.open[worker]);
            if let Some(batch) = take(&mut own)? {
                return Ok(Some(batch));
            }
            let row_group = self.next.fetch_add(1, Ordering::Relaxed);
            if row_group >= self.shard.row_groups() {
                break;
            }
            *own = Some(self.shard.row_group(row_group)?);
        }
        for other in 1..self.open.len() {
            let mut other = lock(&self.open[(worker + other) % self.open.len()]);
            if let Some(batch) = take(&mut other)? {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }
}

/// The next batch of an open row group, which is closed after its last.
fn take(open: &mut Option<RowGroup>) -> Result<Option<Batch>> {
    let batch = open.as_mut().map_or(Ok(None), RowGroup::next_batch)?;
    if batch.is_none() {
        *open = None;
    }
    Ok(batch)
}

/// Batches in the order of the rows, each with its number, up to a limit of characters.
pub(crate) struct InOrder<'a> {
    shard: &'a Shard,
    state: Mutex<State>,
    doc_cap: u64,
}

struct State {
    row_group: usize,
    open: Option<RowGroup>,
    number: u64,
    limit: Option<Limit>,
}

/// Documents are taken until their characters, cut at the cap, exceed a number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    /// Characters that may still be taken before the document that exceeds them.
    pub(crate) left: u64,
    /// Whether that document was taken.
    pub(crate) reached: bool,
}

impl<'a> InOrder<'a> {
    pub(crate) fn new(shard: &'a Shard, doc_cap: u64, limit: Option<Limit>) -> Self {
        let state = State {
            row_group: 0,
            open: None,
            number: 0,
            limit,
        };
        Self {
            shard,
            state: Mutex::new(state),
            doc_cap,
        }
    }

    pub(crate) fn next(&self) -> Result<Option<(u64, Batch)>> {
        let state = &mut *lock(&self.state);
        if state.limit.is_some_and(|limit| limit.reached) {
            return Ok(None);
        }
        let mut batch = loop {
            if let Some(batch) = take(&mut state.open)? {
                break batch;
            }
            if state.row_group >= self.shard.row_groups() {
                return Ok(None);
            }
            state.open = Some(self.shard.row_group(state.row_group)?);
            state.row_group += 1;
        };
        if let Some(limit) = &mut state.limit {
            limit.apply(&mut batch, self.doc_cap)?;
        }
        state.number += 1;
        Ok(Some((state.number - 1, batch)))
    }

    /// What is left of the limit.
    pub(crate) fn into_limit(self) -> Option<Limit> {
        unpoisoned(self.state.into_inner()).limit
    }
}

impl Limit {
    /// Cuts a batch after the document that exceeds the limit.
    fn apply(&mut self, batch: &mut Batch, doc_cap: u64) -> Result<()> {
        let mut taken = 0;
        for document in batch.documents() {
            let characters = characters_in(document.text(doc_cap)?.as_bytes());
            taken += 1;
            if characters > self.left {
                self.reached = true;
                break;
            }
            self.left -= characters;
        }
        if self.reached {
            batch.truncate(taken);
        }
        Ok(())
    }
}
