//! Tables of pre-token counts, in memory and as Arrow IPC files.
//!
//! A count file holds the columns `pretoken: large_binary` (ascending by bytes, each once) and
//! `count: uint64`, zstd-compressed, in record batches of bounded size, and says in its schema's metadata
//! how it was counted. Its bytes depend on what was counted and on nothing else.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, LargeBinaryArray, RecordBatch, UInt64Array};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

use crate::count::SortedCounts;
use crate::counts_file::CountFile;
use crate::counts_writer::CountWriter;
use crate::error::{Error, Result};
use crate::progress::Progress;

/// Rows in a record batch of a count file.
pub const BATCH_ROWS: usize = 16_384;
/// Bytes of pre-tokens after which a record batch ends early.
pub const BATCH_BYTES: usize = 1 << 20;

/// How a table was counted: tables are summed only where this is equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counting {
    /// The split pattern's regex.
    pub pattern: String,
    /// The text column.
    pub text_column: String,
    /// Only the first this many characters of a document were counted; 0 is all.
    pub doc_cap: u64,
    /// Documents were counted until their characters exceeded this; none is all.
    pub max_chars: Option<u64>,
    /// Pre-tokens seen less often than this were dropped; 1 drops none.
    pub min_count: u64,
}

/// What a table was counted from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Documents, empty ones included.
    pub documents: u64,
    /// Rows without a document.
    pub nulls: u64,
    /// Unicode scalars that were counted.
    pub characters: u64,
    /// Bytes of UTF-8 that were counted.
    pub bytes: u64,
    /// The sum of the table's counts.
    pub pretokens: u64,
    /// Rows of the table.
    pub unique: u64,
}

impl Totals {
    /// Adds what another table was counted from; `pretokens` and `unique` are the table's own and stay.
    pub fn add_source(&mut self, other: &Self) {
        self.documents += other.documents;
        self.nulls += other.nulls;
        self.characters += other.characters;
        self.bytes += other.bytes;
    }
}

/// A table of pre-token counts in memory.
#[derive(Debug, Clone)]
pub struct Counts {
    /// How it was counted.
    pub counting: Counting,
    /// What it was counted from.
    pub totals: Totals,
    batch: RecordBatch,
}

impl Counts {
    /// A table of sorted counts; `totals.pretokens` and `totals.unique` are set from it.
    ///
    /// # Errors
    /// [`Error::Value`] where the sum of the counts exceeds 64 bits.
    pub fn new(counting: Counting, mut totals: Totals, sorted: SortedCounts) -> Result<Self> {
        let (bytes, offsets, counts) = sorted.into_parts();
        totals.unique = counts.len() as u64;
        totals.pretokens = counts
            .iter()
            .try_fold(0_u64, |sum, &count| sum.checked_add(count))
            .ok_or_else(|| Error::Value("the counts add up to more than 2^64".to_owned()))?;
        let batch = record_batch(&schema(&counting, &totals), bytes, offsets, counts)?;
        Ok(Self {
            counting,
            totals,
            batch,
        })
    }

    /// The table as one Arrow record batch, with the schema and metadata of a count file.
    #[must_use]
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// All pre-tokens and counts, by bytes ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], u64)> + Clone {
        let columns = Columns::of(&self.batch);
        (0..self.batch.num_rows()).map(move |row| columns.row(row))
    }

    /// One pre-token and its count; none past the end.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<(&[u8], u64)> {
        (row < self.batch.num_rows()).then(|| Columns::of(&self.batch).row(row))
    }

    /// Writes the table as a count file.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut writer = CountWriter::create(path, &self.counting, &self.totals)?;
        for (pretoken, count) in self.iter() {
            writer.push(pretoken, count)?;
        }
        writer.finish()?;
        Ok(())
    }

    /// Reads a whole count file.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be opened, [`Error::File`] where it is no count file or damaged,
    /// [`Error::Interrupted`].
    pub fn read(path: &Path, progress: &dyn Progress) -> Result<Self> {
        let mut file = CountFile::open(path)?;
        let (mut bytes, mut offsets, mut counts) = (Vec::new(), vec![0_i64], Vec::new());
        while let Some((pretoken, count)) = file.current() {
            bytes.extend_from_slice(pretoken);
            offsets.push(bytes.len() as i64);
            counts.push(count);
            file.advance()?;
            if counts.len().is_multiple_of(BATCH_ROWS) {
                progress.update(0, 0)?;
            }
        }
        let (counting, totals) = (file.counting.clone(), file.totals);
        let batch = record_batch(&schema(&counting, &totals), bytes, offsets, counts)?;
        Ok(Self {
            counting,
            totals,
            batch,
        })
    }
}

