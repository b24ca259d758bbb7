//! Reads count files one record batch at a time.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;

use super::ipc::Batches;
use super::schema::{self, COUNTS, Columns, Counting, Totals};
use crate::error::Result;
use crate::files;
use crate::progress::Progress;

/// A file that is closed between reads, so that any number of shards can be merged at a time.
struct ClosingFile {
    path: PathBuf,
    file: Option<File>,
    position: u64,
}

impl ClosingFile {
    fn open(&mut self) -> std::io::Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let mut file = File::open(&self.path)?;
                file.seek(SeekFrom::Start(self.position))?;
                file
            }
        };
        Ok(self.file.insert(file))
    }
}

impl Read for ClosingFile {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.open()?.read(buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for ClosingFile {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.position = self.open()?.seek(to)?;
        Ok(self.position)
    }
}

/// A count file that is being read, pre-token by pre-token.
pub struct CountReader {
    /// How it was counted.
    pub counting: Counting,
    /// What it was counted from.
    pub totals: Totals,
    reader: Batches<BufReader<ClosingFile>>,
    columns: Columns,
    row: usize,
    prefix: u128,
    last: Vec<u8>,
    rows_seen: u64,
    sum_seen: u64,
}

impl CountReader {
    /// Opens a count file and reads its first record batch.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be opened, [`Error::File`] where it is no count file.
    pub fn open(path: &Path) -> Result<Self> {
        let file = ClosingFile {
            path: path.to_owned(),
            file: Some(files::open(path)?.0),
            position: 0,
        };
        let reader = Batches::open(&COUNTS, path, BufReader::new(file))?;
        let (counting, totals) = schema::read(&reader)?;
        let mut opened = Self {
            counting,
            totals,
            reader,
            columns: Columns::empty(),
            row: 0,
            prefix: 0,
            last: Vec::new(),
            rows_seen: 0,
            sum_seen: 0,
        };
        opened.next_batch()?;
        Ok(opened)
    }

    /// Distinct pre-tokens and their bytes together, by reading all of the file.
    ///
    /// # Errors
    /// Those of [`Self::advance`] and [`Error::Interrupted`].
    pub fn size(mut self, progress: &dyn Progress) -> Result<(u64, u64)> {
        let mut bytes = 0;
        while let Some((pretoken, _)) = self.current() {
            bytes += pretoken.len() as u64;
            self.advance()?;
            if self.row == 0 {
                progress.update(0, 0)?;
            }
        }
        Ok((self.totals.unique, bytes))
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.reader.path()
    }

    /// The next pre-token and its count; none after the last.
    #[must_use]
    pub fn current(&self) -> Option<(&[u8], u64)> {
        self.columns.get(self.row)
    }

    /// Steps to the pre-token after the current one.
    ///
    /// # Errors
    /// [`Error::File`] where the file is damaged: cut off, out of order, or not what its metadata says.
    pub fn advance(&mut self) -> Result<()> {
        self.row += 1;
        if self.row >= self.columns.counts.len() {
            if self.row > 0 && self.row == self.columns.counts.len() {
                self.last.clear();
                self.last
                    .extend_from_slice(self.columns.pretokens.value(self.row - 1));
            }
            return self.next_batch();
        }
        let previous = self.prefix;
        self.take_row()?;
        if self.prefix <= previous
            && self.columns.pretokens.value(self.row - 1) >= self.columns.pretokens.value(self.row)
        {
            return Err(self.reader.damaged("pre-tokens are out of order"));
        }
        Ok(())
    }

    /// The order of two files' current pre-tokens.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        self.prefix.cmp(&other.prefix).then_with(|| {
            self.columns
                .pretokens
                .value(self.row)
                .cmp(other.columns.pretokens.value(other.row))
        })
    }

    fn take_row(&mut self) -> Result<()> {
        self.prefix = prefix(self.columns.pretokens.value(self.row));
        self.rows_seen += 1;
        self.sum_seen = self
            .sum_seen
            .checked_add(self.columns.counts.value(self.row))
            .ok_or_else(|| self.reader.damaged("the counts add up to more than 2^64"))?;
        Ok(())
    }

    fn next_batch(&mut self) -> Result<()> {
        loop {
            let Some(batch) = self.reader.next()? else {
                return self.check_end();
            };
            self.reader.reader_mut().get_mut().file = None;
            if batch.num_rows() > 0 {
                self.take_batch(&batch)?;
                return Ok(());
            }
        }
    }

    fn take_batch(&mut self, batch: &RecordBatch) -> Result<()> {
        self.columns = Columns::of(batch);
        let first = self.rows_seen == 0;
        self.row = 0;
        self.take_row()?;
        if !first && self.last.as_slice() >= self.columns.pretokens.value(0) {
            return Err(self.reader.damaged("pre-tokens are out of order"));
        }
        Ok(())
    }

    fn check_end(&mut self) -> Result<()> {
        self.row = self.columns.counts.len();
        self.reader.reader_mut().get_mut().file = None;
        let said = (self.totals.unique, self.totals.pretokens);
        if said == (self.rows_seen, self.sum_seen) {
            return Ok(());
        }
        let reason = format!(
            "holds {} pre-tokens that add up to {}, its metadata says {} and {}",
            self.rows_seen, self.sum_seen, said.0, said.1
        );
        Err(self.reader.damaged(reason))
    }
}

/// The first 16 bytes as a number that sorts as they do.
fn prefix(bytes: &[u8]) -> u128 {
    let mut padded = [0; 16];
    let len = bytes.len().min(16);
    padded[..len].copy_from_slice(&bytes[..len]);
    u128::from_be_bytes(padded)
}
