//! Reads the text column of one parquet shard, row group by row group.
//!
//! Pages are decompressed one at a time and documents are slices of them: no document is copied, and
//! a reader holds a page or two and one batch, however large its row group is and whatever the file claims
//! ([`Shard::most_page`]). Text is handed out as raw bytes; whoever uses a document checks that it is UTF-8
//! ([`Document::text`]), so that the check runs on the worker's core and an error can name the row.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parquet::column::reader::{ColumnReaderImpl, get_typed_column_reader};
use parquet::data_type::ByteArrayType;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};

mod batch;
mod characters;
mod columns;
mod footer;
mod headers;
mod lengths;
mod pages;
mod read_at;
mod thrift;

pub use batch::{Batch, Document};
pub use characters::{characters_in, cut};
use columns::find_column;
use footer::{check_footer, looks_like};
use pages::Pages;
use read_at::ReadAt;

use crate::error::{Error, Result};
use crate::files;

/// Bytes of text that a batch aims at; one long document can still be far larger.
const BATCH_BYTES: u64 = 1 << 20;
/// Most documents in a batch.
const BATCH_ROWS: usize = 8192;
/// Bytes that a page may take in any file, and how many for each byte of the file beyond that.
const MOST_PAGE: u64 = 64 << 20;
const PAGE_OF_FILE: u64 = 1;

/// A parquet file whose text column was found and has a type that holds text.
#[derive(Debug, Clone)]
pub struct Shard {
    file: Arc<ReadAt>,
    metadata: Arc<ParquetMetaData>,
    path: Arc<PathBuf>,
    column: usize,
    /// Rows of each row group, and of all.
    groups: Vec<u64>,
    rows: u64,
    text_bytes: u64,
    most_page: u64,
}

/// Rows of each row group, by the footer; refuses a file without that text column, where one is named.
///
/// # Errors
/// As [`Shard::open`].
pub fn row_groups(path: &Path, text_column: Option<&str>) -> Result<Vec<u64>> {
    match text_column {
        Some(column) => Ok(Shard::open(path, column)?.groups),
        None => rows_of_groups(path, &open(path)?.1),
    }
}

/// Opens a file and reads its footer.
fn open(path: &Path) -> Result<(ReadAt, ParquetMetaData)> {
    let (file, length) = files::open(path)?;
    let file = ReadAt {
        file: Arc::new(file),
        length,
    };
    let metadata = read_footer(&file).map_err(|reason| Error::File {
        path: path.to_owned(),
        reason: format!(
            "not a readable parquet file ({} bytes; {}); fetch or write it again",
            file.length,
            looks_like(&file, reason)
        ),
    })?;
    Ok((file, metadata))
}

fn read_footer(file: &ReadAt) -> std::result::Result<ParquetMetaData, String> {
    check_footer(file)?;
    let read = || ParquetMetaDataReader::new().parse_and_finish(file);
    catch_unwind(AssertUnwindSafe(read))
        .map_err(|_| "the decoder gave up on the footer".to_owned())?
        .map_err(|error| plain(&error))
}

fn rows_of_groups(path: &Path, metadata: &ParquetMetaData) -> Result<Vec<u64>> {
    let rows = |(number, group): (usize, &RowGroupMetaData)| {
        unsigned(path, number, "rows", group.num_rows())
    };
    metadata.row_groups().iter().enumerate().map(rows).collect()
}

/// A number of the footer that cannot be below zero.
fn unsigned(path: &Path, row_group: usize, what: &str, number: i64) -> Result<u64> {
    u64::try_from(number).map_err(|_| {
        let reason = format!("claims {number} {what}");
        corrupt(path, row_group, &ParquetError::General(reason))
    })
}

/// The sum of numbers of the footer.
fn sum(path: &Path, what: &str, numbers: &[u64]) -> Result<u64> {
    let add = |sum: u64, &number: &u64| sum.checked_add(number);
    numbers.iter().try_fold(0, add).ok_or_else(|| Error::File {
        path: path.to_owned(),
        reason: format!("its row groups claim more than 2^64 {what}; fetch or write it again"),
    })
}

impl Shard {
    /// Opens a shard and finds its text column.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be opened, [`Error::File`] where it is not parquet, [`Error::Column`]
    /// where the column is missing, there twice, nested or of a type that holds no text.
    pub fn open(path: &Path, text_column: &str) -> Result<Self> {
        let (file, metadata) = open(path)?;
        let column = find_column(&metadata, text_column).map_err(|reason| Error::Column {
            path: path.to_owned(),
            reason,
        })?;
        let groups = rows_of_groups(path, &metadata)?;
        let bytes = |(number, group): (usize, &RowGroupMetaData)| {
            let bytes = group.column(column).uncompressed_size();
            unsigned(path, number, "bytes of text", bytes)
        };
        let bytes: Vec<u64> = metadata
            .row_groups()
            .iter()
            .enumerate()
            .map(bytes)
            .collect::<Result<_>>()?;
        Ok(Self {
            rows: sum(path, "rows", &groups)?,
            text_bytes: sum(path, "bytes of text", &bytes)?,
            groups,
            most_page: MOST_PAGE + PAGE_OF_FILE * file.length,
            file: Arc::new(file),
            metadata: Arc::new(metadata),
            path: Arc::new(path.to_owned()),
            column,
        })
    }

