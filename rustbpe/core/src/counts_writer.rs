//! Writes count files one record batch at a time.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};

use crate::counts::{BATCH_BYTES, BATCH_ROWS, Counting, Totals, padded, record_batch, schema_with};
use crate::counts_file::arrow_error;
use crate::error::{Error, Result};
use crate::files::Replacing;

/// Stand-ins of the width of [`padded`] for numbers that are known when the file ends.
const PRETOKENS_LATER: &str = "\u{1}\u{2}\u{1}\u{2}\u{1}\u{2}\u{1}\u{2}\u{1}\u{2}\u{1}\u{2}\u{1}\u{2}\u{1}\u{2}\u{1}\u{2}\u{1}\u{2}";
const UNIQUE_LATER: &str = "\u{3}\u{4}\u{3}\u{4}\u{3}\u{4}\u{3}\u{4}\u{3}\u{4}\u{3}\u{4}\u{3}\u{4}\u{3}\u{4}\u{3}\u{4}\u{3}\u{4}";

/// A count file that is being written.
pub struct CountWriter {
    writer: FileWriter<Replacing>,
    path: PathBuf,
    totals: Totals,
    bytes: Vec<u8>,
    offsets: Vec<i64>,
    counts: Vec<u64>,
}

impl CountWriter {
    /// Starts a count file; `pretokens` and `unique` of `totals` are ignored and counted anew.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder cannot be written.
    pub fn create(path: &Path, counting: &Counting, totals: &Totals) -> Result<Self> {
        let file = Replacing::create(path)?;
        let schema = schema_with(counting, totals, PRETOKENS_LATER, UNIQUE_LATER);
        let options = IpcWriteOptions::default()
            .try_with_compression(Some(CompressionType::ZSTD))
            .map_err(|error| arrow_error(path, error))?;
        let writer = FileWriter::try_new_with_options(file, &schema, options)
            .map_err(|error| arrow_error(path, error))?;
        let totals = Totals {
            pretokens: 0,
            unique: 0,
            ..*totals
        };
        Ok(Self {
            writer,
            path: path.to_owned(),
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
            .ok_or_else(|| overflow(&self.path))?;
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
        let batch = record_batch(&schema, bytes, offsets, counts)?;
        self.writer
            .write(&batch)
            .map_err(|error| arrow_error(&self.path, error))
    }

    /// Ends the file and gives it its name; returns what it holds.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be written.
    pub fn finish(mut self) -> Result<Totals> {
        if !self.counts.is_empty() {
            self.write_batch()?;
        }
        let Self {
            writer,
            path,
            totals,
            ..
        } = self;
        let mut file = writer
            .into_inner()
            .map_err(|error| arrow_error(&path, error))?;
        for (later, number) in [
            (PRETOKENS_LATER, totals.pretokens),
            (UNIQUE_LATER, totals.unique),
        ] {
            file.patch(later.as_bytes(), padded(number).as_bytes())?;
        }
        file.commit()?;
        Ok(totals)
    }
}

fn overflow(path: &Path) -> Error {
    Error::Value(format!(
        "{}: the counts add up to more than 2^64",
        path.display()
    ))
}

impl Replacing {
    /// Replaces every occurrence of a text, as often as it stands in what was written, by one of its length.
    fn patch(&mut self, old: &[u8], new: &[u8]) -> Result<()> {
        self.flush().map_err(|source| self.error(source))?;
        let edit = |file: &mut File| -> std::io::Result<()> {
            let length = file.seek(SeekFrom::End(0))?;
            // the schema stands at both ends, and is far shorter than this
            let window = length.min(1 << 20);
            for start in [0, length - window] {
                let mut bytes = vec![0; usize::try_from(window).unwrap_or(0)];
                file.seek(SeekFrom::Start(start))?;
                file.read_exact(&mut bytes)?;
                let found = bytes.windows(old.len()).position(|at| at == old);
                if let Some(found) = found {
                    file.seek(SeekFrom::Start(start + found as u64))?;
                    file.write_all(new)?;
                }
            }
            file.seek(SeekFrom::End(0))?;
            Ok(())
        };
        let result = edit(self.file_mut());
        result.map_err(|source| self.error(source))
    }
}
