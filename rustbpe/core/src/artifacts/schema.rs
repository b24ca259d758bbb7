//! What is common to the count files that are written and those that are read: their columns and metadata.
//!
//! A count file holds the columns `pretoken: large_binary` (ascending by bytes, each once) and `count: uint64`,
//! zstd-compressed, in record batches of bounded size. Its schema's metadata says how and from what it was counted;
//! the footer's says what the table holds, which is known when all of it is written. Its bytes depend on what was
//! counted and on nothing else.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{LargeBinaryArray, RecordBatch, UInt64Array};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, SchemaRef};

use super::ipc::{Batches, Kind};
use crate::error::{Error, Result};

/// A count file.
pub(crate) static COUNTS: Kind = Kind {
    name: "count file",
    again: "count again",
    format: "nanosnake.counts.2",
    columns: &[
        ("pretoken", DataType::LargeBinary),
        ("count", DataType::UInt64),
    ],
};

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

    /// Adds the same several times; none if a sum passes 64 bits.
    #[must_use]
    pub fn add_times(&mut self, other: &Self, times: u64) -> Option<()> {
        let sum = |mine: u64, theirs: u64| theirs.checked_mul(times)?.checked_add(mine);
        self.documents = sum(self.documents, other.documents)?;
        self.nulls = sum(self.nulls, other.nulls)?;
        self.characters = sum(self.characters, other.characters)?;
        self.bytes = sum(self.bytes, other.bytes)?;
        Some(())
    }
}

/// The columns of a count file.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    pub(crate) pretokens: LargeBinaryArray,
    pub(crate) counts: UInt64Array,
}

impl Columns {
    pub(crate) fn empty() -> Self {
        Self {
            pretokens: LargeBinaryArray::new_null(0),
            counts: UInt64Array::new_null(0),
        }
    }

    /// Columns from the bytes of all pre-tokens, where each starts and the last ends, and the counts.
    pub(crate) fn new(bytes: Vec<u8>, offsets: Vec<i64>, counts: Vec<u64>) -> Result<Self> {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let pretokens = LargeBinaryArray::try_new(offsets, Buffer::from_vec(bytes), None);
        Ok(Self {
            pretokens: pretokens.map_err(no_table)?,
            counts: UInt64Array::from(counts),
        })
    }

    /// The columns of a record batch of a count file.
    pub(crate) fn of(batch: &RecordBatch) -> Self {
        Self {
            pretokens: batch.column(0).as_binary().clone(),
            counts: batch.column(1).as_primitive().clone(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.counts.len()
    }

    /// One pre-token and its count; none past the end.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<(&[u8], u64)> {
        (row < self.len()).then(|| (self.pretokens.value(row), self.counts.value(row)))
    }

    pub(crate) fn batch(&self, schema: &SchemaRef) -> Result<RecordBatch> {
        let columns = vec![
            Arc::new(self.pretokens.clone()) as _,
            Arc::new(self.counts.clone()) as _,
        ];
        RecordBatch::try_new(Arc::clone(schema), columns).map_err(no_table)
    }
}

fn no_table(error: ArrowError) -> Error {
    Error::Value(format!("counts do not make a table: {error}"))
}

/// The schema of a count file, without what [`of_table`] has.
pub(crate) fn schema(counting: &Counting, totals: &Totals) -> SchemaRef {
    let max_chars = counting.max_chars.map(|max| max.to_string());
    let metadata = [
        ("pattern", counting.pattern.clone()),
        ("text_column", counting.text_column.clone()),
        ("doc_cap", counting.doc_cap.to_string()),
        ("max_chars", max_chars.unwrap_or_default()),
        ("min_count", counting.min_count.to_string()),
        ("documents", totals.documents.to_string()),
        ("nulls", totals.nulls.to_string()),
        ("characters", totals.characters.to_string()),
        ("bytes", totals.bytes.to_string()),
    ];
    COUNTS.schema(metadata)
}

/// What the footer says of the table itself.
pub(crate) fn of_table(totals: &Totals) -> [(&'static str, String); 2] {
    [
        ("pretokens", totals.pretokens.to_string()),
        ("unique", totals.unique.to_string()),
    ]
}

/// How and from what a file was counted, by its metadata.
pub(crate) fn read<R>(file: &Batches<R>) -> Result<(Counting, Totals)> {
    let get = |key: &str| file.said(key);
    let number = |key: &str| -> Result<u64> {
        let text = file.said(key)?;
        text.parse()
            .map_err(|_| file.damaged(format!("its metadata has {key}={text:?}, no number")))
    };
    let counting = Counting {
        pattern: get("pattern")?.to_owned(),
        text_column: get("text_column")?.to_owned(),
        doc_cap: number("doc_cap")?,
        max_chars: if get("max_chars")?.is_empty() {
            None
        } else {
            Some(number("max_chars")?)
        },
        min_count: number("min_count")?,
    };
    let totals = Totals {
        documents: number("documents")?,
        nulls: number("nulls")?,
        characters: number("characters")?,
        bytes: number("bytes")?,
        pretokens: number("pretokens")?,
        unique: number("unique")?,
    };
    Ok((counting, totals))
}

/// Whether two tables may be summed, else why not; both are named.
pub(crate) fn check_same(a: (&str, &Counting), b: (&str, &Counting)) -> Result<()> {
    let pairs = [
        ("pattern", a.1.pattern.clone(), b.1.pattern.clone()),
        (
            "text column",
            a.1.text_column.clone(),
            b.1.text_column.clone(),
        ),
        ("doc_cap", a.1.doc_cap.to_string(), b.1.doc_cap.to_string()),
    ];
    for (what, left, right) in pairs {
        if left != right {
            return Err(Error::Value(format!(
                "{} and {} were counted with different {what}: {left:?} and {right:?}; \
                 count both in the same way",
                a.0, b.0
            )));
        }
    }
    Ok(())
}
