//! The dropout layer.

use super::{About, Family, FieldSpec, FieldVisitor, LayerKind, Unit};
use crate::op::{Lowering, Op, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

/// Dropout: zeroes values at random while training.
///
/// # Shapes
/// Output as input.
/// # Cost
/// 0 parameters, 0 MACs; nothing at all while predicting.
/// # Errors
/// [`ShapeError::Range`] for a rate outside 0 to 1.
/// # Source
/// Srivastava et al. 2014; PyTorch `Dropout`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dropout {
    /// Share of zeroed values.
    pub rate: f64,
}

impl Default for Dropout {
    fn default() -> Self {
        Self { rate: 0.5 }
    }
}

static ABOUT: About = About {
    id: "dropout",
    name: "Dropout",
    stem: "dropout",
    family: Family::Normalization,
    summary: "Zeroes values at random while training, against overfitting.",
    help: "While training, sets each value to zero with probability `rate` and multiplies the others by `1 / (1 − rate)`, \
           so that the expected sum stays. While predicting it does nothing.\n\n\
           **Parameters** 0, **MACs** 0\n\n\
           No neuron can rely on one particular other, which is like training many thinned networks at once and averaging \
           them. Usual rates: 0.5 before dense layers (AlexNet, VGG), 0.1 to 0.3 elsewhere. If the validation loss rises \
           while the training loss still falls, try more; if both stay high, less.",
    source: "Srivastava et al., Dropout (2014); PyTorch Dropout",
};

const RATE: FieldSpec = FieldSpec::new(
    "rate",
    "Rate",
    Unit::Share,
    0.0,
    0.99,
    "Share of values set to zero in each training step; 0 switches it off.",
);

impl LayerKind for Dropout {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.float(&RATE, &mut self.rate);
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        lowering.push(Op::Dropout { rate: self.rate }, inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::output;
    use crate::op::Shape;

    #[test]
    fn a_rate_of_one_would_leave_nothing_and_is_refused() {
        assert_eq!(output(&Dropout::default(), Shape::vector(84)), Ok(Shape::vector(84)));
        assert!(matches!(output(&Dropout { rate: 1.0 }, Shape::vector(84)), Err(ShapeError::Range { .. })));
    }
}
