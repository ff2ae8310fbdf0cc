//! The queue on the disk, so that runs that wait outlive the window.
//!
//! ```text
//! queue/<n>.lock     held by a running window; a window that ended leaves it unlocked
//! queue/<n>.json     what waits there: for each run its document, and the weights to start from
//! ```
//!
//! A window takes the first number that nobody holds, and with it what waits there and at the other numbers that nobody
//! holds. A file that cannot be read is put aside, never written over. Knows no egui.

use crate::engine::run::now_secs;
use crate::graph::{Document, write_atomically};
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Runs that may wait at most.
pub(super) const MOST: usize = 100;
/// Windows at once.
const WINDOWS: usize = 32;
/// A larger file is none of ours: a hundred networks of a thousand layers are half as large.
const MOST_BYTES: u64 = 128 << 20;

/// A run that waits, as far as it is stored.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    /// The document to train.
    pub(super) document: Arc<Document>,
    /// Weights to start from.
    pub(super) start_from: Option<PathBuf>,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        // Asked in every frame: documents are told apart by where they are.
        Arc::ptr_eq(&self.document, &other.document) && self.start_from == other.start_from
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    format: String,
    version: u32,
    runs: Vec<StoredRun>,
}

#[derive(Serialize, Deserialize)]
struct StoredRun {
    /// The document's own JSON.
    document: String,
    start_from: Option<PathBuf>,
}

const FORMAT: &str = "striate-queue";
const VERSION: u32 = 1;

/// The place of this window's queue.
#[derive(Debug, Default)]
pub(super) struct QueueStore {
    /// Its file; none if nothing can be kept.
    path: Option<PathBuf>,
    /// Held as long as this lives.
    _lock: Option<File>,
    /// What the file holds.
    written: Vec<Waiting>,
    /// That it cannot be written was said.
    has_failed: bool,
}

impl QueueStore {
    /// Takes the queue of a data folder, with what waits in it, and says what could not be read.
    pub(super) fn open(storage: &Path) -> (Self, Vec<Waiting>, Vec<String>) {
        let folder = storage.join("queue");
        if let Err(error) = std::fs::create_dir_all(&folder) {
            let words = format!("The queue is kept in {}. It cannot be made: {error}.", folder.display());
            return (Self::default(), Vec::new(), vec![words]);
        }
        let mut store = Self::default();
        let (mut waiting, mut warnings, mut taken) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..WINDOWS {
            let path = folder.join(format!("{number}.json"));
            if store.path.is_some() && !path.exists() {
                continue;
            }
            let lock_path = folder.join(format!("{number}.lock"));
            let lock = File::options().write(true).create(true).truncate(false).open(&lock_path);
            let Ok(lock) = lock else { continue };
            match lock.try_lock() {
                // Its window is running.
                Err(TryLockError::WouldBlock) => continue,
                // A file system without locks: better offered twice than never.
                Ok(()) | Err(TryLockError::Error(_)) => {}
            }
            match read(&path) {
                Ok((runs, unread)) => {
                    waiting.extend(runs);
                    // The others still wait; the file as it was is kept for the one that cannot be read.
                    warnings.extend(unread.map(|why| put_aside(&path, &why)));
                }
                Err(why) => warnings.push(put_aside(&path, &why)),
            }
            if store.path.is_none() {
                store = Self { path: Some(path), _lock: Some(lock), ..Self::default() };
            } else {
                // Its lock is held until its runs are written to the file of this window.
                taken.push((path, lock));
            }
        }
        waiting.truncate(MOST);
        // The file of this window holds them all before another one goes.
        match store.keep(&waiting) {
            Ok(()) => {
                for (path, _lock) in taken {
                    // A file that stays is offered once more, which does no harm.
                    let _ = std::fs::remove_file(path);
                }
            }
            Err(why) => warnings.push(why),
        }
        (store, waiting, warnings)
    }

    /// Brings the file up to date, if the queue is another than before. An empty queue has no file.
    ///
    /// # Errors
    /// In words, once.
    pub(super) fn keep(&mut self, waiting: &[Waiting]) -> Result<(), String> {
        let Some(path) = self.path.as_ref().filter(|_| self.written != waiting) else { return Ok(()) };
        self.written = waiting.to_vec();
        let done = if waiting.is_empty() {
            std::fs::remove_file(path).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })
        } else {
            let run =
                |run: &Waiting| StoredRun { document: run.document.to_json(), start_from: run.start_from.clone() };
            let stored = Stored { format: FORMAT.into(), version: VERSION, runs: waiting.iter().map(run).collect() };
            write_atomically(path, &serde_json::to_vec_pretty(&stored).unwrap_or_default())
        };
        match done {
            Ok(()) => self.has_failed = false,
            Err(_) if self.has_failed => {}
            Err(error) => {
                self.has_failed = true;
                return Err(format!(
                    "The queue must be written to outlive the window. {}: {error}. It waits here all the same.",
                    path.display()
                ));
            }
        }
        Ok(())
    }
}

