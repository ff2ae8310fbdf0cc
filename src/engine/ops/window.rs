//! Convolutions and poolings, with the padding that the op spells out.

use crate::engine::host::{size, sizes};
use crate::op::{Op, Pads};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, ConvTransposeOptions, MaxPoolOptions};
use burn::tensor::{Device, FloatDType, Tensor, module};

/// `[(top, bottom), (left, right)]`.
pub(super) fn pairs(pads: Pads) -> [(usize, usize); 2] {
    pads.pairs().map(|(begin, end)| (size(begin), size(end)))
}

/// A convolution or a transposed one; weights follow the input's type.
pub(super) fn convolve(op: &Op, x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
    let to: FloatDType = x.dtype().into();
    let (weight, bias) = (weight.cast(to), bias.map(|bias| bias.cast(to)));
    match op {
        // On the CPU burn makes the gradient of such weights with one tiny product per channel; one product per image takes
        // less than half the time, forward and backward together.
        op if op.is_pointwise_convolution() && x.device().without_autodiff() == Device::flex() => {
            let [images, channels, height, width] = x.dims();
            let filters = weight.dims()[0];
            let matrix: Tensor<3> = weight.reshape([1, filters, channels]);
            let sums = matrix.matmul(x.reshape([images, channels, height * width]));
            let sums: Tensor<4> = sums.reshape([images, filters, height, width]);
            match bias {
                Some(bias) => sums + bias.reshape([1, filters, 1, 1]),
                None => sums,
            }
        }
        Op::Conv2d { stride, dilation, groups, pads, .. } => {
            let options = ConvOptions::new_with_padding(sizes(*stride), pairs(*pads), sizes(*dilation), size(*groups));
            module::conv2d(x, weight, bias, options)
        }
        Op::ConvTranspose2d { stride, dilation, groups, padding, output_padding, .. } => {
            let options = ConvTransposeOptions::new(
                sizes(*stride),
                sizes(*padding),
                sizes(*output_padding),
                sizes(*dilation),
                size(*groups),
            );
            module::conv_transpose2d(x, weight, bias, options)
        }
        _ => x,
    }
}

/// Max or average pooling; padding is never the maximum, and counts in the mean if the op says so.
pub(super) fn pool(op: &Op, x: Tensor<4>) -> Tensor<4> {
    match op {
        Op::MaxPool { kernel, stride, pads, ceil } => module::max_pool2d(
            x,
            MaxPoolOptions::new(sizes(*kernel))
                .with_stride(sizes(*stride))
                .with_padding_pairs(pairs(*pads))
                .with_ceil_mode(*ceil),
        ),
        Op::AvgPool { kernel, stride, pads, ceil, count_padding } => module::avg_pool2d(
            x,
            AvgPoolOptions::new(sizes(*kernel))
                .with_stride(sizes(*stride))
                .with_padding_pairs(pairs(*pads))
                .with_ceil_mode(*ceil)
                .with_count_include_pad(*count_padding),
        ),
        _ => x,
    }
}
