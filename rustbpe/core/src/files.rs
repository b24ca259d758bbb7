//! Files that are written whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// A file under a temporary name in the folder of its final name; removed unless [`Replacing::commit`] runs.
pub struct Replacing {
    writer: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl Replacing {
    /// Starts the file that is to stand at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut prefix = std::ffi::OsString::from(".");
        prefix.push(path.file_name().unwrap_or_default());
        prefix.push(".");
        let temporary = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(".part")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
            .tempfile_in(folder)
            .map_err(|source| Error::Io {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            writer: BufWriter::with_capacity(1 << 18, temporary),
            path: path.to_owned(),
        })
    }

    /// The error of this file for an error of the operating system.
    pub fn error(&self, source: std::io::Error) -> Error {
        Error::Io {
            path: self.path.clone(),
            source,
        }
    }

    /// Flushes, syncs and gives the file its final name.
    ///
    /// # Errors
    /// [`Error::Io`] where any of this fails; then nothing stands under the final name that was not there before.
    pub fn commit(self) -> Result<()> {
        let Self { writer, path } = self;
        let io = |source| Error::Io {
            path: path.clone(),
            source,
        };
        let temporary = writer
            .into_inner()
            .map_err(|error| io(error.into_error()))?;
        temporary.as_file().sync_all().map_err(io)?;
        temporary.persist(&path).map_err(|error| io(error.error))?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))
            .and_then(|folder| folder.sync_all())
            .map_err(io)
    }
}

impl Write for Replacing {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.writer.write(buffer)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}

impl Replacing {
    /// The temporary file itself; flush before using it.
    pub(crate) fn file_mut(&mut self) -> &mut File {
        self.writer.get_mut().as_file_mut()
    }
}
