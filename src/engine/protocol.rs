//! What the window (or the command line) and the worker say to each other: plain data, no burn, no egui.
//!
//! Everything here must survive postcard, which cannot carry internally tagged enums: documents and specs therefore
//! travel as JSON text. Paths are the worker's paths. Every event about a run names the run.

use crate::data::Split;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Version of the messages. Both sides must agree.
pub const PROTOCOL: u32 = 1;

/// Build of this program, sent in the first message.
pub const BUILD: &str = env!("CARGO_PKG_VERSION");

/// A run as the side that started it numbers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunId(pub u64);

/// Which device to compute on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceChoice {
    /// The first discrete GPU, else the first integrated one, else the CPU. Never a software adapter.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A device by the id or the name that the list of devices gives (part of the name is enough).
    Named(String),
}

impl DeviceChoice {
    /// Reads the command line's form: `auto`, `cpu`, or an id or name of the list.
    pub fn parse(text: &str) -> Self {
        match text.trim() {
            "" | "auto" => Self::Auto,
            "cpu" => Self::Cpu,
            other => Self::Named(other.to_owned()),
        }
    }
}

impl std::fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// The kind of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceKind {
    /// The processor.
    Cpu,
    /// A graphics card with memory of its own.
    Discrete,
    /// A GPU that shares the processor's memory.
    Integrated,
    /// A GPU of a virtual machine.
    Virtual,
    /// A GPU acted by the processor: slower than the CPU device, listed but never chosen by itself.
    Software,
}

impl DeviceKind {
    /// Name for a person.
    pub fn label(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Discrete => "discrete GPU",
            Self::Integrated => "integrated GPU",
            Self::Virtual => "virtual GPU",
            Self::Software => "software GPU",
        }
    }
}

/// One device of this computer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// What `--device` takes: `cpu`, `gpu0`, `gpu1`, …
    pub id: String,
    /// The device's own name.
    pub name: String,
    /// Its kind.
    pub kind: DeviceKind,
    /// The interface it is reached through: `flex`, `Vulkan`, `GL`, …
    pub backend: String,
    /// Driver and its version, where known.
    pub driver: String,
    /// Bytes that can be used, where the worker can learn it.
    pub capacity_bytes: Option<u64>,
    /// Whether `auto` would take it.
    pub automatic: bool,
}

/// Everything that a training run needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainRequest {
    /// The document as JSON. When resuming, the run folder's own copy counts and this may be empty.
    pub document: String,
    /// The run folder; created unless resuming.
    pub folder: PathBuf,
    /// Go on from the folder's last checkpoint.
    pub resume: bool,
    /// Take initial weights from this run folder or weight file where path and shape match.
    pub start_from: Option<PathBuf>,
    /// Most seconds between checkpoints (one more is made at the end of every epoch).
    pub checkpoint_secs: u32,
    /// Stop after this many steps altogether.
    pub max_steps: Option<u64>,
    /// Divide the batch by two this many times and accumulate gradients instead: after running out of memory.
    pub halvings: u32,
    /// When resuming: train up to this many epochs altogether.
    pub epochs: Option<u32>,
}

impl TrainRequest {
    /// Seconds between checkpoints unless asked otherwise.
    pub const CHECKPOINT_SECS: u32 = 60;

    /// A new run of a document in a folder.
    pub fn new(document: String, folder: PathBuf) -> Self {
        Self {
            document,
            folder,
            resume: false,
            start_from: None,
            checkpoint_secs: Self::CHECKPOINT_SECS,
            max_steps: None,
            halvings: 0,
            epochs: None,
        }
    }

    /// Goes on with a stored run.
    pub fn resuming(folder: PathBuf) -> Self {
        Self { resume: true, ..Self::new(String::new(), folder) }
    }

    /// The request to make after running out of memory: from the last checkpoint, if there is a run, with half the batch.
    #[must_use]
    pub fn with_half_the_batch(&self) -> Self {
        let record = super::run::RunFolder::open(&self.folder).and_then(|folder| folder.record());
        let halvings = self.halvings.max(record.as_ref().map_or(0, |record| record.halvings)) + 1;
        Self { resume: record.is_ok(), halvings, ..self.clone() }
    }
}

