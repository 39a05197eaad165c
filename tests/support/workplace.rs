//! A folder of a test's own, with profiles in it.

use std::fs;
use std::path::{Path, PathBuf};

use super::binary::{Ran, Running, Rushhour};
use super::session::Session;

/// Every key and secret that a test uses: none may be printed or written anywhere.
pub(crate) const SECRETS: &[&str] = &[
    "key-of-the-tests-4711",
    "secret-of-the-tests-with-more-than-32-characters",
    "cekura-key-of-the-tests-0815",
    "livekit-secret-of-the-tests-of-enough-characters",
    "sandbox-secret-of-at-least-32-characters",
    "sandbox-cekura-key",
    // What every token begins with: the header {"typ":"JWT","alg":"HS256"} in base64url.
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
];

/// A temporary folder that is the working directory of the binary.
pub(crate) struct Workplace {
    folder: tempfile::TempDir,
}

impl Workplace {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("there is room for a folder") }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).expect("a file can be written");
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
