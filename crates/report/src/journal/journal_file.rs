//! What the journal is written to: a file of its own, put back where somebody deletes it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What the journal is written to. A trait, so that tests can have disks that fill up.
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

    /// Cuts the file to a length.
    ///
    /// # Errors
    /// Where the disk refuses.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

/// A file that this process made or took over, and that no other writes to.
pub(super) struct OwnFile {
    file: File,
    path: PathBuf,
}

impl OwnFile {
    /// Makes it and locks it against other processes.
    ///
    /// # Errors
    /// Where there is such a file, or it cannot be made.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        // The profile in it, and what services say, are nobody else's business on a shared machine.
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(path)?;
        match file.try_lock() {
            // Some network file systems know no locks; they are still written to.
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

    /// One that another process made and left, and that is locked against all others now.
    pub(super) const fn taken_over(file: File, path: PathBuf) -> Self {
        Self { file, path }
    }

    /// A deleted file lives until it is closed: writes it again under its name, where there is none.
    fn put_back(&mut self) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut again = Self::create(&self.path)?;
        self.file.rewind()?;
        let copied = io::copy(&mut self.file, &mut again.file)
            .and_then(|_| again.file.sync_all())
            .and_then(|()| self.file.seek(SeekFrom::End(0)));
        if let Err(error) = copied {
            // Half of it would be taken for all.
            let _ = fs::remove_file(&self.path);
            return Err(error);
        }
        *self = again;
        Ok(())
    }
}

impl JournalFile for OwnFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        if self.file.metadata()?.nlink() > 0 {
            return Ok(());
        }
        let path = self.path.display().to_string();
        Err(io::Error::other(match self.put_back() {
            Ok(()) => format!("{path} was deleted while it was written; it was put back"),
            Err(error) => format!("{path} was deleted and cannot be put back: {error}"),
        }))
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.seek(SeekFrom::Start(length)).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_deleted_is_put_back_and_told_once() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("session/journal.jsonl");
        fs::create_dir(path.parent().unwrap()).unwrap();
        let mut file = OwnFile::create(&path).unwrap();
        file.append(b"one\n").unwrap();
        file.sync().unwrap();
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        file.append(b"two\n").unwrap();
        let told = file.sync().unwrap_err().to_string();
        assert!(told.ends_with("was deleted while it was written; it was put back"), "{told}");
        file.append(b"three\n").unwrap();
        file.sync().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\nthree\n");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn nothing_is_overwritten_by_what_is_put_back() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("journal.jsonl");
        let mut file = OwnFile::create(&path).unwrap();
        file.append(b"ours\n").unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "another's\n").unwrap();
        let told = file.sync().unwrap_err().to_string();
        assert!(told.contains("cannot be put back"), "{told}");
        assert_eq!(fs::read(&path).unwrap(), b"another's\n");
        // The moment the name is free, nothing is lost.
        fs::remove_file(&path).unwrap();
        file.append(b"more\n").unwrap();
        file.sync().unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"ours\nmore\n");
    }
}
