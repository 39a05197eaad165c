//! The files that a profile names: scripts, clips, prices and keys. Whoever wrote the profile chooses their names, so
//! they are read only below folders that the user named.

use std::io;
use std::path::{Component, Path, PathBuf};

use crate::bounded_file::read_bounded;

/// Where the files of a profile may be.
#[derive(Debug, Clone)]
pub(crate) struct ProfileFiles {
    /// What relative paths are relative to.
    folder: PathBuf,
    /// A further folder below which files may be.
    also: Option<PathBuf>,
    keys: KeyFiles,
    /// Whether a journal names them, which somebody else may have written.
    #[cfg_attr(
        not(feature = "native"),
        expect(dead_code, reason = "only callers of ours say texts")
    )]
    of_journal: bool,
}

/// Whether files with keys may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyFiles {
    Allowed,
    /// A journal names them, and the user named no folder to read them from.
    NeedAFolder,
}

impl ProfileFiles {
    /// The files of the profile at `path`: below its own folder, and below `also`, which `--files` names.
    pub(crate) fn of_profile(path: &Path, also: Option<&Path>) -> Self {
        Self {
            folder: path.parent().unwrap_or(Path::new("")).to_owned(),
            also: also.map(Path::to_owned),
            keys: KeyFiles::Allowed,
            of_journal: false,
        }
    }

    /// The files of a profile in a journal: below the folder that `--files` names, or else the current one.
    pub(crate) fn of_journal(folder: Option<&Path>) -> Self {
        Self {
            folder: folder.unwrap_or(Path::new(".")).to_owned(),
            also: None,
            keys: if folder.is_some() { KeyFiles::Allowed } else { KeyFiles::NeedAFolder },
            of_journal: true,
        }
    }

    /// Whether a journal names them: then nobody on this machine may have read the profile.
    #[cfg(feature = "native")]
    pub(crate) const fn are_of_journal(&self) -> bool {
        self.of_journal
    }

    /// No files at all: there is no profile.
    pub(crate) fn none() -> Self {
        Self::of_journal(None)
    }

    /// The path of a file, for messages.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Reads a file of at most `limit` bytes.
    ///
    /// # Errors
    /// Where it cannot be read, is larger, or is not below a folder that the user named.
    pub(crate) fn read(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        let path = self.path(name);
        if !self.contains(name) {
            return Err(outside_folder());
        }
        read_bounded(&path, limit)
    }

    /// Reads a file that holds a key.
    ///
    /// # Errors
    /// As [`Self::read`]; and where a journal names it, and the user no folder.
    pub(crate) fn read_key(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        if self.keys == KeyFiles::NeedAFolder {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "a journal names it, and no folder was named from which its files may be read",
            ));
        }
        self.read(name, limit)
    }

    /// Whether a file is below a folder that the user named. A link that leads out of it is not.
    fn contains(&self, name: &str) -> bool {
        let path = self.path(name);
        let is_below = |folder: &Path| {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            match (folder.canonicalize(), path.canonicalize()) {
                (Ok(folder), Ok(path)) => path.starts_with(folder),
                // What does not exist cannot be read either; the error of reading it says so.
                (Ok(_), Err(_)) => stays_below(Path::new(name)),
                (Err(_), _) => false,
            }
        };
        is_below(&self.folder) || self.also.as_deref().is_some_and(is_below)
    }
}

/// Whether a path, as it is written, cannot leave the folder that it is relative to.
pub(crate) fn stays_below(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

fn outside_folder() -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        "it is outside the profile's folder; name the folder that it may be read from with --files",
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn files_are_read_only_below_folders_that_the_user_named() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("profiles");
        fs::create_dir_all(folder.join("scripts")).unwrap();
        fs::write(folder.join("scripts/a.toml"), "a").unwrap();
        fs::write(root.path().join("outside"), "b").unwrap();
        symlink("../outside", folder.join("link")).unwrap();
        let files = ProfileFiles::of_profile(&folder.join("p.toml"), None);
        let absolute = root.path().join("outside").display().to_string();
        assert_eq!(files.read("scripts/a.toml", 9).unwrap(), b"a");
        assert_eq!(files.read("scripts/../scripts/a.toml", 9).unwrap(), b"a");
        for outside in ["../outside", "link", &*absolute, "/proc/self/environ", "/proc/none"] {
            let error = files.read(outside, 1_000_000).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{outside}");
        }
        assert_eq!(files.read("none", 9).unwrap_err().kind(), io::ErrorKind::NotFound);
        let files = ProfileFiles::of_profile(&folder.join("p.toml"), Some(root.path()));
        for outside in ["../outside", "link", &*absolute] {
            assert_eq!(files.read(outside, 9).unwrap(), b"b");
        }
    }

    #[test]
    fn a_key_file_that_a_journal_names_is_read_only_from_a_folder_that_the_user_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("key"), "k").unwrap();
        let unnamed = ProfileFiles { folder: folder.path().to_owned(), ..ProfileFiles::none() };
        assert!(unnamed.read_key("key", 9).is_err());
        assert!(ProfileFiles::of_journal(Some(folder.path())).read_key("key", 9).is_ok());
    }
}
