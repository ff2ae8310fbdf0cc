//! From an op back to the plain layer that becomes just this op: how a block is taken apart into layers.

use super::{
    Act, Activation, Add, AvgPool, BatchNorm, Concat, Conv2d, ConvTranspose2d, Dense, Dropout, Flatten, GlobalAvgPool,
    GroupNorm, Layer, LayerNorm, Lrn, MaxPool, Multiply, Padding, Upsample, ZeroPad,
};
use crate::op::{Activation as Function, Op, Pads};

impl Layer {
    /// The layer that lowers to this op alone, with the same parameters; `None` for ops that no layer makes.
    pub fn from_op(op: &Op) -> Option<Self> {
        Some(match *op {
            Op::Conv2d { filters, kernel, stride, dilation, groups, pads, bias } => {
                let padding = padding(pads);
                Conv2d { filters, kernel, stride, padding, dilation, groups, bias, activation: Act::None }.into()
            }
            Op::ConvTranspose2d { filters, kernel, stride, dilation, groups, padding, output_padding, bias } => {
                let activation = Act::None;
                let conv = ConvTranspose2d {
                    filters,
                    kernel,
                    stride,
                    padding,
                    output_padding,
                    dilation,
                    groups,
                    bias,
                    activation,
                };
                conv.into()
            }
            Op::MaxPool { kernel, stride, pads, ceil } => {
                MaxPool { kernel, stride, padding: padding(pads), ceil }.into()
            }
            Op::AvgPool { kernel, stride, pads, ceil, count_padding } => {
                AvgPool { kernel, stride, padding: padding(pads), ceil, count_padding }.into()
            }
            Op::GlobalAvgPool => GlobalAvgPool::default().into(),
            Op::BatchNorm { eps, momentum } => BatchNorm { eps, momentum }.into(),
            Op::LayerNorm { eps } => LayerNorm { eps }.into(),
            Op::GroupNorm { groups, eps } => GroupNorm { groups, eps }.into(),
            Op::Lrn { window, alpha, beta, k } => Lrn { window, alpha, beta, k }.into(),
            Op::Dropout { rate } => Dropout { rate }.into(),
            Op::Flatten => Flatten::default().into(),
            Op::Dense { features, bias } => Dense { features, bias, activation: Act::None }.into(),
            Op::Activation(function) => activation(function).into(),
            Op::PRelu => Activation { function: Act::Prelu, ..Activation::default() }.into(),
            Op::ZeroPad { pads: Pads { top, bottom, left, right } } => ZeroPad { top, bottom, left, right }.into(),
            Op::Upsample { scale, mode } => Upsample { scale, mode }.into(),
            Op::Add => Add::default().into(),
            Op::Multiply => Multiply::default().into(),
            Op::Concat => Concat::default().into(),
            Op::Cast { .. } => return None,
        })
    }
}

fn padding(pads: Pads) -> Padding {
    match pads {
        Pads { top: 0, bottom: 0, left: 0, right: 0 } => Padding::Valid,
        Pads { top, bottom, left, right } if top == bottom && left == right => Padding::Symmetric([top, left]),
        Pads { top, bottom, left, right } => Padding::Explicit([top, bottom, left, right]),
    }
}

fn activation(function: Function) -> Activation {
    let plain = |function| Activation { function, ..Activation::default() };
    match function {
        Function::Relu => plain(Act::Relu),
        Function::Relu6 => plain(Act::Relu6),
        Function::LeakyRelu { slope } => Activation { slope, ..plain(Act::LeakyRelu) },
        Function::Elu { alpha } => Activation { alpha, ..plain(Act::Elu) },
        Function::Selu => plain(Act::Selu),
        Function::Gelu => plain(Act::Gelu),
        Function::Silu => plain(Act::Silu),
        Function::HardSwish => plain(Act::HardSwish),
        Function::HardSigmoid => plain(Act::HardSigmoid),
        Function::Sigmoid => plain(Act::Sigmoid),
        Function::Tanh => plain(Act::Tanh),
        Function::Softmax => plain(Act::Softmax),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::{join, lowered};
    use crate::layers::{Arity, LayerKind as _};
    use crate::op::Shape;

    /// Whatever a layer of any kind lowers to, each of its ops raised and lowered again is that op.
    #[test]
    fn every_op_of_every_layer_is_raised_to_a_layer_that_makes_it_again() {
        let mut seen = 0;
        for layer in Layer::all() {
            for shape in [Shape::map(16, 9, 7), Shape::vector(12)] {
                if layer.arity() != Arity::One {
                    continue;
                }
                let Ok(program) = lowered(&layer, shape) else { continue };
                for node in &program.ops {
                    let shapes: Vec<Shape> = node.inputs.iter().map(|&id| program.value(id).shape.clone()).collect();
                    let raised = Layer::from_op(&node.op).unwrap();
                    let [input] = shapes.as_slice() else {
                        assert_eq!(join(&raised, &shapes).as_ref(), Ok(program.output_shape(node)));
                        continue;
                    };
                    let again = lowered(&raised, input.clone()).unwrap();
                    let ops: Vec<&Op> = again.ops.iter().map(|node| &node.op).collect();
                    assert_eq!(ops, [&node.op], "{}", layer.about().id);
                    seen += 1;
                }
            }
        }
        assert!(seen >= 20, "only {seen} ops were tried");
    }
}
