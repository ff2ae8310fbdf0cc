//! The run folder: everything that a training run leaves behind, and the only truth about it.
//!
//! ```text
//! run.json             who, when, on which device, with which seed, and how it stands
//! document.json        the document as it was trained
//! metrics.jsonl        one line per step and per epoch
//! ckpt/<step>/         the last two checkpoints: weights, optimizer, progress
//! snapshots/<step>.snap  what the layers made of one image at chosen steps
//! best.safetensors     the best weights, with document, preprocessing and classes inside
//! last.safetensors     the last weights, once the run has ended
//! lock                 held by the process that trains it
//! ```
//!
//! Three smaller files are described in `extras.rs`.
//!
//! Files are written under another name, synced and renamed. Knows no burn: window and command line read runs with it.

mod checkpoints;
mod extras;
mod lock;
mod metrics;
pub mod snapshots;

pub use extras::RunNote;
pub use lock::RunLock;
pub use metrics::{Metrics, MetricsWriter, epoch_json, epochs_only, step_json};

use super::protocol::FinishReason;
use metrics::Line;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Why a run folder could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The system refused.
    #[error("A run folder must be readable and writable. {path}: {source}. Check the disk and its rights.")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not a snapshot.
    #[error("A snapshot must be whole and of this version. {path}: {found}. Delete it; the others are not touched.")]
    Snapshot {
        /// Which file.
        path: PathBuf,
        /// What was found.
        found: String,
    },
    /// Not a run folder.
    #[error("A run folder holds run.json and document.json. {path}: {found}. Choose the folder that training wrote.")]
    NotARun {
        /// Which folder or file.
        path: PathBuf,
        /// What is wrong.
        found: String,
    },
    /// It is there already.
    #[error("A new run needs a folder of its own. {0} has a run in it. Choose another folder, or resume that run.")]
    Exists(PathBuf),
    /// Somebody trains in it now.
    #[error(
        "A run can be trained by one process at a time. {path} is being trained by process {pid}. Stop that first."
    )]
    Busy {
        /// The folder.
        path: PathBuf,
        /// Who.
        pid: u32,
    },
    /// Nothing that can be resumed from.
    #[error(
        "A checkpoint must be whole to go on from it. {path}: {found}. Train the network anew; the best weights so far are in best.safetensors."
    )]
    Damaged {
        /// The newest checkpoint.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// Nothing to resume from.
    #[error("Resuming needs a checkpoint. {0} has none. Start the training anew.")]
    NoCheckpoint(PathBuf),
}

/// How a run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// A process trains it, or did when this was written; see [`RunFolder::status_now`].
    #[default]
    Running,
    /// Its process ended without a word; it can be resumed from its last checkpoint.
    Interrupted,
    /// Ended as it should.
    Finished,
    /// Ended with an error.
    Failed,
}

impl RunStatus {
    /// For a person.
    pub fn label(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Finished => "finished",
            Self::Failed => "failed",
        }
    }
}

/// `run.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunRecord {
    /// Unique enough: time and process of the start.
    pub id: String,
    /// Name of the document.
    pub name: String,
    /// Seconds since 1970.
    pub created: u64,
    /// Version of Striate.
    pub striate: String,
    /// Name of the device.
    pub device: String,
    /// CPU threads; the same number is needed for the very same losses.
    pub threads: u32,
    /// Seed.
    pub seed: u64,
    /// How it stands.
    pub status: RunStatus,
    /// Why it ended, if it did.
    pub reason: Option<FinishReason>,
    /// What went wrong, if something did.
    pub message: Option<String>,
    /// The process that trains or trained it.
    pub pid: u32,
    /// Class names of its data.
    pub classes: Vec<String>,
    /// Steps of one epoch.
    pub steps_per_epoch: u64,
    /// Epochs asked for.
    pub epochs: u32,
    /// Steps done when this was written.
    pub step: u64,
    /// How often the batch was halved after running out of memory.
    pub halvings: u32,
}

