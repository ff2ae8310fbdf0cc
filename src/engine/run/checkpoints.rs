//! Checkpoints of a run: each is a folder that takes its place in one rename. The one before the newest stays, for the day
//! on which the newest cannot be read.

use super::{RunError, RunFolder, io_error};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Checkpoints that are kept.
const KEPT: usize = 2;

impl RunFolder {
    /// The last checkpoint: its step and folder.
    pub fn checkpoint(&self) -> Option<(u64, PathBuf)> {
        self.checkpoints().into_iter().next()
    }

    /// All checkpoints, the newest first.
    pub fn checkpoints(&self) -> Vec<(u64, PathBuf)> {
        let entries = std::fs::read_dir(self.path().join("ckpt")).into_iter().flatten().flatten();
        let named = |entry: std::fs::DirEntry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path()));
        let mut found: Vec<(u64, PathBuf)> = entries.filter_map(named).collect();
        found.sort_by(|a, b| b.cmp(a));
        found
    }

    /// Takes a checkpoint that cannot be read out of the way, so that its step can be reached again.
    ///
    /// # Errors
    /// The system refuses.
    pub fn set_checkpoint_aside(&self, path: &Path) -> Result<(), RunError> {
        let aside = path.with_extension("damaged");
        let moved = if aside.exists() { std::fs::remove_dir_all(&aside) } else { Ok(()) };
        moved.and_then(|()| std::fs::rename(path, &aside)).map_err(|source| io_error(path, source))
    }

    /// Writes a checkpoint: `fill` is given an empty folder, which then takes its place in one rename; old ones go. On a disk
    /// without room for a third one the older of two goes first.
    ///
    /// # Errors
    /// What `fill` says, or the system refuses; the checkpoint before is then still there.
    pub fn write_checkpoint<E: From<RunError>>(
        &self,
        step: u64,
        fill: impl Fn(&Path) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        let parent = self.path().join("ckpt");
        let place = parent.join(step.to_string());
        if place.is_dir() {
            return Ok(place);
        }
        let written = write_at(&parent, step, &fill).or_else(|error| {
            let _ = std::fs::remove_dir_all(aside(&parent, step));
            if self.remove_older(KEPT - 1) { write_at(&parent, step, &fill) } else { Err(error) }
        });
        written?;
        self.remove_older(KEPT);
        Ok(place)
    }

    /// Removes all but the newest checkpoints, and what is left of broken attempts; `true` if a checkpoint went.
    fn remove_older(&self, kept: usize) -> bool {
        let all = self.checkpoints();
        let stays: Vec<&PathBuf> = all.iter().take(kept).map(|(_, path)| path).collect();
        let entries = std::fs::read_dir(self.path().join("ckpt")).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| !stays.contains(&&entry.path())) {
            // A leftover costs room, nothing else; the newest one counts.
            let _ = std::fs::remove_dir_all(entry.path());
        }
        all.len() > kept
    }
}

fn aside(parent: &Path, step: u64) -> PathBuf {
    parent.join(format!("{step}.new"))
}

fn write_at<E: From<RunError>>(parent: &Path, step: u64, fill: impl Fn(&Path) -> Result<(), E>) -> Result<(), E> {
    let (aside, place) = (aside(parent, step), parent.join(step.to_string()));
    let io = |path: &Path, result: io::Result<()>| result.map_err(|source| E::from(io_error(path, source)));
    if aside.exists() {
        io(&aside, std::fs::remove_dir_all(&aside))?;
    }
    io(&aside, std::fs::create_dir_all(&aside))?;
    fill(&aside)?;
    io(&aside, sync_folder(&aside))?;
    io(&place, std::fs::rename(&aside, &place))?;
    io(parent, sync_entry(parent))
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            File::options().write(true).open(&path)?.sync_all()?;
        }
    }
    sync_entry(folder)
}

/// Makes a rename inside a folder durable; only Unix lets a folder be synced.
fn sync_entry(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::run::RunRecord;
    use std::cell::Cell;

    fn new_run(parent: &Path) -> RunFolder {
        RunFolder::create(parent.join("run-1"), "{}", &RunRecord::default()).unwrap()
    }

    fn write(run: &RunFolder, step: u64, text: &str) {
        let fill =
            |folder: &Path| std::fs::write(folder.join("weights"), text).map_err(|source| io_error(folder, source));
        run.write_checkpoint::<RunError>(step, fill).unwrap();
    }

    fn steps(run: &RunFolder) -> Vec<u64> {
        run.checkpoints().into_iter().map(|(step, _)| step).collect()
    }

    #[test]
    fn the_newest_two_are_kept_and_a_failed_one_changes_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let run = new_run(scratch.path());
        assert!(run.checkpoint().is_none());
        write(&run, 5, "five");
        write(&run, 9, "nine");
        // By number, not by letters.
        write(&run, 10, "ten");
        assert_eq!(steps(&run), [10, 9]);
        let only_one = new_run(&scratch.path().join("other"));
        write(&only_one, 9, "nine");
        let failed = only_one.write_checkpoint(12, |folder| Err(RunError::NoCheckpoint(folder.to_path_buf())));
        assert!(failed.is_err());
        assert_eq!(steps(&only_one), [9]);
        assert_eq!(std::fs::read_to_string(only_one.checkpoint().unwrap().1.join("weights")).unwrap(), "nine");
        write(&only_one, 12, "twelve");
        assert_eq!(steps(&only_one), [12, 9]);
    }

    #[test]
    fn on_a_full_disk_the_older_one_makes_room_and_the_newer_one_stays() {
        let scratch = tempfile::tempdir().unwrap();
        let run = new_run(scratch.path());
        write(&run, 5, "five");
        write(&run, 9, "nine");
        // There is room for two, not for three.
        let tries = Cell::new(0);
        let result = run.write_checkpoint::<RunError>(12, |folder| {
            tries.set(tries.get() + 1);
            if steps(&run).len() > 1 { Err(io_error(folder, io::ErrorKind::StorageFull.into())) } else { Ok(()) }
        });
        assert!(result.is_ok());
        assert_eq!((tries.get(), steps(&run)), (2, vec![12, 9]));
        // And none at all: the newer one stays.
        let full = run.write_checkpoint(13, |folder| Err(io_error(folder, io::ErrorKind::StorageFull.into())));
        assert!(full.is_err());
        assert_eq!(steps(&run), [12]);
    }

    #[test]
    fn a_damaged_one_makes_way_for_the_one_before() {
        let scratch = tempfile::tempdir().unwrap();
        let run = new_run(scratch.path());
        write(&run, 5, "five");
        write(&run, 9, "nine");
        run.set_checkpoint_aside(&run.checkpoint().unwrap().1).unwrap();
        assert_eq!(steps(&run), [5]);
        // Its step can be reached again.
        write(&run, 9, "nine again");
        assert_eq!(steps(&run), [9, 5]);
        assert_eq!(std::fs::read_to_string(run.checkpoint().unwrap().1.join("weights")).unwrap(), "nine again");
    }
}
