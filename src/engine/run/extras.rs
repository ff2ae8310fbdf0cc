//! Further files of a run: results of each epoch, changes of the learning rate, and what a person wrote about it.
//!
//! ```text
//! results.jsonl        one line per epoch: confusion and examples of the validation images
//! changes.jsonl        one line per change of the learning rate during the run
//! note.json            name, note and colour that a person gave it
//! ```

use super::{RunError, RunFolder, io_error, write_file};
use crate::engine::protocol::{EpochResults, RateChange};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// What a person wrote about a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunNote {
    /// Name instead of the folder's; empty if none.
    pub name: String,
    /// Anything.
    pub note: String,
    /// Number of its colour in charts.
    pub color: Option<u8>,
}

/// A change as it stands in its file: the rate as text, since reading a JSON number may lose its last bit.
#[derive(Serialize, Deserialize)]
struct ChangeLine {
    step: u64,
    base_rate: String,
    #[serde(default)]
    schedule: Option<String>,
    #[serde(default)]
    since: u64,
}

impl RunFolder {
    /// `results.jsonl`
    pub fn results_path(&self) -> PathBuf {
        self.path().join("results.jsonl")
    }

    /// Confusion and examples of each epoch, up to a line that was cut off or makes no sense.
    ///
    /// # Errors
    /// The file cannot be read. Older runs have none: that is no error.
    pub fn results(&self) -> Result<Vec<EpochResults>, RunError> {
        let mut all: Vec<EpochResults> = read_lines(&self.results_path())?;
        all.truncate(all.iter().take_while(|results| results.is_sound()).count());
        Ok(all)
    }

    /// Adds the results of an epoch.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn add_results(&self, results: &EpochResults) -> Result<(), RunError> {
        add_line(&self.results_path(), results)
    }

    /// Cuts results back to a step, so that training can go on after it.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn cut_results(&self, step: u64) -> Result<(), RunError> {
        cut_lines::<EpochResults>(&self.results_path(), |results| results.is_sound() && results.step <= step)
    }

    /// Changes of the learning rate, in order.
    ///
    /// # Errors
    /// The file cannot be read. Most runs have none: that is no error.
    pub fn changes(&self) -> Result<Vec<RateChange>, RunError> {
        let lines: Vec<ChangeLine> = read_lines(&self.changes_path())?;
        let read = |line: ChangeLine| {
            let base_rate = line.base_rate.parse().ok()?;
            Some(RateChange { step: line.step, base_rate, schedule: line.schedule, since: line.since })
        };
        Ok(lines.into_iter().map_while(read).collect())
    }

    /// Adds a change, safe on the disk before the next step uses it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add_change(&self, change: &RateChange) -> Result<(), RunError> {
        let RateChange { step, base_rate, schedule, since } = change.clone();
        add_line(&self.changes_path(), &ChangeLine { step, base_rate: format!("{base_rate:?}"), schedule, since })
    }

    /// Forgets changes that were made after a step.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn cut_changes(&self, step: u64) -> Result<(), RunError> {
        cut_lines::<ChangeLine>(&self.changes_path(), |line| line.step <= step)
    }

    /// What a person wrote about it; nothing if there is no such file.
    ///
    /// # Errors
    /// The file cannot be read, or is none of ours.
    pub fn note(&self) -> Result<RunNote, RunError> {
        let path = self.note_path();
        match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| RunError::NotARun { path, found: format!("the note is not readable: {error}") }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(RunNote::default()),
            Err(source) => Err(io_error(&path, source)),
        }
    }

    /// Replaces what a person wrote about it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_note(&self, note: &RunNote) -> Result<(), RunError> {
        write_file(&self.note_path(), &serde_json::to_vec_pretty(note).unwrap_or_default())
    }

    /// Takes the run off its place in one rename, so that a deletion that breaks off leaves no half run. Gives the folder
    /// that is left to remove.
    ///
    /// # Errors
    /// It is being trained, or the system refuses; the run is untouched then.
    pub fn set_aside(self) -> Result<PathBuf, RunError> {
        if let Ok(record) = self.record()
            && self.status_now(&record) == super::RunStatus::Running
        {
            return Err(RunError::Busy { path: self.path, pid: record.pid });
        }
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let aside = self.path.with_file_name(format!(".deleted-{name}-{}", super::now_secs()));
        std::fs::rename(&self.path, &aside).map_err(|source| io_error(&self.path, source))?;
        Ok(aside)
    }

    fn changes_path(&self) -> PathBuf {
        self.path().join("changes.jsonl")
    }

    fn note_path(&self) -> PathBuf {
        self.path().join("note.json")
    }
}

fn read(path: &Path) -> Result<Vec<u8>, RunError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(io_error(path, source)),
    }
}

fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, RunError> {
    let bytes = read(path)?;
    let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    Ok(lines.map_while(|line| serde_json::from_slice(line).ok()).collect())
}

