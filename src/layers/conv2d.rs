//! The convolution layer.

use super::{About, Act, Family, FieldSpec, FieldVisitor, LayerKind, Padding, Unit, one_input};
use crate::op::{Lowering, Op, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

/// 2-D convolution: slides `filters` kernels over the map.
///
/// # Shapes
/// - input `[n, c, h, w]`; output `[n, filters, (h + pads - d(k - 1) - 1)/s + 1, ...]`, rounded down.
/// # Cost
/// `k² · c / groups · filters` weights and a bias per filter; one MAC per weight and output pixel.
/// # Errors
/// [`ShapeError::WindowTooLarge`], [`ShapeError::Groups`].
/// # Source
/// PyTorch `Conv2d`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conv2d {
    /// Output channels.
    pub filters: u64,
    /// Height, width.
    pub kernel: [u64; 2],
    /// Vertical, horizontal.
    pub stride: [u64; 2],
    /// Padding.
    pub padding: Padding,
    /// Vertical, horizontal.
    pub dilation: [u64; 2],
    /// Groups of channels.
    pub groups: u64,
    /// Whether a bias is added.
    pub bias: bool,
    /// What follows.
    pub activation: Act,
}

impl Default for Conv2d {
    fn default() -> Self {
        Self {
            filters: 32,
            kernel: [3, 3],
            stride: [1, 1],
            padding: Padding::Same,
            dilation: [1, 1],
            groups: 1,
            bias: true,
            activation: Act::Relu,
        }
    }
}

static ABOUT: About = About {
    id: "conv2d",
    name: "Conv2D",
    stem: "conv",
    family: Family::Convolution,
    summary: "Slides learned kernels over the map and sums what they see.",
    help: "Each filter looks at a small window of all input channels, multiplies it with its kernel, sums up and adds its \
           bias. The same kernel serves every position, so a pattern is found wherever it is.\n\n\
           **Output size** `(input + padding − dilation·(kernel − 1) − 1) / stride`, rounded down, `+ 1`\n\n\
           **Parameters** `(kernel height · kernel width · input channels / groups + 1) · filters`\n\n\
           **MACs** `kernel area · input channels / groups · filters · output height · output width`\n\n\
           Small 3×3 kernels in a row see as much as one large kernel, with fewer parameters. Stride 2 halves the map and \
           its RAM. `groups` = input channels gives a depthwise convolution.",
    source: "PyTorch Conv2d; Dumoulin and Visin, A guide to convolution arithmetic (2016)",
};

pub(super) const FILTERS: FieldSpec =
    FieldSpec::new("filters", "Filters", Unit::Filters, 1.0, 65_536.0, "Number of kernels, and so of output channels.");
pub(super) const KERNEL: FieldSpec =
    FieldSpec::new("kernel", "Kernel", Unit::Pixels, 1.0, 255.0, "Height and width of the window.");
pub(super) const STRIDE: FieldSpec =
    FieldSpec::new("stride", "Stride", Unit::Pixels, 1.0, 64.0, "Step of the window; 2 halves height and width.");
pub(super) const DILATION: FieldSpec = FieldSpec::new(
    "dilation",
    "Dilation",
    Unit::Pixels,
    1.0,
    64.0,
    "Distance between the pixels under the kernel; above 1 it sees further at the same cost.",
);
pub(super) const GROUPS: FieldSpec = FieldSpec::new(
    "groups",
    "Groups",
    Unit::None,
    1.0,
    65_536.0,
    "Splits channels into independent groups; equal to the input channels it is a depthwise convolution.",
);
pub(super) const BIAS: FieldSpec = FieldSpec::plain(
    "bias",
    "Bias",
    "Adds one learned number per filter. Not needed before a batch norm, which has its own shift.",
);

impl LayerKind for Conv2d {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.integer(&FILTERS, &mut self.filters);
        visitor.pair(&KERNEL, &mut self.kernel);
        visitor.pair(&STRIDE, &mut self.stride);
        self.padding.fields(visitor);
        visitor.pair(&DILATION, &mut self.dilation);
        visitor.integer(&GROUPS, &mut self.groups);
        visitor.flag(&BIAS, &mut self.bias);
        self.activation.field(visitor);
    }

    fn has_weights(&self) -> bool {
        true
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        let input = one_input(ABOUT.name, inputs)?;
        let size = lowering.shape(input).as_map().map_or([1, 1], |(_, h, w)| [h, w]);
        let op = Op::Conv2d {
            filters: self.filters,
            kernel: self.kernel,
            stride: self.stride,
            dilation: self.dilation,
            groups: self.groups,
            pads: self.padding.pads(size, self.kernel, self.stride, self.dilation)?,
            bias: self.bias,
        };
        let sum = lowering.push(op, &[input])?;
        self.activation.lower(lowering, sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::{counts, lowered, output};
    use crate::op::Shape;

    #[test]
    fn lenets_first_convolution_has_156_parameters() {
        // (5 * 5 * 1 + 1) * 6 = 156; 32 - 5 + 1 = 28.
        let conv = Conv2d { filters: 6, kernel: [5, 5], padding: Padding::Valid, ..Default::default() };
        assert_eq!(counts(&conv, Shape::map(1, 32, 32)), (156, 0));
        assert_eq!(output(&conv, Shape::map(1, 32, 32)), Ok(Shape::map(6, 28, 28)));
    }

    #[test]
    fn a_depthwise_convolution_has_one_kernel_per_channel() {
        // 3 * 3 * (32 / 32) * 32 = 288, and 32 biases.
        let conv = Conv2d { groups: 32, ..Default::default() };
        assert_eq!(counts(&conv, Shape::map(32, 14, 14)), (320, 0));
    }

    #[test]
    fn the_activation_stands_behind_the_sum_under_the_same_name() {
        let program = lowered(&Conv2d::default(), Shape::map(3, 8, 8)).unwrap();
        let ops: Vec<_> = program.ops.iter().map(|node| (node.op.name(), node.path.as_str())).collect();
        assert_eq!(ops, [("Conv2D", "layer"), ("ReLU", "layer")]);
    }

    #[test]
    fn learned_slopes_behind_a_convolution_have_a_name_of_their_own() {
        let conv = Conv2d { activation: Act::Prelu, ..Default::default() };
        let program = lowered(&conv, Shape::map(3, 8, 8)).unwrap();
        let paths: Vec<_> = program.params.iter().map(|param| param.path.as_str()).collect();
        assert_eq!(paths, ["layer.weight", "layer.bias", "layer.prelu.weight"]);
    }
}
