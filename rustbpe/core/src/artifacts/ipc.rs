//! Arrow IPC files: what every kind of them has in common, written and read.
//!
//! The reader of the Arrow crate makes room for what a file claims, and the process ends where there is none. Here
//! a file's claims are held against its length and a limit before anything is read.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::{Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_buffer::Buffer;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_ipc::{Block, CompressionType, root_as_footer, root_as_message};
use arrow_schema::{ArrowError, DataType, Field, Metadata, Schema, SchemaRef};

use super::replacing::Replacing;
use crate::error::{Error, Result};

/// Most bytes of one column's buffer when decompressed.
const MOST_BUFFER: i64 = 1 << 30;
/// Bytes at a file's end: the footer's length and the mark of the format.
const END: u64 = 10;

/// A kind of Arrow file.
#[derive(Debug)]
pub(crate) struct Kind {
    /// What errors call it.
    pub(crate) name: &'static str,
    /// What makes such a file again, for errors.
    pub(crate) again: &'static str,
    /// The value of the metadata key `format`.
    pub(crate) format: &'static str,
    /// Names and types of the columns, none of which has nulls.
    pub(crate) columns: &'static [(&'static str, DataType)],
}

impl Kind {
    /// The schema of such a file, with more metadata than its format.
    pub(crate) fn schema(
        &self,
        metadata: impl IntoIterator<Item = (&'static str, String)>,
    ) -> SchemaRef {
        let format = [("format", self.format.to_owned())];
        let metadata: Metadata = format.into_iter().chain(metadata).collect();
        let columns = self.columns.iter();
        let fields: Vec<_> = columns
            .map(|(name, kind)| Field::new(*name, kind.clone(), false))
            .collect();
        Arc::new(Schema::new_with_metadata(fields, metadata))
    }

    /// The error of a file that is none of this kind, or a damaged one.
    fn damaged(&self, path: &Path, reason: impl Display) -> Error {
        Error::File {
            path: path.to_owned(),
            reason: format!(
                "not a sound {}: {reason}; delete it and {}",
                self.name, self.again
            ),
        }
    }
}

/// An Arrow file that is being written, compressed; it gets its name when it is whole.
pub(crate) struct Writer {
    inner: FileWriter<Replacing>,
    path: PathBuf,
}

impl Writer {
    pub(crate) fn create(path: &Path, schema: &Schema) -> Result<Self> {
        let file = Replacing::create(path)?;
        let inner = IpcWriteOptions::default()
            .try_with_compression(Some(CompressionType::ZSTD))
            .and_then(|options| FileWriter::try_new_with_options(file, schema, options));
        Ok(Self {
            inner: inner.map_err(|error| arrow_error(path, error))?,
            path: path.to_owned(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        self.inner.schema()
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let written = self.inner.write(batch);
        written.map_err(|error| arrow_error(&self.path, error))
    }

    /// Ends the file with some metadata in its footer.
    pub(crate) fn finish(
        mut self,
        metadata: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<()> {
        for (key, value) in metadata {
            self.inner.write_metadata(key, value);
        }
        let file = self.inner.into_inner();
        file.map_err(|error| arrow_error(&self.path, error))?
            .commit()
    }
}

/// An error of writing Arrow: nearly always the operating system's.
fn arrow_error(path: &Path, error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, source) => Error::io(path)(source),
        other => Error::File {
            path: path.to_owned(),
            reason: other.to_string(),
        },
    }
}

/// What is wrong with a file.
type Claim<T> = std::result::Result<T, String>;

/// An Arrow file that is read one record batch at a time.
pub(crate) struct Batches<R> {
    kind: &'static Kind,
    path: PathBuf,
    source: Source<R>,
}

impl<R: Read + Seek> Batches<R> {
    /// Reads the footer; refuses another format, and other columns.
    pub(crate) fn open(kind: &'static Kind, path: &Path, reader: R) -> Result<Self> {
        let cut_off = |reason| kind.damaged(path, format!("no Arrow file or cut off ({reason})"));
        let opened = Self {
            kind,
            path: path.to_owned(),
            source: guarded(|| Source::read_footer(reader)).map_err(cut_off)?,
        };
        let format = opened.said("format").unwrap_or_default();
        if format != kind.format {
            let reason = format!("its format is {format:?}, {:?} is wanted", kind.format);
            return Err(opened.damaged(reason));
        }
        let fields = opened.source.schema.fields().iter();
        let found: Vec<_> = fields
            .map(|field| (field.name().as_str(), field.data_type().clone()))
            .collect();
        if found != kind.columns {
            let reason = format!("its columns are {found:?}, wanted are {:?}", kind.columns);
            return Err(opened.damaged(reason));
        }
        Ok(opened)
    }

    /// The next record batch; none after the last.
    pub(crate) fn next(&mut self) -> Result<Option<RecordBatch>> {
        let next = guarded(|| self.source.next());
        next.map_err(|reason| self.damaged(format!("cut off or damaged ({reason})")))
    }
}

impl<R> Batches<R> {
    /// The file's place.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file.
    pub(crate) fn reader_mut(&mut self) -> &mut R {
        &mut self.source.reader
    }

    /// What the metadata of the schema, or that of the footer, has for a key.
    pub(crate) fn said(&self, key: &str) -> Result<&str> {
        let found = self.source.schema.metadata().get(key);
        let found = found.or_else(|| self.source.metadata.get(key));
        let missing = || self.damaged(format!("its metadata has no {key:?}"));
        found.map(String::as_str).ok_or_else(missing)
    }

    /// The error of this file for what is wrong with it.
    pub(crate) fn damaged(&self, reason: impl Display) -> Error {
        self.kind.damaged(&self.path, reason)
    }
}

/// The footer and the record batches of a file of any kind.
struct Source<R> {
    reader: R,
    schema: SchemaRef,
    metadata: HashMap<String, String>,
    decoder: FileDecoder,
    blocks: std::vec::IntoIter<Block>,
    length: u64,
}

impl<R: Read + Seek> Source<R> {
    fn read_footer(mut reader: R) -> Claim<Self> {
        let length = reader.seek(SeekFrom::End(0)).map_err(text)?;
        let end_at = length.checked_sub(END).ok_or("it is too short")?;
        let mut end = [0; END as usize];
        reader.seek(SeekFrom::Start(end_at)).map_err(text)?;
        reader.read_exact(&mut end).map_err(text)?;
        let footer_length = read_footer_length(end).map_err(text)?;
        let start = end_at.checked_sub(footer_length as u64);
        let start = start.ok_or_else(|| {
            format!("its footer claims {footer_length} bytes, the file has {length}")
        })?;
        let mut bytes = vec![0; footer_length];
        reader.seek(SeekFrom::Start(start)).map_err(text)?;
        reader.read_exact(&mut bytes).map_err(text)?;
        let footer = root_as_footer(&bytes).map_err(text)?;
        let blocks = footer
            .recordBatches()
            .ok_or("its footer lists no record batches")?;
        if footer
            .dictionaries()
            .is_some_and(|blocks| !blocks.is_empty())
        {
            return Err("it has dictionaries, which no file of this kind has".to_owned());
        }
        let schema = footer.schema().ok_or("its footer has no schema")?;
        if !schema.endianness().equals_to_target_endianness() {
            return Err("its numbers are in another byte order".to_owned());
        }
        let schema: SchemaRef =
            Arc::new(arrow_ipc::convert::try_fb_to_schema(schema).map_err(text)?);
        let metadata = footer.custom_metadata().into_iter().flatten();
        let metadata = metadata
            .filter_map(|entry| Some((entry.key()?.to_owned(), entry.value()?.to_owned())))
            .collect();
        Ok(Self {
            decoder: FileDecoder::new(Arc::clone(&schema), footer.version()),
            blocks: blocks.iter().copied().collect::<Vec<_>>().into_iter(),
            reader,
            schema,
            metadata,
            length,
        })
    }

    fn next(&mut self) -> Claim<Option<RecordBatch>> {
        let Some(block) = self.blocks.next() else {
            return Ok(None);
        };
        let bytes = self.read_block(&block)?;
        check_buffers(&block, &bytes)?;
        let batch = self
            .decoder
            .read_record_batch(&block, &Buffer::from_vec(bytes))
            .map_err(text)?;
        let nulls =
            |batch: &RecordBatch| batch.columns().iter().any(|column| column.null_count() > 0);
        match batch {
            Some(batch) if nulls(&batch) => Err("a record batch has nulls".to_owned()),
            batch => Ok(batch),
        }
    }

    fn read_block(&mut self, block: &Block) -> Claim<Vec<u8>> {
        let number = |number: i64| u64::try_from(number).ok();
        let place = || {
            let start = number(block.offset())?;
            let length =
                number(block.metaDataLength().into())?.checked_add(number(block.bodyLength())?)?;
            (start.checked_add(length)? <= self.length).then_some((start, length))
        };
        let (start, length) = place().ok_or_else(|| {
            format!(
                "a record batch claims {} and {} bytes at {}, the file has {}",
                block.metaDataLength(),
                block.bodyLength(),
                block.offset(),
                self.length
            )
        })?;
        let mut bytes = vec![0; usize::try_from(length).map_err(text)?];
        self.reader.seek(SeekFrom::Start(start)).map_err(text)?;
        self.reader.read_exact(&mut bytes).map_err(text)?;
        Ok(bytes)
    }
}

/// Refuses compressed buffers that claim too much: their first 8 bytes say how much they expand to.
fn check_buffers(block: &Block, bytes: &[u8]) -> Claim<()> {
    let metadata = usize::try_from(block.metaDataLength()).map_err(text)?;
    let (message, body) = bytes
        .split_at_checked(metadata)
        .ok_or("a record batch is cut off")?;
    let message = match message {
        [0xFF, 0xFF, 0xFF, 0xFF, _, _, _, _, message @ ..] | [_, _, _, _, message @ ..] => message,
        _ => return Err("a record batch is cut off".to_owned()),
    };
    let message = root_as_message(message).map_err(text)?;
    let Some(batch) = message.header_as_record_batch() else {
        return Err("a record batch is none".to_owned());
    };
    if batch.compression().is_none() {
        return Ok(());
    }
    for buffer in batch.buffers().iter().flatten() {
        let start = usize::try_from(buffer.offset()).map_err(text)?;
        let claimed = body.get(start..).and_then(<[u8]>::first_chunk);
        let claimed = claimed.map_or(0, |bytes| i64::from_le_bytes(*bytes));
        if buffer.length() > 0 && claimed > MOST_BUFFER {
            return Err(format!(
                "a record batch claims to expand to {claimed} bytes, at most {MOST_BUFFER} are read"
            ));
        }
    }
    Ok(())
}

fn text(error: impl Display) -> String {
    error.to_string()
}

/// Runs a step of the Arrow reader, which may panic on damaged files.
fn guarded<T>(step: impl FnOnce() -> Claim<T>) -> Claim<T> {
    catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|_| Err("the decoder gave up".to_owned()))
}
