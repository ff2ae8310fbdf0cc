//! The plain settings a document holds beside its graph: heads, training, data.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What is trained against what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// Name of the layer whose output it judges; empty means the last one.
    #[serde(default)]
    pub output: String,
    /// What kind of answer the data gives.
    pub target: Target,
    /// Loss.
    pub loss: Loss,
    /// Share in the sum of all heads' losses.
    #[serde(default = "one")]
    pub weight: f64,
    /// What is reported besides the loss.
    #[serde(default)]
    pub metrics: Vec<Metric>,
}

fn one() -> f64 {
    1.0
}

impl Default for Head {
    fn default() -> Self {
        Self {
            output: String::new(),
            target: Target::Class,
            loss: Loss::CrossEntropy { label_smoothing: 0.0 },
            weight: 1.0,
            metrics: vec![Metric::Accuracy],
        }
    }
}

/// The kind of a batch's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Nothing.
    None,
    /// One class per image.
    Class,
    /// A vector of numbers per image.
    Vector,
    /// A class per pixel.
    Map,
}

/// A loss, averaged over the batch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Loss {
    /// Softmax cross entropy on logits.
    CrossEntropy {
        /// Share of the target spread over all classes.
        #[serde(default)]
        label_smoothing: f64,
    },
    /// Sigmoid cross entropy on logits, one-hot for class targets, mean over classes.
    BinaryCrossEntropy {
        /// Share of the target moved to one half.
        #[serde(default)]
        label_smoothing: f64,
    },
    /// Mean squared error, one-hot for class targets.
    MeanSquaredError,
}

/// Something reported besides the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of images whose largest output is the right class.
    Accuracy,
}

/// How gradients become steps. Defaults are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd {
        /// Momentum; 0 keeps no velocity.
        momentum: f64,
        /// Nesterov's look-ahead.
        nesterov: bool,
    },
    /// Adam.
    Adam {
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Added to the root.
        eps: f64,
    },
    /// Adam with decoupled weight decay.
    AdamW {
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Added to the root.
        eps: f64,
    },
    /// RMSprop.
    RmsProp {
        /// Decay of the mean square.
        alpha: f64,
        /// Momentum; 0 keeps no velocity.
        momentum: f64,
        /// Added to the root.
        eps: f64,
    },
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8 }
    }
}

impl Optimizer {
    /// Plain gradient descent: it remembers nothing between steps.
    pub const PLAIN_SGD: Self = Self::Sgd { momentum: 0.0, nesterov: false };

    /// Ids of the ready-made optimizers, as the command line takes them.
    pub const IDS: [&'static str; 6] = ["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop"];

    /// The optimizer of an id with PyTorch's defaults (momentum 0.9 where the id names it).
    pub fn from_id(id: &str) -> Option<Self> {
        Some(match id {
            "sgd" => Self::PLAIN_SGD,
            "momentum" => Self::Sgd { momentum: 0.9, nesterov: false },
            "nesterov" => Self::Sgd { momentum: 0.9, nesterov: true },
            "adam" => Self::default(),
            "adamw" => Self::AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8 },
            "rmsprop" => Self::RmsProp { alpha: 0.99, momentum: 0.0, eps: 1e-8 },
            _ => return None,
        })
    }

    /// The id that comes nearest: `momentum` for SGD with momentum.
    pub fn id(self) -> &'static str {
        match self {
            Self::Sgd { nesterov: true, .. } => "nesterov",
            Self::Sgd { momentum, .. } => {
                if momentum == 0.0 {
                    "sgd"
                } else {
                    "momentum"
                }
            }
            Self::Adam { .. } => "adam",
            Self::AdamW { .. } => "adamw",
            Self::RmsProp { .. } => "rmsprop",
        }
    }

    /// Numbers kept per trained parameter between steps.
    pub fn state_per_parameter(self) -> u64 {
        match self {
            Self::Sgd { momentum, .. } => u64::from(momentum != 0.0),
            Self::Adam { .. } | Self::AdamW { .. } => 2,
            Self::RmsProp { momentum, .. } => 1 + u64::from(momentum != 0.0),
        }
    }
}

