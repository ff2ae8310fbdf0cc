//! What survives a crash of the window: copies of all networks with unsaved changes, written a few seconds after each
//! change by a thread of its own, and at once when the window panics.
//!
//! ```text
//! recovery/<window>.lock          held by a running window; a window that ended leaves it unlocked
//! recovery/<window>/<n>.json      one network: title, file, time, and the document
//! recovery/<window>/report        where the report of a panic is
//! ```
//!
//! A clean end removes its own. A new window looks for what others left behind, takes their locks so that no third window
//! offers the same, and asks. Knows no egui.

mod copies;

pub(super) use copies::Found;

use super::disk::Stamp;
use crate::engine::run::now_secs;
use crate::graph::Document;
use copies::{copies, write_copy};
use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Time between a change and its copy on disk.
const DELAY: Duration = Duration::from_secs(2);
/// Time until a copy that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// A network as it must survive.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    /// Tells open documents apart.
    pub serial: u64,
    /// Changes with every change.
    pub revision: u64,
    /// Text of its tab.
    pub title: String,
    /// Where it is stored.
    pub file: Option<PathBuf>,
    /// What its file was like when it was opened or saved.
    pub stamp: Option<Stamp>,
    /// The network.
    pub document: Arc<Document>,
}

/// What one crashed window left behind; its lock is held as long as this lives.
#[derive(Debug)]
pub(super) struct Leftover {
    /// Its networks; those that were dealt with are gone.
    pub found: Vec<Found>,
    /// Where the report of its panic is, if it panicked.
    pub report: Option<PathBuf>,
    folder: PathBuf,
    lock_path: PathBuf,
    _lock: File,
}

impl Leftover {
    /// Takes one network out and forgets its copy: it was restored elsewhere, or is not wanted.
    pub(super) fn remove(&mut self, index: usize) {
        if index < self.found.len() {
            let found = self.found.remove(index);
            // A copy that stays is offered once more, which does no harm.
            let _ = std::fs::remove_file(&found.path);
        }
        if self.found.is_empty() {
            let _ = std::fs::remove_dir_all(&self.folder);
            let _ = std::fs::remove_file(&self.lock_path);
        }
    }
}

#[derive(Debug, Default)]
struct State {
    wanted: BTreeMap<u64, Snapshot>,
    written: BTreeMap<u64, u64>,
    since: Option<Instant>,
    is_over: bool,
    /// Why not everything is written, as long as that is so.
    problem: Option<String>,
}

impl State {
    fn is_behind(&self) -> bool {
        self.wanted.len() != self.written.len()
            || self.wanted.iter().any(|(serial, wanted)| self.written.get(serial) != Some(&wanted.revision))
    }
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
    /// Held while files are written, so that thread and panic do not write at once.
    writing: Mutex<()>,
}

/// The recovery of this window.
#[derive(Debug)]
pub(super) struct Recovery {
    shared: Arc<Shared>,
    lock_path: PathBuf,
    _lock: File,
}

/// The window's recovery, for its panic.
static CURRENT: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

impl Recovery {
    /// Starts keeping copies below a folder, and gives what earlier windows left there.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(super) fn open(storage: &Path) -> io::Result<(Self, Vec<Leftover>)> {
        let root = storage.join("recovery");
        std::fs::create_dir_all(&root)?;
        let leftovers = leftovers(&root);
        let (name, lock_path, lock) = claim(&root)?;
        let folder = root.join(name);
        std::fs::create_dir_all(&folder)?;
        let shared =
            Arc::new(Shared { folder, state: Mutex::default(), changed: Condvar::new(), writing: Mutex::default() });
        let own = Arc::clone(&shared);
        std::thread::Builder::new().name("striate-autosave".into()).spawn(move || own.keep_up())?;
        *lock_of(&CURRENT) = Arc::downgrade(&shared);
        Ok((Self { shared, lock_path, _lock: lock }, leftovers))
    }

    /// Says what must survive from now on: networks with unsaved changes. Cheap; the thread writes.
    pub(super) fn keep(&self, snapshots: impl IntoIterator<Item = Snapshot>) {
        let mut state = lock_of(&self.shared.state);
        state.wanted = snapshots.into_iter().map(|snapshot| (snapshot.serial, snapshot)).collect();
        if state.is_behind() {
            state.since.get_or_insert_with(Instant::now);
            drop(state);
            self.shared.changed.notify_all();
        }
    }

    /// Writes what is not written yet, now.
    pub(super) fn write_now(&self) {
        self.shared.write();
    }

    /// Why not everything could be copied, as long as that is so: it is tried again and again.
    pub(super) fn problem(&self) -> Option<String> {
        lock_of(&self.shared.state).problem.clone()
    }

    /// The window ends as it should: nothing is left to recover.
    pub(super) fn finish(self) {
        lock_of(&self.shared.state).wanted.clear();
        let _writing = lock_of(&self.shared.writing);
        let _ = std::fs::remove_dir_all(&self.shared.folder);
        let _ = std::fs::remove_file(&self.lock_path);
    }
}

