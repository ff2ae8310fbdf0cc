//! A folder of a test, gone with the test: also if an engine that was left behind still writes its last checkpoint there.

use std::path::Path;
use std::time::{Duration, Instant};
use striate::engine::run::{RunFolder, RunStatus};

/// Longest wait for an engine that was left behind; its supervisor kills it after 20 s.
const PATIENCE: Duration = Duration::from_mins(1);

/// A folder that is removed with it.
pub(crate) struct Scratch(tempfile::TempDir);

/// A new folder. It must live longer than the engines that write into it: declare it before them.
pub(crate) fn scratch() -> Scratch {
    Scratch(tempfile::tempdir().unwrap())
}

impl Scratch {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let end = Instant::now() + PATIENCE;
        while is_written(self.path(), 4) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Whether an engine trains in a run in or below a folder.
fn is_written(folder: &Path, depth: u32) -> bool {
    let run = RunFolder::open(folder);
    if run.is_ok_and(|run| run.record().is_ok_and(|record| run.status_now(&record) == RunStatus::Running)) {
        return true;
    }
    let folders = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    depth > 0 && folders.filter(|path| path.is_dir()).any(|path| is_written(&path, depth - 1))
}