    /// Gives each page at most so many bytes of memory; without this, 64 MiB and the file's size.
    #[must_use]
    pub fn most_page(self, bytes: u64) -> Self {
        Self {
            most_page: self.most_page.min(bytes),
            ..self
        }
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

    /// Rows that the footer says the file has, as it says it.
    #[must_use]
    pub fn footer_rows(&self) -> i64 {
        self.metadata.file_metadata().num_rows()
    }

    /// Rows of all row groups, nulls included.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes of the text column's pages when decompressed: about the bytes of text.
    #[must_use]
    pub fn text_bytes(&self) -> u64 {
        self.text_bytes
    }

    /// The part of [`Self::text_bytes`] that so many rows stand for.
    #[expect(
        clippy::expect_used,
        reason = "a part of a number of 64 bits has no more of them"
    )]
    pub(crate) fn bytes_of_rows(&self, rows: u64) -> u64 {
        let part = u128::from(self.text_bytes) * u128::from(rows.min(self.rows));
        u64::try_from(part / u128::from(self.rows.max(1)))
            .expect("a part is no more than the whole")
    }

    /// Opens one row group (counted from 0).
    ///
    /// # Errors
    /// [`Error::File`] where the row group's description in the footer cannot be right.
    ///
    /// # Panics
    /// Where there are not so many row groups: see [`Self::row_groups`].
    pub fn row_group(&self, row_group: usize) -> Result<RowGroup> {
        let group = self.metadata.row_group(row_group);
        let chunk = group.column(self.column);
        let rows = self.groups[row_group];
        let in_page = Arc::new(AtomicUsize::new(0));
        let open = || {
            let in_page = Arc::clone(&in_page);
            let pages = Pages::new(
                &self.file,
                chunk,
                usize::try_from(rows)?,
                self.most_page,
                in_page,
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
            in_page,
            left_in_page: 0,
            ready: VecDeque::new(),
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
    /// Values of the page that was read last, and how many of them are still to be read.
    in_page: Arc<AtomicUsize>,
    left_in_page: usize,
    ready: VecDeque<Batch>,
}

impl RowGroup {
    /// Reads the next documents, about a megabyte; `None` after the last.
    ///
    /// # Errors
    /// [`Error::File`] naming the row group where its pages are corrupt, take too much memory, or hold more or
    /// fewer rows than the footer says.
    pub fn next_batch(&mut self) -> Result<Option<Batch>> {
        if let Some(batch) = self.ready.pop_front() {
            return Ok(Some(batch));
        }
        let mut whole = self.empty_batch();
        let (mut bytes, mut rows) = (0, 0);
        while bytes < BATCH_BYTES && rows < BATCH_ROWS && self.next_row < self.rows {
            // not past the page's end: a batch keeps the pages that its documents are in
            let want = self.left_in_page.clamp(1, BATCH_ROWS - rows);
            let values = whole.values.len();
            let records = self.read(want, &mut whole)?;
            if records == 0 {
                let reason = format!("ends after {} of its {} rows", self.next_row, self.rows);
                return Err(self.wrong(reason));
            }
            let of_page = match self.left_in_page {
                0 => self.in_page.load(Ordering::Relaxed),
                left => left,
            };
            self.left_in_page = of_page.saturating_sub(records);
            bytes += whole.values[values..]
                .iter()
                .map(|value| value.len() as u64)
                .sum::<u64>();
            rows += records;
            self.next_row += records as u64;
            if self.next_row > self.rows {
                return Err(self.wrong(format!("holds more than its {} rows", self.rows)));
            }
        }
        if rows == 0 {
            return match self.read(1, &mut self.empty_batch())? {
                0 => Ok(None),
                _ => Err(self.wrong(format!("holds more than its {} rows", self.rows))),
            };
        }
        whole.rows = rows;
        if whole.values.len() == rows {
            whole.levels.clear();
        }
        self.ready = whole.split();
        Ok(self.ready.pop_front())
    }

    fn empty_batch(&self) -> Batch {
        Batch {
            path: Arc::clone(&self.path),
            row_group: self.row_group,
            first_row: self.next_row,
            rows: 0,
            levels: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Appends up to so many rows to a batch.
    fn read(&mut self, rows: usize, batch: &mut Batch) -> Result<usize> {
        let read = || {
            let levels = self.nullable.then_some(&mut batch.levels);
            self.reader
                .read_records(rows, levels, None, &mut batch.values)
        };
        let (records, ..) = catch_unwind(AssertUnwindSafe(read))
            .unwrap_or_else(|_| Err(ParquetError::General("the decoder gave up".to_owned())))
            .map_err(|error| corrupt(&self.path, self.row_group, &error))?;
        Ok(records)
    }

    fn wrong(&self, reason: String) -> Error {
        corrupt(&self.path, self.row_group, &ParquetError::General(reason))
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
        assert!(error.contains("Cargo.toml: not a readable parquet file ("));
        let same = row_groups(&here, None).unwrap_err().to_string();
        assert_eq!(same, error);
        assert!(matches!(
            Shard::open(&here.join("no"), "text"),
            Err(Error::Io { .. })
        ));
    }

    #[test]
    fn numbers_of_a_footer_that_cannot_be_are_errors() {
        let path = Path::new("s.parquet");
        let error = unsigned(path, 3, "rows", -1).unwrap_err().to_string();
        assert!(error.starts_with("s.parquet: row group 3 cannot be read (claims -1 rows)"));
        let most = i64::MAX.unsigned_abs();
        assert_eq!(sum(path, "rows", &[most, most, 1]).ok(), Some(u64::MAX));
        let error = sum(path, "rows", &[most, most, 2]).unwrap_err();
        assert!(error.to_string().contains("more than 2^64 rows"));
    }
}
