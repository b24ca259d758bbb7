//! Reads a shard's text column from end to end, and reports what it holds.

use std::path::Path;

use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::shard::{Shard, characters_in};

/// What a shard holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// Rows, nulls included.
    pub rows: u64,
    /// Row groups.
    pub row_groups: u64,
    /// Unicode scalars of all documents.
    pub characters: u64,
    /// Rows without a document.
    pub nulls: u64,
    /// Documents without a character.
    pub empty: u64,
}

/// Checks that a shard can be read, holds the rows that its footer says, and that every document is UTF-8.
/// Progress is in bytes of text.
///
/// # Errors
/// Those of [`Shard`], [`Error::File`] where the footer counts other rows, and [`Error::Interrupted`].
pub fn check_shard(
    path: &Path,
    text_column: &str,
    most_page: Option<u64>,
    progress: &dyn Progress,
) -> Result<Facts> {
    let shard = Shard::open(path, text_column)?.most_page(most_page.unwrap_or(u64::MAX));
    let mut facts = Facts {
        row_groups: shard.row_groups() as u64,
        ..Facts::default()
    };
    for row_group in 0..shard.row_groups() {
        let mut rows = shard.row_group(row_group)?;
        while let Some(batch) = rows.next_batch()? {
            for document in batch.documents() {
                let characters = characters_in(document.text(0)?.as_bytes());
                facts.characters += characters;
                facts.empty += u64::from(characters == 0);
            }
            facts.rows += batch.rows() as u64;
            facts.nulls += batch.nulls() as u64;
            progress.update(shard.bytes_of_rows(facts.rows), shard.text_bytes())?;
        }
    }
    if i64::try_from(facts.rows) != Ok(shard.footer_rows()) {
        let reason = format!(
            "the row groups hold {} rows, the footer says {}; fetch or write the file again",
            facts.rows,
            shard.footer_rows()
        );
        return Err(Error::File {
            path: path.to_owned(),
            reason,
        });
    }
    Ok(facts)
}
