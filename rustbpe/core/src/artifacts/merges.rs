//! Merge lists, in memory and as Arrow IPC files.
//!
//! A merges file holds the columns `left: uint32`, `right: uint32` and `count: uint64`; row `i` makes token
//! `256 + i`. Its schema's metadata has the split pattern and, where the first merges were given and not found, `given`:
//! how many.

use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{UInt32Type, UInt64Type};
use arrow_array::{ArrayRef, RecordBatch, UInt32Array, UInt64Array};
use arrow_schema::DataType;

use super::ipc::{Batches, Kind, Writer};
use crate::error::{Error, Result};
use crate::files;
use crate::train::{BYTES, Merge};

/// A merges file.
static MERGES: Kind = Kind {
    name: "merges file",
    again: "train again",
    format: "nanosnake.merges.1",
    columns: &[
        ("left", DataType::UInt32),
        ("right", DataType::UInt32),
        ("count", DataType::UInt64),
    ],
};

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
        let given_first = (given > 0).then(|| ("given", given.to_string()));
        let metadata = [("pattern", pattern.to_owned())];
        let schema = MERGES.schema(metadata.into_iter().chain(given_first));
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
        let mut writer = Writer::create(path, &self.batch.schema())?;
        writer.write(&self.batch)?;
        writer.finish([])
    }

    /// Reads a merges file.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be opened, [`Error::File`] where it is no merges file or damaged.
    pub fn read(path: &Path) -> Result<Self> {
        let file = BufReader::new(files::open(path)?.0);
        let mut file = Batches::open(&MERGES, path, file)?;
        let pattern = file.said("pattern")?.to_owned();
        let given = file.said("given").unwrap_or("0");
        let given = given.parse().map_err(|_| {
            file.damaged(format!(
                "its metadata says that {given:?} merges were given"
            ))
        })?;
        let mut merges = Vec::new();
        while let Some(batch) = file.next()? {
            let ids = |column| batch.column(column).as_primitive::<UInt32Type>().values();
            let counts = batch.column(2).as_primitive::<UInt64Type>().values();
            let rows = ids(0).iter().zip(ids(1)).zip(counts);
            merges.extend(rows.map(|((&left, &right), &count)| Merge { left, right, count }));
        }
        Self::new(&pattern, given, &merges).map_err(|error| file.damaged(error))
    }
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
