//! Reads count files one record batch at a time.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use arrow_array::{Array, LargeBinaryArray, RecordBatch, UInt64Array};
use arrow_schema::{ArrowError, DataType, Schema};

use crate::counts::{Counting, FORMAT, Totals};
use crate::error::{Error, Result};
use crate::ipc::Batches;
use crate::progress::Progress;

/// An error of writing Arrow: nearly always the operating system's.
pub(crate) fn arrow_error(path: &Path, error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, source) => Error::Io {
            path: path.to_owned(),
            source,
        },
        other => Error::File {
            path: path.to_owned(),
            reason: other.to_string(),
        },
    }
}

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

/// Distinct pre-tokens of a count file and their bytes together; the file is read once, a batch at a time.
///
/// # Errors
/// [`Error::Io`] where it cannot be opened, [`Error::File`] where it is no count file or damaged,
/// [`Error::Interrupted`].
pub fn size(path: &Path, progress: &dyn Progress) -> Result<(u64, u64)> {
    let mut file = CountFile::open(path)?;
    let mut bytes = 0;
    while let Some((pretoken, _)) = file.current() {
        bytes += pretoken.len() as u64;
        file.advance()?;
        if file.row == 0 {
            progress.update(0, 0)?;
        }
    }
    Ok((file.totals.unique, bytes))
}

/// A count file that is being read, pre-token by pre-token.
pub struct CountFile {
    /// How it was counted.
    pub counting: Counting,
    /// What it was counted from.
    pub totals: Totals,
    path: PathBuf,
    reader: Batches<BufReader<ClosingFile>>,
    pretokens: LargeBinaryArray,
    counts: UInt64Array,
    row: usize,
    prefix: u128,
    last: Vec<u8>,
    rows_seen: u64,
    sum_seen: u64,
}

