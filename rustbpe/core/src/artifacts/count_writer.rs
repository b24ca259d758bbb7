//! Writes count files one record batch at a time.

use std::path::Path;
use std::sync::Arc;

use super::ipc::Writer;
use super::schema::{BATCH_BYTES, BATCH_ROWS, Columns, Counting, Totals, of_table, schema};
use crate::error::{Error, Result};

/// A count file that is being written.
pub struct CountWriter {
    writer: Writer,
    totals: Totals,
    bytes: Vec<u8>,
    offsets: Vec<i64>,
    counts: Vec<u64>,
}

impl CountWriter {
    /// Starts a count file; `pretokens` and `unique` of `totals` are ignored and counted here.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder cannot be written.
    pub fn create(path: &Path, counting: &Counting, totals: &Totals) -> Result<Self> {
        let totals = Totals {
            pretokens: 0,
            unique: 0,
            ..*totals
        };
        Ok(Self {
            writer: Writer::create(path, &schema(counting, &totals))?,
            totals,
            bytes: Vec::new(),
            offsets: vec![0],
            counts: Vec::new(),
        })
    }

    /// Appends a pre-token; the caller keeps the order.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be written, [`Error::Value`] where the counts overflow.
    pub fn push(&mut self, pretoken: &[u8], count: u64) -> Result<()> {
        self.bytes.extend_from_slice(pretoken);
        self.offsets.push(self.bytes.len() as i64);
        self.counts.push(count);
        self.totals.unique += 1;
        self.totals.pretokens = self
            .totals
            .pretokens
            .checked_add(count)
            .ok_or_else(|| overflow(self.writer.path()))?;
        if self.counts.len() >= BATCH_ROWS || self.bytes.len() >= BATCH_BYTES {
            self.write_batch()?;
        }
        Ok(())
    }

    fn write_batch(&mut self) -> Result<()> {
        let schema = Arc::clone(self.writer.schema());
        let bytes = std::mem::take(&mut self.bytes);
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        let counts = std::mem::take(&mut self.counts);
        let batch = Columns::new(bytes, offsets, counts)?.batch(&schema)?;
        self.writer.write(&batch)
    }

    /// Ends the file and gives it its name; returns what it holds.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be written.
    pub fn finish(mut self) -> Result<Totals> {
        if !self.counts.is_empty() {
            self.write_batch()?;
        }
        self.writer.finish(of_table(&self.totals))?;
        Ok(self.totals)
    }
}

fn overflow(path: &Path) -> Error {
    Error::Value(format!(
        "{}: the counts add up to more than 2^64",
        path.display()
    ))
}
