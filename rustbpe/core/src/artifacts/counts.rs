//! A table of pre-token counts in memory.

use std::path::Path;

use arrow_array::RecordBatch;

use super::count_reader::CountReader;
use super::count_writer::CountWriter;
use super::schema::{BATCH_ROWS, Columns, Counting, Totals, of_table, schema};
use crate::count::SortedCounts;
use crate::error::{Error, Result};
use crate::progress::Progress;

/// A table of pre-token counts in memory.
#[derive(Debug, Clone)]
pub struct Counts {
    /// How it was counted.
    pub counting: Counting,
    /// What it was counted from.
    pub totals: Totals,
    columns: Columns,
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
        Ok(Self {
            counting,
            totals,
            columns: Columns::new(bytes, offsets, counts)?,
        })
    }

    /// The table as one Arrow record batch; its schema's metadata has what a file's schema and footer have.
    ///
    /// # Errors
    /// [`Error::Value`] where the columns make no table, which is a defect.
    pub fn batch(&self) -> Result<RecordBatch> {
        let mut schema = schema(&self.counting, &self.totals).as_ref().clone();
        for (key, value) in of_table(&self.totals) {
            schema.metadata.insert(key.to_owned(), value);
        }
        self.columns.batch(&schema.into())
    }

    /// All pre-tokens and counts, by bytes ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], u64)> + Clone {
        let Columns { pretokens, counts } = &self.columns;
        (0..self.columns.len()).map(|row| (pretokens.value(row), counts.value(row)))
    }

    /// One pre-token and its count; none past the end.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<(&[u8], u64)> {
        self.columns.get(row)
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
        let mut file = CountReader::open(path)?;
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
        let (counting, totals) = (file.counting, file.totals);
        Ok(Self {
            counting,
            totals,
            columns: Columns::new(bytes, offsets, counts)?,
        })
    }
}