impl CountFile {
    /// Opens a count file and reads its first record batch.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be opened, [`Error::File`] where it is no count file.
    pub fn open(path: &Path) -> Result<Self> {
        let io = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(io)?;
        if file.metadata().map_err(io)?.is_dir() {
            return Err(io(std::io::ErrorKind::IsADirectory.into()));
        }
        let file = ClosingFile {
            path: path.to_owned(),
            file: Some(file),
            position: 0,
        };
        let reader = Batches::open(BufReader::new(file))
            .map_err(|reason| damaged(path, &format!("no Arrow file or cut off ({reason})")))?;
        let (counting, totals) = read_schema(path, reader.schema())?;
        let mut opened = Self {
            counting,
            totals,
            path: path.to_owned(),
            reader,
            pretokens: LargeBinaryArray::new_null(0),
            counts: UInt64Array::new_null(0),
            row: 0,
            prefix: 0,
            last: Vec::new(),
            rows_seen: 0,
            sum_seen: 0,
        };
        opened.next_batch()?;
        Ok(opened)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next pre-token and its count; none after the last.
    #[must_use]
    pub fn current(&self) -> Option<(&[u8], u64)> {
        (self.row < self.counts.len())
            .then(|| (self.pretokens.value(self.row), self.counts.value(self.row)))
    }

    /// Steps to the pre-token after the current one.
    ///
    /// # Errors
    /// [`Error::File`] where the file is damaged: cut off, out of order, or not what its metadata says.
    pub fn advance(&mut self) -> Result<()> {
        self.row += 1;
        if self.row >= self.counts.len() {
            if self.row > 0 && self.row == self.counts.len() {
                self.last.clear();
                self.last
                    .extend_from_slice(self.pretokens.value(self.row - 1));
            }
            return self.next_batch();
        }
        let previous = self.prefix;
        self.take_row()?;
        if self.prefix <= previous
            && self.pretokens.value(self.row - 1) >= self.pretokens.value(self.row)
        {
            return Err(damaged(&self.path, "pre-tokens are out of order"));
        }
        Ok(())
    }

    /// The order of two files' current pre-tokens.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        self.prefix.cmp(&other.prefix).then_with(|| {
            self.pretokens
                .value(self.row)
                .cmp(other.pretokens.value(other.row))
        })
    }

    fn take_row(&mut self) -> Result<()> {
        self.prefix = prefix(self.pretokens.value(self.row));
        self.rows_seen += 1;
        self.sum_seen = self
            .sum_seen
            .checked_add(self.counts.value(self.row))
            .ok_or_else(|| damaged(&self.path, "the counts add up to more than 2^64"))?;
        Ok(())
    }

    fn next_batch(&mut self) -> Result<()> {
        loop {
            let path = &self.path;
            let batch = match self.reader.next() {
                Ok(Some(batch)) => batch,
                Ok(None) => return self.check_end(),
                Err(reason) => {
                    return Err(damaged(path, &format!("cut off or damaged ({reason})")));
                }
            };
            self.reader.reader_mut().get_mut().file = None;
            if batch.num_rows() > 0 {
                self.take_batch(&batch)?;
                return Ok(());
            }
        }
    }

    fn take_batch(&mut self, batch: &RecordBatch) -> Result<()> {
        let pretokens = batch.column(0).as_any().downcast_ref::<LargeBinaryArray>();
        let counts = batch.column(1).as_any().downcast_ref::<UInt64Array>();
        let (Some(pretokens), Some(counts)) = (pretokens, counts) else {
            return Err(damaged(
                &self.path,
                "a record batch has other columns than the file",
            ));
        };
        if pretokens.null_count() + counts.null_count() > 0 {
            return Err(damaged(&self.path, "a record batch has nulls"));
        }
        let first = self.rows_seen == 0;
        self.pretokens = pretokens.clone();
        self.counts = counts.clone();
        self.row = 0;
        self.take_row()?;
        if !first && self.last.as_slice() >= self.pretokens.value(0) {
            return Err(damaged(&self.path, "pre-tokens are out of order"));
        }
        Ok(())
    }

    fn check_end(&mut self) -> Result<()> {
        self.row = self.counts.len();
        self.reader.reader_mut().get_mut().file = None;
        let said = (self.totals.unique, self.totals.pretokens);
        if said == (self.rows_seen, self.sum_seen) {
            return Ok(());
        }
        let reason = format!(
            "holds {} pre-tokens that add up to {}, its metadata says {} and {}",
            self.rows_seen, self.sum_seen, said.0, said.1
        );
        Err(damaged(&self.path, &reason))
    }
}

/// The first 16 bytes as a number that sorts as they do.
fn prefix(bytes: &[u8]) -> u128 {
    let mut padded = [0; 16];
    let len = bytes.len().min(16);
    padded[..len].copy_from_slice(&bytes[..len]);
    u128::from_be_bytes(padded)
}

fn damaged(path: &Path, reason: &str) -> Error {
    Error::File {
        path: path.to_owned(),
        reason: format!("not a sound count file: {reason}; delete it and count again"),
    }
}

fn read_schema(path: &Path, schema: &Schema) -> Result<(Counting, Totals)> {
    let get = |key: &str| {
        schema
            .metadata()
            .get(key)
            .ok_or_else(|| damaged(path, &format!("its metadata has no {key:?}")))
    };
    let format = get("format")?;
    if format != FORMAT {
        return Err(damaged(
            path,
            &format!("its format is {format:?}, {FORMAT:?} is wanted"),
        ));
    }
    let types: Vec<&DataType> = schema
        .fields()
        .iter()
        .map(|field| field.data_type())
        .collect();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    if names != ["pretoken", "count"] || types != [&DataType::LargeBinary, &DataType::UInt64] {
        let wanted = "pretoken: large_binary, count: uint64";
        return Err(damaged(
            path,
            &format!("its columns are {names:?} of {types:?}, wanted are {wanted}"),
        ));
    }
    let number = |key: &str| -> Result<u64> {
        let text = get(key)?;
        text.parse()
            .map_err(|_| damaged(path, &format!("its metadata has {key}={text:?}, no number")))
    };
    let counting = Counting {
        pattern: get("pattern")?.clone(),
        text_column: get("text_column")?.clone(),
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
