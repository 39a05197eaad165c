//! A folder of a test's own, with profiles in it.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::binary::{Ran, Running, Rushhour};
use super::leaks::assert_none_below;
use super::session::Session;

/// Where peers keep what is theirs: their configuration holds keys.
pub(super) const PEERS: &str = "peers";

/// A temporary folder that is the working directory of the binary. When it goes, everything that was
/// written there is searched for secrets.
pub(crate) struct Workplace {
    folder: tempfile::TempDir,
    /// Files of the test's own, which may hold keys.
    own: RefCell<HashSet<PathBuf>>,
}

impl Drop for Workplace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let (peers, own) = (self.path().join(PEERS), self.own.borrow());
        assert_none_below(self.path(), &|path| path == peers || own.contains(path));
    }
}

impl Workplace {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        Self { folder, own: RefCell::default() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).expect("a file can be written");
        self.own.borrow_mut().insert(path.clone());
        path
    }

    pub(crate) fn rushhour(&self, words: &[&str]) -> Rushhour {
        Rushhour::new(self.path(), words)
    }

    /// Runs a profile; gives how it ended.
    pub(crate) fn run_profile(&self, profile: &str) -> Ran {
        self.write("profile.toml", profile);
        self.rushhour(&["run", "profile.toml"]).run()
    }

    /// Begins to run a profile.
    pub(crate) fn start_profile(&self, profile: &str) -> Running {
        self.write("profile.toml", profile);
        self.rushhour(&["run", "profile.toml"]).start()
    }

    /// The one session that was run here.
    pub(crate) fn session(&self) -> Session {
        self.session_in("reports")
    }

    /// The one session whose folder is in `out`.
    pub(crate) fn session_in(&self, out: &str) -> Session {
        let mut sessions = self.sessions_in(out);
        assert_eq!(sessions.len(), 1, "one session is in {out}: {sessions:?}");
        Session::open(&sessions.remove(0))
    }

    /// The folders of all sessions that were run here.
    pub(crate) fn sessions(&self) -> Vec<PathBuf> {
        self.sessions_in("reports")
    }

    fn sessions_in(&self, out: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path().join(out)) else { return Vec::new() };
        let mut folders: Vec<PathBuf> =
            entries.map(|entry| entry.expect("an entry can be read").path()).collect();
        folders.sort();
        folders
    }
}
