//! Merge lists, in memory and as Arrow IPC files.
//!
//! A merges file holds the columns `left: uint32`, `right: uint32` and `count: uint64`; row `i` makes token
//! `256 + i`. Its schema's metadata has the split pattern and, where the first merges were given and not found, `given`:
//! how many.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array, UInt64Array};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_schema::{ArrowError, DataType, Field, Schema};

use super::ipc::Batches;
use super::replacing::Replacing;
use super::schema::arrow_error;
use crate::error::{Error, Result};
use crate::train::{BYTES, Merge};

/// The value of the metadata key `format`.
const FORMAT: &str = "nanosnake.merges.1";

/// Merges in the order of their ranks.
#[derive(Debug, Clone)]
pub struct Merges {
    /// The split pattern's regex.
    pub pattern: String,
    /// How many of the first merges were given, and not found in the counts.
    pub given: usize,
    left: UInt32Array,
    right: UInt32Array,
    batch: RecordBatch,
    tokens: Arc<Vec<Vec<u8>>>,
}

impl Merges {
    /// A list of merges, the first `given` of them given and the others found with a split pattern.
    ///
    /// # Errors
    /// [`Error::Value`] where a merge takes a token that is not made before it.
    pub fn new(pattern: &str, given: usize, merges: &[Merge]) -> Result<Self> {
        let left = UInt32Array::from_iter_values(merges.iter().map(|merge| merge.left));
        let right = UInt32Array::from_iter_values(merges.iter().map(|merge| merge.right));
        let count = UInt64Array::from_iter_values(merges.iter().map(|merge| merge.count));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(left.clone()),
            Arc::new(right.clone()),
            Arc::new(count),
        ];
        let mut metadata = HashMap::from([
            ("format".to_owned(), FORMAT.to_owned()),
            ("pattern".to_owned(), pattern.to_owned()),
        ]);
        if given > 0 {
            metadata.insert("given".to_owned(), given.to_string());
        }
        let schema = Arc::new(Schema::new_with_metadata(fields(), metadata));
        let batch = RecordBatch::try_new(schema, columns)
            .map_err(|error| Error::Value(format!("merges do not make a table: {error}")))?;
        let tokens = token_bytes(merges.iter().map(|merge| (merge.left, merge.right)))?;
        Ok(Self {
            pattern: pattern.to_owned(),
            given,
            left,
            right,
            batch,
            tokens: Arc::new(tokens),
        })
    }

    /// Number of merges.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The merges as one Arrow record batch, with the schema and metadata of a merges file.
    #[must_use]
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// The ids of both tokens of every merge.
    pub fn pairs(&self) -> impl ExactSizeIterator<Item = (u32, u32)> {
        let (left, right) = (self.left.values().iter(), self.right.values().iter());
        left.copied().zip(right.copied())
    }

    /// The bytes of every token: the 256 bytes and one token a merge.
    #[must_use]
    pub fn token_bytes(&self) -> &[Vec<u8>] {
        &self.tokens
    }

    /// Writes the merges as a file.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let wrong = |error: ArrowError| arrow_error(path, error);
        let options = IpcWriteOptions::default()
            .try_with_compression(Some(CompressionType::ZSTD))
            .map_err(wrong)?;
        let file = Replacing::create(path)?;
        let mut writer =
            FileWriter::try_new_with_options(file, &self.batch.schema(), options).map_err(wrong)?;
        writer.write(&self.batch).map_err(wrong)?;
        writer.into_inner().map_err(wrong)?.commit()
    }

    /// Reads a merges file.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be opened, [`Error::File`] where it is no merges file or damaged.
    pub fn read(path: &Path) -> Result<Self> {
        let io = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(io)?;
        if file.metadata().map_err(io)?.is_dir() {
            return Err(io(std::io::ErrorKind::IsADirectory.into()));
        }
        let damaged = |reason: String| Error::File {
            path: path.to_owned(),
            reason: format!("not a sound merges file: {reason}; delete it and train again"),
        };
        let cut_off = |reason: String| damaged(format!("no Arrow file or cut off ({reason})"));
        let mut reader = Batches::open(BufReader::new(file)).map_err(cut_off)?;
        let schema = Arc::clone(reader.schema());
        let format = schema.metadata().get("format").map_or("", String::as_str);
        if format != FORMAT {
            return Err(damaged(format!(
                "its format is {format:?}, {FORMAT:?} is wanted"
            )));
        }
        let pattern = schema.metadata().get("pattern");
        let pattern =
            pattern.ok_or_else(|| damaged("its metadata has no \"pattern\"".to_owned()))?;
        let given = schema.metadata().get("given").map_or("0", String::as_str);
        let given = given.parse().map_err(|_| {
            damaged(format!(
                "its metadata says that {given:?} merges were given"
            ))
        })?;
        let mut merges = Vec::new();
        while let Some(batch) = reader.next().map_err(cut_off)? {
            let found = rows(&batch).ok_or_else(|| {
                let wanted = "left: uint32, right: uint32, count: uint64";
                damaged(format!("its columns are {}, wanted are {wanted}", schema))
            })?;
            merges.extend(found);
        }
        Self::new(pattern, given, &merges).map_err(|error| damaged(error.to_string()))
    }
}

