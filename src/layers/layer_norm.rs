//! The layer norm layer.

use super::batch_norm::EPS;
use super::{About, Family, FieldVisitor, LayerKind};
use crate::op::{Lowering, Op, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

/// Layer norm: normalises each position over its channels.
///
/// # Shapes
/// Output as input.
/// # Cost
/// 2c trained parameters, 0 MACs.
/// # Errors
/// None of its own.
/// # Source
/// Ba et al. 2016; over channels as in `ConvNeXt`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LayerNorm {
    /// Added to the variance.
    pub eps: f64,
}

impl Default for LayerNorm {
    fn default() -> Self {
        Self { eps: 1e-5 }
    }
}

static ABOUT: About = About {
    id: "layer_norm",
    name: "Layer norm",
    stem: "ln",
    family: Family::Normalization,
    summary: "Brings the channels of each position to mean 0 and variance 1, whatever the batch.",
    help: "At each pixel, subtracts the mean over all channels and divides by their standard deviation; a learned scale γ \
           and shift β per channel follow. A vector is normalised over all its features.\n\n\
           **Formula** `γ · (x − mean) / √(variance + ε) + β`, mean and variance over the channels of one position\n\n\
           **Parameters** `2 · channels`\n\n\
           Each image is treated alone, the same way in training and prediction, so any batch size works. Transformers and \
           ConvNeXt use it.",
    source: "Ba, Kiros, Hinton: Layer normalization (2016); Liu et al., A ConvNet for the 2020s (2022)",
};

impl LayerKind for LayerNorm {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.float(&EPS, &mut self.eps);
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        lowering.push(Op::LayerNorm { eps: self.eps }, inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::counts;
    use crate::op::Shape;

    #[test]
    fn it_learns_a_scale_and_a_shift_per_channel_and_keeps_no_state() {
        // PyTorch: LayerNorm(64) has weight and bias of 64 each.
        assert_eq!(counts(&LayerNorm::default(), Shape::map(64, 8, 8)), (128, 0));
    }
}
