//! The max pooling layer, and what both kinds of windowed pooling share.

use super::conv2d::{KERNEL, STRIDE};
use super::{About, Family, FieldSpec, FieldVisitor, LayerKind, Padding, one_input};
use crate::op::{Lowering, Op, Pads, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

/// Max pooling: keeps the largest value in each window.
///
/// # Shapes
/// - input `[n, c, h, w]`; output `[n, c, (h + pads - k)/s + 1, (w + pads - k)/s + 1]`, rounded down unless `ceil`.
/// # Cost
/// 0 parameters, 0 MACs. Training keeps the index of each maximum for the backward pass.
/// # Errors
/// [`ShapeError::WindowTooLarge`], [`ShapeError::PoolPadding`].
/// # Source
/// PyTorch `MaxPool2d`, dilation 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MaxPool {
    /// Height, width.
    pub kernel: [u64; 2],
    /// Vertical, horizontal.
    pub stride: [u64; 2],
    /// Padding; never the maximum.
    pub padding: Padding,
    /// Round the output size up.
    pub ceil: bool,
}

impl Default for MaxPool {
    fn default() -> Self {
        Self { kernel: [2, 2], stride: [2, 2], padding: Padding::Valid, ceil: false }
    }
}

static ABOUT: About = About {
    id: "max_pool",
    name: "Max pooling",
    stem: "pool",
    family: Family::Pooling,
    summary: "Keeps the largest value of each window and shrinks the map.",
    help: "Looks at a small window of one channel and passes on only its largest value. A feature that was found somewhere \
           in the window stays found, its exact place is forgotten; small shifts of the picture change little.\n\n\
           **Output size** `(input + padding − kernel) / stride`, rounded down, `+ 1`\n\n\
           **Parameters** 0, **MACs** 0\n\n\
           Kernel 2 with stride 2 halves height and width, and so quarters the RAM and MACs of what follows. AlexNet pools \
           with overlap: kernel 3, stride 2. Padding never wins: it counts as minus infinity. Where the place matters \
           (segmentation) prefer a convolution with stride 2.",
    source: "PyTorch MaxPool2d; Scherer et al., Evaluation of pooling operations (2010)",
};

pub(super) const CEIL: FieldSpec = FieldSpec::plain(
    "ceil",
    "Round size up",
    "Lets a last window hang over the edge, so no row or column is left out. GoogLeNet and SqueezeNet need it.",
);
pub(super) const WINDOW: FieldSpec =
    FieldSpec { help: "Height and width of the window that becomes one value.", ..KERNEL };

impl LayerKind for MaxPool {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.pair(&WINDOW, &mut self.kernel);
        visitor.pair(&STRIDE, &mut self.stride);
        self.padding.fields(visitor);
        visitor.flag(&CEIL, &mut self.ceil);
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        let pads = pads(ABOUT.name, lowering, inputs, self.padding, self.kernel, self.stride)?;
        lowering.push(Op::MaxPool { kernel: self.kernel, stride: self.stride, pads, ceil: self.ceil }, inputs)
    }
}

/// The explicit padding of a pooling layer for its input.
pub(super) fn pads(
    name: &'static str,
    lowering: &Lowering,
    inputs: &[ValueId],
    padding: Padding,
    kernel: [u64; 2],
    stride: [u64; 2],
) -> Result<Pads, ShapeError> {
    let input = one_input(name, inputs)?;
    let size = lowering.shape(input).as_map().map_or([1, 1], |(_, h, w)| [h, w]);
    padding.pads(size, kernel, stride, [1, 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::output;
    use crate::op::Shape;

    #[test]
    fn two_by_two_halves_and_ceil_keeps_the_odd_row() {
        // (7 - 2)/2 + 1 = 3 rounded down, 4 rounded up.
        assert_eq!(output(&MaxPool::default(), Shape::map(8, 7, 7)), Ok(Shape::map(8, 3, 3)));
        assert_eq!(output(&MaxPool { ceil: true, ..Default::default() }, Shape::map(8, 7, 7)), Ok(Shape::map(8, 4, 4)));
    }

    #[test]
    fn overlapping_pooling_gives_alexnets_sizes() {
        // Krizhevsky et al. 2012: 55 -> 27 -> (after conv) 13 -> 6 with window 3, stride 2.
        let pool = MaxPool { kernel: [3, 3], ..Default::default() };
        assert_eq!(output(&pool, Shape::map(96, 55, 55)), Ok(Shape::map(96, 27, 27)));
        assert_eq!(output(&pool, Shape::map(256, 13, 13)), Ok(Shape::map(256, 6, 6)));
    }

    #[test]
    fn a_vector_cannot_be_pooled() {
        assert!(matches!(output(&MaxPool::default(), Shape::vector(10)), Err(ShapeError::NeedsMap { .. })));
    }
}