/// The two columns of a record batch of counts.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a> {
    pretokens: Option<&'a LargeBinaryArray>,
    counts: Option<&'a UInt64Array>,
}

impl<'a> Columns<'a> {
    /// Borrows the columns of a batch that [`record_batch`] made or whose schema was checked.
    pub(crate) fn of(batch: &'a RecordBatch) -> Self {
        Self {
            pretokens: batch.column(0).as_any().downcast_ref(),
            counts: batch.column(1).as_any().downcast_ref(),
        }
    }

    pub(crate) fn row(&self, row: usize) -> (&'a [u8], u64) {
        match (self.pretokens, self.counts) {
            (Some(pretokens), Some(counts)) => (pretokens.value(row), counts.value(row)),
            _ => (&[], 0),
        }
    }
}

/// The schema of a count file; a number that is not known until the file ends is patched in later, so all
/// numbers of the table itself have the same width.
pub(crate) fn schema(counting: &Counting, totals: &Totals) -> SchemaRef {
    schema_with(
        counting,
        totals,
        &padded(totals.pretokens),
        &padded(totals.unique),
    )
}

/// A number in the fixed width that [`schema`] gives to `pretokens` and `unique`.
pub(crate) fn padded(number: u64) -> String {
    format!("{number:020}")
}

/// [`schema`] with the texts of `pretokens` and `unique` as given.
pub(crate) fn schema_with(
    counting: &Counting,
    totals: &Totals,
    pretokens: &str,
    unique: &str,
) -> SchemaRef {
    let metadata = HashMap::from([
        ("format".to_owned(), FORMAT.to_owned()),
        ("pattern".to_owned(), counting.pattern.clone()),
        ("text_column".to_owned(), counting.text_column.clone()),
        ("doc_cap".to_owned(), counting.doc_cap.to_string()),
        (
            "max_chars".to_owned(),
            counting
                .max_chars
                .map_or_else(String::new, |max| max.to_string()),
        ),
        ("min_count".to_owned(), counting.min_count.to_string()),
        ("documents".to_owned(), totals.documents.to_string()),
        ("nulls".to_owned(), totals.nulls.to_string()),
        ("characters".to_owned(), totals.characters.to_string()),
        ("bytes".to_owned(), totals.bytes.to_string()),
        ("pretokens".to_owned(), pretokens.to_owned()),
        ("unique".to_owned(), unique.to_owned()),
    ]);
    let fields = vec![
        Field::new("pretoken", DataType::LargeBinary, false),
        Field::new("count", DataType::UInt64, false),
    ];
    Arc::new(Schema::new_with_metadata(fields, metadata))
}

/// The value of the metadata key `format`.
pub(crate) const FORMAT: &str = "nanosnake.counts.1";

/// One record batch from the buffers of its columns.
pub(crate) fn record_batch(
    schema: &SchemaRef,
    bytes: Vec<u8>,
    offsets: Vec<i64>,
    counts: Vec<u64>,
) -> Result<RecordBatch> {
    let internal = |error: ArrowError| Error::Value(format!("counts do not make a table: {error}"));
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    let pretokens =
        LargeBinaryArray::try_new(offsets, Buffer::from_vec(bytes), None).map_err(internal)?;
    let columns: Vec<ArrayRef> = vec![Arc::new(pretokens), Arc::new(UInt64Array::from(counts))];
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(internal)
}
