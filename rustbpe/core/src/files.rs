//! Opening files.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use crate::error::{Error, Result};

/// Opens a file to read, and says how long it is. A folder is refused, which the system opens like a file.
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    let file = File::open(path).map_err(Error::io(path))?;
    let status = file.metadata().map_err(Error::io(path))?;
    if status.is_dir() {
        return Err(Error::io(path)(ErrorKind::IsADirectory.into()));
    }
    Ok((file, status.len()))
}
