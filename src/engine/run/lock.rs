//! Who trains a run now. The system lets go of a lock when its process ends, however it ends: a number of a process says
//! less, since after a restart of the computer another program may have it.

use super::{RunError, RunFolder, RunRecord, RunStatus, io_error};
use crate::platform;
use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long somebody who only looks may hold it.
const GLANCE: Duration = Duration::from_secs(2);

/// The right to train in a run folder, as long as it lives.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunFolder {
    /// Takes the run for this process.
    ///
    /// # Errors
    /// Another process has it, or the folder cannot be written.
    pub fn lock(&self) -> Result<RunLock, RunError> {
        let path = self.lock_path();
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|source| io_error(&path, source))?;
        let end = Instant::now() + GLANCE;
        loop {
            match file.try_lock() {
                // A file system without locks: the record of the process has to do.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(RunLock { _file: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(Duration::from_millis(20)),
                Err(TryLockError::WouldBlock) => {
                    let pid = self.record().map_or(0, |record| record.pid);
                    return Err(RunError::Busy { path: self.path().to_path_buf(), pid });
                }
            }
        }
    }

    /// How the run of a record stands, knowing whether a process still trains it.
    pub fn status_now(&self, record: &RunRecord) -> RunStatus {
        if record.status != RunStatus::Running || self.is_trained_by(record.pid) {
            return record.status;
        }
        RunStatus::Interrupted
    }

    fn is_trained_by(&self, pid: u32) -> bool {
        // Runs of older versions have no lock, some file systems know none.
        let by_number = || platform::process_alive(pid) != Some(false);
        let Ok(file) = File::open(self.lock_path()) else { return by_number() };
        match file.try_lock_shared() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(_)) => by_number(),
        }
    }

    fn lock_path(&self) -> PathBuf {
        self.path().join("lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_under_way_as_long_as_its_lock_is_held_whoever_has_its_process_number_now() {
        let scratch = tempfile::tempdir().unwrap();
        // After a restart of the computer: this process is alive, and trains nothing.
        let record = RunRecord { pid: std::process::id(), ..RunRecord::default() };
        let run = RunFolder::create(scratch.path().join("run"), "{}", &record).unwrap();
        let lock = run.lock().unwrap();
        assert_eq!(run.status_now(&record), RunStatus::Running);
        let second = run.lock();
        assert!(matches!(second, Err(RunError::Busy { pid, .. }) if pid == record.pid));
        drop(lock);
        assert_eq!(run.status_now(&record), RunStatus::Interrupted);
        assert!(run.lock().is_ok());
        let finished = RunRecord { status: RunStatus::Finished, ..record };
        assert_eq!(run.status_now(&finished), RunStatus::Finished);
    }

    #[test]
    fn of_a_run_without_a_lock_the_process_says_whether_it_is_under_way() {
        let scratch = tempfile::tempdir().unwrap();
        let mut record = RunRecord { pid: std::process::id(), ..RunRecord::default() };
        let run = RunFolder::create(scratch.path().join("run"), "{}", &record).unwrap();
        assert_eq!(run.status_now(&record), RunStatus::Running);
        record.pid = 0x7fff_fff0;
        if platform::process_alive(record.pid).is_some() {
            assert_eq!(run.status_now(&record), RunStatus::Interrupted);
        }
    }
}
