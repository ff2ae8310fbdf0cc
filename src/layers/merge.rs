//! Layers that join branches: add, multiply, concat.

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

static ABOUT_ADD: About = About {
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

static ABOUT_MULTIPLY: About = About {
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

/// Channels of all branches one after another.
///
/// # Shapes
/// - inputs `[n, cᵢ, h, w]`; output `[n, Σ cᵢ, h, w]`. Vectors: features one after another.
/// # Cost
/// 0 parameters, 0 MACs; the joined copy takes RAM.
/// # Errors
/// [`ShapeError::Mismatch`] if height or width differ, [`ShapeError::Inputs`] for fewer than two inputs.
/// # Source
/// Szegedy et al. 2015; PyTorch `cat(dim=1)`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Concat {}

static ABOUT_CONCAT: About = About {
    id: "concat",
    name: "Concat",
    stem: "concat",
    family: Family::Merge,
    summary: "Stacks the channels of all branches into one map.",
    help: "Puts the channels of its inputs one after another, in the order of the links. Inception joins its branches so, \
           DenseNet all layers before, U-Net the encoder's maps with the decoder's.\n\n\
           **Output** same height and width, channels `= c₁ + c₂ + …`; of vectors, the features\n\n\
           **Parameters** 0, **MACs** 0\n\n\
           Height and width must agree. Unlike Add nothing is mixed, but the next convolution sees more channels and grows \
           with them.",
    source: "Szegedy et al., Going deeper with convolutions (2015); PyTorch torch.cat",
};

macro_rules! merge {
    ($kind:ident, $about:ident) => {
        impl LayerKind for $kind {
            fn about(&self) -> &'static About {
                &$about
            }

            fn fields(&mut self, _visitor: &mut dyn FieldVisitor) {}

            fn arity(&self) -> Arity {
                Arity::Many
            }

            fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
                lowering.push(Op::$kind, inputs)
            }
        }
    };
}

merge!(Add, ABOUT_ADD);
merge!(Multiply, ABOUT_MULTIPLY);
merge!(Concat, ABOUT_CONCAT);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::join;
    use crate::op::Shape;

    #[test]
    fn concat_adds_up_the_channels_of_an_inception_block() {
        // GoogLeNet, inception (3a): 64 + 128 + 32 + 32 = 256 channels of 28 x 28.
        let branches = [64, 128, 32, 32].map(|channels| Shape::map(channels, 28, 28));
        assert_eq!(join(&Concat::default(), &branches), Ok(Shape::map(256, 28, 28)));
    }

    #[test]
    fn add_refuses_branches_of_different_shapes() {
        let error = join(&Add::default(), &[Shape::map(64, 28, 28), Shape::map(128, 14, 14)]).unwrap_err();
        assert!(error.to_string().contains("1×1 convolution"), "{error}");
    }

    #[test]
    fn multiply_scales_the_channels_of_a_map_by_a_vector() {
        let shapes = [Shape::map(64, 28, 28), Shape::vector(64)];
        assert_eq!(join(&Multiply::default(), &shapes), Ok(Shape::map(64, 28, 28)));
    }

    #[test]
    fn a_single_branch_cannot_be_joined() {
        assert!(matches!(join(&Add::default(), &[Shape::vector(3)]), Err(ShapeError::Inputs { found: 1, .. })));
    }
}
