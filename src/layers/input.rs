//! Where images enter the network.

use super::{About, Arity, Family, FieldSpec, FieldVisitor, LayerKind, Unit};
use crate::op::{Lowering, Shape, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

/// The images the network takes: their height, width and channels.
///
/// # Shapes
/// Output `[n, channels, height, width]`.
/// # Cost
/// Nothing but the RAM of the image itself.
/// # Errors
/// [`ShapeError::Inputs`] if it is not given exactly the value that enters here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Input {
    /// Rows.
    pub height: u64,
    /// Columns.
    pub width: u64,
    /// 1 for grey, 3 for colour.
    pub channels: u64,
}

impl Default for Input {
    fn default() -> Self {
        Self { height: 28, width: 28, channels: 1 }
    }
}

static ABOUT: About = About {
    id: "input",
    name: "Input",
    stem: "input",
    family: Family::Input,
    summary: "The size of the images that enter the network.",
    help: "Every picture is brought to this size before the network sees it: padded, cropped or stretched, as the data \
           panel says. 1 channel is grey, 3 channels are red, green and blue.\n\n\
           **Values** `height · width · channels` numbers per image, 4 bytes each\n\n\
           All maps of a convolutional network grow with the input: twice the height and width means four times the RAM \
           and four times the MACs. The parameters of convolutions stay the same; those of the first dense layer after a \
           Flatten do not.\n\n\
           MNIST is 28×28×1 (LeNet-5 pads it to 32×32×1), CIFAR-10 is 32×32×3, ImageNet networks take 224×224×3.",
    source: "PyTorch and Keras conventions; values run from 0 to 1 before normalisation",
};

const HEIGHT: FieldSpec = FieldSpec::new("height", "Height", Unit::Pixels, 1.0, 65_536.0, "Rows of each image.");
const WIDTH: FieldSpec = FieldSpec::new("width", "Width", Unit::Pixels, 1.0, 65_536.0, "Columns of each image.");
const CHANNELS: FieldSpec = FieldSpec::new(
    "channels",
    "Channels",
    Unit::Channels,
    1.0,
    65_536.0,
    "Numbers per pixel: 1 for grey, 3 for red, green and blue.",
);

impl LayerKind for Input {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.integer(&HEIGHT, &mut self.height);
        visitor.integer(&WIDTH, &mut self.width);
        visitor.integer(&CHANNELS, &mut self.channels);
    }

    fn arity(&self) -> Arity {
        Arity::Zero
    }

    fn input_shape(&self) -> Option<Shape> {
        Some(Shape::map(self.channels, self.height, self.width))
    }

    fn lower(&self, _lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        match inputs {
            [value] => Ok(*value),
            _ => Err(ShapeError::Inputs { op: ABOUT.name, expected: "the images and no links", found: inputs.len() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_a_grey_mnist_digit() {
        assert_eq!(Input::default().input_shape(), Some(Shape::map(1, 28, 28)));
    }

    #[test]
    fn lowering_passes_the_entering_value_on_and_adds_no_op() {
        let mut lowering = Lowering::new();
        let value = lowering.input("input", Shape::map(1, 28, 28)).unwrap();
        assert_eq!(Input::default().lower(&mut lowering, &[value]), Ok(value));
        assert_eq!(lowering.op_count(), 0);
        assert!(Input::default().lower(&mut lowering, &[]).is_err());
    }
}
