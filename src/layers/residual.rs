//! The residual block of ResNet-18 and ResNet-34, as one card.

use super::conv2d::FILTERS;
use super::{About, Family, FieldSpec, FieldVisitor, LayerKind, Unit, one_input};
use crate::op::{Activation, Lowering, Op, Pads, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

/// Residual block: two 3x3 convolutions with batch norm, and a skip around them.
///
/// The skip is the identity where the shape stays, and a 1x1 convolution with batch norm where channels or stride change
/// ("option B"). Parameter paths are torchvision's.
///
/// # Shapes
/// - input `[n, c, h, w]`; output `[n, filters, ceil(h / stride), ceil(w / stride)]`.
/// # Cost
/// `9·c·f + 9·f² + 4f` trained parameters, and `c·f + 2f` for a projection.
/// # Errors
/// Those of its convolutions.
/// # Source
/// He et al. 2015; torchvision `BasicBlock`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Residual {
    /// Output channels of both convolutions.
    pub filters: u64,
    /// Stride of the first convolution and of the skip.
    pub stride: u64,
}

impl Default for Residual {
    fn default() -> Self {
        Self { filters: 64, stride: 1 }
    }
}

static ABOUT: About = About {
    id: "residual",
    name: "Residual block",
    stem: "res",
    family: Family::Block,
    summary: "Two 3×3 convolutions whose result is added to what came in.",
    help: "Conv 3×3, batch norm, ReLU, conv 3×3, batch norm; then the block's input is added, and a ReLU follows. The \
           convolutions only learn the difference to their input, and gradients pass through the sum undamped, so networks \
           can be much deeper.\n\n\
           **Output** `ReLU(F(x) + x)`, height and width divided by the stride and rounded up\n\n\
           **Parameters** `9 · c · f + 9 · f² + 4 · f` for c input channels and f filters (64 to 64: 73,984). If channels \
           or stride change, the skip is a 1×1 convolution with batch norm (option B of the paper): `c · f + 2 · f` more \
           (64 to 128: 230,144)\n\n\
           ResNet-18 is eight of these with 64, 64, 128, 128, 256, 256, 512, 512 filters; the first of each new width has \
           stride 2. Weights of torchvision's ResNet-18 and -34 fit, as the names of the parameters are the same.",
    source: "He et al., Deep residual learning for image recognition (2015); torchvision BasicBlock",
};

const STRIDE: FieldSpec = FieldSpec::new(
    "stride",
    "Stride",
    Unit::Pixels,
    1.0,
    64.0,
    "Step of the first convolution and of the skip; 2 halves height and width.",
);

impl LayerKind for Residual {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.integer(&FILTERS, &mut self.filters);
        visitor.integer(&STRIDE, &mut self.stride);
    }

    fn has_weights(&self) -> bool {
        true
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        let input = one_input(ABOUT.name, inputs)?;
        let relu = || Op::Activation(Activation::Relu);
        let x = lowering.within("conv1", |l| l.push(self.conv(3, self.stride), &[input]))?;
        let x = lowering.within("bn1", |l| l.push(batch_norm(), &[x]))?;
        let x = lowering.within("relu1", |l| l.push(relu(), &[x]))?;
        let x = lowering.within("conv2", |l| l.push(self.conv(3, 1), &[x]))?;
        let x = lowering.within("bn2", |l| l.push(batch_norm(), &[x]))?;
        let keeps_shape = self.stride == 1 && lowering.shape(input).channels() == self.filters;
        let skip = if keeps_shape {
            input
        } else {
            lowering.within("downsample", |l| {
                let projected = l.within("0", |l| l.push(self.conv(1, self.stride), &[input]))?;
                l.within("1", |l| l.push(batch_norm(), &[projected]))
            })?
        };
        let sum = lowering.within("add", |l| l.push(Op::Add, &[x, skip]))?;
        lowering.within("relu2", |l| l.push(relu(), &[sum]))
    }
}

impl Residual {
    fn conv(&self, kernel: u64, stride: u64) -> Op {
        Op::Conv2d {
            filters: self.filters,
            kernel: [kernel; 2],
            stride: [stride; 2],
            dilation: [1, 1],
            groups: 1,
            pads: Pads::symmetric(kernel / 2, kernel / 2),
            bias: false,
        }
    }
}

fn batch_norm() -> Op {
    Op::BatchNorm { eps: 1e-5, momentum: 0.1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::{counts, lowered, output};
    use crate::op::Shape;

    #[test]
    fn a_block_of_64_filters_has_73984_trainable_parameters() {
        // Two convolutions 64 * 64 * 9 = 36,864 each, two norms 2 * 64 each: 73,728 + 256. State: 2 norms * 2 * 64.
        assert_eq!(counts(&Residual::default(), Shape::map(64, 56, 56)), (73_984, 256));
    }

    #[test]
    fn a_block_that_doubles_channels_projects_its_skip() {
        // 64 * 128 * 9 + 128 * 128 * 9 + 64 * 128 + 3 * 256 = 73,728 + 147,456 + 8,192 + 768 = 230,144; state 3 * 256.
        let block = Residual { filters: 128, stride: 2 };
        assert_eq!(counts(&block, Shape::map(64, 56, 56)), (230_144, 768));
        assert_eq!(output(&block, Shape::map(64, 56, 56)), Ok(Shape::map(128, 28, 28)));
        // An odd size rounds up in both branches: (7 + 2 - 3)/2 + 1 = 4 = (7 - 1)/2 + 1.
        assert_eq!(output(&block, Shape::map(64, 7, 7)), Ok(Shape::map(128, 4, 4)));
    }

    #[test]
    fn parameter_paths_are_torchvisions() {
        let program = lowered(&Residual { filters: 128, stride: 2 }, Shape::map(64, 56, 56)).unwrap();
        let paths: Vec<_> = program.params.iter().map(|p| p.path.as_str()).collect();
        // torchvision resnet18().layer2[0].state_dict(), the layer's own name first, num_batches_tracked left out.
        let expected = [
            "layer.conv1.weight",
            "layer.bn1.weight",
            "layer.bn1.bias",
            "layer.bn1.running_mean",
            "layer.bn1.running_var",
            "layer.conv2.weight",
            "layer.bn2.weight",
            "layer.bn2.bias",
            "layer.bn2.running_mean",
            "layer.bn2.running_var",
            "layer.downsample.0.weight",
            "layer.downsample.1.weight",
            "layer.downsample.1.bias",
            "layer.downsample.1.running_mean",
            "layer.downsample.1.running_var",
        ];
        assert_eq!(paths, expected);
    }
}
