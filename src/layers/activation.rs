//! The activation layer: any function as a card of its own.

use super::{About, Act, Family, FieldSpec, FieldVisitor, LayerKind, Unit, one_input};
use crate::op::{Lowering, Op, ShapeError, ValueId};
use serde::{Deserialize, Deserializer, Serialize};

/// A function applied to every number (softmax: over channels or features).
///
/// # Shapes
/// Output as input.
/// # Cost
/// 0 parameters (`PReLU`: one slope per channel), 0 MACs.
/// # Errors
/// None of its own.
/// # Source
/// PyTorch's modules of the same names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Activation {
    /// Which function; never [`Act::None`].
    #[serde(deserialize_with = "some_function")]
    pub function: Act,
    /// Slope of leaky `ReLU` below zero; other functions do not use it.
    pub slope: f64,
    /// α of ELU; other functions do not use it.
    pub alpha: f64,
}

impl Default for Activation {
    fn default() -> Self {
        Self { function: Act::Relu, slope: 0.01, alpha: 1.0 }
    }
}

static ABOUT: About = About {
    id: "activation",
    name: "Activation",
    stem: "act",
    family: Family::Activation,
    summary: "Bends every number with a fixed function, so that layers in a row can do more than one.",
    help: "Without a bent function between them, any number of convolutions in a row could be replaced by a single one.\n\n\
           | function | formula | use |\n\
           |---|---|---|\n\
           | ReLU | `max(0, x)` | the usual choice |\n\
           | ReLU6 | `min(max(0, x), 6)` | MobileNet; robust with few bits |\n\
           | Leaky ReLU | `x`, or `slope · x` below zero | no neuron dies |\n\
           | PReLU | as leaky, the slope learned per channel | 1 parameter per channel |\n\
           | ELU | `x`, or `α(eˣ − 1)` below zero | mean near zero |\n\
           | SELU | ELU with fixed constants | self-normalising dense networks |\n\
           | GELU | `x · Φ(x)` | transformers, ConvNeXt |\n\
           | SiLU | `x · sigmoid(x)` | EfficientNet |\n\
           | Hard swish | `x · relu6(x + 3)/6` | MobileNetV3 |\n\
           | Hard sigmoid | `relu6(x + 3)/6` | gates of MobileNetV3 |\n\
           | Sigmoid | `1/(1 + e⁻ˣ)` | gates, independent yes/no answers |\n\
           | Tanh | `(eˣ − e⁻ˣ)/(eˣ + e⁻ˣ)` | LeNet-5 |\n\
           | Softmax | `eˣ / Σ eˣ` over channels or features | probabilities at the end |\n\n\
           A softmax at the very end is folded into the cross-entropy loss while training. An activation directly after \
           its producer needs no RAM of its own in the textbook count.",
    source: "PyTorch activation modules; He et al. 2015 (PReLU), Klambauer et al. 2017 (SELU), Howard et al. 2019 (hard swish)",
};

const FUNCTION: FieldSpec = FieldSpec::plain("function", "Function", "The function applied to every number.");
const SLOPE: FieldSpec = FieldSpec::new(
    "slope",
    "Slope",
    Unit::None,
    0.0,
    1.0,
    "Factor of negative numbers; 0 is ReLU, 1 changes nothing. PyTorch's default is 0.01.",
);
const ALPHA: FieldSpec =
    FieldSpec::new("alpha", "Alpha", Unit::None, 0.0, 100.0, "Large negative numbers end at minus this.");

impl LayerKind for Activation {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let functions: Vec<Act> = Act::ALL.into_iter().filter(|act| *act != Act::None).collect();
        let options: Vec<_> = functions.iter().map(|act| act.option()).collect();
        let mut selected = functions.iter().position(|act| *act == self.function).unwrap_or(0);
        visitor.choice(&FUNCTION, &options, &mut selected);
        self.function = functions.get(selected).copied().unwrap_or(self.function);
        match self.function {
            Act::LeakyRelu => visitor.float(&SLOPE, &mut self.slope),
            Act::Elu => visitor.float(&ALPHA, &mut self.alpha),
            _ => {}
        }
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        use crate::op::Activation as Function;
        let input = one_input(ABOUT.name, inputs)?;
        match self.function {
            Act::LeakyRelu => lowering.push(Op::Activation(Function::LeakyRelu { slope: self.slope }), &[input]),
            Act::Elu => lowering.push(Op::Activation(Function::Elu { alpha: self.alpha }), &[input]),
            Act::Prelu => lowering.push(Op::PRelu, &[input]),
            other => other.lower(lowering, input),
        }
    }
}

fn some_function<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Act, D::Error> {
    match Act::deserialize(deserializer)? {
        Act::None => Err(serde::de::Error::custom(
            "function of an activation layer must be a function. Received \"none\". Remove the layer instead",
        )),
        function => Ok(function),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::{counts, lowered};
    use crate::layers::{get_field, set_field};
    use crate::op::Shape;

    #[test]
    fn slope_is_a_field_of_leaky_relu_only_and_reaches_the_op() {
        let mut layer = Activation::default();
        assert_eq!(get_field(&mut layer, "slope"), None);
        set_field(&mut layer, "function", "leaky_relu").unwrap();
        set_field(&mut layer, "slope", "0.2").unwrap();
        let program = lowered(&layer, Shape::vector(4)).unwrap();
        assert_eq!(program.ops[0].op, Op::Activation(crate::op::Activation::LeakyRelu { slope: 0.2 }));
    }

    #[test]
    fn none_is_no_activation_layer() {
        let error = serde_json::from_str::<Activation>(r#"{"function": "none"}"#).unwrap_err();
        assert!(error.to_string().contains("Remove the layer"), "{error}");
        assert!(set_field(&mut Activation::default(), "function", "none").is_err());
    }

    #[test]
    fn prelu_learns_one_slope_per_channel() {
        // PyTorch: PReLU(num_parameters=16) has 16 weights.
        let layer = Activation { function: Act::Prelu, ..Default::default() };
        assert_eq!(counts(&layer, Shape::map(16, 8, 8)), (16, 0));
    }
}
