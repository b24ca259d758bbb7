//! Files that are written whole or not at all.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempPath;

use crate::error::{Error, Result};

const ENDING: &str = ".part";

/// A file under a temporary name in the folder of its final name; removed unless [`Replacing::commit`] runs.
///
/// A process that is killed leaves it there, until the same file is written again. The file is locked, so that one
/// that was left is told from one that is being written; where there are no locks, none is removed.
#[derive(Debug)]
pub struct Replacing {
    writer: BufWriter<File>,
    temporary: TempPath,
    path: PathBuf,
}

impl Replacing {
    /// Starts the file that is to stand at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let io = Error::io(path);
        loop {
            let mut name = OsString::from(".");
            name.push(path.file_name().unwrap_or_default());
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            name.push(format!(".{}-{number}{ENDING}", std::process::id()));
            let temporary = path.with_file_name(name);
            let opened = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&temporary);
            match opened {
                Ok(file) => {
                    let _ = file.try_lock();
                    remove_abandoned(path);
                    return Ok(Self {
                        writer: BufWriter::with_capacity(1 << 18, file),
                        temporary: TempPath::try_from_path(temporary).map_err(io)?,
                        path: path.to_owned(),
                    });
                }
                // left by a process of the same number that was killed
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(source) => return Err(io(source)),
            }
        }
    }

    /// The error of this file for an error of the operating system.
    pub fn error(&self, source: std::io::Error) -> Error {
        Error::io(&self.path)(source)
    }

    /// Flushes, syncs and gives the file its final name.
    ///
    /// # Errors
    /// [`Error::Io`] where any of this fails; then nothing stands under the final name that was not there before.
    pub fn commit(self) -> Result<()> {
        let Self {
            writer,
            temporary,
            path,
        } = self;
        let io = Error::io(&path);
        let file = writer
            .into_inner()
            .map_err(|error| io(error.into_error()))?;
        file.sync_all().map_err(io)?;
        temporary.persist(&path).map_err(|error| io(error.error))?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))
            .and_then(|folder| folder.sync_all())
            .map_err(io)
    }
}

/// Removes the temporary files of processes that were killed while they wrote the file of this name.
fn remove_abandoned(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return;
    };
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if !is_temporary(&entry.file_name(), name) {
            continue;
        }
        if let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Whether a name is one that [`Replacing::create`] gives a temporary file of `name`: `.NAME.PROCESS-NUMBER.part`.
fn is_temporary(found: &OsStr, name: &OsStr) -> bool {
    let numbers = found
        .as_encoded_bytes()
        .strip_prefix(b".")
        .and_then(|rest| rest.strip_prefix(name.as_encoded_bytes()))
        .and_then(|rest| rest.strip_prefix(b"."))
        .and_then(|rest| rest.strip_suffix(ENDING.as_bytes()));
    numbers.is_some_and(|numbers| {
        let mut parts = numbers.split(|&byte| byte == b'-');
        let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
        parts.by_ref().take(2).all(digits) && numbers.contains(&b'-') && parts.next().is_none()
    })
}

impl Write for Replacing {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.writer.write(buffer)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gets_its_name_when_it_is_whole() {
        let folder = std::env::temp_dir().join(format!("rustbpe-files-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("file");
        let mut first = Replacing::create(&path).unwrap();
        first.write_all(b"one").unwrap();
        let mut second = Replacing::create(&path).unwrap();
        second.write_all(b"two").unwrap();
        assert!(!path.exists());
        second.commit().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        drop(first);
        let names: Vec<_> = std::fs::read_dir(&folder).unwrap().collect();
        assert_eq!(names.len(), 1);
        assert!(Replacing::create(&folder.join("no").join("file")).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("rustbpe-left-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let others = [
            ".file.1-2.party",
            ".file.1-2-3.part",
            ".file.12.part",
            ".a.file.1-2.part",
        ];
        for name in others.iter().chain(&[".file.1-2.part", ".file.33-0.part"]) {
            std::fs::write(folder.join(name), "half").unwrap();
        }
        let at_work = Replacing::create(&folder.join("file")).unwrap();
        Replacing::create(&folder.join("file"))
            .unwrap()
            .commit()
            .unwrap();
        let mut names: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        let temporary = at_work.temporary.file_name().unwrap().to_owned();
        let mut wanted: Vec<_> = others.iter().map(OsString::from).collect();
        wanted.extend([temporary, OsString::from("file")]);
        wanted.sort();
        assert_eq!(names, wanted);
        at_work.commit().unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
