//! The concat layer.

use super::{About, Arity, Family, FieldVisitor, LayerKind};
use crate::op::{Lowering, Op, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

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

static ABOUT: About = About {
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

impl LayerKind for Concat {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn fields(&mut self, _visitor: &mut dyn FieldVisitor) {}

    fn arity(&self) -> Arity {
        Arity::Many
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        lowering.push(Op::Concat, inputs)
    }
}

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
}