/// What waits in a file, and why a run of it cannot be read, if so.
fn read(path: &Path) -> Result<(Vec<Waiting>, Option<String>), String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), None)),
        Err(error) => return Err(error.to_string()),
    };
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("it has more than {} bytes", crate::text::count(MOST_BYTES)));
    }
    let stored: Stored = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    if stored.format != FORMAT || stored.version > VERSION {
        return Err(format!("it is a {} of version {}", stored.format, stored.version));
    }
    let (mut waiting, mut unread) = (Vec::new(), None);
    for StoredRun { document, start_from } in stored.runs.into_iter().take(MOST) {
        match Document::from_json(&document) {
            Ok(document) => waiting.push(Waiting { document: Arc::new(document), start_from }),
            Err(error) => unread = Some(error.to_string()),
        }
    }
    Ok((waiting, unread))
}

/// Moves a file that cannot be read out of the way, and says so.
fn put_aside(path: &Path, why: &str) -> String {
    let aside = path.with_extension(format!("damaged-{}", now_secs()));
    match std::fs::rename(path, &aside) {
        Ok(()) => {
            format!("The queue of an earlier session cannot be read: {why}. Its file is kept as {}.", aside.display())
        }
        Err(error) => {
            format!(
                "The queue of an earlier session cannot be read: {why}. Its file {} could not be moved: {error}.",
                path.display()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(name: &str) -> Waiting {
        let document = Document { name: name.into(), ..crate::presets::find("lenet5").unwrap() };
        Waiting { document: Arc::new(document), start_from: Some(PathBuf::from("runs/a-1")) }
    }

    fn names(waiting: &[Waiting]) -> Vec<&str> {
        waiting.iter().map(|run| run.document.name.as_str()).collect()
    }

    #[test]
    fn what_waits_comes_back_in_its_order_and_an_empty_queue_leaves_no_file() {
        let scratch = tempfile::tempdir().unwrap();
        let (mut store, found, warnings) = QueueStore::open(scratch.path());
        assert!(found.is_empty() && warnings.is_empty(), "{warnings:?}");
        let wanted = [waiting("b"), waiting("a")];
        store.keep(&wanted).unwrap();
        drop(store);
        let (mut store, found, warnings) = QueueStore::open(scratch.path());
        assert_eq!((names(&found), warnings), (vec!["b", "a"], Vec::new()));
        assert_eq!(found[0].document.to_json(), wanted[0].document.to_json());
        assert_eq!(found[0].start_from, wanted[0].start_from);
        store.keep(&[]).unwrap();
        assert!(!scratch.path().join("queue/0.json").exists());
    }

    #[test]
    fn two_windows_keep_their_queues_apart_and_the_next_one_finds_both() {
        let scratch = tempfile::tempdir().unwrap();
        let (mut first, ..) = QueueStore::open(scratch.path());
        let (mut second, found, _) = QueueStore::open(scratch.path());
        first.keep(&[waiting("first")]).unwrap();
        second.keep(&[waiting("second")]).unwrap();
        assert!(found.is_empty());
        // A third window while both are open finds nothing; after them it finds both, and they are not offered again.
        assert!(QueueStore::open(scratch.path()).1.is_empty());
        drop((first, second));
        let (third, found, _) = QueueStore::open(scratch.path());
        assert_eq!(names(&found), ["first", "second"]);
        assert!(QueueStore::open(scratch.path()).1.is_empty());
        drop(third);
        assert_eq!(names(&QueueStore::open(scratch.path()).1), ["first", "second"]);
    }

    #[test]
    fn a_damaged_file_is_put_aside_with_a_message_and_one_bad_run_does_not_take_the_others_along() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("queue");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("0.json"), "{\"format\":\"striate-queue\",\"ver").unwrap();
        let (mut store, found, warnings) = QueueStore::open(scratch.path());
        assert!(found.is_empty());
        assert!(warnings[0].contains("cannot be read") && warnings[0].contains("0.damaged-"), "{warnings:?}");
        store.keep(&[waiting("good"), waiting("bad")]).unwrap();
        drop(store);
        let text = std::fs::read_to_string(folder.join("0.json")).unwrap();
        // The bad one is of a version that nobody knows yet.
        let at = text.rfind("\\\"version\\\": 1").unwrap();
        std::fs::write(folder.join("0.json"), format!("{}\\\"version\\\": \\\"x\\\"{}", &text[..at], &text[at + 14..]))
            .unwrap();
        let (_, found, warnings) = QueueStore::open(scratch.path());
        assert_eq!((names(&found), warnings.len()), (vec!["good"], 1));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_said_once_and_the_queue_goes_on_in_memory() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join("queue"), "in the way").unwrap();
        let (mut store, _, warnings) = QueueStore::open(scratch.path());
        assert_eq!(warnings.len(), 1);
        assert_eq!(store.keep(&[waiting("a")]), Ok(()));
    }
}
