//! Documents that are read together.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use parquet::data_type::ByteArray;

use super::BATCH_BYTES;
use super::characters::cut;
use crate::error::{Error, Result};

/// Some consecutive rows of one row group.
pub struct Batch {
    pub(super) path: Arc<PathBuf>,
    pub(super) row_group: usize,
    pub(super) first_row: u64,
    pub(super) rows: usize,
    /// 1 where a row has a value; empty where all have.
    pub(super) levels: Vec<i16>,
    pub(super) values: Vec<ByteArray>,
}

impl Batch {
    /// Rows, nulls included.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Rows without a value.
    #[must_use]
    pub fn nulls(&self) -> usize {
        self.rows - self.values.len()
    }

    /// Bytes of text.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.values.iter().map(ByteArray::len).sum()
    }

    /// Cuts a batch where its documents have come to [`BATCH_BYTES`]: a page of a dictionary holds a long text
    /// once and names it many times.
    pub(super) fn split(mut self) -> VecDeque<Self> {
        let mut parts = VecDeque::new();
        while let Some(documents) = self.documents_in(BATCH_BYTES) {
            let rest = self.values.split_off(documents);
            let rows = self.rows_of(documents);
            let levels = match self.levels.len() {
                0 => Vec::new(),
                _ => self.levels.split_off(rows),
            };
            let next = Self {
                path: Arc::clone(&self.path),
                row_group: self.row_group,
                first_row: self.first_row + rows as u64,
                rows: self.rows - rows,
                levels,
                values: rest,
            };
            self.rows = rows;
            parts.push_back(std::mem::replace(&mut self, next));
        }
        parts.push_back(self);
        parts
    }

    /// How many documents come to so many bytes; none where all of them do not, or only with the last.
    fn documents_in(&self, bytes: u64) -> Option<usize> {
        let mut sum = 0;
        let reached = self.values.iter().position(|value| {
            sum += value.len() as u64;
            sum >= bytes
        });
        reached
            .map(|last| last + 1)
            .filter(|&documents| documents < self.values.len())
    }

    /// Rows up to the `documents`-th with a value and the nulls behind it.
    fn rows_of(&self, documents: usize) -> usize {
        let with_value = self
            .levels
            .iter()
            .enumerate()
            .filter(|(_, level)| **level > 0);
        match with_value.map(|(row, _)| row).nth(documents) {
            Some(next) => next,
            None => documents,
        }
    }

    /// Keeps the rows up to the `documents`-th with a value.
    pub(crate) fn truncate(&mut self, documents: usize) {
        if documents >= self.values.len() {
            return;
        }
        self.rows = self.rows_of(documents);
        self.values.truncate(documents);
        self.levels.truncate(self.rows);
    }

    /// What each row holds; none where it has no value.
    pub fn rows_in_order(&self) -> impl Iterator<Item = Option<Document<'_>>> {
        let mut values = self.values.iter();
        (0..self.rows).map(move |row| {
            let has_value = self.levels.get(row).is_none_or(|&level| level > 0);
            let value = if has_value { values.next() } else { None };
            value.map(|value| Document {
                batch: self,
                value,
                row,
            })
        })
    }

    /// The documents in the order of their rows; nulls are none.
    pub fn documents(&self) -> impl Iterator<Item = Document<'_>> {
        self.rows_in_order().flatten()
    }
}

/// One row with a value.
pub struct Document<'a> {
    batch: &'a Batch,
    value: &'a ByteArray,
    row: usize,
}

impl<'a> Document<'a> {
    /// The document's text, cut after `doc_cap` characters where that is not 0.
    ///
    /// # Errors
    /// [`Error::File`] naming row group and row where the document is not UTF-8.
    pub fn text(&self, doc_cap: u64) -> Result<&'a str> {
        let bytes = self.value.data();
        let text = simdutf8::basic::from_utf8(bytes).map_err(|_| {
            let at = std::str::from_utf8(bytes)
                .err()
                .map_or(0, |error| error.valid_up_to());
            Error::File {
                path: self.batch.path.to_path_buf(),
                reason: format!(
                    "{}: not UTF-8 at byte {at} of the document; repair or drop the row",
                    self.place()
                ),
            }
        })?;
        Ok(cut(text, doc_cap))
    }

    fn place(&self) -> String {
        format!(
            "row group {}, row {} of the group",
            self.batch.row_group,
            self.batch.first_row + self.row as u64,
        )
    }

    /// An error of the split pattern with this document's place.
    pub(crate) fn named_in(&self, error: Error) -> Error {
        match error {
            Error::Pattern { pattern, reason } => Error::Pattern {
                pattern,
                reason: format!("{}: {}: {reason}", self.batch.path.display(), self.place()),
            },
            other => other,
        }
    }
}
