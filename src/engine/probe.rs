//! What a layer makes of one image: small 8-bit planes, statistics per channel, a convolution's filters.
//!
//! Plain numbers in, plain data out; the forward pass is [`Network::forward`]'s.

use super::protocol::{ChannelStats, ClassScore, LayerProbe, Plane};
use super::{EngineError, HostTensor, Network};
use crate::data::Batch;
use crate::op::{Program, ValueId};

/// Limits of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) planes: usize,
    pub(super) side: usize,
}

impl Limits {
    /// What a request asks for.
    pub(super) fn of(request: &super::protocol::ProbeRequest) -> Self {
        Self { planes: request.max_planes as usize, side: request.max_side as usize }
    }
}

/// Looks at layers for one image.
///
/// # Errors
/// The image does not fit the network, or the device fails. A layer that does not exist is said in its answer.
pub(super) fn look(
    network: &Network,
    image: &Batch,
    layers: &[String],
    limits: Limits,
    filter_channel: Option<u32>,
) -> Result<Vec<LayerProbe>, EngineError> {
    let found: Vec<_> = layers.iter().map(|path| output_of(network.program(), path)).collect();
    let taps: Vec<ValueId> = found.iter().flatten().copied().collect();
    let mut values = network.forward(image, &taps)?.into_iter();
    let mut probes = Vec::with_capacity(layers.len());
    for (path, found) in layers.iter().zip(found) {
        let Some(value) = found.and_then(|_| values.next()) else {
            let problem = format!(
                "The layer must be one of the network that was run. It has no {path:?}; it has {}.",
                known(network.program())
            );
            probes.push(empty(path, problem));
            continue;
        };
        let mut probe = describe(path, &value, limits);
        if let Some((kernels, _)) = network.program().kernels(path) {
            let kernels = network.parameter(kernels)?;
            probe.filter_inputs = u32::try_from(kernels.shape.get(1).copied().unwrap_or(0)).unwrap_or(u32::MAX);
            probe.filters = filters(&kernels, limits, filter_channel);
        }
        probes.push(probe);
    }
    Ok(probes)
}

/// The first image of a batch, as the network sees it.
pub(super) fn picture(batch: &Batch, limits: Limits) -> Option<Plane> {
    let [depth, height, width] = batch.shape;
    let values = batch.images.get(..depth * height * width)?;
    matches!(depth, 1 | 3).then(|| plane(values, width, height, depth, limits.side * 4))
}

/// The likeliest classes, likeliest first.
pub(super) fn top(probabilities: &[f32], classes: &[String], count: usize) -> Vec<ClassScore> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    let at = |index: usize| probabilities.get(index).copied().unwrap_or(0.0);
    order.sort_by(|&a, &b| at(b).total_cmp(&at(a)).then(a.cmp(&b)));
    order
        .into_iter()
        .take(count)
        .map(|index| ClassScore {
            class: u32::try_from(index).unwrap_or(u32::MAX),
            name: classes.get(index).cloned().unwrap_or_else(|| format!("class {index}")),
            probability: at(index),
        })
        .collect()
}

/// The output of a layer: of the last op whose path is the layer's or lies below it. The name of an input is one too.
pub(super) fn output_of(program: &Program, path: &str) -> Option<ValueId> {
    let below = |own: &str| own == path || own.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    let op = program.ops.iter().rev().find(|op| below(&op.path));
    let input = || program.inputs.iter().find(|input| input.name == path).map(|input| input.value);
    op.and_then(|op| op.outputs.first().copied()).or_else(input)
}

/// The paths of the ops, for a message.
fn known(program: &Program) -> String {
    let mut names: Vec<&str> = program.ops.iter().map(|op| op.path.as_str()).collect();
    names.dedup();
    let more = names.len().saturating_sub(20);
    names.truncate(20);
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}

fn empty(path: &str, problem: String) -> LayerProbe {
    LayerProbe {
        path: path.into(),
        shape: Vec::new(),
        planes: Vec::new(),
        channels: Vec::new(),
        filters: Vec::new(),
        filter_inputs: 0,
        problem: Some(problem),
    }
}

/// Planes and statistics of a value `[1, c, h, w]` or `[1, features]`.
fn describe(path: &str, value: &HostTensor, limits: Limits) -> LayerProbe {
    let shape: Vec<usize> = value.shape.iter().skip(1).copied().collect();
    let [height, width] = match *shape {
        [_, h, w] => [h, w],
        _ => [1, value.data.len()],
    };
    let area = (height * width).max(1);
    let channels = value.data.chunks(area).map(stats).collect();
    // A vector is one row: it may be as long as a panel is wide.
    let limits = if height == 1 { Limits { side: limits.side * 16, ..limits } } else { limits };
    let planes =
        value.data.chunks(area).take(limits.planes).map(|map| plane(map, width, height, 1, limits.side)).collect();
    LayerProbe {
        path: path.into(),
        shape: shape.into_iter().map(|size| size as u64).collect(),
        planes,
        channels,
        filters: Vec::new(),
        filter_inputs: 0,
        problem: None,
    }
}

