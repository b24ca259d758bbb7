//! One error type for the crate; the binding maps each variant to a named Python exception.

use std::path::{Path, PathBuf};

/// What can go wrong while counting, training, encoding or reading files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A split pattern that does not compile, or that gave up on a document.
    #[error("split pattern {pattern:?}: {reason}")]
    Pattern {
        /// The pattern as the caller wrote it.
        pattern: String,
        /// What is wrong with it, or with the text that it was run on.
        reason: String,
    },
    /// A vocabulary, merge list or argument that cannot be right.
    #[error("{0}")]
    Value(String),
    /// A file that cannot be read as what it should be.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, with row group and column where they are known.
        reason: String,
    },
    /// A parquet file without the text column that was named.
    #[error("{}: {reason}", path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// What is wrong, and which columns there are.
        reason: String,
    },
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The caller asked to stop (Ctrl-C).
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// The error of a file for one of the operating system.
    pub(crate) fn io(path: &Path) -> impl Fn(std::io::Error) -> Self + Copy {
        |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;
