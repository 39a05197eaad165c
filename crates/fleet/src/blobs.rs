//! Scripts, clips and setups by their SHA-256.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The SHA-256 of a blob, as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobHash([u8; 32]);

impl BlobHash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobHash({self})")
    }
}

/// A text is not a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 is 64 hexadecimal digits")]
pub struct InvalidHash;

impl FromStr for BlobHash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidHash);
        }
        let mut hash = [0; 32];
        for (byte, at) in hash.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| InvalidHash)?;
        }
        Ok(Self(hash))
    }
}

impl TryFrom<String> for BlobHash {
    type Error = InvalidHash;

    fn try_from(text: String) -> Result<Self, InvalidHash> {
        text.parse()
    }
}

impl From<BlobHash> for String {
    fn from(hash: BlobHash) -> Self {
        hash.to_string()
    }
}

/// Blobs, each once.
#[derive(Debug, Default)]
pub struct BlobStore {
    blobs: HashMap<BlobHash, Bytes>,
    bytes: usize,
}

impl BlobStore {
    /// Keeps a blob; returns its hash.
    pub fn add(&mut self, bytes: impl Into<Bytes>) -> BlobHash {
        let bytes = bytes.into();
        let hash = BlobHash::of(&bytes);
        let length = bytes.len();
        if self.blobs.insert(hash, bytes).is_none() {
            self.bytes += length;
        }
        hash
    }

    /// A blob.
    pub fn get(&self, hash: BlobHash) -> Option<Bytes> {
        self.blobs.get(&hash).cloned()
    }

    /// How many bytes they have together.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets all but some.
    pub(crate) fn retain(&mut self, keep: impl Fn(BlobHash) -> bool) {
        self.blobs.retain(|hash, _| keep(*hash));
        self.bytes = self.blobs.values().map(Bytes::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_found_by_its_hash_and_kept_once() {
        let mut store = BlobStore::default();
        let hash = store.add(&b"abc"[..]);
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.to_string(), known, "FIPS 180-2, appendix B.1");
        assert_eq!(known.parse(), Ok(hash));
        assert_eq!(store.add(&b"abc"[..]), hash);
        assert_eq!((store.bytes(), store.get(hash).as_deref()), (3, Some(&b"abc"[..])));
        store.retain(|_| false);
        assert_eq!((store.bytes(), store.get(hash)), (0, None));
        for text in ["", "ba78", &known[1..], &known.replace('b', "x")] {
            assert_eq!(text.parse::<BlobHash>(), Err(InvalidHash));
        }
    }
}
