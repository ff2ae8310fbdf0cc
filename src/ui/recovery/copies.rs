//! Copies of networks as they lie in a recovery folder.

use super::Snapshot;
use crate::engine::run::now_secs;
use crate::graph::{Document, write_atomically};
use crate::ui::disk::Stamp;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// Most networks that are offered.
const MOST: usize = 50;

/// One file of a recovery folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Copy {
    format: String,
    title: String,
    file: Option<PathBuf>,
    stamp: Option<Stamp>,
    /// Seconds since 1970.
    saved: u64,
    /// The document's own JSON.
    document: String,
}

const FORMAT: &str = "striate-recovery";

/// A network that a crashed window left behind.
#[derive(Debug)]
pub(in crate::ui) struct Found {
    /// Text of its tab.
    pub title: String,
    /// Where it was stored.
    pub file: Option<PathBuf>,
    /// What that file was like then.
    pub stamp: Option<Stamp>,
    /// Seconds since 1970.
    pub saved: u64,
    /// The network, or why its copy cannot be read.
    pub document: Result<Document, String>,
    /// Its copy.
    pub(super) path: PathBuf,
}

pub(super) fn write_copy(path: &Path, snapshot: &Snapshot) -> io::Result<()> {
    let copy = Copy {
        format: FORMAT.into(),
        title: snapshot.title.clone(),
        file: snapshot.file.clone(),
        stamp: snapshot.stamp,
        saved: now_secs(),
        document: snapshot.document.to_json(),
    };
    write_atomically(path, &serde_json::to_vec_pretty(&copy).map_err(io::Error::other)?)
}

pub(super) fn copies(folder: &Path) -> Vec<Found> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths.truncate(MOST);
    paths.into_iter().map(read_copy).collect()
}

fn read_copy(path: PathBuf) -> Found {
    let copy = std::fs::read(&path)
        .map_err(|error| error.to_string())
        .and_then(|bytes| serde_json::from_slice::<Copy>(&bytes).map_err(|error| error.to_string()));
    match copy {
        Ok(copy) => Found {
            title: copy.title,
            file: copy.file,
            stamp: copy.stamp,
            saved: copy.saved,
            document: Document::from_json(&copy.document).map_err(|error| error.to_string()),
            path,
        },
        Err(error) => Found {
            title: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            file: None,
            stamp: None,
            saved: 0,
            document: Err(format!("A copy must be whole to be restored. {}: {error}.", path.display())),
            path,
        },
    }
}
