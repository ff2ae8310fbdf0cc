//! The average pooling layer.

use super::conv2d::STRIDE;
use super::max_pool::{CEIL, WINDOW, pads};
use super::{About, Family, FieldSpec, FieldVisitor, LayerKind, Padding};
use crate::op::{Lowering, Op, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

/// Average pooling: the mean of each window.
///
/// # Shapes
/// As [`super::MaxPool`].
/// # Cost
/// 0 parameters, 0 MACs; nothing is kept for the backward pass.
/// # Errors
/// As [`super::MaxPool`].
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

static ABOUT: About = About {
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
        &ABOUT
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.pair(&WINDOW, &mut self.kernel);
        visitor.pair(&STRIDE, &mut self.stride);
        self.padding.fields(visitor);
        visitor.flag(&CEIL, &mut self.ceil);
        visitor.flag(&COUNT_PADDING, &mut self.count_padding);
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        let pads = pads(ABOUT.name, lowering, inputs, self.padding, self.kernel, self.stride)?;
        let (kernel, stride) = (self.kernel, self.stride);
        lowering.push(Op::AvgPool { kernel, stride, pads, ceil: self.ceil, count_padding: self.count_padding }, inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::output;
    use crate::op::Shape;

    #[test]
    fn lenets_pooling_halves_its_maps() {
        // LeCun et al. 1998: 28 -> 14.
        assert_eq!(output(&AvgPool::default(), Shape::map(6, 28, 28)), Ok(Shape::map(6, 14, 14)));
    }

    #[test]
    fn same_padding_divides_by_the_stride_and_rounds_up() {
        // ceil(7 / 2) = 4.
        let pool = AvgPool { kernel: [3, 3], padding: Padding::Same, ..Default::default() };
        assert_eq!(output(&pool, Shape::map(8, 7, 7)), Ok(Shape::map(8, 4, 4)));
    }
}