impl Drop for Recovery {
    fn drop(&mut self) {
        // What is on disk stays: only `finish` is a clean end.
        lock_of(&self.shared.state).is_over = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    /// The thread: writes a while after each change.
    fn keep_up(&self) {
        let mut state = lock_of(&self.state);
        while !state.is_over {
            let wait = match state.since {
                Some(since) => {
                    let delay = if state.problem.is_some() { RETRY } else { DELAY };
                    delay.saturating_sub(since.elapsed())
                }
                None => Duration::from_hours(1),
            };
            if wait.is_zero() {
                drop(state);
                self.write();
                state = lock_of(&self.state);
            } else {
                state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    /// Brings the folder up to date.
    fn write(&self) {
        let _writing = lock_of(&self.writing);
        let (wanted, written) = {
            let mut state = lock_of(&self.state);
            state.since = None;
            (state.wanted.clone(), state.written.clone())
        };
        let mut done = BTreeMap::new();
        let mut problem = None;
        if !wanted.is_empty() {
            // It may have been tidied away. If it cannot be made, the copies say why.
            let _ = std::fs::create_dir_all(&self.folder);
        }
        for (serial, snapshot) in &wanted {
            if written.get(serial) != Some(&snapshot.revision)
                && let Err(error) = write_copy(&self.path(*serial), snapshot)
            {
                problem = Some(format!(
                    "Unsaved changes are copied to {} in case of a crash. That failed: {error}. Save your work.",
                    self.folder.display()
                ));
                continue;
            }
            done.insert(*serial, snapshot.revision);
        }
        for serial in written.keys().filter(|serial| !wanted.contains_key(serial)) {
            // A copy too many is offered after a crash, which does no harm.
            let _ = std::fs::remove_file(self.path(*serial));
        }
        let mut state = lock_of(&self.state);
        state.written = done;
        if problem.is_some() {
            state.since = Some(Instant::now());
        }
        state.problem = problem;
    }

    fn write_in_panic(&self, report: Option<&Path>) {
        // The panic may have come while one of these was held; the thread's last copy must do then.
        if self.state.try_lock().is_err() || self.writing.try_lock().is_err() {
            return;
        }
        self.write();
        if let Some(report) = report {
            let _ = std::fs::write(self.folder.join("report"), report.display().to_string());
        }
    }

    fn path(&self, serial: u64) -> PathBuf {
        self.folder.join(format!("{serial}.json"))
    }
}

/// Writes everything that is not written yet: the window panics. Also notes where the report is.
pub(super) fn write_in_panic(report: Option<&Path>) {
    let current = lock_of(&CURRENT).upgrade();
    if let Some(shared) = current {
        shared.write_in_panic(report);
    }
}

/// A name of its own for this window, with its lock held.
fn claim(root: &Path) -> io::Result<(String, PathBuf, File)> {
    let stem = format!("{}-{}", now_secs(), std::process::id());
    let mut last = io::Error::other("no free name");
    for number in 0..100 {
        let name = if number == 0 { stem.clone() } else { format!("{stem}-{number}") };
        let path = root.join(format!("{name}.lock"));
        let attempt = File::options().write(true).create_new(true).open(&path).and_then(|file| {
            file.try_lock().map_err(io::Error::from)?;
            Ok(file)
        });
        match attempt {
            Ok(file) => return Ok((name, path, file)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// What windows that are gone left behind; their empty folders are removed.
fn leftovers(root: &Path) -> Vec<Leftover> {
    let mut all = Vec::new();
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    for folder in folders {
        let mut name = folder.file_name().unwrap_or_default().to_os_string();
        name.push(".lock");
        let lock_path = root.join(name);
        // The lock comes before the folder, so that a folder without one was left by a window that was about to go.
        let Ok(lock) = File::options().write(true).create(true).truncate(false).open(&lock_path) else { continue };
        match lock.try_lock() {
            // Its window is running.
            Err(TryLockError::WouldBlock) => continue,
            // A file system without locks: better offered twice than never.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let report = std::fs::read_to_string(folder.join("report")).ok().map(PathBuf::from);
        let mut leftover = Leftover { found: copies(&folder), report, folder, lock_path, _lock: lock };
        if leftover.found.is_empty() {
            leftover.remove(0);
        } else {
            all.push(leftover);
        }
    }
    all
}

/// A thread that panicked while it held a lock leaves plain data behind, which is still good.
fn lock_of<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(serial: u64, revision: u64, preset: &str) -> Snapshot {
        Snapshot {
            serial,
            revision,
            title: preset.into(),
            file: Some(PathBuf::from("/tmp/net.json")),
            stamp: None,
            document: Arc::new(crate::presets::find(preset).unwrap()),
        }
    }

    /// Ends a window without its clean end, as a kill does.
    fn crash(recovery: Recovery) {
        drop(recovery);
    }

    #[test]
    fn what_a_crashed_window_had_is_offered_once_and_whole() {
        let storage = tempfile::tempdir().unwrap();
        let (window, left) = Recovery::open(storage.path()).unwrap();
        assert!(left.is_empty());
        window.keep([snapshot(1, 5, "lenet5"), snapshot(2, 9, "mnist-cnn")]);
        window.write_now();
        crash(window);
        let (_second, mut left) = Recovery::open(storage.path()).unwrap();
        assert_eq!((left.len(), left[0].found.len()), (1, 2));
        let found = &left[0].found[0];
        assert_eq!((found.title.as_str(), found.file.as_deref()), ("lenet5", Some(Path::new("/tmp/net.json"))));
        assert_eq!(found.document.as_ref().unwrap().to_json(), crate::presets::find("lenet5").unwrap().to_json());
        // A third window that starts while the second one asks is not offered the same.
        let (_third, none) = Recovery::open(storage.path()).unwrap();
        assert!(none.is_empty());
        // One is dealt with; the other is there for the next window.
        left[0].remove(0);
        drop(left);
        let (_fourth, left) = Recovery::open(storage.path()).unwrap();
        assert_eq!((left.len(), left[0].found[0].title.as_str()), (1, "mnist-cnn"));
    }

    #[test]
    fn a_running_window_keeps_its_own_and_a_clean_end_leaves_nothing() {
        let storage = tempfile::tempdir().unwrap();
        let (window, _) = Recovery::open(storage.path()).unwrap();
        window.keep([snapshot(1, 1, "lenet5")]);
        window.write_now();
        let (second, left) = Recovery::open(storage.path()).unwrap();
        assert!(left.is_empty(), "the running window's work was taken");
        second.finish();
        window.finish();
        assert_eq!(std::fs::read_dir(storage.path().join("recovery")).unwrap().count(), 0);
    }

    #[test]
    fn the_thread_writes_by_itself_and_saved_networks_lose_their_copy() {
        let storage = tempfile::tempdir().unwrap();
        let (window, _) = Recovery::open(storage.path()).unwrap();
        window.keep([snapshot(1, 1, "lenet5"), snapshot(2, 1, "lenet5")]);
        let copy = window.shared.path(1);
        let end = Instant::now() + Duration::from_secs(30);
        while !(copy.exists() && window.shared.path(2).exists()) {
            assert!(Instant::now() < end, "no copy came");
            std::thread::sleep(Duration::from_millis(20));
        }
        window.keep([snapshot(2, 1, "lenet5")]);
        window.write_now();
        assert!(!copy.exists() && window.shared.path(2).exists());
    }

    #[test]
    fn a_damaged_copy_is_named_and_the_others_are_offered() {
        let storage = tempfile::tempdir().unwrap();
        let (window, _) = Recovery::open(storage.path()).unwrap();
        window.keep([snapshot(1, 1, "lenet5"), snapshot(2, 1, "lenet5")]);
        window.write_now();
        let text = std::fs::read(window.shared.path(1)).unwrap();
        std::fs::write(window.shared.path(1), &text[..text.len() / 2]).unwrap();
        crash(window);
        let (_next, left) = Recovery::open(storage.path()).unwrap();
        assert!(left[0].found[0].document.as_ref().is_err_and(|error| error.contains("1.json")));
        assert!(left[0].found[1].document.is_ok());
    }

    #[test]
    fn a_panic_writes_what_the_thread_has_not_written_yet() {
        let storage = tempfile::tempdir().unwrap();
        let (window, _) = Recovery::open(storage.path()).unwrap();
        window.keep([snapshot(1, 1, "lenet5")]);
        window.shared.write_in_panic(Some(Path::new("/tmp/crash-1.txt")));
        assert!(window.shared.path(1).exists());
        crash(window);
        let (_next, left) = Recovery::open(storage.path()).unwrap();
        assert_eq!(left[0].report.as_deref(), Some(Path::new("/tmp/crash-1.txt")));
    }

    /// A full disk becomes free again, a folder that was tidied away can be made again.
    #[test]
    fn what_could_not_be_copied_is_said_and_tried_again_until_it_works() {
        let storage = tempfile::tempdir().unwrap();
        let (window, _) = Recovery::open(storage.path()).unwrap();
        std::fs::remove_dir_all(&window.shared.folder).unwrap();
        std::fs::write(&window.shared.folder, "in the way").unwrap();
        window.keep([snapshot(1, 1, "lenet5")]);
        window.write_now();
        assert!(window.problem().is_some_and(|words| words.contains("recovery")));
        std::fs::remove_file(&window.shared.folder).unwrap();
        // Nothing changes in the network: the thread comes back to it by itself.
        let end = Instant::now() + Duration::from_mins(2);
        while window.problem().is_some() {
            assert!(Instant::now() < end, "it was not tried again");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(window.shared.path(1).exists());
    }
}
