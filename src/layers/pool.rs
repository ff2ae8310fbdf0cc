//! Max pooling and average pooling.

use super::conv2d::{KERNEL, STRIDE};
use super::{About, Family, FieldSpec, FieldVisitor, LayerKind, Padding, one_input};
use crate::op::{Lowering, Op, Pads, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

/// Max pooling: keeps the largest value in each window.
///
/// # Shapes
/// - input `[n, c, h, w]`; output `[n, c, (h + pads - k)/s + 1, (w + pads - k)/s + 1]`, rounded down unless `ceil`.
/// # Cost
/// 0 parameters, 0 MACs. Training keeps the index of each maximum for the backward pass.
/// # Errors
/// [`ShapeError::WindowTooLarge`], [`ShapeError::PoolPadding`].
/// # Source
/// PyTorch `MaxPool2d`, dilation 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MaxPool {
    /// Height, width.
    pub kernel: [u64; 2],
    /// Vertical, horizontal.
    pub stride: [u64; 2],
    /// Padding; never the maximum.
    pub padding: Padding,
    /// Round the output size up.
    pub ceil: bool,
}

impl Default for MaxPool {
    fn default() -> Self {
        Self { kernel: [2, 2], stride: [2, 2], padding: Padding::Valid, ceil: false }
    }
}

static ABOUT_MAX: About = About {
    id: "max_pool",
    name: "Max pooling",
    stem: "pool",
    family: Family::Pooling,
    summary: "Keeps the largest value of each window and shrinks the map.",
    help: "Looks at a small window of one channel and passes on only its largest value. A feature that was found somewhere \
           in the window stays found, its exact place is forgotten; small shifts of the picture change little.\n\n\
           **Output size** `(input + padding − kernel) / stride`, rounded down, `+ 1`\n\n\
           **Parameters** 0, **MACs** 0\n\n\
           Kernel 2 with stride 2 halves height and width, and so quarters the RAM and MACs of what follows. AlexNet pools \
           with overlap: kernel 3, stride 2. Padding never wins: it counts as minus infinity. Where the place matters \
           (segmentation) prefer a convolution with stride 2.",
    source: "PyTorch MaxPool2d; Scherer et al., Evaluation of pooling operations (2010)",
};

const CEIL: FieldSpec = FieldSpec::plain(
    "ceil",
    "Round size up",
    "Lets a last window hang over the edge, so no row or column is left out. GoogLeNet and SqueezeNet need it.",
);
const WINDOW: FieldSpec = FieldSpec { help: "Height and width of the window that becomes one value.", ..KERNEL };

impl LayerKind for MaxPool {
    fn about(&self) -> &'static About {
        &ABOUT_MAX
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.pair(&WINDOW, &mut self.kernel);
        visitor.pair(&STRIDE, &mut self.stride);
        self.padding.fields(visitor);
        visitor.flag(&CEIL, &mut self.ceil);
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        let pads = pads(ABOUT_MAX.name, lowering, inputs, self.padding, self.kernel, self.stride)?;
        lowering.push(Op::MaxPool { kernel: self.kernel, stride: self.stride, pads, ceil: self.ceil }, inputs)
    }
}

/// Average pooling: the mean of each window.
///
/// # Shapes
/// As [`MaxPool`].
/// # Cost
/// 0 parameters, 0 MACs; nothing is kept for the backward pass.
/// # Errors
/// As [`MaxPool`].
/// # Source
/// PyTorch `AvgPool2d`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AvgPool {
    /// Height, width.
    pub kernel: [u64; 2],
    /// Vertical, horizontal.
    pub stride: [u64; 2],
    /// Padding with zeros.
    pub padding: Padding,
    /// Round the output size up.
    pub ceil: bool,
    /// Whether padding counts in the mean.
    pub count_padding: bool,
}

impl Default for AvgPool {
    fn default() -> Self {
        Self { kernel: [2, 2], stride: [2, 2], padding: Padding::Valid, ceil: false, count_padding: true }
    }
}