/// Kernels `[out, in, kh, kw]`: over one input channel if it is named, else in colour if they look at three maps, else over
/// their first map.
fn filters(kernels: &HostTensor, limits: Limits, channel: Option<u32>) -> Vec<Plane> {
    let [_, inputs, height, width] = *kernels.shape else { return Vec::new() };
    let area = (height * width).max(1);
    let (first, depth) = match channel {
        Some(channel) => ((channel as usize).min(inputs.saturating_sub(1)), 1),
        None => (0, if inputs == 3 { 3 } else { 1 }),
    };
    let part = |kernel: &[f32]| {
        plane(kernel.get(first * area..(first + depth) * area).unwrap_or_default(), width, height, depth, limits.side)
    };
    kernels.data.chunks((inputs * area).max(1)).take(limits.planes).map(part).collect()
}

pub(super) fn range(values: &[f32]) -> (f32, f32) {
    let finite = values.iter().copied().filter(|value| value.is_finite());
    let (min, max) = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    if min <= max { (min, max) } else { (0.0, 0.0) }
}

fn stats(values: &[f32]) -> ChannelStats {
    let (min, max) = range(values);
    let count = values.len().max(1) as f64;
    let zeros = values.iter().filter(|&&value| value == 0.0).count();
    #[expect(clippy::cast_possible_truncation, reason = "a mean and a share of 32-bit numbers")]
    let (mean, zeros) =
        ((values.iter().map(|&value| f64::from(value)).sum::<f64>() / count) as f32, (zeros as f64 / count) as f32);
    ChannelStats { min, max, mean, zeros }
}

/// `depth` maps of `width` x `height`, one after another, as one picture of at most `side`: means of the pixels that fall
/// together.
pub(super) fn plane(maps: &[f32], width: usize, height: usize, depth: usize, side: usize) -> Plane {
    plane_between(maps, (width, height), depth, side, range(maps))
}

/// The same, dark to bright between two ends that need not be the maps' own.
pub(super) fn plane_between(
    maps: &[f32],
    (width, height): (usize, usize),
    depth: usize,
    side: usize,
    (min, max): (f32, f32),
) -> Plane {
    let side = side.max(1);
    let (columns, rows) = (width.min(side).max(1), height.min(side).max(1));
    let scale = if max > min { 255.0 / (max - min) } else { 0.0 };
    let mut pixels = Vec::with_capacity(columns * rows * depth);
    for row in 0..rows {
        let (top, bottom) = (row * height / rows, ((row + 1) * height).div_ceil(rows));
        for column in 0..columns {
            let (left, right) = (column * width / columns, ((column + 1) * width).div_ceil(columns));
            for map in 0..depth {
                let (mut sum, mut count) = (0.0_f32, 0.0_f32);
                for y in top..bottom {
                    let start = (map * height + y) * width;
                    for value in maps.get(start + left..start + right).unwrap_or_default() {
                        sum += value;
                        count += 1.0;
                    }
                }
                let mean = if count > 0.0 { sum / count } else { min };
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "between 0 and 255; a number that is none becomes 0"
                )]
                pixels.push(((mean - min) * scale).round() as u8);
            }
        }
    }
    let whole = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
    Plane { width: whole(columns), height: whole(rows), depth: whole(depth), pixels, min, max }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_map_is_shown_pixel_by_pixel_from_its_smallest_to_its_largest_value() {
        // 0 → 0, 1 → 255/4 = 63.75, 2 → 127.5, 4 → 255
        let plane = plane(&[0.0, 1.0, 2.0, 4.0], 2, 2, 1, 64);
        assert_eq!((plane.width, plane.height, plane.pixels), (2, 2, vec![0, 64, 128, 255]));
        assert_eq!((plane.min, plane.max), (0.0, 4.0));
    }

    #[test]
    fn a_large_map_is_scaled_down_to_means() {
        // Rows of 4: means of pairs (0+0)/2, (4+4)/2; the same in both rows.
        let plane = plane(&[0.0, 0.0, 4.0, 4.0, 0.0, 0.0, 4.0, 4.0], 4, 2, 1, 2);
        assert_eq!((plane.width, plane.height, plane.pixels), (2, 2, vec![0, 255, 0, 255]));
    }

    #[test]
    fn statistics_count_exact_zeros() {
        // mean (0 + 0 - 1 + 3) / 4 = 0.5, two zeros of four
        let stats = stats(&[0.0, 0.0, -1.0, 3.0]);
        assert_eq!(stats, ChannelStats { min: -1.0, max: 3.0, mean: 0.5, zeros: 0.5 });
    }

    #[test]
    fn a_map_of_one_value_or_of_no_number_is_no_panic() {
        assert_eq!(plane(&[2.0; 4], 2, 2, 1, 64).pixels, vec![0; 4]);
        assert_eq!(plane(&[f32::NAN; 4], 2, 2, 1, 64).pixels, vec![0; 4]);
        assert_eq!(plane(&[], 0, 0, 1, 64).pixels, vec![0]);
    }

    #[test]
    fn the_likeliest_classes_come_first_and_unnamed_ones_get_a_number() {
        let top = top(&[0.1, 0.7, 0.2], &["cat".into(), "dog".into()], 2);
        let names: Vec<_> = top.iter().map(|score| (score.class, score.name.as_str())).collect();
        assert_eq!(names, [(1, "dog"), (2, "class 2")]);
    }
}
