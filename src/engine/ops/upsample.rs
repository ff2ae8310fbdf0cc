//! Enlarging maps by whole factors.

use crate::engine::host::{size, upload};
use crate::op::UpsampleMode;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, FloatDType, Tensor, module};

/// Each pixel repeated, or linear between pixel centres.
pub(super) fn upsample(x: Tensor<4>, scale: [u64; 2], mode: UpsampleMode, device: &Device) -> Tensor<4> {
    let [n, channels, h, w] = x.dims();
    let out = [h * size(scale[0]), w * size(scale[1])];
    match mode {
        UpsampleMode::Nearest => {
            let options = InterpolateOptions::new(InterpolateMode::Nearest).with_output_size(out);
            module::interpolate(x, options)
        }
        // Two matrix products, because burn's GPU kernels have no backward pass for bilinear interpolation.
        UpsampleMode::Bilinear => {
            let to: FloatDType = x.dtype().into();
            let matrix = |from, to_size| upload(linear_matrix(from, to_size), [to_size, from], device).cast(to);
            let (rows, columns): (Tensor<2>, Tensor<2>) = (matrix(h, out[0]), matrix(w, out[1]));
            let wide: Tensor<2> = x.reshape([n * channels * h, w]).matmul(columns.transpose());
            let tall: Tensor<3> = rows.unsqueeze::<3>().matmul(wide.reshape([n * channels, h, out[1]]));
            tall.reshape([n, channels, out[0], out[1]])
        }
    }
}

/// `[to, from]`: the weights of the two nearest pixels for each new one, edges repeated.
///
/// # Source
/// PyTorch `Upsample(mode="bilinear", align_corners=False)`: source = max(0, (i + ½)·from/to − ½).
fn linear_matrix(from: usize, to: usize) -> Vec<f32> {
    let mut matrix = vec![0.0; from * to];
    let ratio = from as f64 / to.max(1) as f64;
    for (i, row) in matrix.chunks_mut(from.max(1)).enumerate() {
        let source = ((i as f64 + 0.5) * ratio - 0.5).max(0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded down, not negative")]
        let first = (source as usize).min(from - 1);
        let second = (first + 1).min(from - 1);
        #[expect(clippy::cast_possible_truncation, reason = "between 0 and 1")]
        let share = (source - first as f64) as f32;
        row[first] += 1.0 - share;
        row[second] += share;
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bilinear_weights_are_those_of_half_pixel_centres() {
        // PyTorch doc, Upsample(scale_factor=2, mode='bilinear') on [1, 2]: [1.00, 1.25, 1.75, 2.00].
        let row: Vec<f32> = linear_matrix(2, 4).chunks(2).map(|w| w[0] + 2.0 * w[1]).collect();
        for (got, want) in row.iter().zip([1.0, 1.25, 1.75, 2.0]) {
            assert!((got - want).abs() < 1e-6, "{row:?}");
        }
    }
}