static ABOUT_AVG: About = About {
    id: "avg_pool",
    name: "Average pooling",
    stem: "pool",
    family: Family::Pooling,
    summary: "Takes the mean of each window and shrinks the map.",
    help: "Replaces each window of a channel by its mean. Softer than max pooling: everything in the window counts a \
           little. LeNet-5 and the transitions of DenseNet use it.\n\n\
           **Output size** `(input + padding − kernel) / stride`, rounded down, `+ 1`\n\n\
           **Parameters** 0, **MACs** 0\n\n\
           At the edge the frameworks differ. PyTorch counts padded zeros as values (`count padding` on, the default), so \
           means at the border are too small. TensorFlow with padding *same* divides by the real pixels only: switch \
           `count padding` off to get its numbers.",
    source: "PyTorch AvgPool2d; TensorFlow tf.nn.avg_pool2d; LeCun et al. (1998)",
};

const COUNT_PADDING: FieldSpec = FieldSpec::plain(
    "count_padding",
    "Count padding",
    "On: padded zeros count in the mean, as in PyTorch. Off: only real pixels do, as in TensorFlow with padding same.",
);

impl LayerKind for AvgPool {
    fn about(&self) -> &'static About {
        &ABOUT_AVG
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.pair(&WINDOW, &mut self.kernel);
        visitor.pair(&STRIDE, &mut self.stride);
        self.padding.fields(visitor);
        visitor.flag(&CEIL, &mut self.ceil);
        visitor.flag(&COUNT_PADDING, &mut self.count_padding);
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        let pads = pads(ABOUT_AVG.name, lowering, inputs, self.padding, self.kernel, self.stride)?;
        let (kernel, stride) = (self.kernel, self.stride);
        lowering.push(Op::AvgPool { kernel, stride, pads, ceil: self.ceil, count_padding: self.count_padding }, inputs)
    }
}

fn pads(
    name: &'static str,
    lowering: &Lowering,
    inputs: &[ValueId],
    padding: Padding,
    kernel: [u64; 2],
    stride: [u64; 2],
) -> Result<Pads, ShapeError> {
    let input = one_input(name, inputs)?;
    let size = lowering.shape(input).as_map().map_or([1, 1], |(_, h, w)| [h, w]);
    padding.pads(size, kernel, stride, [1, 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::output;
    use crate::op::Shape;

    #[test]
    fn two_by_two_halves_and_ceil_keeps_the_odd_row() {
        // (7 - 2)/2 + 1 = 3 rounded down, 4 rounded up.
        assert_eq!(output(&MaxPool::default(), Shape::map(8, 7, 7)), Ok(Shape::map(8, 3, 3)));
        assert_eq!(output(&MaxPool { ceil: true, ..Default::default() }, Shape::map(8, 7, 7)), Ok(Shape::map(8, 4, 4)));
        assert_eq!(output(&AvgPool::default(), Shape::map(6, 28, 28)), Ok(Shape::map(6, 14, 14)));
    }

    #[test]
    fn overlapping_pooling_gives_alexnets_sizes() {
        // Krizhevsky et al. 2012: 55 -> 27 -> (after conv) 13 -> 6 with window 3, stride 2.
        let pool = MaxPool { kernel: [3, 3], ..Default::default() };
        assert_eq!(output(&pool, Shape::map(96, 55, 55)), Ok(Shape::map(96, 27, 27)));
        assert_eq!(output(&pool, Shape::map(256, 13, 13)), Ok(Shape::map(256, 6, 6)));
    }

    #[test]
    fn same_padding_divides_by_the_stride_and_rounds_up() {
        // ceil(7 / 2) = 4.
        let pool = AvgPool { kernel: [3, 3], padding: Padding::Same, ..Default::default() };
        assert_eq!(output(&pool, Shape::map(8, 7, 7)), Ok(Shape::map(8, 4, 4)));
    }

    #[test]
    fn a_vector_cannot_be_pooled() {
        assert!(matches!(output(&MaxPool::default(), Shape::vector(10)), Err(ShapeError::NeedsMap { .. })));
    }
}
