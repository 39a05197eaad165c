//! The file under a journal: locked against other processes, and restored if somebody deletes it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What a journal is written to. A trait, so that tests can use disks that fill up.
pub trait JournalFile: Send + 'static {
    /// Appends bytes.
    ///
    /// # Errors
    /// Where the disk refuses; some of the bytes may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything appended durable.
    ///
    /// # Errors
    /// Where the disk refuses, or the file was deleted.
    fn sync(&mut self) -> io::Result<()>;

    /// Truncates the file to `length` bytes.
    ///
    /// # Errors
    /// Where the disk refuses.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// A file that this process created or took over, and that no other process writes to.
pub(super) struct LockedFile {
    file: File,
    path: PathBuf,
}

impl LockedFile {
    /// Creates the file and locks it against other processes.
    ///
    /// # Errors
    /// Where the file exists, or cannot be created.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        // The journal holds the profile and what services answered: on a shared machine that is nobody else's business.
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(path)?;
        match file.try_lock() {
            // Some network file systems have no locks; the journal is written all the same.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other("another process owns this journal"));
            }
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            // The file's name is durable only when its folder is.
            File::open(folder)?.sync_all()?;
        }
        Ok(Self { file, path: path.to_owned() })
    }

    /// Wraps a file that another process left behind and that the caller has locked.
    pub(super) const fn from_locked(file: File, path: PathBuf) -> Self {
        Self { file, path }
    }

    /// Copies a deleted file, which lives until it is closed, back to its path, unless there is another file by now.
    fn restore(&mut self) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut restored = Self::create(&self.path)?;
        self.file.rewind()?;
        let copied = io::copy(&mut self.file, &mut restored.file)
            .and_then(|_| restored.file.sync_all())
            .and_then(|()| self.file.seek(SeekFrom::End(0)));
        if let Err(error) = copied {
            // An incomplete copy would pass for the whole journal.
            let _ = fs::remove_file(&self.path);
            return Err(error);
        }
        *self = restored;
        Ok(())
    }
}

impl JournalFile for LockedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        if self.file.metadata()?.nlink() > 0 {
            return Ok(());
        }
        let path = self.path.display().to_string();
        Err(io::Error::other(match self.restore() {
            Ok(()) => format!("{path} was deleted during the session; Rushhour restored it"),
            Err(error) => format!("{path} was deleted and cannot be restored: {error}"),
        }))
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.seek(SeekFrom::Start(length)).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_file_is_restored_and_reported_once() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("session/journal.jsonl");
        fs::create_dir(path.parent().unwrap()).unwrap();
        let mut file = LockedFile::create(&path).unwrap();
        file.append(b"one\n").unwrap();
        file.sync().unwrap();
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        file.append(b"two\n").unwrap();
        let error = file.sync().unwrap_err().to_string();
        assert!(error.ends_with("was deleted during the session; Rushhour restored it"), "{error}");
        file.append(b"three\n").unwrap();
        file.sync().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\nthree\n");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn restoring_does_not_overwrite_another_file() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("journal.jsonl");
        let mut file = LockedFile::create(&path).unwrap();
        file.append(b"ours\n").unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "another's\n").unwrap();
        let error = file.sync().unwrap_err().to_string();
        assert!(error.contains("cannot be restored"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"another's\n");
        // Once the path is free again, nothing is lost.
        fs::remove_file(&path).unwrap();
        file.append(b"more\n").unwrap();
        file.sync().unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"ours\nmore\n");
    }
}
