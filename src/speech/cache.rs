//! What was synthesised before, by the hash of the text and of what said it. Texts may be personal: only their owner may
//! read them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::bounded_file::{MAX_CLIP, read_bounded};

/// A folder of synthesised clips.
#[derive(Debug, Clone)]
pub(super) struct SpeechCache {
    folder: PathBuf,
}

impl SpeechCache {
    /// The folder that the environment names; `None` where it names none.
    pub(super) fn of_environment() -> Option<Self> {
        let named = |variable: &str| {
            let value = std::env::var_os(variable).filter(|value| !value.is_empty())?;
            Some(PathBuf::from(value))
        };
        let folder = named("RUSHHOUR_CACHE")
            .or_else(|| Some(named("XDG_CACHE_HOME")?.join("rushhour")))
            .or_else(|| Some(named("HOME")?.join(".cache/rushhour")))?;
        Some(Self { folder: folder.join("speech") })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The clip with this hash, if it is there.
    pub(super) fn get(&self, hash: &str) -> Option<Vec<u8>> {
        read_bounded(&self.folder.join(hash), MAX_CLIP).ok()
    }

    /// Keeps a clip. Nobody sees a part of it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn add(&self, hash: &str, bytes: &[u8]) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        // Of this process and this text alone: another session may keep the same text now.
        let part = self.folder.join(format!("{hash}.{}.part", std::process::id()));
        let write = || -> io::Result<()> {
            // One of a process that died, or somebody's link.
            let _ = fs::remove_file(&part);
            let mut file: File =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&part, self.folder.join(hash))
        };
        write().inspect_err(|_| {
            // What cannot be written may not be removed either.
            let _ = fs::remove_file(&part);
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_clip_is_kept_for_its_owner_alone() {
        let root = tempfile::tempdir().unwrap();
        let cache = SpeechCache { folder: root.path().join("a/speech") };
        assert_eq!(cache.get("f00"), None);
        cache.add("f00", b"RIFF").unwrap();
        cache.add("f00", b"RIFFs").unwrap();
        assert_eq!(cache.get("f00").as_deref(), Some(b"RIFFs".as_slice()));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&cache.folder), 0o700);
        assert_eq!(mode(&cache.folder.join("f00")), 0o600);
        assert_eq!(fs::read_dir(&cache.folder).unwrap().count(), 1, "no part is left");
        fs::write(root.path().join("file"), "").unwrap();
        let nowhere = SpeechCache { folder: root.path().join("file") };
        assert!(nowhere.add("f00", b"RIFF").is_err());
    }
}
