//! The transposed convolution layer.

use super::conv2d::{BIAS, DILATION, FILTERS, GROUPS, KERNEL, STRIDE};
use super::{About, Act, Family, FieldSpec, FieldVisitor, LayerKind, Unit};
use crate::op::{Lowering, Op, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

/// Transposed 2-D convolution: paints `filters` maps with learned kernels, one stamp per input pixel.
///
/// # Shapes
/// - input `[n, c, h, w]`; output `[n, filters, (h - 1)s - 2p + d(k - 1) + output padding + 1, ...]`.
/// # Cost
/// `c · filters / groups · k²` weights and a bias per filter; one MAC per weight and input pixel.
/// # Errors
/// [`ShapeError::OutputPadding`], [`ShapeError::Empty`], [`ShapeError::Groups`].
/// # Source
/// PyTorch `ConvTranspose2d`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConvTranspose2d {
    /// Output channels.
    pub filters: u64,
    /// Height, width.
    pub kernel: [u64; 2],
    /// Vertical, horizontal.
    pub stride: [u64; 2],
    /// Rows and columns removed at both ends of the output.
    pub padding: [u64; 2],
    /// Rows and columns added at the end of the output.
    pub output_padding: [u64; 2],
    /// Vertical, horizontal.
    pub dilation: [u64; 2],
    /// Groups of channels.
    pub groups: u64,
    /// Whether a bias is added.
    pub bias: bool,
    /// What follows.
    pub activation: Act,
}

impl Default for ConvTranspose2d {
    fn default() -> Self {
        Self {
            filters: 32,
            kernel: [2, 2],
            stride: [2, 2],
            padding: [0, 0],
            output_padding: [0, 0],
            dilation: [1, 1],
            groups: 1,
            bias: true,
            activation: Act::Relu,
        }
    }
}

static ABOUT: About = About {
    id: "conv_transpose2d",
    name: "Transposed conv",
    stem: "deconv",
    family: Family::Convolution,
    summary: "Enlarges the map: every input pixel stamps a learned kernel onto the output.",
    help: "A convolution run backwards: each input pixel multiplies the kernel and adds it to the output, `stride` pixels \
           further for the next pixel. It learns how to enlarge a map, as decoders and segmentation networks (U-Net) \
           need.\n\n\
           **Output size** `(input − 1) · stride − 2·padding + dilation·(kernel − 1) + output padding + 1`\n\n\
           **Parameters** `input channels · filters / groups · kernel area + filters` (the last term is the bias)\n\n\
           **MACs** `input height · input width · kernel area · input channels · filters / groups`\n\n\
           Kernel 2 with stride 2 doubles height and width exactly. If the kernel is no multiple of the stride, stamps \
           overlap unevenly and leave a checkerboard pattern; Upsample followed by Conv2D avoids it.",
    source: "PyTorch ConvTranspose2d; Odena et al., Deconvolution and checkerboard artifacts (2016)",
};

const PADDING: FieldSpec = FieldSpec::new(
    "padding",
    "Padding",
    Unit::Pixels,
    0.0,
    1024.0,
    "Rows and columns cut off at both ends of the output (the padding of the convolution that this one reverses).",
);
const OUTPUT_PADDING: FieldSpec = FieldSpec::new(
    "output_padding",
    "Output padding",
    Unit::Pixels,
    0.0,
    63.0,
    "Rows and columns added at the bottom and right, to reach an even size. Must be smaller than the stride or dilation.",
);

const STRIDE_UP: FieldSpec =
    FieldSpec { help: "Step of the stamp on the output; 2 doubles height and width.", ..STRIDE };

impl LayerKind for ConvTranspose2d {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.integer(&FILTERS, &mut self.filters);
        visitor.pair(&KERNEL, &mut self.kernel);
        visitor.pair(&STRIDE_UP, &mut self.stride);
        visitor.pair(&PADDING, &mut self.padding);
        visitor.pair(&OUTPUT_PADDING, &mut self.output_padding);
        visitor.pair(&DILATION, &mut self.dilation);
        visitor.integer(&GROUPS, &mut self.groups);
        visitor.flag(&BIAS, &mut self.bias);
        self.activation.field(visitor);
    }

    fn has_weights(&self) -> bool {
        true
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        let op = Op::ConvTranspose2d {
            filters: self.filters,
            kernel: self.kernel,
            stride: self.stride,
            dilation: self.dilation,
            groups: self.groups,
            padding: self.padding,
            output_padding: self.output_padding,
            bias: self.bias,
        };
        let sum = lowering.push(op, inputs)?;
        self.activation.lower(lowering, sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::lowered;
    use crate::op::Shape;

    #[test]
    fn the_default_doubles_height_and_width() {
        // (14 - 1) * 2 - 0 + 1 * (2 - 1) + 0 + 1 = 28.
        let program = lowered(&ConvTranspose2d::default(), Shape::map(16, 14, 14)).unwrap();
        assert_eq!(program.output_shape(program.ops.last().unwrap()), &Shape::map(32, 28, 28));
        // 16 * 32 * 2 * 2 + 32 = 2,080.
        assert_eq!(program.params.iter().map(crate::op::ParamSpec::elements).sum::<u64>(), 2_080);
    }

    #[test]
    fn output_padding_must_stay_below_the_stride() {
        let layer = ConvTranspose2d { output_padding: [2, 2], ..Default::default() };
        let error = lowered(&layer, Shape::map(16, 14, 14)).unwrap_err();
        assert!(matches!(error, ShapeError::OutputPadding { found: 2, stride: 2, dilation: 1 }), "{error}");
    }
}
