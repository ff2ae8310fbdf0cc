//! The padding choice of convolutions and pooling, and its fields.

use super::{ChoiceOption, FieldSpec, FieldVisitor, Unit};
use crate::op::{Pads, ShapeError, same_pads};
use serde::{Deserialize, Serialize};

/// How a map is padded before a window slides over it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// None.
    #[default]
    Valid,
    /// TensorFlow's: output = ceil(input / stride), the odd pixel at the end.
    Same,
    /// PyTorch's: this many rows and columns on both ends.
    Symmetric([u64; 2]),
    /// Top, bottom, left, right.
    Explicit([u64; 4]),
}

const MODE: FieldSpec = FieldSpec::plain(
    "padding",
    "Padding",
    "Zeros put around the map: none (valid), as many as keep the size at stride 1 (same), or a number of your own.",
);
const AMOUNT: FieldSpec =
    FieldSpec::new("pad", "Pad", Unit::Pixels, 0.0, 1024.0, "Rows above and below, and columns left and right.");
pub(super) const BEGIN: FieldSpec =
    FieldSpec::new("pad_begin", "Pad top, left", Unit::Pixels, 0.0, 1024.0, "Rows above and columns to the left.");
pub(super) const END: FieldSpec =
    FieldSpec::new("pad_end", "Pad bottom, right", Unit::Pixels, 0.0, 1024.0, "Rows below and columns to the right.");

const OPTIONS: [ChoiceOption; 4] = [
    ChoiceOption { id: "valid", label: "Valid", help: "No padding: the map shrinks by kernel − 1." },
    ChoiceOption { id: "same", label: "Same", help: "TensorFlow's rule: output = input / stride, rounded up." },
    ChoiceOption { id: "symmetric", label: "Symmetric", help: "PyTorch's: the same number on both ends." },
    ChoiceOption { id: "explicit", label: "Explicit", help: "Top, bottom, left and right apart." },
];

impl Padding {
    /// The explicit padding for an input of this size.
    ///
    /// # Errors
    /// A kernel, stride or dilation of zero.
    pub fn pads(
        self,
        input: [u64; 2],
        kernel: [u64; 2],
        stride: [u64; 2],
        dilation: [u64; 2],
    ) -> Result<Pads, ShapeError> {
        match self {
            Self::Valid => Ok(Pads::default()),
            Self::Same => same_pads(input, kernel, stride, dilation),
            Self::Symmetric([height, width]) => Ok(Pads::symmetric(height, width)),
            Self::Explicit([top, bottom, left, right]) => Ok(Pads { top, bottom, left, right }),
        }
    }

    /// Shows the fields of the padding: the choice, and the numbers where they count.
    pub fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let before = match self {
            Self::Valid => 0,
            Self::Same => 1,
            Self::Symmetric(_) => 2,
            Self::Explicit(_) => 3,
        };
        let mut selected = before;
        visitor.choice(&MODE, &OPTIONS, &mut selected);
        if selected != before {
            *self = match selected {
                0 => Self::Valid,
                1 => Self::Same,
                2 => Self::Symmetric([1, 1]),
                _ => Self::Explicit([1, 1, 1, 1]),
            };
        }
        match self {
            Self::Valid | Self::Same => {}
            Self::Symmetric(amount) => visitor.pair(&AMOUNT, amount),
            Self::Explicit([top, bottom, left, right]) => {
                let (mut begin, mut end) = ([*top, *left], [*bottom, *right]);
                visitor.pair(&BEGIN, &mut begin);
                visitor.pair(&END, &mut end);
                ([*top, *left], [*bottom, *right]) = (begin, end);
            }
        }
    }
}
