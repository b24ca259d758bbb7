//! Lengths in the delta encodings of byte arrays, looked through before a decoder makes room for them.

use super::thrift::{varint, zigzag};

/// What a run of lengths comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lengths {
    /// Lengths.
    pub number: u64,
    /// Their sum.
    pub sum: u64,
    /// Bytes that they take.
    pub bytes: usize,
}

/// Looks through lengths in the encoding `DELTA_BINARY_PACKED`; `None` where they are damaged, or more than `most`.
pub(super) fn lengths(data: &[u8], most: u64) -> Option<Lengths> {
    let mut at = 0;
    let block = varint(data, &mut at)?;
    let miniblocks = varint(data, &mut at)?;
    let number = varint(data, &mut at).filter(|&number| number <= most)?;
    let mut last = zigzag(varint(data, &mut at)?) as i32;
    let per_miniblock = block.checked_div(miniblocks)?;
    if per_miniblock == 0 || per_miniblock % 8 != 0 || per_miniblock > most.max(1 << 16) {
        return None;
    }
    let mut sum = if number > 0 { length(last)? } else { 0 };
    let mut left = number.saturating_sub(1);
    while left > 0 {
        let least = zigzag(varint(data, &mut at)?) as i32;
        let widths = data.get(at..at.checked_add(usize::try_from(miniblocks).ok()?)?)?;
        at += widths.len();
        for &width in widths {
            if left == 0 {
                break;
            }
            let width = u32::from(width).min(64);
            let packed = usize::try_from(per_miniblock / 8 * u64::from(width)).ok()?;
            let bits = data.get(at..at.checked_add(packed)?)?;
            let here = left.min(per_miniblock);
            for index in 0..here {
                let delta = unpack(bits, index * u64::from(width), width);
                last = last.wrapping_add(least).wrapping_add(delta as i32);
                sum = sum.checked_add(length(last)?)?;
            }
            at += packed;
            left -= here;
        }
    }
    Some(Lengths {
        number,
        sum,
        bytes: at,
    })
}

fn length(value: i32) -> Option<u64> {
    u64::try_from(value).ok()
}

/// The `width` bits from bit `start` on, the lowest first; what lies behind the end is 0.
fn unpack(bits: &[u8], start: u64, width: u32) -> u64 {
    let mut word = [0; 16];
    let bytes = bits.get((start / 8) as usize..).unwrap_or(&[]);
    let length = bytes.len().min(9);
    word[..length].copy_from_slice(&bytes[..length]);
    let shifted = u128::from_le_bytes(word) >> (start % 8);
    (shifted & ((1 << width) - 1)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_format() {
        // 7, 5, 3, 1, 2, 3, 4, 5: a first value, one block with a least delta of -2, and one miniblock of 2 bits
        let data = [
            0x80,
            0x01,
            0x04,
            0x08,
            0x0E,
            0x03,
            2,
            0,
            0,
            0,
            0b1100_0000,
            0b0011_1111,
            0,
            0,
            0,
            0,
            0,
            0,
        ];
        let wanted = Lengths {
            number: 8,
            sum: 30,
            bytes: 18,
        };
        assert_eq!(lengths(&data, 8), Some(wanted));
        assert_eq!(lengths(&data, 7), None);
        for end in 0..data.len() {
            assert_eq!(lengths(&data[..end], 8), None, "{end}");
        }
    }

    #[test]
    fn billions_of_lengths_in_a_few_bytes_are_refused() {
        let data = [
            0x80, 0x01, 0x04, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0x00, 0x00, 0, 0, 0, 0,
        ];
        assert_eq!(lengths(&data, 1 << 24), None);
        assert_eq!(lengths(&[0x80, 0x01, 0x00, 0x02, 0x00], 8), None);
        assert_eq!(
            lengths(&[0x80, 0x01, 0x04, 0x01, 0x01], 8),
            None,
            "a negative length"
        );
    }
}