/// Which image to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageRef {
    /// An image of the data.
    Item {
        /// The split it is in.
        split: Split,
        /// Its place there.
        index: u64,
    },
    /// A picture file.
    File(PathBuf),
    /// Pixels drawn by hand, red green blue, row by row.
    Pixels {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// Three bytes a pixel.
        rgb: Vec<u8>,
    },
}

/// Whose weights.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NetworkRef {
    /// The network in training (or the last one trained) in this worker.
    #[default]
    Live,
    /// A stored run, or one weight file.
    Stored(PathBuf),
    /// A document with its untrained, initial weights.
    Fresh {
        /// The document as JSON.
        document: String,
    },
}

/// A look at what the layers make of one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeRequest {
    /// Comes back with the answer.
    pub id: u64,
    /// The run it belongs to; comes back with the answer.
    pub run: RunId,
    /// Whose weights.
    pub network: NetworkRef,
    /// Which image.
    pub image: ImageRef,
    /// Paths of layers; nothing asks for the prediction only.
    pub layers: Vec<String>,
    /// Most feature maps (and filters) sent of each layer.
    pub max_planes: u32,
    /// Longest side of a plane sent, in pixels.
    pub max_side: u32,
}

impl ProbeRequest {
    /// A look at some layers with the usual limits.
    pub fn new(image: ImageRef, layers: Vec<String>) -> Self {
        Self {
            id: 0,
            run: RunId::default(),
            network: NetworkRef::Live,
            image,
            layers,
            max_planes: Self::MAX_PLANES,
            max_side: Self::MAX_SIDE,
        }
    }

    /// Feature maps sent unless asked otherwise.
    pub const MAX_PLANES: u32 = 256;
    /// Longest side sent unless asked otherwise.
    pub const MAX_SIDE: u32 = 64;
}

/// Measuring a network on a split of the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluateRequest {
    /// The run it belongs to; comes back with the answer.
    pub run: RunId,
    /// Whose weights.
    pub network: NetworkRef,
    /// Other data than the run's own, as a data spec in JSON.
    pub data: Option<String>,
    /// Which split.
    pub split: Split,
    /// How many of the worst mistakes to name.
    pub worst: u32,
}

/// Asking a network for the classes of pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictRequest {
    /// Comes back with the answers.
    pub id: u64,
    /// Whose weights.
    pub network: NetworkRef,
    /// Which images.
    pub images: Vec<ImageRef>,
    /// How many classes to give of each.
    pub top: u32,
}

/// What the worker can be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Choose the device. Must come before anything that computes; answered by [`Event::Ready`].
    Open {
        /// Which device.
        device: DeviceChoice,
        /// Threads of the CPU device; all cores if none.
        threads: Option<u32>,
    },
    /// Train.
    Train {
        /// Number of the run.
        run: RunId,
        /// What to train.
        request: Box<TrainRequest>,
    },
    /// Hold after the present step.
    Pause,
    /// Go on.
    Resume,
    /// End the run after the present step.
    Stop {
        /// Make the best weights the last ones as well.
        keep_best: bool,
    },
    /// Write a checkpoint after the present step.
    Checkpoint,
    /// Change the base learning rate from the next step on.
    SetLearningRate(f64),
    /// Look at layers. Of several waiting looks the newest wins.
    Probe(Box<ProbeRequest>),
    /// Measure on a split of the data. While a run trains this happens between two of its steps.
    Evaluate(Box<EvaluateRequest>),
    /// Classes of pictures.
    Predict(Box<PredictRequest>),
    /// List the devices of this computer.
    ListDevices,
    /// Compare the opened device with the CPU on small fixed cases.
    CheckDevice,
    /// Checkpoint and exit. The end of input means the same.
    Shutdown,
}

