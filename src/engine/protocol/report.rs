//! What the worker's events carry: steps, epochs, memory, probes, evaluations, predictions, self-tests. Plain data.

use super::{ImageRef, RunId};
use crate::data::Split;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One optimizer step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Steps done so far, this one included.
    pub step: u64,
    /// Epoch, the first is 1.
    pub epoch: u32,
    /// Loss of the step's images before the step.
    pub loss: f64,
    /// Named metrics of the step's images, shares between 0 and 1.
    pub metrics: Vec<(String, f64)>,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Global norm of the gradients before clipping.
    pub grad_norm: f64,
    /// Images of the step.
    pub images: u64,
    /// Seconds the step took, waiting for data included.
    pub secs: f64,
    /// Images a second, smoothed over the last steps.
    pub images_per_sec: f64,
}

/// One epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// Epoch, the first is 1.
    pub epoch: u32,
    /// Steps done so far.
    pub step: u64,
    /// Mean loss over the epoch's training images.
    pub train_loss: f64,
    /// Metrics over the epoch's training images.
    pub train_metrics: Vec<(String, f64)>,
    /// Mean loss over the validation images; none without validation images.
    pub validation_loss: Option<f64>,
    /// Metrics over the validation images.
    pub validation_metrics: Vec<(String, f64)>,
    /// Seconds of the epoch, validation included.
    pub secs: f64,
    /// Whether these are the best weights so far (by validation loss, else by training loss).
    pub is_best: bool,
}

/// Bytes really held, measured over the first two steps and once an epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryReport {
    /// Steps that were measured when this was taken.
    pub steps: u64,
    /// CPU: most bytes allocated at once, less what was held before the network was built.
    pub peak_bytes: Option<u64>,
    /// CPU: bytes allocated now, less what was held before.
    pub now_bytes: Option<u64>,
    /// Resident set of the worker process.
    pub resident_bytes: Option<u64>,
    /// GPU: bytes of the pool in use.
    pub gpu_in_use_bytes: Option<u64>,
    /// GPU: bytes of the pool reserved from the driver.
    pub gpu_reserved_bytes: Option<u64>,
}

/// What was taken over from other weights.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightsReport {
    /// Paths whose shape matched.
    pub matched: Vec<String>,
    /// Paths of the network that the file does not have.
    pub missing: Vec<String>,
    /// Paths whose shapes differ, with both shapes in words.
    pub mismatched: Vec<String>,
    /// Paths of the file that the network does not have.
    pub unused: Vec<String>,
}

/// A run that is about to take its first step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// Its folder.
    pub folder: PathBuf,
    /// Steps done before: 0 for a new run.
    pub step: u64,
    /// Steps of one epoch.
    pub steps_per_epoch: u64,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// Epochs of the whole run.
    pub epochs: u32,
    /// Training images.
    pub train_images: u64,
    /// Validation images.
    pub validation_images: u64,
    /// Class names.
    pub classes: Vec<String>,
    /// Which initial weights came from an earlier run.
    pub weights: Option<WeightsReport>,
}

/// One small picture of a feature map or filter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plane {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// 1 (a map) or 3 (a filter over colours): bytes a pixel.
    pub depth: u32,
    /// 0 is `min`, 255 is `max`.
    pub pixels: Vec<u8>,
    /// The value shown as 0.
    pub min: f32,
    /// The value shown as 255.
    pub max: f32,
}

/// Statistics of one channel.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelStats {
    /// Smallest value.
    pub min: f32,
    /// Largest value.
    pub max: f32,
    /// Mean.
    pub mean: f32,
    /// Share of exact zeros: 1 is a dead ReLU.
    pub zeros: f32,
}

/// What one layer made of the image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerProbe {
    /// Path of the layer.
    pub path: String,
    /// `[c, h, w]` or `[features]`.
    pub shape: Vec<u64>,
    /// Its feature maps; a vector's single row comes as one plane.
    pub planes: Vec<Plane>,
    /// One entry per channel (all of them), or one for a vector.
    pub channels: Vec<ChannelStats>,
    /// Filters of a convolution: one plane per filter over the first one or three input channels.
    pub filters: Vec<Plane>,
    /// Input channels that each filter looks at.
    pub filter_inputs: u32,
    /// Why there is nothing, if so.
    pub problem: Option<String>,
}

/// A class and its probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// Index of the class.
    pub class: u32,
    /// Its name.
    pub name: String,
    /// Probability.
    pub probability: f32,
}

