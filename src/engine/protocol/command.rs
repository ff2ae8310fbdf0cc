//! What the worker can be told, and what it is told with. Plain data.

use super::{ExciteRequest, ExplainRequest, RateSearchRequest, RunId, SenseRequest, SpreadRequest};
use crate::data::Split;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

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
    /// The image that snapshots are of; the first validation image if none, or if this one cannot be had. A run that is resumed
    /// keeps the one it has.
    pub watched: Option<ImageRef>,
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
            watched: None,
        }
    }

    /// Goes on with a stored run.
    pub fn resuming(folder: PathBuf) -> Self {
        Self { resume: true, ..Self::new(String::new(), folder) }
    }

    /// The request to make after running out of memory: from the last checkpoint, if there is a run, with half the batch.
    #[must_use]
    pub fn with_half_the_batch(&self) -> Self {
        let record = crate::engine::run::RunFolder::open(&self.folder).and_then(|folder| folder.record());
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

impl ImageRef {
    /// Which image it is, without pixels of its own.
    #[must_use]
    pub fn without_pixels(&self) -> Self {
        match self {
            Self::Pixels { width, height, .. } => Self::Pixels { width: *width, height: *height, rgb: Vec::new() },
            other => other.clone(),
        }
    }
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
    /// Filters are shown over this input channel; over the first three as colours if none and there are three.
    pub filter_channel: Option<u32>,
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
            filter_channel: None,
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

/// Measuring how long each layer takes on the opened device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeRequest {
    /// Comes back with the answer.
    pub id: u64,
    /// The document as JSON; its initial weights and made-up images do, since times do not depend on them.
    pub document: String,
    /// Images of a step.
    pub batch: u32,
    /// How often each op is run; the median counts.
    pub repeats: u32,
}

impl TimeRequest {
    /// Repeats unless asked otherwise.
    pub const REPEATS: u32 = 5;
}

/// What the worker can be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Choose the device. Must come before anything that computes; answered by `Event::Ready`.
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
    /// Change the schedule (as JSON) from the next step on; it then runs over what is left of the run.
    SetSchedule(String),
    /// Search for a learning rate on a copy of the network, while nothing trains.
    FindRate(Box<RateSearchRequest>),
    /// Look at layers. Of several waiting looks the newest wins.
    Probe(Box<ProbeRequest>),
    /// How one cell came to be. The newest wins.
    Explain(Box<ExplainRequest>),
    /// What one cell sees. The newest wins.
    Sense(Box<SenseRequest>),
    /// How weights, activations and gradients are spread. The newest wins.
    Spread(Box<SpreadRequest>),
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
    /// Measure how long each layer takes; answered by `Event::LayerTimes`. Of several waiting ones the newest wins. Refused
    /// while a run trains: both would be slower, and the figures wrong.
    TimeLayers(Box<TimeRequest>),
    /// Which parts of which images excite the channels of a layer most. The newest wins.
    Excite(Box<ExciteRequest>),
}

impl Command {
    /// A look into a network: waits while a run trains until its share of the time has come, and gives way to a newer one of
    /// its kind.
    pub fn is_look(&self) -> bool {
        matches!(self, Self::Probe(_) | Self::Explain(_) | Self::Sense(_) | Self::Spread(_) | Self::Excite(_))
    }
}
