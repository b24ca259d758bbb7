//! Reads the text column of one parquet shard, row group by row group.
//!
//! Pages are decompressed one at a time and documents are slices of them: no document is copied, and
//! a reader holds one page and one batch, however large its row group is. Text is handed out as raw bytes;
//! whoever uses a document checks that it is UTF-8 ([`Document::text`]), so that the check runs on the
//! worker's core and an error can name the row.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::column::reader::{ColumnReaderImpl, get_typed_column_reader};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;

mod characters;
mod columns;
mod read_at;

pub use characters::{characters_in, cut};
use columns::find_column;
use read_at::ReadAt;

use crate::error::{Error, Result};

/// Bytes of text that a batch aims at; one long document can still be far larger.
const BATCH_BYTES: u64 = 1 << 20;
/// Most documents in a batch.
const BATCH_ROWS: u64 = 8192;

/// A parquet file whose text column was found and has a type that holds text.
#[derive(Debug, Clone)]
pub struct Shard {
    file: Arc<ReadAt>,
    metadata: Arc<ParquetMetaData>,
    path: Arc<PathBuf>,
    column: usize,
}

impl Shard {
    /// Opens a shard and finds its text column.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be opened, [`Error::File`] where it is not parquet or where
    /// the column is missing, nested or of a type that holds no text.
    pub fn open(path: &Path, text_column: &str) -> Result<Self> {
        let io = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(io)?;
        let status = file.metadata().map_err(io)?;
        if status.is_dir() {
            return Err(io(std::io::ErrorKind::IsADirectory.into()));
        }
        let file = ReadAt {
            file: Arc::new(file),
            length: status.len(),
        };
        let read = || ParquetMetaDataReader::new().parse_and_finish(&file);
        let metadata = catch_unwind(AssertUnwindSafe(read))
            .map_err(|_| "the decoder gave up on the footer".to_owned())
            .and_then(|result| result.map_err(|error| plain(&error)))
            .map_err(|reason| Error::File {
                path: path.to_owned(),
                reason: format!(
                    "not a readable parquet file of {} bytes ({reason}); fetch or write it again",
                    status.len()
                ),
            })?;
        let column = find_column(&metadata, text_column).map_err(|reason| Error::File {
            path: path.to_owned(),
            reason,
        })?;
        Ok(Self {
            file: Arc::new(file),
            metadata: Arc::new(metadata),
            path: Arc::new(path.to_owned()),
            column,
        })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of row groups.
    #[must_use]
    pub fn row_groups(&self) -> usize {
        self.metadata.num_row_groups()
    }

    /// Rows of all row groups, nulls included.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.metadata
            .row_groups()
            .iter()
            .map(|group| group.num_rows().unsigned_abs())
            .sum()
    }

    /// Bytes of the text column's pages when decompressed: about the bytes of text.
    #[must_use]
    pub fn text_bytes(&self) -> u64 {
        let size =
            |group: &RowGroupMetaData| group.column(self.column).uncompressed_size().unsigned_abs();
        self.metadata.row_groups().iter().map(size).sum()
    }

    /// The part of [`Self::text_bytes`] that so many rows stand for.
    pub(crate) fn bytes_of_rows(&self, rows: u64) -> u64 {
        let scaled =
            u128::from(self.text_bytes()) * u128::from(rows) / u128::from(self.rows().max(1));
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }

    /// Opens one row group (counted from 0).
    ///
    /// # Errors
    /// [`Error::File`] where the row group's description in the footer cannot be right.
    pub fn row_group(&self, row_group: usize) -> Result<RowGroup> {
        let group = self.metadata.row_group(row_group);
        let chunk = group.column(self.column);
        let rows = group.num_rows().unsigned_abs();
        let bytes = chunk.uncompressed_size().unsigned_abs();
        let per_row = bytes.checked_div(rows).unwrap_or(0).max(1);
        let batch = (BATCH_BYTES / per_row).clamp(1, BATCH_ROWS);
        let open = || {
            let pages = SerializedPageReader::new(
                Arc::clone(&self.file),
                chunk,
                usize::try_from(rows)?,
                None,
            )?;
            let column = parquet::column::reader::get_column_reader(
                group.schema_descr().column(self.column),
                Box::new(pages),
            );
            Ok(get_typed_column_reader::<ByteArrayType>(column))
        };
        let reader = catch_unwind(AssertUnwindSafe(open))
            .unwrap_or_else(|_| Err(ParquetError::General("the decoder gave up".to_owned())))
            .map_err(|error| corrupt(&self.path, row_group, &error))?;
        Ok(RowGroup {
            reader,
            path: Arc::clone(&self.path),
            row_group,
            next_row: 0,
            rows,
            nullable: group.schema_descr().column(self.column).max_def_level() > 0,
            batch: usize::try_from(batch).unwrap_or(1),
        })
    }
}

