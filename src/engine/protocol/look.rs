//! Questions about one image beyond its feature maps: how a cell came to be, what it sees, how values are spread. Plain data;
//! the arithmetic that a person is shown can be worked out from it, and is.

use super::{ImageRef, NetworkRef, Plane, RunId};
use crate::op::Activation;
use serde::{Deserialize, Serialize};

/// One number of a value: of a map by channel, row and column; of a vector by its index as the channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    /// Channel, or index in a vector.
    pub channel: u64,
    /// Row.
    pub y: u64,
    /// Column.
    pub x: u64,
}

impl Cell {
    /// A cell of a map.
    pub fn new(channel: u64, y: u64, x: u64) -> Self {
        Self { channel, y, x }
    }

    /// In words, as a person counts: from 0, as the maps are numbered.
    pub fn label(self, is_map: bool) -> String {
        if is_map {
            format!("channel {}, row {}, column {}", self.channel, self.y, self.x)
        } else {
            format!("value {}", self.channel)
        }
    }
}

/// How one cell came to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainRequest {
    /// Comes back with the answer.
    pub id: u64,
    /// Whose weights.
    pub network: NetworkRef,
    /// Which image.
    pub image: ImageRef,
    /// Path of the layer, or of an op inside it.
    pub layer: String,
    /// Which cell of its output.
    pub cell: Cell,
    /// Input maps come with the answer from this place of the ranking by contribution on.
    pub first_map: u32,
    /// How many of them.
    pub maps: u32,
    /// Longest side of a map sent.
    pub max_side: u32,
}

impl ExplainRequest {
    /// A request with the usual limits.
    pub fn new(image: ImageRef, layer: impl Into<String>, cell: Cell) -> Self {
        let network = NetworkRef::Live;
        Self { id: 0, network, image, layer: layer.into(), cell, first_map: 0, maps: 8, max_side: 64 }
    }
}

/// The answer: the steps that made the cell, each with its true numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExplainReport {
    /// The request's id.
    pub id: u64,
    /// Step of the weights; none if stored or fresh.
    pub step: Option<u64>,
    /// The request's layer.
    pub layer: String,
    /// `[c, h, w]` or `[features]` of its output.
    pub shape: Vec<u64>,
    /// The request's cell.
    pub cell: Cell,
    /// The number in the tensor.
    pub value: f32,
    /// In the order of computing; the last gives the value. A layer's activation or norm comes after its sum.
    pub steps: Vec<ExplainStep>,
    /// Maps that the first step read, those that contribute most first.
    pub maps: Vec<SourceMap>,
    /// Seconds it took.
    pub secs: f64,
}

/// One op's part in a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainStep {
    /// Path of the op.
    pub path: String,
    /// Name of the op for a person.
    pub op: String,
    /// The cell of the op's own output.
    pub cell: Cell,
    /// Whether that output is a map.
    pub is_map: bool,
    /// What it reads: paths of the ops before it, or the name of the input.
    pub sources: Vec<String>,
    /// `[c, h, w]` or `[features]` of the first of them (before flattening, if it was flattened).
    pub source_shape: Vec<u64>,
    /// The number in the tensor.
    pub value: f32,
    /// Where it comes from.
    pub how: How,
}

/// A map that was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceMap {
    /// Its channel.
    pub channel: u64,
    /// Its picture.
    pub plane: Plane,
}

/// What lies under one place of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tap {
    /// A pixel of the map.
    Inside,
    /// Padding: counts as zero, and never as the largest.
    Padding,
    /// Between the pixels that a transposed convolution spreads out: nothing.
    Gap,
}

/// The window that a cell looks through.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Rows of the kernel.
    pub rows: u32,
    /// Columns of the kernel.
    pub columns: u32,
    /// Rows (from, to) and columns (from, to) of the input it spans; below zero is padding. The ends are not part of it.
    pub rows_seen: (i64, i64),
    /// See `rows_seen`.
    pub columns_seen: (i64, i64),
    /// What lies under each place, row by row.
    pub taps: Vec<Tap>,
}

/// One input channel's products.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Products {
    /// The input channel.
    pub channel: u64,
    /// The pixels under the window, row by row; 0 where there is none.
    pub patch: Vec<f32>,
    /// The weights over them.
    pub kernel: Vec<f32>,
    /// The sum of their products.
    pub sum: f64,
}

/// Over what a norm takes its mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NormOver {
    /// Learned while training: the running statistics of the channel.
    Running,
    /// The channels of this place, or all features.
    Channels,
    /// The channels of the group, all places.
    Group,
}