/// One optimizer step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// All epochs done.
    Completed,
    /// The validation loss no longer fell.
    EarlyStop,
    /// Someone stopped it.
    Stopped,
    /// The asked number of steps is done.
    StepLimit,
    /// The loss is no longer a number.
    Diverged,
}

impl FinishReason {
    /// For a person.
    pub fn label(self) -> &'static str {
        match self {
            Self::Completed => "all epochs done",
            Self::EarlyStop => "stopped early: the validation loss no longer fell",
            Self::Stopped => "stopped",
            Self::StepLimit => "the asked number of steps is done",
            Self::Diverged => "the loss is no longer a number; try a smaller learning rate",
        }
    }
}

/// How serious a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LogLevel {
    /// Details.
    Debug,
    /// What happens.
    Info,
    /// What a person should know.
    Warn,
    /// What failed.
    Error,
}

/// How a worker ended, told by the supervisor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitReport {
    /// It was told to end, or its input ended.
    pub expected: bool,
    /// Exit code.
    pub code: Option<i32>,
    /// Signal that killed it.
    pub signal: Option<i32>,
    /// It looks as if memory ran out.
    pub out_of_memory: bool,
    /// All of it in words.
    pub message: String,
    /// The run that was training then.
    pub run: Option<RunId>,
}

/// What the worker says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The first message.
    Hello {
        /// Build of the worker.
        build: String,
        /// Version of its messages.
        protocol: u32,
        /// Its process.
        pid: u32,
    },
    /// The device is open.
    Ready {
        /// The device.
        device: DeviceInfo,
        /// CPU threads it uses.
        threads: u32,
    },
    /// Something that takes a while before the first step.
    Preparing {
        /// The run.
        run: RunId,
        /// What is being done.
        what: String,
    },
    /// The first step comes next.
    Started {
        /// The run.
        run: RunId,
        /// What is known by now.
        started: Box<Started>,
    },
    /// Steps since the last message: every step is told, messages are batched to 30 a second.
    Steps {
        /// The run.
        run: RunId,
        /// The steps in order.
        steps: Vec<StepReport>,
    },
    /// The end of an epoch.
    Epoch {
        /// The run.
        run: RunId,
        /// Its numbers.
        epoch: EpochReport,
    },
    /// Bytes really held.
    Memory {
        /// The run.
        run: RunId,
        /// The numbers.
        memory: MemoryReport,
    },
    /// The answer to a probe.
    Probed(Box<ProbeReport>),
    /// The answer to an evaluation.
    Evaluated(Box<EvaluateReport>),
    /// The answers to a predict command.
    Predicted {
        /// The request's id.
        id: u64,
        /// One answer per image.
        predictions: Vec<Prediction>,
    },
    /// A checkpoint or weight file was written.
    Saved {
        /// The run.
        run: RunId,
        /// Step of the weights.
        step: u64,
        /// Where.
        path: PathBuf,
    },
    /// Holding.
    Paused {
        /// The run.
        run: RunId,
        /// Steps done.
        step: u64,
    },
    /// Going on.
    Resumed {
        /// The run.
        run: RunId,
    },
    /// The base learning rate was changed.
    LearningRate {
        /// The run.
        run: RunId,
        /// The new base rate.
        rate: f64,
    },
    /// A run ended as it should.
    Finished {
        /// The run.
        run: RunId,
        /// Why.
        reason: FinishReason,
        /// Steps done.
        step: u64,
        /// The file to use: best weights where there are any, else the last.
        weights: PathBuf,
    },
    /// A command or a run failed; the worker goes on.
    Failed {
        /// The run, if it was one.
        run: Option<RunId>,
        /// Rule, finding, way out.
        message: String,
    },
    /// The devices of this computer.
    Devices(Vec<DeviceInfo>),
    /// The device self-test.
    Checked {
        /// The device tested.
        device: DeviceInfo,
        /// One row per case.
        rows: Vec<CheckRow>,
    },
    /// A line of the log.
    Log {
        /// How serious.
        level: LogLevel,
        /// The line.
        text: String,
    },
    /// The worker is gone; always the last event.
    Exited(ExitReport),
}