/// The learning rate as a function of the step: a factor of the base rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Schedule {
    /// Always the base rate.
    #[default]
    Constant,
    /// Times `gamma` every `every_epochs`.
    Step {
        /// Epochs between drops.
        every_epochs: u32,
        /// Factor of each drop.
        gamma: f64,
    },
    /// Half a cosine from the base rate to `floor` times it at the end.
    Cosine {
        /// Last factor.
        floor: f64,
    },
    /// Linear rise over the first epochs, constant after.
    WarmUp {
        /// Epochs of the rise.
        epochs: f64,
    },
    /// One cycle (Smith 2018): cosine up from 1/25 over the first 30 %, cosine down to 1/250,000.
    OneCycle,
}

impl Schedule {
    /// Ids of the ready-made schedules.
    pub const IDS: [&'static str; 5] = ["constant", "step", "cosine", "warm_up", "one_cycle"];

    /// The schedule of an id with usual settings.
    pub fn from_id(id: &str) -> Option<Self> {
        Some(match id {
            "constant" => Self::Constant,
            "step" => Self::Step { every_epochs: 10, gamma: 0.1 },
            "cosine" => Self::Cosine { floor: 0.0 },
            "warm_up" | "warm-up" => Self::WarmUp { epochs: 1.0 },
            "one_cycle" | "one-cycle" => Self::OneCycle,
            _ => return None,
        })
    }

    /// The id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Step { .. } => "step",
            Self::Cosine { .. } => "cosine",
            Self::WarmUp { .. } => "warm_up",
            Self::OneCycle => "one_cycle",
        }
    }

    /// The factor of the base rate at `step` of `total` (`per_epoch` steps in an epoch).
    pub fn factor(self, step: u64, total: u64, per_epoch: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "steps are far below 2^52")]
        let (at, total, per_epoch) = (step as f64, (total.max(1)) as f64, per_epoch.max(1) as f64);
        let cosine = |from: f64, to: f64, t: f64| {
            to + (from - to) * (1.0 + (std::f64::consts::PI * t.clamp(0.0, 1.0)).cos()) / 2.0
        };
        match self {
            Self::Constant => 1.0,
            Self::Step { every_epochs, gamma } => gamma.powf((at / per_epoch / f64::from(every_epochs.max(1))).floor()),
            Self::Cosine { floor } => cosine(1.0, floor, at / total),
            Self::WarmUp { epochs } => ((at + 1.0) / (epochs * per_epoch).max(1.0)).min(1.0),
            Self::OneCycle => {
                // PyTorch's OneCycleLR: phases end at step pct·total − 1 and total − 1.
                let (peak, end) = ((0.3 * total - 1.0).max(1.0), (total - 1.0).max(2.0));
                if at <= peak {
                    cosine(1.0 / 25.0, 1.0, at / peak)
                } else {
                    cosine(1.0, 1.0 / 25.0 / 1e4, (at - peak) / (end - peak))
                }
            }
        }
    }
}

/// When to stop before the last epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EarlyStop {
    /// Epochs without a better validation loss.
    pub patience: u32,
    /// How much lower counts as better.
    #[serde(default)]
    pub min_delta: f64,
}

/// How a network is trained. The defaults are what a person gets without choosing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainSpec {
    /// Passes over the training data.
    pub epochs: u32,
    /// Images per step (of one micro-step if gradients are accumulated).
    pub batch: u32,
    /// Base learning rate.
    pub learning_rate: f64,
    /// Optimizer.
    pub optimizer: Optimizer,
    /// Schedule of the learning rate.
    pub schedule: Schedule,
    /// Weight decay; never on biases and norms. L2 except for `AdamW`.
    pub weight_decay: f64,
    /// Largest global norm of the gradients.
    pub clip_norm: Option<f64>,
    /// Micro-steps whose gradients are averaged into one step.
    pub accumulate: u32,
    /// Early stopping.
    pub early_stop: Option<EarlyStop>,
    /// Element type of values while training.
    pub dtype: crate::op::DType,
}

impl Default for TrainSpec {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch: 64,
            learning_rate: 1e-3,
            optimizer: Optimizer::default(),
            schedule: Schedule::default(),
            weight_decay: 0.0,
            clip_norm: None,
            accumulate: 1,
            early_stop: None,
            dtype: crate::op::DType::F32,
        }
    }
}

