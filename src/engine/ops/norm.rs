//! Normalisations. All compute in 32 bits: the plan casts around them.

use burn::tensor::ops::AvgPoolOptions;
use burn::tensor::{Tensor, module};

/// Normalises by the batch's own statistics; gives the mean and the unbiased variance for the running ones.
///
/// # Source
/// PyTorch `BatchNorm2d`: the output uses the biased variance, the running statistics the unbiased one (n / (n − 1)). With a
/// single number per channel, where PyTorch refuses, the variance is kept as it is.
pub(super) fn batch_norm_live<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    eps: f64,
) -> (Tensor<D>, [Tensor<1>; 2]) {
    let channels = x.dims()[1];
    let samples = (x.shape().num_elements() / channels.max(1)) as f64;
    let result = module::batch_norm_train(x, weight, bias, eps);
    let unbiased = if samples > 1.0 { samples / (samples - 1.0) } else { 1.0 };
    (result.output, [result.mean.inner(), result.variance.inner().mul_scalar(unbiased)])
}

/// x·scale + shift per channel.
pub(super) fn scale_shift<const D: usize>(x: Tensor<D>, scale: Tensor<1>, shift: Tensor<1>) -> Tensor<D> {
    let shape = per_channel(&x);
    x * scale.reshape(shape) + shift.reshape(shape)
}

/// Layer norm over the channels of each position of a map.
///
/// # Source
/// ConvNeXt's `LayerNorm` with `channels_first`: biased variance, eps inside the root.
pub(super) fn channel_norm(x: Tensor<4>, weight: Tensor<1>, bias: Tensor<1>, eps: f64) -> Tensor<4> {
    let centred = x.clone() - x.mean_dim(1);
    let deviation = centred.clone().square().mean_dim(1).add_scalar(eps).sqrt();
    scale_shift(centred / deviation, weight, bias)
}

/// Group norm: each group of channels of each image.
///
/// # Source
/// PyTorch `GroupNorm`: biased variance, eps inside the root.
pub(super) fn group_norm<const D: usize>(
    x: Tensor<D>,
    groups: usize,
    weight: Tensor<1>,
    bias: Tensor<1>,
    eps: f64,
) -> Tensor<D> {
    let shape = x.dims();
    let rest = x.shape().num_elements() / (shape[0] * groups).max(1);
    let x: Tensor<3> = x.reshape([shape[0], groups, rest]);
    let centred = x.clone() - x.mean_dim(2);
    let deviation = centred.clone().square().mean_dim(2).add_scalar(eps).sqrt();
    scale_shift((centred / deviation).reshape(shape), weight, bias)
}

/// x / (k + alpha · sum of squares over neighbouring channels)^beta; `[alpha, beta, k]`.
///
/// # Source
/// Krizhevsky et al. 2012, section 3.3 (alpha multiplies the plain sum; PyTorch divides it by the window). An even window
/// reaches one channel further down, as PyTorch's.
pub(super) fn local_response_norm(x: Tensor<4>, window: usize, [alpha, beta, k]: [f64; 3]) -> Tensor<4> {
    let [n, channels, height, width] = x.dims();
    let squares: Tensor<4> = x.clone().square().reshape([n, 1, channels, height * width]);
    let mean = module::avg_pool2d(
        squares,
        AvgPoolOptions::new([window, 1])
            .with_stride([1, 1])
            .with_padding_pairs([(window / 2, (window - 1) / 2), (0, 0)])
            .with_count_include_pad(true),
    );
    let base = mean.mul_scalar(alpha * window as f64).add_scalar(k).reshape([n, channels, height, width]);
    x * base.powf_scalar(-beta)
}

fn per_channel<const D: usize>(x: &Tensor<D>) -> [usize; D] {
    let mut shape = [1; D];
    shape[1] = x.dims()[1];
    shape
}
