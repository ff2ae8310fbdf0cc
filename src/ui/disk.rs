//! What a document's file was like when it was last read or written here, so that a change by somebody else is noticed
//! before it is written over. Knows no egui.

use crate::graph::MAX_BYTES;
use serde::{Deserialize, Serialize};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::Path;

/// Length and a hash of a file's content. Times are left out: copying and synchronising change them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    bytes: u64,
    hash: u64,
}

impl Stamp {
    /// The stamp of a file; none if there is no such file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn of(path: &Path) -> io::Result<Option<Self>> {
        let bytes = match std::fs::metadata(path) {
            Ok(data) => data.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // What is too large to be a document is told apart by its length.
        let content = if bytes <= MAX_BYTES { std::fs::read(path)? } else { Vec::new() };
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        Ok(Some(Self { bytes, hash: hasher.finish() }))
    }

    /// Whether a file is no longer what it was; a file that is gone can be written anew.
    pub fn is_outdated(self, path: &Path) -> bool {
        matches!(Self::of(path), Ok(Some(now)) if now != self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_noticed_and_a_missing_one_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.json");
        assert_eq!(Stamp::of(&path).unwrap(), None);
        std::fs::write(&path, "abc").unwrap();
        let stamp = Stamp::of(&path).unwrap().unwrap();
        // Written again with the same content: another time, the same file.
        std::fs::write(&path, "abc").unwrap();
        assert!(!stamp.is_outdated(&path));
        std::fs::write(&path, "abd").unwrap();
        assert!(stamp.is_outdated(&path));
        std::fs::remove_file(&path).unwrap();
        assert!(!stamp.is_outdated(&path));
    }
}
