//! Files that somebody else may have written: only regular ones are read, and never more than is of use.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// What is read of a profile at most. The loader takes less, and says so with the profile's other mistakes.
pub(crate) const MAX_PROFILE: u64 = 16 * MAX_TEXT;
/// The largest script or price file.
pub(crate) const MAX_TEXT: u64 = 1024 * 1024;
/// The largest file with a key.
pub(crate) const MAX_KEY: u64 = 16 * 1024;
/// The largest clip: a minute of stereo at 192 kHz in 32 bits has 92 MB.
#[cfg(feature = "native")]
pub(crate) const MAX_CLIP: u64 = 100 * 1024 * 1024;

/// Opens a regular file for reading. A device has no end, and a pipe without a writer never answers.
///
/// # Errors
/// Where it cannot be opened, or is not a regular file.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    // Opening a pipe would wait for its writer.
    let without_waiting = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(without_waiting).open(path)?;
    match file.metadata()?.file_type() {
        kind if kind.is_file() => Ok(file),
        kind if kind.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory)),
        _ => Err(io::Error::other("it is not a regular file")),
    }
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// Where it cannot be read, is not a regular file, or is larger.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open_regular(path)?;
    let too_large = || io::Error::other(format!("it is larger than {limit} bytes"));
    if file.metadata()?.len() > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // It may grow while it is read, and some files of the kernel do not say how large they are.
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_regular_files_of_bounded_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read_bounded(&path, 5).unwrap(), b"12345");
        assert!(read_bounded(&path, 4).unwrap_err().to_string().contains("larger than 4 bytes"));
        File::create(&path).unwrap().set_len(20_000_000_000).unwrap();
        assert!(read_bounded(&path, MAX_TEXT).is_err(), "a sparse file of 20 GB");
        assert!(read_bounded(Path::new("/dev/zero"), MAX_TEXT).is_err());
        assert!(read_bounded(folder.path(), MAX_TEXT).is_err());
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        assert!(read_bounded(&pipe, MAX_TEXT).unwrap_err().to_string().contains("regular"));
    }
}
