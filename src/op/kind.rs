//! The closed list of primitives. Layers are lowered to these; the engine runs these and nothing else.

use super::{DType, Pads};
use serde::{Deserialize, Serialize};

/// A pointwise function (softmax: over channels or features).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Activation {
    /// max(0, x)
    Relu,
    /// min(max(0, x), 6)
    Relu6,
    /// x, or slope·x below zero.
    LeakyRelu {
        /// Slope below zero.
        slope: f64,
    },
    /// x, or α(eˣ − 1) below zero.
    Elu {
        /// Limit at minus infinity, negated.
        alpha: f64,
    },
    /// ELU with the self-normalising constants of Klambauer et al. 2017.
    Selu,
    /// x·Φ(x), exact (erf).
    Gelu,
    /// x·sigmoid(x)
    Silu,
    /// x·relu6(x + 3)/6
    HardSwish,
    /// relu6(x + 3)/6
    HardSigmoid,
    /// 1/(1 + e⁻ˣ)
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// eˣ over the sum of eˣ, over channels (of a map) or features.
    Softmax,
}

/// How pixels between known ones are filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpsampleMode {
    /// Repeat the nearest pixel.
    #[default]
    Nearest,
    /// Linear in both axes, half-pixel centres.
    Bilinear,
}

/// One primitive operation. Shapes are those of one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// Cross-correlation with learned kernels, as every framework calls convolution.
    Conv2d {
        /// Output channels.
        filters: u64,
        /// Height, width.
        kernel: [u64; 2],
        /// Vertical, horizontal.
        stride: [u64; 2],
        /// Vertical, horizontal.
        dilation: [u64; 2],
        /// Independent groups of channels.
        groups: u64,
        /// Explicit padding.
        pads: Pads,
        /// Whether a bias per filter is added.
        bias: bool,
    },
    /// The gradient of a convolution with respect to its input, used as a layer.
    ConvTranspose2d {
        /// Output channels.
        filters: u64,
        /// Height, width.
        kernel: [u64; 2],
        /// Vertical, horizontal.
        stride: [u64; 2],
        /// Vertical, horizontal.
        dilation: [u64; 2],
        /// Independent groups of channels.
        groups: u64,
        /// Rows and columns removed at both ends.
        padding: [u64; 2],
        /// Rows and columns added at the end.
        output_padding: [u64; 2],
        /// Whether a bias per filter is added.
        bias: bool,
    },
    /// Largest value in each window.
    MaxPool {
        /// Height, width.
        kernel: [u64; 2],
        /// Vertical, horizontal.
        stride: [u64; 2],
        /// Explicit padding, never the maximum.
        pads: Pads,
        /// Round the output size up.
        ceil: bool,
    },
    /// Mean of each window.
    AvgPool {
        /// Height, width.
        kernel: [u64; 2],
        /// Vertical, horizontal.
        stride: [u64; 2],
        /// Explicit zero padding.
        pads: Pads,
        /// Round the output size up.
        ceil: bool,
        /// Whether padding counts in the mean.
        count_padding: bool,
    },
    /// Mean of each channel: `[c, h, w]` to `[c]`.
    GlobalAvgPool,
    /// Normalises each channel over the batch.
    BatchNorm {
        /// Added to the variance.
        eps: f64,
        /// Share of the new batch in the running statistics.
        momentum: f64,
    },
    /// Normalises over the channels of each position (of a map) or over all features.
    LayerNorm {
        /// Added to the variance.
        eps: f64,
    },
    /// Normalises groups of channels of each image.
    GroupNorm {
        /// Number of groups.
        groups: u64,
        /// Added to the variance.
        eps: f64,
    },
    /// Local response normalisation across channels; alpha multiplies the plain sum.
    Lrn {
        /// Neighbouring maps in the sum.
        window: u64,
        /// Factor of the sum of squares.
        alpha: f64,
        /// Exponent.
        beta: f64,
        /// Added constant.
        k: f64,
    },
    /// Zeroes values at random while training and scales the rest.
    Dropout {
        /// Share of zeroed values.
        rate: f64,
    },
    /// `[c, h, w]` to `[c·h·w]`.
    Flatten,
    /// Full matrix product.
    Dense {
        /// Outputs.
        features: u64,
        /// Whether a bias per output is added.
        bias: bool,
    },
    /// Pointwise function without parameters.
    Activation(Activation),
    /// Leaky ReLU with one learned slope per channel.
    PRelu,
    /// Zeros around a map.
    ZeroPad {
        /// How many.
        pads: Pads,
    },
    /// Enlarges a map by whole factors.
    Upsample {
        /// Vertical, horizontal.
        scale: [u64; 2],
        /// How pixels are filled.
        mode: UpsampleMode,
    },
    /// Sum of values of one shape.
    Add,
    /// Product of values; a `[c]` or `[c, 1, 1]` scales the channels of a map.
    Multiply,
    /// Channels (or features) one after another.
    Concat,
    /// Changes the element type.
    Cast {
        /// New type.
        to: DType,
    },
}

impl Op {
    /// Name in messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Conv2d { .. } => "Conv2D",
            Self::ConvTranspose2d { .. } => "Transposed conv",
            Self::MaxPool { .. } => "Max pooling",
            Self::AvgPool { .. } => "Average pooling",
            Self::GlobalAvgPool => "Global average pooling",
            Self::BatchNorm { .. } => "Batch norm",
            Self::LayerNorm { .. } => "Layer norm",
            Self::GroupNorm { .. } => "Group norm",
            Self::Lrn { .. } => "LRN",
            Self::Dropout { .. } => "Dropout",
            Self::Flatten => "Flatten",
            Self::Dense { .. } => "Dense",
            Self::Activation(activation) => activation.name(),
            Self::PRelu => "PReLU",
            Self::ZeroPad { .. } => "Zero padding",
            Self::Upsample { .. } => "Upsample",
            Self::Add => "Add",
            Self::Multiply => "Multiply",
            Self::Concat => "Concat",
            Self::Cast { .. } => "Cast",
        }
    }

    /// Whether the output is the input's memory under another shape.
    pub fn is_view(&self) -> bool {
        matches!(self, Self::Flatten)
    }

    /// Whether it is a convolution that is a matrix product at every pixel: 1 x 1, no stride, no padding, one group.
    pub fn is_pointwise_convolution(&self) -> bool {
        match self {
            Self::Conv2d { kernel, stride, groups, pads, .. } => {
                *kernel == [1, 1] && *stride == [1, 1] && *groups == 1 && pads.is_zero()
            }
            _ => false,
        }
    }

    /// Whether each output number depends on one input number only, with no parameters.
    pub fn is_pointwise_activation(&self) -> bool {
        match self {
            Self::Activation(activation) => *activation != Activation::Softmax,
            _ => false,
        }
    }
}

impl Activation {
    /// Name for a person.
    pub fn name(self) -> &'static str {
        match self {
            Self::Relu => "ReLU",
            Self::Relu6 => "ReLU6",
            Self::LeakyRelu { .. } => "Leaky ReLU",
            Self::Elu { .. } => "ELU",
            Self::Selu => "SELU",
            Self::Gelu => "GELU",
            Self::Silu => "SiLU",
            Self::HardSwish => "Hard swish",
            Self::HardSigmoid => "Hard sigmoid",
            Self::Sigmoid => "Sigmoid",
            Self::Tanh => "Tanh",
            Self::Softmax => "Softmax",
        }
    }
}