/// A folder with a run in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Opens a folder that has a run in it.
    ///
    /// # Errors
    /// There is no run in it.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, RunError> {
        let path = path.into();
        if path.join("run.json").is_file() && path.join("document.json").is_file() {
            Ok(Self { path })
        } else {
            let found = match (path.is_dir(), path.join("run.json").is_file()) {
                (false, _) => "there is no such folder",
                (true, false) => "it has no run.json",
                (true, true) => "it has no document.json",
            };
            Err(RunError::NotARun { path, found: found.into() })
        }
    }

    /// Makes a new run folder with its document.
    ///
    /// # Errors
    /// There is a run in it already, or it cannot be written.
    pub fn create(path: impl Into<PathBuf>, document: &str, record: &RunRecord) -> Result<Self, RunError> {
        let folder = Self { path: path.into() };
        if folder.path.join("run.json").exists() {
            return Err(RunError::Exists(folder.path));
        }
        folder.restore(document, record)?;
        Ok(folder)
    }

    /// All runs directly inside a folder, newest first.
    pub fn list(parent: &Path) -> Vec<Self> {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        let mut runs: Vec<_> = entries
            .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
            .filter_map(|entry| Self::open(entry.path()).ok())
            .map(|folder| (folder.record().map_or(0, |record| record.created), folder))
            .collect();
        runs.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| y.path.cmp(&x.path)));
        runs.into_iter().map(|(_, folder)| folder).collect()
    }

    /// The first folder `<parent>/<name>-<n>` that is not there yet.
    pub fn free_path(parent: &Path, name: &str) -> PathBuf {
        let clean: String = name
            .chars()
            .map(|c| if c.is_alphanumeric() || c == '-' || c == '_' || c == '.' { c.to_ascii_lowercase() } else { '-' })
            .collect();
        let clean = clean.trim_matches(['-', '.']);
        let stem = if clean.is_empty() { "run" } else { clean };
        let mut number = 1_u32;
        loop {
            let path = parent.join(format!("{stem}-{number}"));
            if number == u32::MAX || !path.exists() {
                return path;
            }
            number += 1;
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `document.json`
    pub fn document_path(&self) -> PathBuf {
        self.path.join("document.json")
    }

    /// `metrics.jsonl`
    pub fn metrics_path(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// `best.safetensors`
    pub fn best_path(&self) -> PathBuf {
        self.path.join("best.safetensors")
    }

    /// `last.safetensors`
    pub fn last_path(&self) -> PathBuf {
        self.path.join("last.safetensors")
    }

    /// The weights to use: the best, else the last, else those of the checkpoint.
    pub fn weights_path(&self) -> Option<PathBuf> {
        [self.best_path(), self.last_path()]
            .into_iter()
            .find(|path| path.is_file())
            .or_else(|| Some(self.checkpoint()?.1.join("weights.safetensors")))
    }

    /// Reads `run.json`.
    ///
    /// # Errors
    /// It cannot be read, or is not a run's record.
    pub fn record(&self) -> Result<RunRecord, RunError> {
        let path = self.path.join("run.json");
        let text = std::fs::read_to_string(&path).map_err(|source| io_error(&path, source))?;
        serde_json::from_str(&text).map_err(|error| RunError::NotARun { path, found: error.to_string() })
    }

    /// Replaces `run.json`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_record(&self, record: &RunRecord) -> Result<(), RunError> {
        let text = serde_json::to_vec_pretty(record).unwrap_or_default();
        write_file(&self.path.join("run.json"), &text)
    }

    /// Whether everything is there that a run under way needs in its folder: somebody may delete or move it.
    pub fn is_whole(&self) -> bool {
        ["run.json", "document.json", "metrics.jsonl"].iter().all(|name| self.path.join(name).is_file())
    }

    /// Writes document and record again, after somebody deleted or moved them.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn restore(&self, document: &str, record: &RunRecord) -> Result<(), RunError> {
        std::fs::create_dir_all(&self.path).map_err(|source| io_error(&self.path, source))?;
        write_file(&self.document_path(), document.as_bytes())?;
        self.write_record(record)
    }

    /// Reads the document's JSON.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn document(&self) -> Result<String, RunError> {
        let path = self.document_path();
        std::fs::read_to_string(&path).map_err(|source| io_error(&path, source))
    }

    /// Reads all numbers; a last line that was cut off is left out.
    ///
    /// # Errors
    /// The file cannot be read. A run without steps has no file: that is no error.
    pub fn metrics(&self) -> Result<Metrics, RunError> {
        let path = self.metrics_path();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Metrics::default()),
            Err(source) => return Err(io_error(&path, source)),
        };
        let mut metrics = Metrics::default();
        for line in BufReader::new(file).split(b'\n') {
            let line = line.map_err(|source| io_error(&path, source))?;
            match serde_json::from_slice::<Line>(&line) {
                Ok(line) => line.add_to(&mut metrics),
                Err(_) => break,
            }
        }
        Ok(metrics)
    }

    /// Cuts the numbers back to a step, so that training can go on after it.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn cut_metrics(&self, step: u64) -> Result<(), RunError> {
        // Lines are kept as they are: reading and writing a number again may change its last digit.
        let path = self.metrics_path();
        let old = match std::fs::read(&path) {
            Ok(old) => old,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(io_error(&path, source)),
        };
        let mut kept = Vec::new();
        for line in old.split_inclusive(|&byte| byte == b'\n') {
            match serde_json::from_slice::<Line>(line) {
                // A line without its end was cut off, even if it can be read: the next one would become part of it.
                Ok(Line::Step { step: at, .. } | Line::Epoch { step: at, .. })
                    if at <= step && line.ends_with(b"\n") =>
                {
                    kept.extend_from_slice(line);
                }
                _ => break,
            }
        }
        write_file(&path, &kept)
    }
}

