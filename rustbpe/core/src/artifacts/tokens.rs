//! Token files: the width of an id, and files that are hashed while they are written.
//!
//! A token file (`.ds`) holds ids end to end as little-endian `uint16` or `uint32`, its index (`.ds.index`) the place
//! after the last token of each document as little-endian `uint64`, counted in tokens: what datatrove writes and
//! nanotron reads.

use std::io::Write;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::replacing::Replacing;
use crate::error::Result;

/// Width of a token in a token file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// `uint16`: ids up to 65,535.
    Two,
    /// `uint32`.
    Four,
}

impl Width {
    /// The largest id that fits.
    #[must_use]
    pub fn largest(self) -> u32 {
        match self {
            Self::Two => u32::from(u16::MAX),
            Self::Four => u32::MAX,
        }
    }

    /// Bytes of a token.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    pub(crate) fn append(self, ids: &[u32], out: &mut Vec<u8>) {
        match self {
            Self::Two => out.extend(ids.iter().flat_map(|&id| (id as u16).to_le_bytes())),
            Self::Four => out.extend(ids.iter().flat_map(|&id| id.to_le_bytes())),
        }
    }
}

/// A file and the hash of what was written.
pub(crate) struct Hashed {
    file: Replacing,
    hash: Sha256,
    pub(crate) written: u64,
}

impl Hashed {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        Ok(Self {
            file: Replacing::create(path)?,
            hash: Sha256::new(),
            written: 0,
        })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.written += bytes.len() as u64;
        self.file
            .write_all(bytes)
            .map_err(|source| self.file.error(source))
    }

    pub(crate) fn commit(self) -> Result<String> {
        self.file.commit()?;
        Ok(self
            .hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect())
    }
}
