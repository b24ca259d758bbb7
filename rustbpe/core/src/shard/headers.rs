//! What a page says of itself, read before memory is given to it.
//!
//! A page header is a struct in Thrift's compact protocol; of its fields only sizes matter here.

use super::thrift::{DEEPEST, FALSE, I32, STRUCT, Thrift};

/// The sizes that a page's header names.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Its number in the format: 0 data, 1 index, 2 dictionary, 3 data of the second version.
    pub kind: i64,
    /// Bytes of the page when decompressed.
    pub uncompressed: u64,
    /// Bytes of the page in the file, behind the header.
    pub compressed: u64,
    /// Values, nulls included.
    pub values: u64,
    /// Bytes at the page's start that are not compressed (levels of the second version).
    pub levels: u64,
    /// Whether the page is not compressed although its column is.
    pub bare: bool,
    /// Bytes of the header itself.
    pub length: usize,
}

impl Header {
    /// An index page: readers pass over it.
    pub const INDEX: i64 = 1;
    /// A dictionary page.
    pub const DICTIONARY: i64 = 2;

    /// Reads a header; `None` where the bytes end before it does, or hold none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut thrift = Thrift::new(bytes);
        let (mut header, mut field) = (Self::default(), 0);
        while let Some(kind) = thrift.field(&mut field)? {
            match (field, kind) {
                (1, I32) => header.kind = thrift.number()?,
                (2, I32) => header.uncompressed = thrift.size()?,
                (3, I32) => header.compressed = thrift.size()?,
                (5 | 7 | 8, STRUCT) => header.read_inner(&mut thrift, field)?,
                _ => thrift.skip(kind, DEEPEST)?,
            }
        }
        header.length = thrift.at();
        Some(header)
    }

    /// Reads the struct of one kind of page, whose first field is always the number of values.
    fn read_inner(&mut self, thrift: &mut Thrift<'_>, outer: i64) -> Option<()> {
        let mut field = 0;
        while let Some(kind) = thrift.field(&mut field)? {
            match (outer, field, kind) {
                (_, 1, I32) => self.values = thrift.size()?,
                (8, 5 | 6, I32) => self.levels += thrift.size()?,
                (8, 7, FALSE) => self.bare = true,
                _ => thrift.skip(kind, DEEPEST)?,
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_page_with_statistics() {
        // type 0, sizes 1000 and 300, {3 values, encoding 0, levels 3 and 3, {min: "a", max: "b"}}
        let bytes = [
            0x15, 0x00, 0x15, 0xD0, 0x0F, 0x15, 0xD8, 0x04, 0x2C, 0x15, 0x06, 0x15, 0x00, 0x15,
            0x06, 0x15, 0x06, 0x1C, 0x18, 0x01, b'b', 0x18, 0x01, b'a', 0x00, 0x00, 0x00, 0x77,
        ];
        let wanted = Header {
            kind: 0,
            uncompressed: 1000,
            compressed: 300,
            values: 3,
            levels: 0,
            bare: false,
            length: 27,
        };
        assert_eq!(Header::read(&bytes), Some(wanted));
        for end in 0..27 {
            assert_eq!(Header::read(&bytes[..end]), None, "{end}");
        }
    }

    #[test]
    fn what_is_no_header_is_none() {
        // a negative size, a struct in a struct without end, a list of 2^60 of nothing, an unknown type
        assert_eq!(Header::read(&[0x25, 0x01, 0x00]), None);
        assert_eq!(Header::read(&[0x9C; 1000]), None);
        assert_eq!(
            Header::read(&[
                0x99, 0xF1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0x00
            ]),
            None
        );
        assert_eq!(Header::read(&[0x1F, 0x00]), None);
    }
}