fn add_line<T: Serialize>(path: &Path, line: &T) -> Result<(), RunError> {
    let mut text = serde_json::to_vec(line).unwrap_or_default();
    text.push(b'\n');
    let file = File::options().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_data()))
        .map_err(|source| io_error(path, source))
}

fn cut_lines<T: DeserializeOwned>(path: &Path, is_kept: impl Fn(&T) -> bool) -> Result<(), RunError> {
    let old = read(path)?;
    let mut kept = Vec::with_capacity(old.len());
    for line in old.split_inclusive(|&byte| byte == b'\n') {
        match serde_json::from_slice::<T>(line) {
            // A line without its end was cut off, even if it can be read: the next one would become part of it.
            Ok(read) if line.ends_with(b"\n") && is_kept(&read) => kept.extend_from_slice(line),
            _ => break,
        }
    }
    if kept.len() == old.len() { Ok(()) } else { write_file(path, &kept) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::run::{RunRecord, RunStatus};

    fn run(parent: &Path, status: RunStatus) -> RunFolder {
        let record = RunRecord { status, pid: std::process::id(), ..RunRecord::default() };
        RunFolder::create(parent.join("run-1"), "{}", &record).unwrap()
    }

    #[test]
    fn results_are_cut_back_with_the_run_and_a_torn_line_is_left_out() {
        let scratch = tempfile::tempdir().unwrap();
        let run = run(scratch.path(), RunStatus::Finished);
        assert_eq!(run.results().unwrap(), []);
        for epoch in 1..=3 {
            let results = EpochResults { epoch, step: u64::from(epoch) * 10, classes: 2, ..EpochResults::default() };
            run.add_results(&results).unwrap();
        }
        run.cut_results(20).unwrap();
        let mut file = File::options().append(true).open(run.results_path()).unwrap();
        file.write_all(b"{\"epoch\":3,\"st").unwrap();
        assert_eq!(run.results().unwrap().iter().map(|results| results.epoch).collect::<Vec<_>>(), [1, 2]);
    }

    /// Found by reading the readers for fuzzing: scores of four billion classes would take the window's memory.
    #[test]
    fn results_that_make_no_sense_end_the_list() {
        let scratch = tempfile::tempdir().unwrap();
        let run = run(scratch.path(), RunStatus::Finished);
        let sound = EpochResults { epoch: 1, step: 10, classes: 2, cells: vec![(0, 1, 3)], ..EpochResults::default() };
        for damaged in [
            EpochResults { classes: u32::MAX, ..sound.clone() },
            EpochResults { cells: vec![(0, 2, 3)], ..sound.clone() },
            EpochResults { cells: vec![(0, 1, u64::MAX), (1, 1, 1)], ..sound.clone() },
        ] {
            let _ = std::fs::remove_file(run.results_path());
            for results in [&sound, &damaged, &sound] {
                run.add_results(results).unwrap();
            }
            assert_eq!(run.results().unwrap(), std::slice::from_ref(&sound), "{damaged:?}");
            // Resumed there, the run's next epoch is read again.
            run.cut_results(10).unwrap();
            run.add_results(&sound).unwrap();
            assert_eq!(run.results().unwrap().len(), 2);
        }
    }

    #[test]
    fn changes_come_back_to_the_last_bit() {
        let scratch = tempfile::tempdir().unwrap();
        let run = run(scratch.path(), RunStatus::Finished);
        let change = |step, base_rate| RateChange { step, base_rate, schedule: None, since: 0 };
        let made = [change(3, 0.1 + 0.2), change(9, f64::MIN_POSITIVE), change(12, 1.0)];
        for change in &made {
            run.add_change(change).unwrap();
        }
        assert_eq!(run.changes().unwrap(), made);
        run.cut_changes(9).unwrap();
        assert_eq!(run.changes().unwrap(), made[..2]);
    }

    #[test]
    fn a_run_is_deleted_whole_or_not_at_all() {
        let scratch = tempfile::tempdir().unwrap();
        let busy = run(scratch.path(), RunStatus::Running);
        assert!(matches!(busy.clone().set_aside(), Err(RunError::Busy { .. })));
        assert!(busy.path().exists());
        busy.write_record(&RunRecord { status: RunStatus::Finished, ..RunRecord::default() }).unwrap();
        let aside = busy.clone().set_aside().unwrap();
        assert!(!busy.path().exists() && aside.join("run.json").exists());
        // A new run may take the place at once, and the list does not show what is on its way out.
        assert_eq!(RunFolder::free_path(scratch.path(), "run"), busy.path());
    }

    #[test]
    fn notes_are_kept_beside_the_run() {
        let scratch = tempfile::tempdir().unwrap();
        let run = run(scratch.path(), RunStatus::Finished);
        assert_eq!(run.note().unwrap(), RunNote::default());
        let note = RunNote { name: "Best so far".into(), note: "dropout 0.5".into(), color: Some(3) };
        run.write_note(&note).unwrap();
        assert_eq!(run.note().unwrap(), note);
    }
}