/// Where a number comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum How {
    /// Pixels times weights, summed over the window and the input channels, and a bias.
    Products {
        /// The window.
        window: Window,
        /// One entry per input channel that takes part.
        rows: Vec<Products>,
        /// Added at the end.
        bias: Option<f32>,
    },
    /// The largest under the window.
    Largest {
        /// The window.
        window: Window,
        /// The pixels under it.
        patch: Vec<f32>,
    },
    /// The mean under the window.
    Mean {
        /// The window.
        window: Window,
        /// The pixels under it.
        patch: Vec<f32>,
        /// Divided by this: padding may count.
        divisor: u64,
    },
    /// (x − mean) / √(variance + eps) · gamma + beta
    Normalise {
        /// The input.
        x: f32,
        /// Mean.
        mean: f64,
        /// Variance.
        variance: f64,
        /// Keeps the root above zero.
        eps: f64,
        /// Learned scale.
        gamma: f32,
        /// Learned shift.
        beta: f32,
        /// What mean and variance are of.
        over: NormOver,
        /// Numbers in the mean; 0 for running statistics.
        count: u64,
    },
    /// x / (k + alpha · sum of squares)^beta
    Neighbours {
        /// The input.
        x: f32,
        /// Channels and values in the sum.
        values: Vec<(u64, f32)>,
        /// Factor of the sum.
        alpha: f64,
        /// Exponent.
        beta: f64,
        /// Added.
        k: f64,
    },
    /// A function of one number.
    Function {
        /// Which.
        function: Activation,
        /// The input.
        x: f32,
    },
    /// eˣ over the sum of eˣ.
    Softmax {
        /// All inputs.
        values: Vec<f32>,
        /// Which of them is this one.
        index: u64,
    },
    /// The sum of its inputs.
    Sum {
        /// One of each source.
        terms: Vec<f32>,
    },
    /// The product of its inputs.
    Product {
        /// One of each source.
        terms: Vec<f32>,
    },
    /// The same number from another place.
    Copy {
        /// Which of the sources.
        source: u32,
        /// Its cell.
        from: Cell,
        /// The number.
        value: f32,
    },
    /// Zero padding.
    Zero,
}

impl How {
    /// The number that the shown arithmetic gives. A test holds it against the tensor for every kind of op.
    pub fn result(&self) -> f64 {
        let of = |value: &f32| f64::from(*value);
        let inside = |window: &Window, patch: &[f32]| -> Vec<f64> {
            patch.iter().zip(&window.taps).filter(|(_, tap)| **tap == Tap::Inside).map(|(value, _)| of(value)).collect()
        };
        match self {
            Self::Products { window, rows, bias } => {
                let row = |row: &Products| -> f64 {
                    let pairs = row.patch.iter().zip(&row.kernel).zip(&window.taps);
                    pairs.filter(|(_, tap)| **tap == Tap::Inside).map(|((x, w), _)| of(x) * of(w)).sum()
                };
                rows.iter().map(row).sum::<f64>() + bias.map_or(0.0, f64::from)
            }
            Self::Largest { window, patch } => inside(window, patch).into_iter().fold(f64::NEG_INFINITY, f64::max),
            Self::Mean { window, patch, divisor } => {
                inside(window, patch).into_iter().sum::<f64>() / (*divisor).max(1) as f64
            }
            Self::Normalise { x, mean, variance, eps, gamma, beta, .. } => {
                (of(x) - mean) / (variance + eps).sqrt() * of(gamma) + of(beta)
            }
            Self::Neighbours { x, values, alpha, beta, k } => {
                let squares: f64 = values.iter().map(|(_, value)| of(value).powi(2)).sum();
                of(x) * (k + alpha * squares).powf(-beta)
            }
            Self::Function { function, x } => function.value(of(x)),
            Self::Softmax { values, index } => {
                let most = values.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = values.iter().map(|value| (of(value) - most).exp()).sum();
                let own = usize::try_from(*index).ok().and_then(|index| values.get(index)).map_or(f64::NAN, of);
                (own - most).exp() / total
            }
            Self::Sum { terms } => terms.iter().map(of).sum(),
            Self::Product { terms } => terms.iter().map(of).product(),
            Self::Copy { value, .. } => of(value),
            Self::Zero => 0.0,
        }
    }

    /// Rows of [`How::Products`], those that contribute most first.
    pub fn ranked(rows: &[Products]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        let size = |at: &usize| rows.get(*at).map_or(0.0, |row| row.sum.abs());
        order.sort_by(|a, b| size(b).total_cmp(&size(a)).then(a.cmp(b)));
        order
    }
}

