//! What a footer asks for, looked at before the parquet crate reads it.

use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;

use super::read_at::ReadAt;
use super::thrift::{DEEPEST, I32, LIST, Thrift};

/// Most bytes of a footer: its lists can take a hundred times as much memory.
const MOST_FOOTER: u64 = 32 << 20;
/// Most groups of columns in each other; each takes a part of the stack.
const MOST_NESTED: usize = 100;
/// Bytes at a file's end: the footer's length and the mark of the format.
const END: u64 = 8;
/// Bytes at a file's start that can tell what it is.
const START: u64 = 256;

/// Refuses a footer that could take more memory than the machine has, or more stack than the thread.
///
/// What is wrong in other ways is the parquet crate's to say.
pub(super) fn check_footer(file: &ReadAt) -> Result<(), String> {
    let bytes = |start: u64, length: u64| {
        usize::try_from(length)
            .map_err(ParquetError::from)
            .and_then(|length| file.get_bytes(start, length))
            .map_err(|error| error.to_string())
    };
    let Some(end) = file.length.checked_sub(END) else {
        return Ok(());
    };
    let Some(length) = bytes(end, END)?.first_chunk().copied() else {
        return Ok(());
    };
    let length = u64::from(u32::from_le_bytes(length));
    let Some(start) = end.checked_sub(length) else {
        return Ok(());
    };
    if length > MOST_FOOTER {
        return Err(format!(
            "its footer has {length} bytes, at most {MOST_FOOTER} are read"
        ));
    }
    match nesting(&bytes(start, length)?) {
        Some(deep) if deep > MOST_NESTED => Err(format!(
            "its columns are nested {deep} deep or deeper, at most {MOST_NESTED} are read"
        )),
        _ => Ok(()),
    }
}

/// What a file that could not be read is instead, by its first bytes; otherwise the reason why it could not be.
pub(super) fn looks_like(file: &ReadAt, reason: String) -> String {
    let length = file.length.min(START) as usize;
    let Ok(start) = file.get_bytes(0, length) else {
        return reason;
    };
    let text = start.trim_ascii_start().to_ascii_lowercase();
    let begins = |marks: &[&str]| marks.iter().any(|mark| text.starts_with(mark.as_bytes()));
    if start.is_empty() {
        "it is empty".to_owned()
    } else if begins(&["version https://git-lfs"]) {
        "it is a Git LFS pointer, not the file itself".to_owned()
    } else if begins(&["<!doctype", "<html", "<?xml"]) {
        "it is a web page, so the URL is wrong or the host sent an error page".to_owned()
    } else if start.starts_with(b"\x1f\x8b") {
        "it is compressed with gzip".to_owned()
    } else if start.starts_with(b"PAR1") && !ends_like_one(file) {
        format!("it begins like one, but its end is missing or damaged: {reason}")
    } else {
        reason
    }
}

/// Whether the mark of the format is at a file's end.
fn ends_like_one(file: &ReadAt) -> bool {
    let end = file.length.checked_sub(END);
    end.and_then(|end| file.get_bytes(end, END as usize).ok())
        .is_some_and(|end| end.ends_with(b"PAR1"))
}

/// How deep the groups of a footer's schema are in each other, at least; `None` where it has no schema.
fn nesting(footer: &[u8]) -> Option<usize> {
    let mut thrift = Thrift::new(footer);
    let mut field = 0;
    while let Some(kind) = thrift.field(&mut field)? {
        if (field, kind) != (2, LIST) {
            thrift.skip(kind, DEEPEST)?;
            continue;
        }
        // elements stand in the order of a walk through the tree; of each open group, what is still to come
        let (mut open, mut deepest) = (Vec::new(), 0);
        for _ in 0..thrift.list()?.0 {
            let children = children(&mut thrift)?;
            while open.last() == Some(&0) {
                open.pop();
            }
            if let Some(left) = open.last_mut() {
                *left -= 1;
            }
            if children > 0 {
                open.push(children);
            }
            deepest = deepest.max(open.len());
            if deepest > MOST_NESTED {
                break;
            }
        }
        return Some(deepest);
    }
    None
}

/// How many children an element of a schema has.
fn children(thrift: &mut Thrift<'_>) -> Option<u64> {
    let (mut field, mut children) = (0, 0);
    while let Some(kind) = thrift.field(&mut field)? {
        match (field, kind) {
            (5, I32) => children = thrift.size()?,
            _ => thrift.skip(kind, DEEPEST)?,
        }
    }
    Some(children)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_counted_and_siblings_are_not() {
        // version 1, then a schema: a root of two groups, each with one leaf
        let schema = [
            0x15, 0x02, 0x19, 0x5C, 0x55, 0x04, 0x00, 0x55, 0x02, 0x00, 0x15, 0x02, 0x00, 0x55,
            0x02, 0x00, 0x15, 0x02, 0x00, 0x00,
        ];
        assert_eq!(nesting(&schema), Some(2));
        assert_eq!(nesting(&schema[..9]), None);
        let mut deep = vec![0x15, 0x02, 0x19, 0xFC, 0xC8, 0x01];
        deep.extend([0x55, 0x02, 0x00].repeat(200));
        assert_eq!(nesting(&deep), Some(MOST_NESTED + 1));
    }
}
