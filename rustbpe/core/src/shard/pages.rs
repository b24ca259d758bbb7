//! Pages of a text column, none of which takes more memory than it may.
//!
//! The decoders of the parquet crate give a page what it asks for: a few kilobytes can ask for gigabytes. Here
//! each page's sizes are looked at first, and what they leave open (how far gzip and brotli expand, how many
//! lengths a delta encoding holds) is found out without holding it.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;

use super::headers::Header;
use super::lengths::lengths;
use super::read_at::ReadAt;
use super::thrift::varint;

/// Bytes that are read at first to find a page's header; most have a hundredth of it.
const HEADER: u64 = 1 << 12;
/// Bytes of memory for each entry of a dictionary, besides its text.
const ENTRY: u64 = 32;
/// Bytes of memory for each length of a delta encoding.
const LENGTH: u64 = 4;

/// The pages of one column chunk.
pub(super) struct Pages {
    inner: SerializedPageReader<ReadAt>,
    file: Arc<ReadAt>,
    offset: u64,
    left: u64,
    compression: Compression,
    nullable: bool,
    most: u64,
    values: Arc<AtomicUsize>,
}

impl Pages {
    /// The pages of a chunk; each may take `most` bytes. The values of the page that was read last are in `values`.
    pub fn new(
        file: &Arc<ReadAt>,
        chunk: &ColumnChunkMetaData,
        rows: usize,
        most: u64,
        values: Arc<AtomicUsize>,
    ) -> Result<Self> {
        let (offset, left) = chunk.byte_range();
        Ok(Self {
            inner: SerializedPageReader::new(Arc::clone(file), chunk, rows, None)?,
            file: Arc::clone(file),
            offset,
            left,
            compression: chunk.compression(),
            nullable: chunk.column_descr().max_def_level() > 0,
            most,
            values,
        })
    }

    /// The header of the next page that is no index, and where the page begins; none after the last.
    fn next_header(&mut self) -> Result<Option<(Header, u64)>> {
        while self.left > 0 {
            let header = self.read_header()?;
            let taken = (header.length as u64).checked_add(header.compressed);
            let taken = taken.filter(|&taken| taken <= self.left).ok_or_else(|| {
                wrong(format!(
                    "a page claims {} bytes where {} are left of its column",
                    header.compressed, self.left
                ))
            })?;
            let start = self.offset + header.length as u64;
            self.offset += taken;
            self.left -= taken;
            if header.kind != Header::INDEX {
                return Ok(Some((header, start)));
            }
        }
        Ok(None)
    }

    fn read_header(&self) -> Result<Header> {
        let mut window = HEADER.min(self.left);
        loop {
            let bytes = self.file.get_bytes(self.offset, usize::try_from(window)?)?;
            match Header::read(&bytes) {
                Some(header) => return Ok(header),
                // statistics of a page can hold long texts
                None if window < self.left => window = (window * 16).min(self.left),
                None => return Err(wrong("a page's header is damaged".to_owned())),
            }
        }
    }

    /// Refuses a page that would take more memory than it may.
    fn check(&self, header: &Header, start: u64) -> Result<()> {
        let entries = match header.kind {
            Header::DICTIONARY => header.values.saturating_mul(ENTRY),
            _ => 0,
        };
        self.check_size(header.uncompressed.saturating_add(entries))?;
        if header.bare || header.compressed <= header.levels {
            return Ok(());
        }
        self.check_expansion(header, start)
    }

