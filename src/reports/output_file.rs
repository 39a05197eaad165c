//! Files that are written completely or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::CliError;

/// Writes a file completely or not at all: a reader never meets half of it.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let unfinished = unfinished(path);
    let write = || -> io::Result<()> {
        let mut file = create_private(&unfinished)?;
        file.write_all(bytes)?;
        fs::rename(&unfinished, path)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&unfinished);
        cannot_write(path, error)
    })
}

/// A value as indented JSON with a final line feed.
pub(crate) fn to_json(value: &impl Serialize) -> Result<Vec<u8>, CliError> {
    let mut json = serde_json::to_vec_pretty(value).map_err(CliError::from_internal)?;
    json.push(b'\n');
    Ok(json)
}

/// A CSV file that is written row by row, and gets its name when it is complete.
pub(crate) struct CsvFile<W> {
    writer: W,
    target: PathBuf,
}

impl<W> CsvFile<W> {
    pub(crate) fn create(
        target: PathBuf,
        new: impl FnOnce(BufWriter<File>) -> csv::Result<W>,
    ) -> Result<Self, CliError> {
        let file =
            create_private(&unfinished(&target)).map_err(|error| cannot_write(&target, error))?;
        let writer =
            new(BufWriter::new(file)).map_err(|error| cannot_write(&target, error.into()))?;
        Ok(Self { writer, target })
    }

    pub(crate) fn write(
        &mut self,
        write: impl FnOnce(&mut W) -> csv::Result<()>,
    ) -> Result<(), CliError> {
        write(&mut self.writer).map_err(|error| cannot_write(&self.target, error.into()))
    }

    pub(crate) fn finish(self, finish: impl FnOnce(W) -> csv::Result<()>) -> Result<(), CliError> {
        finish(self.writer).map_err(|error| cannot_write(&self.target, error.into()))?;
        fs::rename(unfinished(&self.target), &self.target)
            .map_err(|error| cannot_write(&self.target, error))
    }
}

/// Removes what was written of a file that was not completed, if anything.
pub(crate) fn remove_unfinished(target: &Path) {
    let _ = fs::remove_file(unfinished(target));
}

fn unfinished(target: &Path) -> PathBuf {
    target.with_added_extension("unfinished")
}

/// Creates a file anew that only its owner can read: reports repeat the profile, and what services answered. What an
/// interrupted process, or whoever made the folder, left under this name goes; a link is not followed.
fn create_private(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => OpenOptions::new().write(true).create_new(true).mode(0o600).open(path),
    }
}

fn cannot_write(path: &Path, error: io::Error) -> CliError {
    CliError::usage(format!("cannot write {}", path.display())).caused_by(error).with_hint(
        "make room, and run `rushhour report`: everything that was measured is safe in the journal",
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_report_follows_no_link_and_keeps_no_wide_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for planted in ["a.json.unfinished", "a.json"] {
            fs::write(path("victim"), "precious").unwrap();
            symlink(path("victim"), path(planted)).unwrap();
            write_atomically(&path("a.json"), b"{}").unwrap();
            assert_eq!(fs::read(path("victim")).unwrap(), b"precious", "{planted}");
            assert_eq!(fs::read(path("a.json")).unwrap(), b"{}");
            fs::remove_file(path("a.json")).unwrap();
        }
        fs::write(path("a.json.unfinished"), "").unwrap();
        fs::set_permissions(path("a.json.unfinished"), fs::Permissions::from_mode(0o666)).unwrap();
        write_atomically(&path("a.json"), b"{}").unwrap();
        let mode = fs::metadata(path("a.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
