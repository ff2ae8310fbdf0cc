//! `metrics.jsonl`: one line per step and per epoch, written one by one and read back whole.

use super::{RunError, RunFolder, io_error, write_file};
use crate::engine::protocol::{EpochReport, StepReport};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, Write as _};
use std::path::PathBuf;

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Line {
    Step {
        step: u64,
        epoch: u32,
        loss: Option<f64>,
        metrics: serde_json::Map<String, serde_json::Value>,
        learning_rate: f64,
        grad_norm: Option<f64>,
        images: u64,
        secs: f64,
        images_per_sec: f64,
    },
    Epoch {
        epoch: u32,
        step: u64,
        train_loss: Option<f64>,
        train_metrics: serde_json::Map<String, serde_json::Value>,
        validation_loss: Option<f64>,
        validation_metrics: serde_json::Map<String, serde_json::Value>,
        secs: f64,
        is_best: bool,
    },
}

/// All numbers of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Steps in order.
    pub steps: Vec<StepReport>,
    /// Epochs in order.
    pub epochs: Vec<EpochReport>,
}

/// The epochs of a run, without reading its steps: quick also for very long runs.
///
/// # Errors
/// The file cannot be read. A run without steps has no file: that is no error.
pub fn epochs_only(folder: &RunFolder) -> Result<Vec<EpochReport>, RunError> {
    let path = folder.metrics_path();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(io_error(&path, source)),
    };
    let mut all = Metrics::default();
    for line in BufReader::with_capacity(1 << 16, file).split(b'\n') {
        let line = line.map_err(|source| io_error(&path, source))?;
        // Steps are by far the most lines; they are known by their first words, which we write ourselves.
        if line.starts_with(br#"{"kind":"step""#) {
            continue;
        }
        match serde_json::from_slice::<Line>(&line) {
            Ok(line) => line.add_to(&mut all),
            Err(_) => break,
        }
    }
    Ok(all.epochs)
}

/// Serialises a step as the object that `metrics.jsonl` and `--json` hold.
pub fn step_json(report: &StepReport) -> serde_json::Value {
    serde_json::to_value(Line::from(report)).unwrap_or_default()
}

/// Serialises an epoch as the object that `metrics.jsonl` and `--json` hold.
pub fn epoch_json(report: &EpochReport) -> serde_json::Value {
    serde_json::to_value(Line::from(report)).unwrap_or_default()
}

/// Adds lines to `metrics.jsonl`, one write each, so that a killed process leaves whole lines.
#[derive(Debug)]
pub struct MetricsWriter {
    file: File,
    path: PathBuf,
}

impl MetricsWriter {
    /// Opens the file at its end.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn open(folder: &RunFolder) -> Result<Self, RunError> {
        let path = folder.metrics_path();
        let file = File::options().create(true).read(true).append(true).open(&path);
        Ok(Self { file: file.map_err(|source| io_error(&path, source))?, path })
    }

    /// Writes everything to its place again, after somebody deleted or moved the file: it can still be read here.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn restore(&mut self, folder: &RunFolder) -> Result<(), RunError> {
        let mut text = Vec::new();
        let read = self.file.rewind().and_then(|()| self.file.read_to_end(&mut text));
        read.map_err(|source| io_error(&self.path, source))?;
        write_file(&folder.metrics_path(), &text)?;
        *self = Self::open(folder)?;
        Ok(())
    }

    /// Adds a step.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn step(&mut self, report: &StepReport) -> Result<(), RunError> {
        self.line(&Line::from(report))
    }

    /// Adds an epoch.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn epoch(&mut self, report: &EpochReport) -> Result<(), RunError> {
        self.line(&Line::from(report))
    }

    /// Makes sure that all lines are on the disk: before a checkpoint that counts on them.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn sync(&mut self) -> Result<(), RunError> {
        self.file.sync_data().map_err(|source| io_error(&self.path, source))
    }

    fn line(&mut self, line: &Line) -> Result<(), RunError> {
        let mut text = String::new();
        push_line(&mut text, line);
        self.file.write_all(text.as_bytes()).map_err(|source| io_error(&self.path, source))
    }
}

fn push_line(text: &mut String, line: &Line) {
    text.push_str(&serde_json::to_string(line).unwrap_or_default());
    text.push('\n');
}

fn to_map(metrics: &[(String, f64)]) -> serde_json::Map<String, serde_json::Value> {
    metrics.iter().map(|(name, value)| (name.clone(), serde_json::Value::from(*value))).collect()
}

fn from_map(map: serde_json::Map<String, serde_json::Value>) -> Vec<(String, f64)> {
    map.into_iter().map(|(name, value)| (name, value.as_f64().unwrap_or(f64::NAN))).collect()
}

/// JSON has no word for a number that is none.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

impl From<&StepReport> for Line {
    fn from(report: &StepReport) -> Self {
        Self::Step {
            step: report.step,
            epoch: report.epoch,
            loss: finite(report.loss),
            metrics: to_map(&report.metrics),
            learning_rate: report.learning_rate,
            grad_norm: finite(report.grad_norm),
            images: report.images,
            secs: report.secs,
            images_per_sec: report.images_per_sec,
        }
    }
}

impl From<&EpochReport> for Line {
    fn from(report: &EpochReport) -> Self {
        Self::Epoch {
            epoch: report.epoch,
            step: report.step,
            train_loss: finite(report.train_loss),
            train_metrics: to_map(&report.train_metrics),
            validation_loss: report.validation_loss.and_then(finite),
            validation_metrics: to_map(&report.validation_metrics),
            secs: report.secs,
            is_best: report.is_best,
        }
    }
}

impl Line {
    pub(super) fn add_to(self, all: &mut Metrics) {
        match self {
            Self::Step { step, epoch, loss, metrics, learning_rate, grad_norm, images, secs, images_per_sec } => {
                all.steps.push(StepReport {
                    step,
                    epoch,
                    loss: loss.unwrap_or(f64::NAN),
                    metrics: from_map(metrics),
                    learning_rate,
                    grad_norm: grad_norm.unwrap_or(f64::NAN),
                    images,
                    secs,
                    images_per_sec,
                });
            }
            Self::Epoch {
                epoch,
                step,
                train_loss,
                train_metrics,
                validation_loss,
                validation_metrics,
                secs,
                is_best,
            } => all.epochs.push(EpochReport {
                epoch,
                step,
                train_loss: train_loss.unwrap_or(f64::NAN),
                train_metrics: from_map(train_metrics),
                validation_loss,
                validation_metrics: from_map(validation_metrics),
                secs,
                is_best,
            }),
        }
    }
}
