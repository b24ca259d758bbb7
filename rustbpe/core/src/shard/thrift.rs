//! Thrift's compact protocol, as far as it takes to find a number in a struct.

/// Most structs in each other.
pub(super) const DEEPEST: u8 = 16;

/// The types of fields.
const TRUE: u8 = 1;
pub(super) const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
pub(super) const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
pub(super) const STRUCT: u8 = 12;

/// Reads a number of seven bits to a byte, and steps behind it.
pub(super) fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        number |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// The signed number that another one stands for.
pub(super) fn zigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// A place in bytes of Thrift's compact protocol; all is `None` where they end early.
pub(super) struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Thrift<'a> {
    /// The beginning of some bytes.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes that were read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied();
        self.at += 1;
        byte
    }

    fn varint(&mut self) -> Option<u64> {
        varint(self.bytes, &mut self.at)
    }

    /// A signed number.
    pub(super) fn number(&mut self) -> Option<i64> {
        self.varint().map(zigzag)
    }

    /// A number that cannot be negative.
    pub(super) fn size(&mut self) -> Option<u64> {
        u64::try_from(self.number()?).ok()
    }

    /// The type of the next field of a struct, whose number is put into `id`; the inner `None` is the struct's end.
    pub(super) fn field(&mut self, id: &mut i64) -> Option<Option<u8>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        *id = match byte >> 4 {
            0 => self.number()?,
            more => id.checked_add(i64::from(more))?,
        };
        Some(Some(byte & 0x0F))
    }

    /// How many values a list has, and of what type.
    pub(super) fn list(&mut self) -> Option<(u64, u8)> {
        let byte = self.byte()?;
        let length = match byte >> 4 {
            15 => self.varint()?,
            short => u64::from(short),
        };
        Some((length, byte & 0x0F))
    }

    fn pass(&mut self, bytes: u64) -> Option<()> {
        let left = self.bytes.len().checked_sub(self.at)?;
        let bytes = usize::try_from(bytes).ok().filter(|&bytes| bytes <= left)?;
        self.at += bytes;
        Some(())
    }

    /// Passes over a field's value.
    pub(super) fn skip(&mut self, kind: u8, deepest: u8) -> Option<()> {
        let deeper = deepest.checked_sub(1)?;
        match kind {
            TRUE | FALSE => Some(()), // they stand in the type
            BYTE => self.pass(1),
            I16 | I32 | I64 => self.varint().map(drop),
            DOUBLE => self.pass(8),
            BINARY => self.varint().and_then(|bytes| self.pass(bytes)),
            LIST | SET => {
                let (length, kind) = self.list()?;
                (0..length).try_for_each(|_| self.skip_element(kind, deeper))
            }
            MAP => {
                let length = self.varint()?;
                if length == 0 {
                    return Some(());
                }
                let kinds = self.byte()?;
                (0..length).try_for_each(|_| {
                    self.skip_element(kinds >> 4, deeper)?;
                    self.skip_element(kinds & 0x0F, deeper)
                })
            }
            STRUCT => {
                let mut field = 0;
                while let Some(kind) = self.field(&mut field)? {
                    self.skip(kind, deeper)?;
                }
                Some(())
            }
            _ => None,
        }
    }

    /// Passes over one of many values, of which a truth value takes a byte.
    fn skip_element(&mut self, kind: u8, deepest: u8) -> Option<()> {
        self.skip(if kind <= FALSE { BYTE } else { kind }, deepest)
    }
}
