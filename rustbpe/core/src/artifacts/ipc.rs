//! Record batches of Arrow IPC files, none of which takes more memory than it may.
//!
//! The reader of the Arrow crate makes room for what a file claims, and the process ends where there is none. Here
//! a file's claims are held against its length and a limit before anything is read.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use arrow_ipc::{Block, root_as_footer, root_as_message};
use arrow_schema::SchemaRef;

/// Most bytes of one column's buffer when decompressed.
const MOST_BUFFER: i64 = 1 << 30;
/// Bytes at a file's end: the footer's length and the mark of the format.
const END: u64 = 10;

/// What is wrong with a file.
pub(crate) type Result<T> = std::result::Result<T, String>;

/// An Arrow file that is read one record batch at a time.
pub(crate) struct Batches<R> {
    reader: R,
    schema: SchemaRef,
    metadata: HashMap<String, String>,
    decoder: FileDecoder,
    blocks: std::vec::IntoIter<Block>,
    length: u64,
}

impl<R: Read + Seek> Batches<R> {
    /// Reads the footer.
    pub fn open(reader: R) -> Result<Self> {
        guarded(|| Self::read_footer(reader))
    }

    fn read_footer(mut reader: R) -> Result<Self> {
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

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The metadata of the footer.
    pub fn metadata(&self) -> &HashMap<String, String> {
        &self.metadata
    }

    /// The file.
    pub fn reader_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// The next record batch; none after the last.
    pub fn next(&mut self) -> Result<Option<RecordBatch>> {
        guarded(|| {
            let Some(block) = self.blocks.next() else {
                return Ok(None);
            };
            let bytes = self.read_block(&block)?;
            check_buffers(&block, &bytes)?;
            let batch = self
                .decoder
                .read_record_batch(&block, &Buffer::from_vec(bytes));
            batch.map_err(text)
        })
    }

    fn read_block(&mut self, block: &Block) -> Result<Vec<u8>> {
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
fn check_buffers(block: &Block, bytes: &[u8]) -> Result<()> {
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

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Runs a step of the Arrow reader, which may panic on damaged files.
fn guarded<T>(step: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|_| Err("the decoder gave up".to_owned()))
}
