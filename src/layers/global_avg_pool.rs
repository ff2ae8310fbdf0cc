//! The global average pooling layer.

use super::{About, Family, FieldVisitor, LayerKind};
use crate::op::{Lowering, Op, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

/// Global average pooling: the mean of each channel.
///
/// # Shapes
/// - input `[n, c, h, w]`; output `[n, c]`.
/// # Cost
/// 0 parameters, 0 MACs.
/// # Errors
/// [`ShapeError::NeedsMap`] for a vector.
/// # Source
/// Lin et al. 2014; PyTorch `AdaptiveAvgPool2d(1)` and `flatten`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GlobalAvgPool {}

static ABOUT: About = About {
    id: "global_avg_pool",
    name: "Global average pooling",
    stem: "global_pool",
    family: Family::Pooling,
    summary: "Reduces each channel to its mean: a map becomes a vector.",
    help: "Takes the mean over the whole height and width of each channel. What remains says how strongly each feature was \
           found, not where.\n\n\
           **Output** one number per channel: `H × W × C` becomes `C`\n\n\
           **Parameters** 0, **MACs** 0\n\n\
           It stands between the last convolution and the classifier in ResNet, GoogLeNet and most networks since. Against \
           a Flatten it saves nearly all weights of the first dense layer (7×7×512 to 512: 49 times fewer), and the \
           network accepts other image sizes.",
    source: "Lin, Chen, Yan: Network in network (2014); PyTorch AdaptiveAvgPool2d(1)",
};

impl LayerKind for GlobalAvgPool {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn fields(&mut self, _visitor: &mut dyn FieldVisitor) {}

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        lowering.push(Op::GlobalAvgPool, inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::output;
    use crate::op::Shape;

    #[test]
    fn one_number_per_channel_remains() {
        assert_eq!(output(&GlobalAvgPool::default(), Shape::map(512, 7, 7)), Ok(Shape::vector(512)));
    }
}
