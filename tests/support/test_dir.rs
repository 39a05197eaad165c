//! The working directory of a test.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::binary::{CommandOutput, RunningCommand, Rushhour};
use super::events::count_events;
use super::secrets::assert_none_below;
use super::session::Session;
use super::wait::wait_until;

/// The folder for what peers write: their configuration holds keys.
pub(super) const PEERS: &str = "peers";

/// A temporary folder that is the working directory of the binary. When it is dropped, everything that was
/// written there is searched for secrets.
pub(crate) struct TestDir {
    folder: tempfile::TempDir,
    /// Files written by the test itself, which may hold keys.
    own: RefCell<HashSet<PathBuf>>,
}

impl Drop for TestDir {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let (peers, own) = (self.path().join(PEERS), self.own.borrow());
        assert_none_below(self.path(), &|path| path == peers || own.contains(path));
    }
}

impl TestDir {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be created");
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

    pub(crate) fn rushhour(&self, arguments: &[&str]) -> Rushhour {
        Rushhour::new(self.path(), arguments)
    }

    pub(crate) fn run_profile(&self, profile: &str) -> CommandOutput {
        self.start_profile(profile).finish()
    }

    pub(crate) fn start_profile(&self, profile: &str) -> RunningCommand {
        self.write("profile.toml", profile);
        self.rushhour(&["run", "profile.toml"]).start()
    }

    /// The only session in `reports`.
    pub(crate) fn session(&self) -> Session {
        self.session_in("reports")
    }

    /// The only session in the folder `out`.
    pub(crate) fn session_in(&self, out: &str) -> Session {
        let mut sessions = self.sessions_in(out);
        assert_eq!(sessions.len(), 1, "one session is in {out}: {sessions:?}");
        Session::open(&sessions.remove(0))
    }

    /// The folders of all sessions in `reports`, sorted.
    pub(crate) fn sessions(&self) -> Vec<PathBuf> {
        self.sessions_in("reports")
    }

    /// The folder of the first session in `reports`, as the argument of a command.
    pub(crate) fn session_argument(&self) -> String {
        let folder = self.sessions().into_iter().next().expect("a session was run");
        folder.into_os_string().into_string().expect("a temporary folder's name is text")
    }

    /// Waits until a session has opened its journal in `reports`; returns its folder.
    #[track_caller]
    pub(crate) fn wait_for_session(&self) -> PathBuf {
        let mut folder = None;
        wait_until("a session has opened its journal", || {
            folder = self.sessions().into_iter().find(|path| count_events(path, "opened") > 0);
            folder.is_some()
        });
        folder.expect("it was just found")
    }

    fn sessions_in(&self, out: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path().join(out)) else { return Vec::new() };
        let mut folders: Vec<PathBuf> =
            entries.map(|entry| entry.expect("an entry can be read").path()).collect();
        folders.sort();
        folders
    }
}
