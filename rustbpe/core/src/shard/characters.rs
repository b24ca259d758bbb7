//! Unicode scalars of a text.

/// The first `characters` Unicode scalars of `text`; all of it where that is 0.
#[must_use]
pub fn cut(text: &str, characters: u64) -> &str {
    if characters == 0 || text.len() as u64 <= characters {
        return text;
    }
    let mut left = characters;
    let bytes = text.as_bytes();
    let mut start = 0;
    // whole blocks first: counting the bytes that start a character is a vector loop
    for block in bytes.chunks(256) {
        let starts = characters_in(block);
        if starts > left {
            break;
        }
        left -= starts;
        start += block.len();
    }
    for (at, &byte) in bytes.iter().enumerate().skip(start) {
        if byte & 0xC0 != 0x80 {
            if left == 0 {
                return &text[..at];
            }
            left -= 1;
        }
    }
    text
}

/// Number of Unicode scalars that start in these bytes of UTF-8.
#[must_use]
pub fn characters_in(bytes: &[u8]) -> u64 {
    bytes
        .chunks(192)
        .map(|block| {
            u64::from(
                block
                    .iter()
                    .map(|&byte| u8::from(byte & 0xC0 != 0x80))
                    .sum::<u8>(),
            )
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_unicode_scalars() {
        let text = "aé日🙂".repeat(200);
        assert_eq!(characters_in(text.as_bytes()), 800);
        assert_eq!(characters_in(b""), 0);
        for cap in [1, 2, 63, 64, 255, 256, 257, 799, 800, 801] {
            let expected: String = text.chars().take(cap).collect();
            assert_eq!(cut(&text, cap as u64), expected);
        }
        assert_eq!(cut(&text, 0), text);
    }
}
