//! The batch norm layer.

use super::{About, Family, FieldSpec, FieldVisitor, LayerKind, Unit};
use crate::op::{Lowering, Op, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

pub(super) const EPS: FieldSpec = FieldSpec::new(
    "eps",
    "Epsilon",
    Unit::None,
    1e-12,
    1.0,
    "Added to the variance, so that nothing is divided by zero. PyTorch's default is 1e-5, Keras' is 1e-3.",
);

/// Batch norm: normalises each channel over the batch.
///
/// # Shapes
/// Output as input.
/// # Cost
/// 2c trained parameters, 2c of state, 0 MACs.
/// # Errors
/// None of its own.
/// # Source
/// Ioffe and Szegedy 2015; PyTorch `BatchNorm2d`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BatchNorm {
    /// Added to the variance.
    pub eps: f64,
    /// Share of the new batch in the running statistics.
    pub momentum: f64,
}

impl Default for BatchNorm {
    fn default() -> Self {
        Self { eps: 1e-5, momentum: 0.1 }
    }
}

static ABOUT: About = About {
    id: "batch_norm",
    name: "Batch norm",
    stem: "bn",
    family: Family::Normalization,
    summary: "Brings each channel to mean 0 and variance 1 over the batch, then scales and shifts it.",
    help: "While training, subtracts each channel's mean over the batch and divides by its standard deviation; a learned \
           scale γ and shift β follow. While predicting, running averages gathered in training take their place, so one \
           image alone gives the same answer as in a batch.\n\n\
           **Formula** `γ · (x − mean) / √(variance + ε) + β`\n\n\
           **Parameters** `2 · channels` trained (γ, β) `+ 2 · channels` state (running mean and variance, which no \
           gradient changes; Keras counts them, PyTorch calls them buffers)\n\n\
           Networks train faster and stand larger learning rates. It goes between convolution and activation; the \
           convolution then needs no bias. With fewer than about 8 images per batch its estimates are poor: prefer group \
           norm.",
    source: "Ioffe and Szegedy, Batch normalization (2015); PyTorch BatchNorm2d",
};

const MOMENTUM: FieldSpec = FieldSpec::new(
    "momentum",
    "Momentum",
    Unit::Share,
    0.0,
    1.0,
    "Share of the new batch in the running mean and variance, as in PyTorch. Keras' momentum is 1 minus this.",
);

impl LayerKind for BatchNorm {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.float(&EPS, &mut self.eps);
        visitor.float(&MOMENTUM, &mut self.momentum);
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        lowering.push(Op::BatchNorm { eps: self.eps, momentum: self.momentum }, inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::counts;
    use crate::op::Shape;

    #[test]
    fn running_statistics_are_state_beside_scale_and_shift() {
        // PyTorch: BatchNorm2d(64) has weight and bias of 64 each, and buffers of 64 each.
        assert_eq!(counts(&BatchNorm::default(), Shape::map(64, 8, 8)), (128, 128));
    }
}