/// Seconds since 1970.
pub fn now_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    crate::graph::write_atomically(path, bytes).map_err(|source| io_error(path, source))
}

fn io_error(path: &Path, source: io::Error) -> RunError {
    RunError::Io { path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::protocol::{EpochReport, StepReport};
    use std::io::Write as _;

    fn step(step: u64, loss: f64) -> StepReport {
        StepReport {
            step,
            epoch: 1,
            loss,
            metrics: vec![("accuracy".into(), 0.5)],
            learning_rate: 1e-3,
            grad_norm: 1.5,
            images: 64,
            secs: 0.25,
            images_per_sec: 256.0,
        }
    }

    fn epoch(step: u64) -> EpochReport {
        EpochReport {
            epoch: 1,
            step,
            train_loss: 2.0,
            train_metrics: vec![("accuracy".into(), 0.4)],
            validation_loss: None,
            validation_metrics: Vec::new(),
            secs: 9.0,
            is_best: true,
        }
    }

    fn new_run(parent: &Path) -> RunFolder {
        let record = RunRecord { id: "a".into(), pid: std::process::id(), ..RunRecord::default() };
        RunFolder::create(parent.join("run-1"), "{}", &record).unwrap()
    }

    #[test]
    fn numbers_come_back_and_a_line_cut_off_by_a_kill_is_left_out() {
        let scratch = tempfile::tempdir().unwrap();
        let run = new_run(scratch.path());
        let mut writer = MetricsWriter::open(&run).unwrap();
        writer.step(&step(1, 2.5)).unwrap();
        writer.step(&step(2, f64::NAN)).unwrap();
        writer.epoch(&epoch(2)).unwrap();
        let mut file = File::options().append(true).open(run.metrics_path()).unwrap();
        file.write_all(b"{\"kind\":\"step\",\"step\":3,\"ep").unwrap();
        let metrics = run.metrics().unwrap();
        assert_eq!(metrics.steps.first(), Some(&step(1, 2.5)));
        assert!(metrics.steps.get(1).unwrap().loss.is_nan());
        assert_eq!((metrics.steps.len(), metrics.epochs), (2, vec![epoch(2)]));
    }

    #[test]
    fn cutting_back_keeps_exactly_the_steps_before_the_checkpoint() {
        let scratch = tempfile::tempdir().unwrap();
        let run = new_run(scratch.path());
        let mut writer = MetricsWriter::open(&run).unwrap();
        for n in 1..=10 {
            writer.step(&step(n, 1.0 / n as f64)).unwrap();
            if n % 5 == 0 {
                writer.epoch(&epoch(n)).unwrap();
            }
        }
        run.cut_metrics(7).unwrap();
        let metrics = run.metrics().unwrap();
        assert!(metrics.steps.iter().map(|step| step.step).eq(1..=7));
        // 1/3 has no short decimal form: it must still be the same number.
        assert_eq!(metrics.steps.get(2).unwrap().loss.to_bits(), (1.0_f64 / 3.0).to_bits());
        assert!(metrics.epochs.iter().map(|epoch| epoch.step).eq([5]));
    }

    /// A full disk can take a line but not its end.
    #[test]
    fn a_line_whose_end_is_missing_does_not_swallow_the_next_one() {
        let scratch = tempfile::tempdir().unwrap();
        let run = new_run(scratch.path());
        let mut writer = MetricsWriter::open(&run).unwrap();
        writer.step(&step(1, 1.0)).unwrap();
        writer.step(&step(2, 0.5)).unwrap();
        let text = std::fs::read(run.metrics_path()).unwrap();
        std::fs::write(run.metrics_path(), &text[..text.len() - 1]).unwrap();
        run.cut_metrics(5).unwrap();
        MetricsWriter::open(&run).unwrap().step(&step(2, 0.5)).unwrap();
        assert!(run.metrics().unwrap().steps.iter().map(|step| step.step).eq(1..=2));
    }

    #[test]
    fn a_folder_with_a_run_is_never_written_over_and_names_are_made_safe() {
        let scratch = tempfile::tempdir().unwrap();
        let run = new_run(scratch.path());
        let again = RunFolder::create(run.path(), "{}", &RunRecord::default());
        assert!(matches!(again, Err(RunError::Exists(_))));
        assert_eq!(RunFolder::free_path(scratch.path(), "run"), scratch.path().join("run-2"));
        assert_eq!(RunFolder::free_path(scratch.path(), "../My net"), scratch.path().join("my-net-1"));
        assert!(matches!(RunFolder::open(scratch.path()), Err(RunError::NotARun { .. })));
    }
}
