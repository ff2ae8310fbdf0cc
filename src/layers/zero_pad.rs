//! The zero padding layer.

use super::padding::{BEGIN, END};
use super::{About, Family, FieldVisitor, LayerKind};
use crate::op::{Lowering, Op, Pads, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

/// Zero padding: a border of zeros around a map.
///
/// # Shapes
/// - input `[n, c, h, w]`; output `[n, c, h + top + bottom, w + left + right]`.
/// # Cost
/// 0 parameters, 0 MACs; the padded copy takes RAM.
/// # Errors
/// [`ShapeError::NeedsMap`] for a vector.
/// # Source
/// PyTorch `ZeroPad2d`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ZeroPad {
    /// Rows above.
    pub top: u64,
    /// Rows below.
    pub bottom: u64,
    /// Columns left.
    pub left: u64,
    /// Columns right.
    pub right: u64,
}

impl Default for ZeroPad {
    fn default() -> Self {
        Self { top: 1, bottom: 1, left: 1, right: 1 }
    }
}

static ABOUT: About = About {
    id: "zero_pad",
    name: "Zero padding",
    stem: "pad",
    family: Family::Pooling,
    summary: "Puts a border of zeros around the map.",
    help: "Adds rows and columns of zeros, so that a following convolution also sees the edge.\n\n\
           **Output size** `input + padding before + padding after`\n\n\
           **Parameters** 0, **MACs** 0\n\n\
           Convolution and pooling have a padding of their own that needs no card and less RAM. Use this layer where a \
           network brings its padding separately (Keras' ResNet50 pads 3 before its first convolution), or to make \
           28×28 digits 32×32: 2 on every side.",
    source: "PyTorch ZeroPad2d",
};

impl LayerKind for ZeroPad {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        let (mut begin, mut end) = ([self.top, self.left], [self.bottom, self.right]);
        visitor.pair(&BEGIN, &mut begin);
        visitor.pair(&END, &mut end);
        ([self.top, self.left], [self.bottom, self.right]) = (begin, end);
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        let pads = Pads { top: self.top, bottom: self.bottom, left: self.left, right: self.right };
        lowering.push(Op::ZeroPad { pads }, inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::set_field;
    use crate::layers::testing::output;
    use crate::op::Shape;

    #[test]
    fn two_pixels_on_each_side_make_a_digit_lenets_size() {
        // 28 + 2 + 2 = 32.
        let pad = ZeroPad { top: 2, bottom: 2, left: 2, right: 2 };
        assert_eq!(output(&pad, Shape::map(1, 28, 28)), Ok(Shape::map(1, 32, 32)));
    }

    #[test]
    fn the_pairs_of_zero_padding_are_top_left_and_bottom_right() {
        let mut pad = ZeroPad::default();
        set_field(&mut pad, "pad_begin", "3x4").unwrap();
        set_field(&mut pad, "pad_end", "5x6").unwrap();
        assert_eq!(pad, ZeroPad { top: 3, left: 4, bottom: 5, right: 6 });
    }
}
