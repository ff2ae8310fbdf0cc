//! What the window knows of a run: the history of its events. Plain data; fed by the app, read by panels.

pub use super::look::{Plane, ProbeView};
use crate::engine::protocol::{EpochResults, SpreadReport, WeightsReport};
use crate::graph::TrainSpec;
use crate::text;
use std::sync::Arc;

/// One training step, as charts need it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepPoint {
    /// Step, from 1.
    pub step: u64,
    /// Epochs done, as a fraction.
    pub epoch: f64,
    /// Training loss.
    pub loss: f64,
    /// Training accuracy.
    pub accuracy: f64,
    /// Learning rate.
    pub learning_rate: f64,
    /// Norm of all gradients before clipping.
    pub grad_norm: f64,
    /// Seconds of training up to its end, pauses and validation not counted.
    pub secs: f64,
}

/// One finished epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EpochPoint {
    /// Number, from 1.
    pub epoch: u32,
    /// Step at its end.
    pub step: u64,
    /// Mean training loss.
    pub train_loss: f64,
    /// Training accuracy.
    pub train_accuracy: f64,
    /// Validation loss.
    pub loss: f64,
    /// Validation accuracy.
    pub accuracy: f64,
    /// Best so far.
    pub is_best: bool,
    /// Seconds it took.
    pub secs: f64,
}

/// A change of the learning rate that a person made during the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RateMark {
    /// Steps done then.
    pub step: u64,
    /// The base rate from then on.
    pub base_rate: f64,
    /// The schedule from then on as JSON, if it is not the document's.
    pub schedule: Option<String>,
}

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum RunState {
    /// The engine starts, opens the data, prepares kernels.
    #[default]
    Preparing,
    /// Steps are made.
    Training,
    /// Waiting.
    Paused,
    /// Told to stop: the present batch ends, a checkpoint is written.
    Stopping,
    /// Done; how, in words.
    Finished(String),
    /// It broke; how, in words.
    Failed(String),
}

/// A run as the window sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunView {
    /// Name.
    pub name: String,
    /// Where its files are.
    pub folder: std::path::PathBuf,
    /// Where it stands.
    pub state: RunState,
    /// Revision of the document it trains; another revision means that the network was changed since.
    pub revision: u64,
    /// Steps.
    pub steps: Vec<StepPoint>,
    /// Epochs.
    pub epochs: Vec<EpochPoint>,
    /// Steps in all.
    pub total_steps: u64,
    /// Steps in an epoch.
    pub steps_per_epoch: u64,
    /// Images a second.
    pub images_per_sec: f64,
    /// Seconds since the start, pauses not counted.
    pub elapsed_secs: f64,
    /// Seconds left, if known.
    pub left_secs: Option<f64>,
    /// The least and the most that it may be, from the fastest and the slowest stretch so far.
    pub left_range: Option<(f64, f64)>,
    /// Bytes the engine really holds at most.
    pub measured_bytes: Option<u64>,
    /// The last look into it.
    pub probe: Option<Arc<ProbeView>>,
    /// How weights, activations and gradients were spread at the end of the last epoch.
    pub spread: Option<Arc<SpreadReport>>,
    /// Channels that gave nothing but zero then: layer, channels, how many the layer has.
    pub dead: Vec<(String, Vec<u64>, u64)>,
    /// Class names.
    pub classes: Vec<String>,
    /// What it does now, such as "preparing kernels".
    pub activity: String,
    /// Confusion and examples at the end of each epoch.
    pub results: Vec<Arc<EpochResults>>,
    /// Changes of the learning rate during the run.
    pub changes: Vec<RateMark>,
    /// The training settings it started with.
    pub started_with: Option<TrainSpec>,
    /// Which initial weights came from an earlier run.
    pub weights: Option<WeightsReport>,
}

impl RunView {
    /// Whether it is under way, paused or not.
    pub fn is_active(&self) -> bool {
        matches!(self.state, RunState::Preparing | RunState::Training | RunState::Paused | RunState::Stopping)
    }

    /// The time that is left, with its range, and what that means; `None` while it is not known.
    pub fn time_left(&self) -> Option<(String, String)> {
        let (RunState::Training | RunState::Paused, Some(secs)) = (&self.state, self.left_secs) else { return None };
        let mean = text::duration(secs);
        let Some((least, most)) = self.left_range.map(|(least, most)| (text::duration(least), text::duration(most)))
        else {
            return Some((mean, "At the present speed".into()));
        };
        let hover = format!(
            "{mean} at the mean speed so far; between {least} and {most} if it goes on as fast or as slow as most of the last seconds"
        );
        // A range that reads the same at both ends is none.
        let words = if least == most { most } else { format!("{least} – {most}") };
        Some((words, hover))
    }

    /// Whether all epochs that were asked for are done.
    pub fn is_complete(&self) -> bool {
        let done = self.epochs.last().map_or(0, |epoch| u64::from(epoch.epoch));
        matches!(self.state, RunState::Finished(_)) && done > 0 && done >= self.total_epochs()
    }

    /// The best epoch so far.
    pub fn best(&self) -> Option<&EpochPoint> {
        self.epochs.iter().rev().find(|epoch| epoch.is_best)
    }

    /// Epochs of the whole run.
    pub fn total_epochs(&self) -> u64 {
        self.total_steps.div_ceil(self.steps_per_epoch.max(1))
    }
}
