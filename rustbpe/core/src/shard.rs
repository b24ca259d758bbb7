//! Reads the text column of one parquet shard, row group by row group.
//!
//! Pages are decompressed one at a time and documents are slices of them: no document is copied, and
//! a reader holds one page and one batch, however large its row group is. Text is handed out as raw bytes;
//! whoever uses a document checks that it is UTF-8 ([`Document::text`]), so that the check runs on the
//! worker's core and an error can name the row.

use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::column::reader::{ColumnReaderImpl, get_typed_column_reader};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::{ColumnDescriptor, Type};

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

/// The first `characters` Unicode scalars of `text`; all of it where that is 0.
#[must_use]
pub fn cut(text: &str, characters: u64) -> &str {
    if characters == 0 || text.len() as u64 <= characters {
        return text;
    }
    let mut left = characters;
    let bytes = text.as_bytes();
    let mut start = 0;
    // whole blocks first: counting the bytes that start a character is a vector loop
    for block in bytes.chunks(256) {
        let starts = characters_in(block);
        if starts > left {
            break;
        }
        left -= starts;
        start += block.len();
    }
    for (at, &byte) in bytes.iter().enumerate().skip(start) {
        if byte & 0xC0 != 0x80 {
            if left == 0 {
                return &text[..at];
            }
            left -= 1;
        }
    }
    text
}

/// Number of Unicode scalars that start in these bytes of UTF-8.
#[must_use]
pub fn characters_in(bytes: &[u8]) -> u64 {
    bytes
        .chunks(192)
        .map(|block| {
            u64::from(
                block
                    .iter()
                    .map(|&byte| u8::from(byte & 0xC0 != 0x80))
                    .sum::<u8>(),
            )
        })
        .sum()
}

fn find_column(metadata: &ParquetMetaData, name: &str) -> std::result::Result<usize, String> {
    let schema = metadata.file_metadata().schema_descr();
    let fields = schema.root_schema().get_fields();
    let found = |field: &&Arc<Type>| field.name() == name;
    let Some(field) = fields.iter().find(found) else {
        return Err(format!(
            "no column {name:?}; the columns are {}",
            listed(fields)
        ));
    };
    if field.is_group() {
        return Err(format!(
            "column {name:?} is nested, text is wanted; the columns are {}",
            listed(fields)
        ));
    }
    let column = (0..schema.num_columns()).find(|&column| {
        let path = schema.column(column);
        path.path().parts().len() == 1 && path.name() == name
    });
    let Some(column) = column else {
        return Err(format!(
            "no column {name:?}; the columns are {}",
            listed(fields)
        ));
    };
    let descriptor = schema.column(column);
    if descriptor.max_rep_level() > 0 || !holds_text(&descriptor) {
        return Err(format!(
            "column {name:?} is of type {}; allowed are string, large_string, string_view, \
             a dictionary of strings, binary and large_binary; name another column",
            type_name(field)
        ));
    }
    Ok(column)
}

fn holds_text(column: &ColumnDescriptor) -> bool {
    let logical = column.logical_type_ref();
    column.physical_type() == Physical::BYTE_ARRAY
        && matches!(
            logical,
            None | Some(LogicalType::String | LogicalType::Enum | LogicalType::Json)
        )
        && column.converted_type() != ConvertedType::DECIMAL
        && column.converted_type() != ConvertedType::BSON
}

fn listed(fields: &[Arc<Type>]) -> String {
    let names: Vec<String> = fields
        .iter()
        .map(|field| format!("{:?} ({})", field.name(), type_name(field)))
        .collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

fn type_name(field: &Type) -> String {
    let info = field.get_basic_info();
    match (field, info.logical_type_ref(), info.converted_type()) {
        (_, Some(LogicalType::String), _) | (_, None, ConvertedType::UTF8) => "string".to_owned(),
        (Type::GroupType { .. }, Some(logical), _) => format!("{logical:?}").to_lowercase(),
        (Type::GroupType { .. }, None, ConvertedType::NONE) => "struct".to_owned(),
        (Type::GroupType { .. }, None, converted) => converted.to_string().to_lowercase(),
        (Type::PrimitiveType { physical_type, .. }, None, ConvertedType::NONE) => {
            match physical_type {
                Physical::BYTE_ARRAY => "binary".to_owned(),
                other => other.to_string().to_lowercase(),
            }
        }
        (Type::PrimitiveType { physical_type, .. }, Some(logical), _) => {
            format!("{} ({logical:?})", physical_type.to_string().to_lowercase())
        }
        (Type::PrimitiveType { physical_type, .. }, None, converted) => {
            format!("{} ({converted})", physical_type.to_string().to_lowercase())
        }
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

/// Reads at offsets, so that threads can share one open file.
#[derive(Debug)]
struct ReadAt {
    file: Arc<File>,
    length: u64,
}

/// A position in a shared file.
struct Cursor {
    file: Arc<File>,
    offset: u64,
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

impl Length for ReadAt {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for ReadAt {
    type T = BufReader<Cursor>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(BufReader::new(Cursor {
            file: Arc::clone(&self.file),
            offset: start,
        }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<bytes::Bytes> {
        if start
            .checked_add(length as u64)
            .is_none_or(|end| end > self.length)
        {
            return Err(ParquetError::EOF(format!(
                "{length} bytes at {start} are past the end of the file, {} bytes",
                self.length
            )));
        }
        let mut buffer = vec![0; length];
        self.file.read_exact_at(&mut buffer, start)?;
        Ok(buffer.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_unicode_scalars() {
        let text = "aé日🙂".repeat(200);
        assert_eq!(characters_in(text.as_bytes()), 800);
        assert_eq!(characters_in(b""), 0);
        for cap in [1, 2, 63, 64, 255, 256, 257, 799, 800, 801] {
            let expected: String = text.chars().take(cap).collect();
            assert_eq!(cut(&text, cap as u64), expected);
        }
        assert_eq!(cut(&text, 0), text);
    }

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