fn fields() -> Vec<Field> {
    vec![
        Field::new("left", DataType::UInt32, false),
        Field::new("right", DataType::UInt32, false),
        Field::new("count", DataType::UInt64, false),
    ]
}

fn rows(batch: &RecordBatch) -> Option<Vec<Merge>> {
    let column = |index: usize| (batch.num_columns() == 3).then(|| batch.column(index).as_any());
    let left: &UInt32Array = column(0)?.downcast_ref()?;
    let right: &UInt32Array = column(1)?.downcast_ref()?;
    let count: &UInt64Array = column(2)?.downcast_ref()?;
    if left.null_count() + right.null_count() + count.null_count() > 0 {
        return None;
    }
    let rows = left.values().iter().zip(right.values()).zip(count.values());
    Some(
        rows.map(|((&left, &right), &count)| Merge { left, right, count })
            .collect(),
    )
}

/// Most bytes of all tokens: forty merges of a token with itself would make one of a terabyte.
const MOST_BYTES: usize = 1 << 28;

/// The bytes of the 256 single-byte tokens and of one token a merge.
fn token_bytes(merges: impl ExactSizeIterator<Item = (u32, u32)>) -> Result<Vec<Vec<u8>>> {
    let mut tokens: Vec<Vec<u8>> = Vec::with_capacity(BYTES + merges.len());
    tokens.extend((0..=u8::MAX).map(|byte| vec![byte]));
    let mut total = BYTES;
    for (left, right) in merges {
        let made = tokens.len();
        let (Some(left_bytes), Some(right_bytes)) =
            (tokens.get(left as usize), tokens.get(right as usize))
        else {
            return Err(Error::Value(format!(
                "merge {} takes the tokens {left} and {right}, but only tokens below {made} are made before it",
                made - BYTES
            )));
        };
        let token_bytes = left_bytes.len() + right_bytes.len();
        total += token_bytes;
        if total > MOST_BYTES {
            return Err(Error::Value(format!(
                "merge {} makes a token of {token_bytes} bytes; all tokens together may have {MOST_BYTES}",
                made - BYTES
            )));
        }
        tokens.push([left_bytes.as_slice(), right_bytes.as_slice()].concat());
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(left: u32, right: u32) -> Merge {
        Merge {
            left,
            right,
            count: 1,
        }
    }

    #[test]
    fn tokens_are_made_of_earlier_ones() {
        let merges = Merges::new("", 0, &[merge(97, 98), merge(256, 256)]).unwrap();
        assert_eq!(
            merges.token_bytes()[255..],
            [vec![255], b"ab".to_vec(), b"abab".to_vec()]
        );
        let error = Merges::new("", 0, &[merge(97, 98), merge(97, 257)]).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("merge 1 takes the tokens 97 and 257")
        );
    }
}
