//! Why an op cannot take the values it was given.

use super::Shape;

/// A broken rule: what must hold, then what was found, then a way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The op needs a map `[c, h, w]`.
    #[error(
        "{op} needs an image or feature map (height × width × channels). Received a vector of {found}. Connect it before any Flatten."
    )]
    NeedsMap {
        /// Name of the op.
        op: &'static str,
        /// The shape it got.
        found: Shape,
    },
    /// The op needs a vector `[features]`.
    #[error(
        "{op} needs a vector of features. Received a map of {found}. Insert Flatten (or a global pooling) before it."
    )]
    NeedsVector {
        /// Name of the op.
        op: &'static str,
        /// The shape it got.
        found: Shape,
    },
    /// Kernel or pooling window is larger than the padded input.
    #[error("The kernel must fit the padded input. Kernel {}×{}, input {}×{}. Use a smaller kernel or padding = same.", kernel[0], kernel[1], input[0], input[1])]
    WindowTooLarge {
        /// Kernel height and width, dilation counted.
        kernel: [u64; 2],
        /// Padded input height and width.
        input: [u64; 2],
    },
    /// A number that must be at least one is zero.
    #[error("{what} must be at least 1. Received 0. Set it to 1.")]
    Zero {
        /// Which number.
        what: &'static str,
    },
    /// Channels are not divisible by groups.
    #[error("{what} must be divisible by groups. {what}: {channels}, groups: {groups}. Use groups = {suggestion}.")]
    Groups {
        /// "Input channels" or "Filters" or "Channels".
        what: &'static str,
        /// Their number.
        channels: u64,
        /// The groups asked for.
        groups: u64,
        /// The largest number of groups that fits and is not above the one asked for.
        suggestion: u64,
    },
    /// Inputs that must agree do not.
    #[error(
        "{op} needs inputs of {rule}. Received {}. Change one branch, or bring it to the same shape with a 1×1 convolution.",
        list(found)
    )]
    Mismatch {
        /// Name of the op.
        op: &'static str,
        /// What must agree.
        rule: &'static str,
        /// All shapes, in order of the inputs.
        found: Vec<Shape>,
    },
    /// Padding may not exceed what the framework accepts.
    #[error("Padding must be at most half of the pooling window. Window {window}, padding {padding}. Use padding {} or less.", window / 2)]
    PoolPadding {
        /// Window size.
        window: u64,
        /// Padding found.
        padding: u64,
    },
    /// Output padding must be smaller than the stride or the dilation.
    #[error("Output padding must be smaller than the stride or the dilation. Output padding {found}, stride {stride}, dilation {dilation}. Use {} or less.", stride.max(dilation).saturating_sub(1))]
    OutputPadding {
        /// Output padding found.
        found: u64,
        /// Stride.
        stride: u64,
        /// Dilation.
        dilation: u64,
    },
    /// Padding of a transposed convolution removed everything.
    #[error(
        "{op} must leave at least one output row and column. It leaves {height} × {width}. Use less padding or a larger input."
    )]
    Empty {
        /// Name of the op.
        op: &'static str,
        /// Height that would result.
        height: i128,
        /// Width that would result.
        width: i128,
    },
    /// A number outside its range.
    #[error("{what} must be {rule}. Received {found}.")]
    Range {
        /// Which number.
        what: &'static str,
        /// Its range in words.
        rule: &'static str,
        /// The value.
        found: String,
    },
    /// Sizes past 64 bits.
    #[error("The sizes of this layer must fit 64-bit numbers. {what} does not. Use smaller sizes.")]
    Overflow {
        /// Which size.
        what: &'static str,
    },
    /// Wrong number of inputs.
    #[error("{op} takes {expected}. Received {found}. Add or remove links.")]
    Inputs {
        /// Name of the op or layer.
        op: &'static str,
        /// Expected number in words.
        expected: &'static str,
        /// Inputs found.
        found: usize,
    },
}

fn list(shapes: &[Shape]) -> String {
    shapes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}
