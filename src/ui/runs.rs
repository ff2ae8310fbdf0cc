//! What the window knows of a run: the history of its events. Plain data; fed by the app, read by panels.

/// One training step, as charts need it.
#[derive(Clone, Copy, Debug, PartialEq)]
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
}

/// One finished epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// Done; how, in words.
    Finished(String),
    /// It broke; how, in words.
    Failed(String),
}

/// One channel of a feature map, ready to draw.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Values scaled to 0..255 over the channel's range.
    pub pixels: Vec<u8>,
    /// Smallest value.
    pub min: f32,
    /// Largest value.
    pub max: f32,
    /// Mean value.
    pub mean: f32,
    /// Share of exact zeros.
    pub zeros: f32,
}

/// What a probe brought back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProbeView {
    /// Path of names of the layer.
    pub layer: String,
    /// Channels.
    pub planes: Vec<Plane>,
    /// A convolution's filters, if the layer has some.
    pub filters: Vec<Plane>,
    /// Top classes: name, probability.
    pub top: Vec<(String, f32)>,
    /// The image as the network saw it.
    pub image: Option<Plane>,
    /// What the image is.
    pub label: String,
    /// Step at which it was taken.
    pub step: u64,
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
    /// Bytes the engine really holds at most.
    pub measured_bytes: Option<u64>,
    /// What was looked at last.
    pub probe: Option<ProbeView>,
    /// Class names.
    pub classes: Vec<String>,
    /// What it does now, such as "preparing kernels".
    pub activity: String,
}
