//! The multiply layer.

use super::{About, Arity, Family, FieldVisitor, LayerKind};
use crate::op::{Lowering, Op, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

/// Product of branches; a vector scales the channels of a map.
///
/// # Shapes
/// All of one shape; or a map `[n, c, h, w]` and scales `[n, c]` or `[n, c, 1, 1]`, output as the map.
/// # Cost
/// 0 parameters, 0 MACs.
/// # Errors
/// [`ShapeError::Mismatch`], [`ShapeError::Inputs`] for fewer than two inputs.
/// # Source
/// Hu et al. 2018.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Multiply {}

static ABOUT: About = About {
    id: "multiply",
    name: "Multiply",
    stem: "mul",
    family: Family::Merge,
    summary: "Multiplies branches number by number, or scales the channels of a map by a vector.",
    help: "Multiplies values of one shape, or each channel of a map by one number of a vector. One branch becomes a gate \
           for the other: 0 closes, 1 lets through.\n\n\
           **Output** `a · b · …`, the shape of the map\n\n\
           **Parameters** 0, **MACs** 0 (only convolutions and dense layers count)\n\n\
           Squeeze and excitation is built from it: Global average pooling, Dense, Dense with sigmoid, then Multiply with \
           the map.",
    source: "Hu, Shen, Sun: Squeeze-and-excitation networks (2018)",
};

impl LayerKind for Multiply {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn fields(&mut self, _visitor: &mut dyn FieldVisitor) {}

    fn arity(&self) -> Arity {
        Arity::Many
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        lowering.push(Op::Multiply, inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::join;
    use crate::op::Shape;

    #[test]
    fn multiply_scales_the_channels_of_a_map_by_a_vector() {
        let shapes = [Shape::map(64, 28, 28), Shape::vector(64)];
        assert_eq!(join(&Multiply::default(), &shapes), Ok(Shape::map(64, 28, 28)));
    }
}
