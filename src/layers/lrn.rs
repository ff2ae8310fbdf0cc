//! The local response normalisation layer.

use super::{About, Family, FieldSpec, FieldVisitor, LayerKind, Unit};
use crate::op::{Lowering, Op, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

/// Local response normalisation: divides each value by the energy of the neighbouring maps.
///
/// # Shapes
/// Output as input, a map.
/// # Cost
/// 0 parameters, 0 MACs by this program's count.
/// # Errors
/// [`ShapeError::NeedsMap`], [`ShapeError::Zero`] for a window of zero.
/// # Source
/// Krizhevsky et al. 2012, section 3.3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lrn {
    /// Neighbouring maps in the sum, the value's own included.
    pub window: u64,
    /// Factor of the sum of squares.
    pub alpha: f64,
    /// Exponent.
    pub beta: f64,
    /// Added constant.
    pub k: f64,
}

impl Default for Lrn {
    fn default() -> Self {
        Self { window: 5, alpha: 1e-4, beta: 0.75, k: 2.0 }
    }
}

static ABOUT: About = About {
    id: "lrn",
    name: "LRN",
    stem: "lrn",
    family: Family::Normalization,
    summary: "Dampens a value when neighbouring maps respond strongly at the same pixel.",
    help: "Local response normalisation lets neighbouring maps compete: a strong response at a pixel dampens those of the \
           maps beside it, as excited neurons inhibit their neighbours.\n\n\
           **Formula** `x / (k + α · Σ x²)^β`, the sum over the `window` maps around x's own, at the same pixel\n\n\
           **Parameters** 0\n\n\
           The defaults are AlexNet's: window 5, α = 1e-4, β = 0.75, k = 2. Here α multiplies the plain sum, as in the \
           paper and in TensorFlow. **PyTorch divides α by the window first**: to repeat a PyTorch network, enter its \
           alpha divided by its size. TensorFlow gives `depth_radius`; window = 2 · radius + 1.\n\n\
           Batch norm has replaced it; it is here for AlexNet and GoogLeNet.",
    source: "Krizhevsky, Sutskever, Hinton: ImageNet classification with deep convolutional neural networks (2012)",
};

const WINDOW: FieldSpec = FieldSpec::new(
    "window",
    "Window",
    Unit::Channels,
    1.0,
    255.0,
    "How many neighbouring maps are summed, the map itself included.",
);
const ALPHA: FieldSpec = FieldSpec::new(
    "alpha",
    "Alpha",
    Unit::None,
    0.0,
    10.0,
    "Factor of the plain sum of squares. PyTorch's alpha must be divided by its window to mean the same.",
);
const BETA: FieldSpec =
    FieldSpec::new("beta", "Beta", Unit::None, 0.0, 10.0, "Exponent of the divisor; larger dampens more.");
const K: FieldSpec =
    FieldSpec::new("k", "K", Unit::None, 0.001, 100.0, "Added before the exponent, so that silence is not amplified.");

impl LayerKind for Lrn {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.integer(&WINDOW, &mut self.window);
        visitor.float(&ALPHA, &mut self.alpha);
        visitor.float(&BETA, &mut self.beta);
        visitor.float(&K, &mut self.k);
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        lowering.push(Op::Lrn { window: self.window, alpha: self.alpha, beta: self.beta, k: self.k }, inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::lowered;
    use crate::op::Shape;

    #[test]
    fn the_defaults_are_alexnets() {
        // Section 3.3 of the paper: k = 2, n = 5, alpha = 1e-4, beta = 0.75.
        let program = lowered(&Lrn::default(), Shape::map(96, 55, 55)).unwrap();
        assert_eq!(program.ops[0].op, Op::Lrn { window: 5, alpha: 1e-4, beta: 0.75, k: 2.0 });
    }
}