/// The answer to a probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// The request's id.
    pub id: u64,
    /// The request's run.
    pub run: RunId,
    /// Step of the weights; none if stored or fresh.
    pub step: Option<u64>,
    /// The asked layers, in order.
    pub layers: Vec<LayerProbe>,
    /// The image as the network saw it; none for inputs that are no pictures.
    pub input: Option<Plane>,
    /// The five likeliest classes, likeliest first.
    pub top: Vec<ClassScore>,
    /// What the data says the image is.
    pub label: Option<u32>,
    /// Name of that class; empty if the data say none.
    pub label_name: String,
    /// How many images the data have that the image is from: for training, validation and test.
    pub counts: Option<[u64; 3]>,
    /// Seconds it took.
    pub secs: f64,
}

/// One confident mistake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// Place in the split.
    pub index: u64,
    /// What it is.
    pub truth: u32,
    /// What the network says.
    pub guess: u32,
    /// How sure it is.
    pub probability: f32,
}

/// The answer to an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluateReport {
    /// The request's run.
    pub run: RunId,
    /// The split.
    pub split: Split,
    /// Images measured.
    pub count: u64,
    /// Of them right.
    pub correct: u64,
    /// Mean loss.
    pub loss: f64,
    /// Class names.
    pub classes: Vec<String>,
    /// Rows are what it is, columns what the network says; `classes²` counts.
    pub confusion: Vec<u64>,
    /// The most confident mistakes, worst first.
    pub worst: Vec<Mistake>,
    /// Seconds it took.
    pub secs: f64,
}

impl EvaluateReport {
    /// Share of right answers; 0 for no images.
    pub fn accuracy(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.correct as f64 / self.count as f64 }
    }

    /// Precision, recall and number of images of one class.
    pub fn class_scores(&self, class: usize) -> (f64, f64, u64) {
        let n = self.classes.len();
        let at = |row: usize, column: usize| self.confusion.get(row * n + column).copied().unwrap_or(0);
        let (right, truth) = (at(class, class), (0..n).map(|column| at(class, column)).sum::<u64>());
        let said = (0..n).map(|row| at(row, class)).sum::<u64>();
        let share = |of: u64| if of == 0 { 0.0 } else { right as f64 / of as f64 };
        (share(said), share(truth), truth)
    }
}

/// The answer for one picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The image, as the request named it; pixels come back empty.
    pub image: ImageRef,
    /// Likeliest classes first.
    pub top: Vec<ClassScore>,
    /// Why there is no answer, if so.
    pub problem: Option<String>,
}

/// How long the ops of one path take for a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerTime {
    /// Path of names, as ops and parameters carry it: "conv1", "stage1.0.bn2".
    pub path: String,
    /// Seconds of the forward pass.
    pub forward_secs: f64,
    /// Seconds of the backward pass; 0 where no gradient flows.
    pub backward_secs: f64,
}

/// The answer to a request for times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerTimesReport {
    /// The request's id.
    pub id: u64,
    /// Name of the device.
    pub device: String,
    /// Images of a step.
    pub batch: u32,
    /// One row per path that ops carry, in the order they run.
    pub layers: Vec<LayerTime>,
    /// Seconds that measuring took.
    pub secs: f64,
    /// Why there is nothing, if so.
    pub problem: Option<String>,
}

impl LayerTimesReport {
    /// Forward and backward seconds of a path and everything below it; none if no op lies there.
    pub fn of(&self, path: &str) -> Option<(f64, f64)> {
        let below = |own: &str| own == path || own.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        let rows = self.layers.iter().filter(|row| below(&row.path));
        rows.map(|row| (row.forward_secs, row.backward_secs)).reduce(|a, b| (a.0 + b.0, a.1 + b.1))
    }

    /// Forward and backward seconds of all layers.
    pub fn total(&self) -> (f64, f64) {
        self.layers.iter().fold((0.0, 0.0), |sum, row| (sum.0 + row.forward_secs, sum.1 + row.backward_secs))
    }
}

/// One row of the device self-test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckRow {
    /// What was computed.
    pub case: String,
    /// Largest error of the outputs, relative to the largest output of the CPU.
    pub forward_error: f64,
    /// Largest error of the gradients, relative to the largest gradient of the CPU.
    pub backward_error: f64,
    /// Seconds on the device, the tuning of kernels included.
    pub secs: f64,
    /// What went wrong, if nothing could be compared.
    pub problem: Option<String>,
}

impl CheckRow {
    /// Largest relative error that passes.
    pub const TOLERANCE: f64 = 1e-3;

    /// Whether the device agrees with the CPU.
    pub fn passes(&self) -> bool {
        self.problem.is_none() && self.forward_error <= Self::TOLERANCE && self.backward_error <= Self::TOLERANCE
    }
}
