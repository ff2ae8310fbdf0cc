//! The flatten layer.

use super::{About, Family, FieldVisitor, LayerKind};
use crate::op::{Lowering, Op, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

/// Flatten: a map as one vector.
///
/// # Shapes
/// - input `[n, c, h, w]`; output `[n, c·h·w]`.
/// # Cost
/// Nothing: the same memory under another shape.
/// # Errors
/// None of its own.
/// # Source
/// PyTorch `Flatten`: channel after channel, each row by row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Flatten {}

static ABOUT: About = About {
    id: "flatten",
    name: "Flatten",
    stem: "flatten",
    family: Family::Dense,
    summary: "Lays a map out as one long vector, for a dense layer.",
    help: "Writes all numbers of a map one after another: channel after channel, each row by row (PyTorch's order). No \
           number changes and none is copied.\n\n\
           **Output** `height · width · channels` features\n\n\
           **Parameters** 0, **MACs** 0, **RAM** 0\n\n\
           A dense layer after it has a weight for every pixel of every map, and often most of the network's parameters: \
           7×7×512 into 4096 features is 102,760,448 weights in VGG-16. Pool first, or use Global average pooling instead.",
    source: "PyTorch Flatten",
};

impl LayerKind for Flatten {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn fields(&mut self, _visitor: &mut dyn FieldVisitor) {}

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        lowering.push(Op::Flatten, inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::output;
    use crate::op::Shape;

    #[test]
    fn every_number_becomes_a_feature() {
        // 16 * 5 * 5 = 400, LeNet-5's vector.
        assert_eq!(output(&Flatten::default(), Shape::map(16, 5, 5)), Ok(Shape::vector(400)));
    }
}
