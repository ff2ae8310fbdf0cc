//! The add layer.

use super::{About, Arity, Family, FieldVisitor, LayerKind};
use crate::op::{Lowering, Op, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

/// Sum of branches of one shape.
///
/// # Shapes
/// Output as each input.
/// # Cost
/// 0 parameters, 0 MACs.
/// # Errors
/// [`ShapeError::Mismatch`], [`ShapeError::Inputs`] for fewer than two inputs.
/// # Source
/// He et al. 2015.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Add {}

static ABOUT: About = About {
    id: "add",
    name: "Add",
    stem: "add",
    family: Family::Merge,
    summary: "Sums branches of the same shape, number by number.",
    help: "Adds two or more values of one shape. This is the end of a skip connection: the branch then only learns what to \
           change, and gradients reach early layers undamped, which is what lets ResNet be 152 layers deep.\n\n\
           **Output** `a + b + …`, same shape\n\n\
           **Parameters** 0, **MACs** 0\n\n\
           All inputs must agree in height, width and channels. If they do not, put a 1×1 convolution (with the other \
           branch's stride) on the skip. The skipped value is held in RAM until this layer has run.",
    source: "He et al., Deep residual learning for image recognition (2015)",
};

impl LayerKind for Add {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn fields(&mut self, _visitor: &mut dyn FieldVisitor) {}

    fn arity(&self) -> Arity {
        Arity::Many
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        lowering.push(Op::Add, inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::join;
    use crate::op::Shape;

    #[test]
    fn add_refuses_branches_of_different_shapes() {
        let error = join(&Add::default(), &[Shape::map(64, 28, 28), Shape::map(128, 14, 14)]).unwrap_err();
        assert!(error.to_string().contains("1×1 convolution"), "{error}");
    }

    #[test]
    fn a_single_branch_cannot_be_joined() {
        assert!(matches!(join(&Add::default(), &[Shape::vector(3)]), Err(ShapeError::Inputs { found: 1, .. })));
    }
}