/// The documents of one row group that are still to be read.
pub struct RowGroup {
    reader: ColumnReaderImpl<ByteArrayType>,
    path: Arc<PathBuf>,
    row_group: usize,
    next_row: u64,
    rows: u64,
    nullable: bool,
    batch: usize,
}

impl RowGroup {
    /// Reads the next documents, about a megabyte; `None` after the last.
    ///
    /// # Errors
    /// [`Error::File`] naming the row group where its pages are corrupt or end early.
    pub fn next_batch(&mut self) -> Result<Option<Batch>> {
        if self.next_row >= self.rows {
            return Ok(None);
        }
        let mut levels = Vec::new();
        let mut values = Vec::new();
        let want = self
            .batch
            .min(usize::try_from(self.rows - self.next_row).unwrap_or(self.batch));
        let read = || {
            let levels = self.nullable.then_some(&mut levels);
            self.reader.read_records(want, levels, None, &mut values)
        };
        let (records, ..) = catch_unwind(AssertUnwindSafe(read))
            .unwrap_or_else(|_| Err(ParquetError::General("the decoder gave up".to_owned())))
            .map_err(|error| corrupt(&self.path, self.row_group, &error))?;
        if records == 0 {
            let reason = format!("ends after {} of its {} rows", self.next_row, self.rows);
            return Err(corrupt(
                &self.path,
                self.row_group,
                &ParquetError::General(reason),
            ));
        }
        let batch = Batch {
            path: Arc::clone(&self.path),
            row_group: self.row_group,
            first_row: self.next_row,
            rows: records,
            levels: if values.len() == records {
                Vec::new()
            } else {
                levels
            },
            values,
        };
        self.next_row += records as u64;
        Ok(Some(batch))
    }
}

/// Some consecutive rows of one row group.
pub struct Batch {
    path: Arc<PathBuf>,
    row_group: usize,
    first_row: u64,
    rows: usize,
    /// 1 where a row has a value; empty where all have.
    levels: Vec<i16>,
    values: Vec<ByteArray>,
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

    /// Keeps the rows up to the `documents`-th with a value.
    pub(crate) fn truncate(&mut self, documents: usize) {
        if documents >= self.values.len() {
            return;
        }
        self.rows = match self
            .levels
            .iter()
            .enumerate()
            .filter(|(_, level)| **level > 0)
            .nth(documents)
        {
            Some((next, _)) => next,
            None => documents,
        };
        self.values.truncate(documents);
        self.levels.truncate(self.rows);
    }

    /// The documents in the order of their rows; nulls are none.
    pub fn documents(&self) -> impl Iterator<Item = Document<'_>> {
        let with_value =
            (0..self.rows).filter(|&row| self.levels.get(row).is_none_or(|&level| level > 0));
        self.values
            .iter()
            .zip(with_value)
            .map(|(value, row)| Document {
                batch: self,
                value,
                row,
            })
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
                    "row group {}, row {} of the group: not UTF-8 at byte {at} of the document; \
                     repair or drop the row",
                    self.batch.row_group,
                    self.batch.first_row + self.row as u64,
                ),
            }
        })?;
        Ok(cut(text, doc_cap))
    }
}

fn corrupt(path: &Path, row_group: usize, error: &ParquetError) -> Error {
    Error::File {
        path: path.to_owned(),
        reason: format!(
            "row group {row_group} cannot be read ({}); fetch or write the file again",
            plain(error)
        ),
    }
}

/// The message of a parquet error without its class.
fn plain(error: &ParquetError) -> String {
    match error {
        ParquetError::General(message)
        | ParquetError::EOF(message)
        | ParquetError::NYI(message) => message.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_shard_is_named() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let error = Shard::open(&here, "text").unwrap_err().to_string();
        assert!(error.contains("Cargo.toml: not a readable parquet file of "));
        assert!(matches!(
            Shard::open(&here.join("no"), "text"),
            Err(Error::Io { .. })
        ));
    }
}
