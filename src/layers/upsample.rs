//! The upsampling layer.

use super::{About, ChoiceOption, Family, FieldSpec, FieldVisitor, LayerKind, Unit};
use crate::op::{Lowering, Op, ShapeError, UpsampleMode, ValueId};
use serde::{Deserialize, Serialize};

/// Upsampling: enlarges a map by whole factors.
///
/// # Shapes
/// - input `[n, c, h, w]`; output `[n, c, h·scale, w·scale]`.
/// # Cost
/// 0 parameters, 0 MACs by this program's count.
/// # Errors
/// [`ShapeError::NeedsMap`], [`ShapeError::Zero`].
/// # Source
/// PyTorch `Upsample`, bilinear with `align_corners = false`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Upsample {
    /// Vertical, horizontal.
    pub scale: [u64; 2],
    /// How pixels are filled.
    pub mode: UpsampleMode,
}

impl Default for Upsample {
    fn default() -> Self {
        Self { scale: [2, 2], mode: UpsampleMode::Nearest }
    }
}

static ABOUT: About = About {
    id: "upsample",
    name: "Upsample",
    stem: "up",
    family: Family::Pooling,
    summary: "Enlarges the map by a whole factor.",
    help: "Repeats each pixel (nearest) or blends between neighbours (bilinear), to get back to a larger map in decoders, \
           segmentation and image generation.\n\n\
           **Output size** `input · scale`\n\n\
           **Parameters** 0, **MACs** 0\n\n\
           Nothing is learned here; a Conv2D after it learns to sharpen. The pair is free of the checkerboard pattern that \
           transposed convolutions leave. Bilinear takes pixel centres at one half, as PyTorch with `align_corners = \
           False` and TensorFlow 2.",
    source: "PyTorch Upsample; Odena et al., Deconvolution and checkerboard artifacts (2016)",
};

const SCALE: FieldSpec =
    FieldSpec::new("scale", "Scale", Unit::None, 1.0, 64.0, "Factor of height and width; 2 doubles both.");
const MODE: FieldSpec = FieldSpec::plain("mode", "Mode", "How the pixels between the known ones are filled.");
const MODES: [ChoiceOption; 2] = [
    ChoiceOption { id: "nearest", label: "Nearest", help: "Repeats the nearest pixel: blocks with hard edges." },
    ChoiceOption {
        id: "bilinear",
        label: "Bilinear",
        help: "Blends linearly between the four nearest pixels: smooth.",
    },
];

impl LayerKind for Upsample {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.pair(&SCALE, &mut self.scale);
        let mut selected = match self.mode {
            UpsampleMode::Nearest => 0,
            UpsampleMode::Bilinear => 1,
        };
        visitor.choice(&MODE, &MODES, &mut selected);
        self.mode = if selected == 0 { UpsampleMode::Nearest } else { UpsampleMode::Bilinear };
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        lowering.push(Op::Upsample { scale: self.scale, mode: self.mode }, inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::output;
    use crate::op::Shape;

    #[test]
    fn upsampling_multiplies_height_and_width() {
        let up = Upsample { scale: [2, 3], ..Default::default() };
        assert_eq!(output(&up, Shape::map(8, 7, 7)), Ok(Shape::map(8, 14, 21)));
    }
}