    /// Refuses a page that expands to another size than it claims, where its codec would not see that.
    fn check_expansion(&self, header: &Header, start: u64) -> Result<()> {
        let mut left = header.uncompressed.saturating_sub(header.levels);
        if self.compression == Compression::SNAPPY {
            let length = (header.compressed - header.levels).min(10) as usize;
            let begin = self.file.get_bytes(start + header.levels, length)?;
            if let Some(holds) = varint(&begin, &mut 0).filter(|&holds| holds != left) {
                return Err(wrong(format!(
                    "a page claims {left} bytes and holds {holds}"
                )));
            }
        }
        if let Some(mut text) = self.decoder(header, start)? {
            let mut buffer = vec![0; 1 << 16];
            // the decoder reports any other damage
            while let Ok(read @ 1..) = text.read(&mut buffer) {
                left = left.checked_sub(read as u64).ok_or_else(|| {
                    wrong(format!(
                        "a page expands to more than the {} bytes that it claims",
                        header.uncompressed
                    ))
                })?;
            }
        }
        Ok(())
    }

    /// The page's bytes as the codecs give them that do not stop at the page's size.
    fn decoder(&self, header: &Header, start: u64) -> Result<Option<Box<dyn Read>>> {
        let bytes = || -> Result<_> {
            let length = usize::try_from(header.compressed)?;
            let levels = usize::try_from(header.levels)?.min(length);
            Ok(std::io::Cursor::new(
                self.file.get_bytes(start, length)?.slice(levels..),
            ))
        };
        Ok(match self.compression {
            Compression::GZIP(_) => Some(Box::new(flate2::read::MultiGzDecoder::new(bytes()?))),
            Compression::BROTLI(_) => Some(Box::new(brotli::Decompressor::new(bytes()?, 1 << 12))),
            Compression::LZ4 => Some(Box::new(lz4_flex::frame::FrameDecoder::new(bytes()?))),
            _ => None,
        })
    }

    fn check_size(&self, bytes: u64) -> Result<()> {
        if bytes <= self.most {
            return Ok(());
        }
        Err(wrong(format!(
            "a page of it takes {bytes} bytes of memory where at most {} are given to one; if the file is right, write it again with smaller pages",
            self.most
        )))
    }

    /// Refuses lengths that their decoder would make too much room for.
    fn check_lengths(&self, page: &Page) -> Result<()> {
        let (values, encoding) = match page {
            Page::DataPage {
                buf,
                encoding,
                def_level_encoding,
                num_values,
                ..
            } => {
                let levels = match def_level_encoding {
                    _ if !self.nullable => 0,
                    Encoding::RLE => match buf.first_chunk() {
                        Some(length) => 4 + u32::from_le_bytes(*length) as usize,
                        None => 0,
                    },
                    _ => num_values.div_ceil(8) as usize,
                };
                (buf.get(levels..), encoding)
            }
            Page::DataPageV2 {
                buf,
                encoding,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => {
                let levels = *def_levels_byte_len as usize + *rep_levels_byte_len as usize;
                (buf.get(levels..), encoding)
            }
            Page::DictionaryPage { .. } => return Ok(()),
        };
        let values = values.unwrap_or(&[]);
        let damaged = || wrong("the lengths of a page's texts are damaged".to_owned());
        match encoding {
            _ if values.is_empty() => Ok(()),
            Encoding::DELTA_LENGTH_BYTE_ARRAY => {
                lengths(values, self.most / LENGTH).ok_or_else(damaged)?;
                Ok(())
            }
            Encoding::DELTA_BYTE_ARRAY => {
                let shared = lengths(values, self.most / LENGTH).ok_or_else(damaged)?;
                let own =
                    lengths(&values[shared.bytes..], self.most / LENGTH).ok_or_else(damaged)?;
                let texts = shared.sum.saturating_add(own.sum);
                self.check_size(texts.saturating_add(shared.number.saturating_mul(ENTRY)))
            }
            _ => Ok(()),
        }
    }
}

fn wrong(message: String) -> ParquetError {
    ParquetError::General(message)
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        if let Some((header, start)) = self.next_header()? {
            self.check(&header, start)?;
        }
        let page = self.inner.get_next_page()?;
        if let Some(page) = &page {
            self.check_lengths(page)?;
            if page.is_data_page() {
                let values = usize::try_from(page.num_values())?;
                self.values.store(values, Ordering::Relaxed);
            }
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        Err(wrong("pages are read one after the other".to_owned()))
    }
}
