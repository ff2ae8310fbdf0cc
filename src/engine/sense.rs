//! The effective receptive field: which pixels of the image move one cell, by the gradient of that cell.
//!
//! # Source
//! Luo, Li, Urtasun and Zemel, "Understanding the effective receptive field in deep convolutional neural networks", 2016: the
//! gradient of one output with respect to every input pixel, its absolute value averaged over images.

use super::error::guard;
use super::host::{download, size};
use super::ops::{Pass, Val};
use super::probe::plane;
use super::protocol::{Cell, SenseReport};
use super::{EngineError, HostTensor, Network};
use crate::data::Batch;
use crate::op::ValueId;

/// Mean over the images of the absolute gradient, summed over colours: `[h, w]`.
///
/// # Errors
/// Images that do not fit, or a failing device.
pub(super) fn effective_field(
    network: &Network,
    images: &Batch,
    value: ValueId,
    cell: Cell,
) -> Result<HostTensor, EngineError> {
    let [channels, height, width] = images.shape;
    let zeros = || HostTensor::new(vec![height, width], vec![0.0; height * width]);
    let gradient = guard(|| {
        let params = network.leaves(false)?;
        let pass = Pass { program: network.program(), params: &params, training: false, device: network.device() };
        let input = match network.images(images)? {
            Val::T2(x) => Val::T2(x.autodiff().require_grad()),
            Val::T4(x) => Val::T4(x.autodiff().require_grad()),
        };
        let (mut values, _) = pass.run(vec![input.clone()], &[value])?;
        let own = |at: u64| size(at)..size(at) + 1;
        let n = images.len();
        // Images do not touch each other here (norms use their running statistics): one sum serves them all.
        let sum = match values.pop() {
            Some(Val::T2(x)) => x.slice([0..n, own(cell.channel)]).sum(),
            Some(Val::T4(x)) => x.slice([0..n, own(cell.channel), own(cell.y), own(cell.x)]).sum(),
            None => return Ok(None),
        };
        if !sum.is_tracked() {
            return Ok(None);
        }
        let mut gradients = sum.backward();
        let found = match input {
            Val::T2(x) => x.grad_remove(&mut gradients).map(download),
            Val::T4(x) => x.grad_remove(&mut gradients).map(download),
        };
        found.transpose()
    })?;
    let Some(gradient) = gradient else { return Ok(zeros()) };
    let mut field = zeros();
    let share = 1.0 / images.len().max(1) as f32;
    for image in gradient.data.chunks((channels * height * width).max(1)) {
        for colour in image.chunks((height * width).max(1)) {
            for (sum, value) in field.data.iter_mut().zip(colour) {
                *sum += value.abs() * share;
            }
        }
    }
    Ok(field)
}

/// The answer to a request.
pub(super) fn report(field: &HostTensor, id: u64, layer: &str, cell: Cell, images: usize) -> SenseReport {
    let [height, width] = field.shape[..] else {
        return report(&HostTensor::new(vec![1, field.data.len()], field.data.clone()), id, layer, cell, images);
    };
    SenseReport {
        id,
        layer: layer.to_owned(),
        cell,
        field: plane(&field.data, width, height, 1, width.max(height)),
        images: u32::try_from(images).unwrap_or(u32::MAX),
        share: share(&field.data),
    }
}

/// The smallest share of all pixels that holds 95 % of the sum.
fn share(field: &[f32]) -> f64 {
    let mut sorted: Vec<f64> = field.iter().map(|&value| f64::from(value)).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let total: f64 = sorted.iter().sum();
    if total <= 0.0 {
        return 0.0;
    }
    let mut sum = 0.0;
    let enough = sorted.iter().position(|value| {
        sum += value;
        sum >= 0.95 * total
    });
    (enough.unwrap_or(sorted.len().saturating_sub(1)) + 1) as f64 / sorted.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::BatchTarget;
    use crate::op::{Lowering, Op, Pads, Shape};
    use burn::tensor::Device;
    use std::sync::Arc;

    #[test]
    fn the_gradient_of_two_convolutions_of_ones_counts_the_paths() {
        // Two 3 × 3 kernels of ones, no padding, on 7 × 7: the gradient at the centre of the 3 × 3 output is the outer
        // product of [1 2 3 2 1], the number of paths to each pixel, around row and column 3.
        let conv = Op::Conv2d {
            filters: 1,
            kernel: [3, 3],
            stride: [1, 1],
            dilation: [1, 1],
            groups: 1,
            pads: Pads::default(),
            bias: false,
        };
        let mut lowering = Lowering::new();
        let input = lowering.input("input", Shape::map(1, 7, 7)).unwrap();
        let a = lowering.within("a", |l| l.push(conv.clone(), &[input])).unwrap();
        let b = lowering.within("b", |l| l.push(conv, &[a])).unwrap();
        lowering.output("out", b);
        let mut network = Network::new(Arc::new(lowering.finish()), 1, &Device::flex()).unwrap();
        let ones = |name: &str| (name.to_owned(), HostTensor::new(vec![1, 1, 3, 3], vec![1.0; 9]));
        assert!(network.set_weights(&[ones("a.weight"), ones("b.weight")]).unwrap().is_complete());
        let images = (0..98).map(|n| f32::from(u8::try_from(n).unwrap())).collect();
        let batch = Batch { images, shape: [1, 7, 7], target: BatchTarget::None, indices: vec![0, 1] };
        let field = effective_field(&network, &batch, b, Cell::new(0, 1, 1)).unwrap();
        let paths = [0.0, 1.0, 2.0, 3.0, 2.0, 1.0, 0.0];
        let wanted: Vec<f32> = paths.iter().flat_map(|y| paths.map(|x| y * x)).collect();
        assert_eq!(field.data, wanted);
    }

    #[test]
    fn the_share_is_the_fewest_pixels_that_hold_95_percent() {
        // 9 + 1 of 10.2: 10 / 10.2 = 98 %, 9 / 10.2 = 88 %: two of four pixels.
        assert!((share(&[0.1, 9.0, 1.0, 0.1]) - 0.5).abs() < 1e-12);
        assert!(share(&[0.0; 4]).abs() < 1e-12);
    }
}
