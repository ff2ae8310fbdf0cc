//! The dense layer.

use super::{About, Act, Family, FieldSpec, FieldVisitor, LayerKind, Unit};
use crate::op::{Lowering, Op, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

/// Dense (fully connected): every output is a weighted sum of all inputs.
///
/// # Shapes
/// - input `[n, in]`; output `[n, features]`.
/// # Cost
/// `in · features` weights and MACs, and a bias per feature.
/// # Errors
/// [`ShapeError::NeedsVector`] for a map.
/// # Source
/// PyTorch `Linear`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dense {
    /// Outputs.
    pub features: u64,
    /// Whether a bias is added.
    pub bias: bool,
    /// What follows.
    pub activation: Act,
}

impl Default for Dense {
    fn default() -> Self {
        Self { features: 10, bias: true, activation: Act::None }
    }
}

static ABOUT: About = About {
    id: "dense",
    name: "Dense",
    stem: "fc",
    family: Family::Dense,
    summary: "Connects every input with every output by a learned weight.",
    help: "Each output multiplies every input with a weight of its own, sums up and adds its bias. Also called fully \
           connected or linear layer.\n\n\
           **Parameters** `(inputs + 1) · features`\n\n\
           **MACs** `inputs · features`\n\n\
           The last layer of a classifier is one with as many features as there are classes and no activation: the \
           cross-entropy loss contains the softmax. It takes a vector, so Flatten or Global average pooling comes first.",
    source: "PyTorch Linear",
};

const FEATURES: FieldSpec = FieldSpec::new(
    "features",
    "Features",
    Unit::Features,
    1.0,
    1_048_576.0,
    "Number of outputs; in the last layer, the number of classes.",
);
const BIAS: FieldSpec = FieldSpec::plain("bias", "Bias", "Adds one learned number per output.");

impl LayerKind for Dense {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.integer(&FEATURES, &mut self.features);
        visitor.flag(&BIAS, &mut self.bias);
        self.activation.field(visitor);
    }

    fn has_weights(&self) -> bool {
        true
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        let sum = lowering.push(Op::Dense { features: self.features, bias: self.bias }, inputs)?;
        self.activation.lower(lowering, sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::{counts, output};
    use crate::op::Shape;

    #[test]
    fn lenets_first_dense_layer_has_48120_parameters() {
        // (400 + 1) * 120 = 48,120.
        assert_eq!(counts(&Dense { features: 120, ..Default::default() }, Shape::vector(400)), (48_120, 0));
    }

    #[test]
    fn a_map_must_be_flattened_first() {
        let error = output(&Dense::default(), Shape::map(16, 5, 5)).unwrap_err();
        assert!(error.to_string().contains("Flatten"), "{error}");
    }
}