/// Which pixels of the image move a cell, by gradient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SenseRequest {
    /// Comes back with the answer.
    pub id: u64,
    /// Whose weights.
    pub network: NetworkRef,
    /// Which image; of the data, the ones after it count as well.
    pub image: ImageRef,
    /// How many images the mean is over, if they are of the data.
    pub images: u32,
    /// Path of the layer, or of an op inside it.
    pub layer: String,
    /// Which cell of its output.
    pub cell: Cell,
}

/// The effective receptive field of one cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SenseReport {
    /// The request's id.
    pub id: u64,
    /// The request's layer.
    pub layer: String,
    /// The request's cell.
    pub cell: Cell,
    /// Mean over the images of |∂ cell / ∂ pixel|, summed over colours, in the image's full size.
    pub field: Plane,
    /// Images it is the mean of.
    pub images: u32,
    /// Share of pixels that hold 95 % of the sum.
    pub share: f64,
}

/// How weights, activations and gradients are spread, layer by layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpreadRequest {
    /// Comes back with the answer.
    pub id: u64,
    /// Whose weights.
    pub network: NetworkRef,
    /// Images of the validation data (of the training data if there is none) to look at.
    pub images: u32,
}

impl SpreadRequest {
    /// Images looked at unless asked otherwise.
    pub const IMAGES: u32 = 64;
}

/// Counts of values in bins of one width.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Left end of the first bin: the smallest value.
    pub min: f32,
    /// Right end of the last bin: the largest value.
    pub max: f32,
    /// Values in each bin; the last bin holds the largest value too.
    pub counts: Vec<u64>,
    /// Mean of the finite values.
    pub mean: f32,
    /// Standard deviation of the finite values.
    pub deviation: f32,
    /// Exact zeros.
    pub zeros: u64,
    /// Values that are no number, or infinite.
    pub broken: u64,
}

impl Histogram {
    /// Bins of every histogram.
    pub const BINS: usize = 48;

    /// All values, broken ones not.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// One layer's spread.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerSpread {
    /// Path of the op.
    pub path: String,
    /// Its weights (biases not), if it has some.
    pub weights: Option<Histogram>,
    /// Gradients of these weights over a batch, if they learn.
    pub gradients: Option<Histogram>,
    /// Its outputs over the images.
    pub activations: Histogram,
    /// Channels (or features) of its output.
    pub channels: u64,
    /// Channels whose output is zero everywhere in all the images, of layers that learn or activate.
    pub dead: Vec<u64>,
}

/// The spread of a whole network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SpreadReport {
    /// The request's id; 0 if it came by itself at the end of an epoch.
    pub id: u64,
    /// The run in training, if it came by itself.
    pub run: Option<RunId>,
    /// Step of the weights; none if stored or fresh.
    pub step: Option<u64>,
    /// Images looked at.
    pub images: u32,
    /// In the order of computing.
    pub layers: Vec<LayerSpread>,
}

impl SpreadReport {
    /// Names of layers with channels that give nothing but zero: path, the channels, how many there are.
    pub fn dead(&self) -> impl Iterator<Item = (&str, &[u64], u64)> {
        let found = self.layers.iter().filter(|layer| !layer.dead.is_empty());
        found.map(|layer| (layer.path.as_str(), layer.dead.as_slice(), layer.channels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_count_pixels_only_and_add_the_bias_once() {
        let window =
            Window { rows: 1, columns: 3, taps: vec![Tap::Padding, Tap::Inside, Tap::Inside], ..Window::default() };
        let row = |channel, kernel: [f32; 3]| Products {
            channel,
            patch: vec![9.0, 2.0, 3.0],
            kernel: kernel.into(),
            sum: 0.0,
        };
        let rows = vec![row(0, [1.0, 1.0, 1.0]), row(1, [5.0, -1.0, 0.5])];
        // (2 + 3) + (−2 + 1.5) + 0.25 = 4.75; what is said to lie in the padding does not count.
        assert!((How::Products { window, rows, bias: Some(0.25) }.result() - 4.75).abs() < 1e-12);
    }

    #[test]
    fn a_norm_follows_its_formula() {
        // (3 − 1) / √(3.75 + 0.25) · 2 + 1 = 3
        let how = How::Normalise {
            x: 3.0,
            mean: 1.0,
            variance: 3.75,
            eps: 0.25,
            gamma: 2.0,
            beta: 1.0,
            over: NormOver::Channels,
            count: 4,
        };
        assert!((how.result() - 3.0).abs() < 1e-12);
    }
}
