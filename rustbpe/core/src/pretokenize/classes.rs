//! Character classes of the split patterns, by a two-level table.
//!
//! The table is filled at the first use from `regex-syntax`, the Unicode data that the regex engine
//! itself compiles from, so that scanner and regex cannot disagree about a character. That takes
//! about a millisecond; a generated table would save it and could fall behind.

use std::sync::OnceLock;

use regex_syntax::hir::{Class as HirClass, HirKind};

/// What a character is: a set of the bits below, or [`END`].
pub(super) type Class = u8;

/// Past the last character.
pub(super) const END: Class = 0;
/// `\p{Ll}`
pub(super) const LOWER: Class = 1;
/// `\p{Lu}` and `\p{Lt}`
pub(super) const UPPER: Class = 1 << 1;
/// `\p{Lm}` and `\p{Lo}`
pub(super) const CASELESS: Class = 1 << 2;
/// `\p{N}`
pub(super) const NUMBER: Class = 1 << 3;
/// `\s` without the newlines
pub(super) const BLANK: Class = 1 << 4;
/// `[\r\n]`
pub(super) const NEWLINE: Class = 1 << 5;
/// `\p{M}`; such a character is [`OTHER`] too
pub(super) const MARK: Class = 1 << 6;
/// `[^\s\p{L}\p{N}]`
pub(super) const OTHER: Class = 1 << 7;

/// `\p{L}`
pub(super) const LETTER: Class = LOWER | UPPER | CASELESS;
/// `\s`
pub(super) const WHITE: Class = BLANK | NEWLINE;

const CODE_POINTS: usize = 0x11_0000;
const BLOCK: usize = 256;

/// The classes of all characters.
pub(super) struct Classes {
    /// Class of a byte below 0x80; [`END`] for the others, which the caller has to decode.
    pub(super) ascii: [Class; 256],
    /// Block of each 256 code points.
    index: Vec<u16>,
    /// Distinct blocks, one after the other.
    blocks: Vec<Class>,
}

impl Classes {
    /// The one table of the process.
    pub(super) fn get() -> &'static Self {
        static TABLE: OnceLock<Classes> = OnceLock::new();
        TABLE.get_or_init(Self::build)
    }

    fn build() -> Self {
        let mut flat = vec![OTHER; CODE_POINTS];
        let mut set = |class: &str, bits: Class, keep: Class| {
            for (first, last) in ranges(class) {
                for entry in &mut flat[first as usize..=last as usize] {
                    *entry = (*entry & keep) | bits;
                }
            }
        };
        set(r"\p{Ll}", LOWER, 0);
        set(r"[\p{Lu}\p{Lt}]", UPPER, 0);
        set(r"[\p{Lm}\p{Lo}]", CASELESS, 0);
        set(r"\p{N}", NUMBER, 0);
        set(r"\s", BLANK, 0);
        set(r"[\r\n]", NEWLINE, 0);
        set(r"\p{M}", MARK, OTHER);

        let mut ascii = [END; 256];
        ascii[..128].copy_from_slice(&flat[..128]);
        let mut index = Vec::with_capacity(CODE_POINTS / BLOCK);
        let mut blocks: Vec<Class> = Vec::new();
        for block in flat.chunks_exact(BLOCK) {
            let known = blocks.chunks_exact(BLOCK).position(|seen| seen == block);
            let number = known.unwrap_or(blocks.len() / BLOCK);
            if known.is_none() {
                blocks.extend_from_slice(block);
            }
            index.push(number as u16);
        }
        Self {
            ascii,
            index,
            blocks,
        }
    }

    /// The class of a code point.
    #[inline]
    pub(super) fn of(&self, code: u32) -> Class {
        let block = usize::from(self.index[code as usize / BLOCK]);
        self.blocks[block * BLOCK + code as usize % BLOCK]
    }
}

/// First and last code point of each range of a class in regex syntax.
fn ranges(class: &str) -> Vec<(u32, u32)> {
    let Ok(hir) = regex_syntax::parse(class) else {
        unreachable!("the classes are constants that parse: {class}")
    };
    match hir.kind() {
        HirKind::Class(HirClass::Unicode(set)) => set
            .iter()
            .map(|range| (range.start().into(), range.end().into()))
            .collect(),
        _ => unreachable!("{class} is a class of characters"),
    }
}