impl TrainSpec {
    /// Less memory, so many times over: at most half the images at a time, and their gradients added up to the same step if a
    /// number of at least an eighth of them divides it; else half of them, twice as often, which is [an image or more
    /// off](Self::images_of_a_step). A batch of one image stays as it is.
    #[must_use]
    pub fn halved(&self, times: u32) -> Self {
        let mut spec = Self { batch: self.batch.max(1), accumulate: self.accumulate.max(1), ..self.clone() };
        for _ in 0..times.min(31) {
            if spec.batch < 2 {
                break;
            }
            let step = spec.images_of_a_step();
            let half = spec.batch / 2;
            let divides = |batch: &u32| step.is_multiple_of(u64::from(*batch));
            let exact = (spec.batch.div_ceil(8)..=half).rev().find(divides);
            let exact = exact.and_then(|batch| Some((batch, u32::try_from(step / u64::from(batch)).ok()?)));
            let doubled = (spec.batch.div_ceil(2), spec.accumulate.saturating_mul(2));
            (spec.batch, spec.accumulate) = exact.unwrap_or(doubled);
        }
        spec
    }

    /// How many images one step of the optimizer sees.
    pub fn images_of_a_step(&self) -> u64 {
        u64::from(self.batch).saturating_mul(u64::from(self.accumulate.max(1)))
    }
}

/// Where images come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DataSource {
    /// Digits drawn at run time from stroke skeletons; no files.
    #[default]
    Digits,
    /// A folder with the four IDX files of MNIST or Fashion-MNIST, plain or gzip.
    Idx {
        /// The folder.
        path: PathBuf,
    },
    /// A folder with one folder of pictures per class.
    Folder {
        /// The folder.
        path: PathBuf,
    },
}

impl DataSource {
    /// Reads the command line's form: `digits`, `mnist:DIR`, `idx:DIR`, `folder:DIR`.
    ///
    /// # Errors
    /// A message that names the accepted forms.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "digits" => Ok(Self::Digits),
            Some(("mnist" | "idx" | "fashion", dir)) if !dir.is_empty() => Ok(Self::Idx { path: dir.into() }),
            Some(("folder", dir)) if !dir.is_empty() => Ok(Self::Folder { path: dir.into() }),
            _ => Err(format!("Data must be digits, mnist:DIR or folder:DIR. Received {text:?}.")),
        }
    }
}

/// Shares of the training files.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Splits {
    /// Share of the training files held back to judge each epoch.
    pub validation: f64,
    /// Share held back for `eval --split test`, for sources without test files of their own.
    pub test: f64,
}

impl Default for Splits {
    fn default() -> Self {
        Self { validation: 0.1, test: 0.1 }
    }
}

/// How a picture gets the network's size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// Zero-pad a smaller image evenly (MNIST's 28 to LeNet-5's 32); larger ones are fitted first.
    #[default]
    Pad,
    /// Scale the short side to fit, cut the middle out.
    Crop,
    /// Scale both sides, whatever the proportions.
    Stretch,
}

/// What happens to an image before the network sees it; stored with a run and replayed by predict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preprocess {
    /// How it gets the network's size.
    pub resize: Resize,
    /// Subtracted per channel, after scaling to 0..1. One number serves all channels.
    pub mean: Vec<f32>,
    /// Divides per channel.
    pub std: Vec<f32>,
    /// Dark on light pictures (a pen on paper) are inverted by predict to match light on dark training digits.
    pub invert: bool,
}

impl Default for Preprocess {
    fn default() -> Self {
        Self { resize: Resize::default(), mean: vec![0.0], std: vec![1.0], invert: false }
    }
}

/// Random changes while training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Augment {
    /// Mirror left and right with probability one half.
    pub flip: bool,
    /// Largest shift, in pixels of the network's input.
    pub shift_px: u32,
}

/// Data of a document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataSpec {
    /// Where images come from.
    pub source: DataSource,
    /// Shares.
    pub splits: Splits,
    /// From file to tensor.
    pub preprocess: Preprocess,
    /// Random changes while training.
    pub augment: Augment,
}
