//! How weights, activations and gradients are spread: histograms of fixed bins, layer by layer, and channels that give
//! nothing but zero. Values are read back a few images at a time, so that no more than a bounded part of a network is held.

use super::host::size;
use super::protocol::{Histogram, LayerSpread, SpreadReport};
use super::{EngineError, Network, Trainer};
use crate::data::Batch;
use crate::op::{Op, OpNode, Program};
use std::collections::HashSet;

/// Most bytes of values that are read back at once.
const MOST_BYTES: u64 = 64 << 20;

/// The last op under each path, in the order of computing.
fn layers(program: &Program) -> Vec<&OpNode> {
    let mut seen = HashSet::new();
    let mut layers: Vec<&OpNode> = program.ops.iter().rev().filter(|node| seen.insert(node.path.as_str())).collect();
    layers.reverse();
    layers
}

/// Looks at every layer over some images.
///
/// # Errors
/// Images that do not fit, or a failing device.
pub(super) fn spread(network: &Network, batches: &[Batch]) -> Result<SpreadReport, EngineError> {
    let program = network.program();
    let layers = layers(program);
    let taps: Vec<_> = layers.iter().filter_map(|node| node.outputs.first().copied()).collect();
    let bytes: u64 = taps.iter().map(|&tap| program.value_bytes(tap)).sum();
    let at_once = usize::try_from((MOST_BYTES / bytes.max(1)).max(1)).unwrap_or(1);
    let weights = network.weights()?;
    let mut rows: Vec<Row> = taps
        .iter()
        .map(|&tap| {
            let shape = &program.value(tap).shape;
            let area = shape.as_map().map_or(1, |(_, h, w)| h * w);
            Row { alive: vec![false; size(shape.channels())], area: size(area), ..Row::default() }
        })
        .collect();
    let mut images = 0;
    // Twice through the images: the ends of the bins are known after the first time only.
    for pass in 0..2 {
        for batch in batches.iter().flat_map(|batch| parts(batch, at_once)) {
            for (row, value) in rows.iter_mut().zip(network.forward(&batch, &taps)?) {
                if pass == 0 { row.measure(&value.data) } else { row.counts.add(&value.data) }
            }
            images += if pass == 0 { batch.len() } else { 0 };
        }
        if pass == 0 {
            rows.iter_mut().for_each(|row| row.counts = Counter::new(row.range));
        }
    }
    let layers = layers.iter().zip(rows).map(|(node, row)| LayerSpread {
        path: node.path.clone(),
        weights: weights.iter().find(|(path, _)| owns(&node.path, path)).map(|(_, tensor)| histogram(&tensor.data)),
        gradients: None,
        channels: row.alive.len() as u64,
        dead: if judges_dead(program, node) && images > 0 { row.dead() } else { Vec::new() },
        activations: row.counts.finish(),
    });
    Ok(SpreadReport {
        id: 0,
        run: None,
        step: None,
        images: u32::try_from(images).unwrap_or(u32::MAX),
        layers: layers.collect(),
    })
}

/// Adds the gradients of the weights over one batch; nothing is learned from it.
///
/// # Errors
/// A batch that does not fit, or a failing device.
pub(super) fn add_gradients(report: &mut SpreadReport, trainer: &Trainer, batch: &Batch) -> Result<(), EngineError> {
    let gradients = trainer.gradients(batch)?;
    for layer in &mut report.layers {
        let own = gradients.iter().find(|(path, _)| owns(&layer.path, path));
        layer.gradients = own.map(|(_, tensor)| histogram(&tensor.data));
    }
    Ok(())
}

fn owns(layer: &str, parameter: &str) -> bool {
    parameter.strip_prefix(layer) == Some(".weight")
}

/// Whether zeros everywhere mean something: of what learns, and of what can switch a channel off.
fn judges_dead(program: &Program, node: &OpNode) -> bool {
    let learns = program.ops.iter().any(|other| other.path == node.path && !other.params.is_empty());
    learns || matches!(node.op, Op::Activation(_) | Op::PRelu)
}

fn parts(batch: &Batch, at_once: usize) -> Vec<Batch> {
    let area = batch.shape.iter().product::<usize>().max(1);
    let images = batch.images.chunks(area * at_once.max(1));
    images
        .map(|images| Batch {
            images: images.to_vec(),
            shape: batch.shape,
            target: crate::data::BatchTarget::None,
            indices: vec![0; images.len() / area],
        })
        .collect()
}

#[derive(Default)]
struct Row {
    range: Option<(f32, f32)>,
    alive: Vec<bool>,
    area: usize,
    counts: Counter,
}

impl Row {
    fn measure(&mut self, values: &[f32]) {
        for &value in values.iter().filter(|value| value.is_finite()) {
            let (min, max) = self.range.unwrap_or((value, value));
            self.range = Some((min.min(value), max.max(value)));
        }
        let image = (self.area * self.alive.len()).max(1);
        for image in values.chunks(image) {
            for (alive, channel) in self.alive.iter_mut().zip(image.chunks(self.area.max(1))) {
                *alive |= channel.iter().any(|&value| value != 0.0);
            }
        }
    }

    fn dead(&self) -> Vec<u64> {
        (0..).zip(&self.alive).filter(|(_, alive)| !**alive).map(|(channel, _)| channel).collect()
    }
}

/// A histogram under way.
#[derive(Default)]
struct Counter {
    min: f32,
    max: f32,
    counts: Vec<u64>,
    sum: f64,
    squares: f64,
    zeros: u64,
    broken: u64,
}

impl Counter {
    fn new(range: Option<(f32, f32)>) -> Self {
        let (min, max) = range.unwrap_or((0.0, 0.0));
        Self { min, max, counts: vec![0; Histogram::BINS], ..Self::default() }
    }

    fn add(&mut self, values: &[f32]) {
        let width = f64::from(self.max) - f64::from(self.min);
        let scale = if width > 0.0 { Histogram::BINS as f64 / width } else { 0.0 };
        for &value in values {
            if !value.is_finite() {
                self.broken += 1;
                continue;
            }
            let number = f64::from(value);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and clamped")]
            let bin = ((number - f64::from(self.min)) * scale) as usize;
            if let Some(count) = self.counts.get_mut(bin.min(Histogram::BINS - 1)) {
                *count += 1;
            }
            self.sum += number;
            self.squares += number * number;
            self.zeros += u64::from(value == 0.0);
        }
    }

    fn finish(self) -> Histogram {
        let count = self.counts.iter().sum::<u64>().max(1) as f64;
        let mean = self.sum / count;
        let deviation = (self.squares / count - mean * mean).max(0.0).sqrt();
        #[expect(clippy::cast_possible_truncation, reason = "figures of 32-bit numbers")]
        let (mean, deviation) = (mean as f32, deviation as f32);
        Histogram {
            min: self.min,
            max: self.max,
            counts: self.counts,
            mean,
            deviation,
            zeros: self.zeros,
            broken: self.broken,
        }
    }
}

/// The histogram of values at hand.
fn histogram(values: &[f32]) -> Histogram {
    let mut row = Row::default();
    row.measure(values);
    let mut counter = Counter::new(row.range);
    counter.add(values);
    counter.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::BatchTarget;
    use crate::engine::HostTensor;
    use crate::op::{Activation, Lowering, Pads, Shape};
    use burn::tensor::Device;
    use std::sync::Arc;

    #[test]
    fn bins_are_of_one_width_and_the_largest_value_is_in_the_last() {
        // 0 … 48 in 48 bins of width 1: one value each, and 48 itself beside 47.
        let values: Vec<f32> = (0..=48_u8).map(f32::from).collect();
        let found = histogram(&values);
        assert_eq!((found.min, found.max, found.counts.len()), (0.0, 48.0, 48));
        assert!(found.counts.iter().take(47).all(|&count| count == 1));
        assert_eq!((found.counts.last(), found.zeros, found.count()), (Some(&2), 1, 49));
        // Mean 24; variance of 0 … 48: (49² − 1) / 12 = 200.
        assert!((found.mean - 24.0).abs() < 1e-5 && (found.deviation - 200.0_f32.sqrt()).abs() < 1e-4);
    }

    #[test]
    fn a_filter_that_never_answers_is_found_by_its_layer_and_number() {
        let conv = Op::Conv2d {
            filters: 3,
            kernel: [1, 1],
            stride: [1, 1],
            dilation: [1, 1],
            groups: 1,
            pads: Pads::default(),
            bias: true,
        };
        let mut lowering = Lowering::new();
        let input = lowering.input("input", Shape::map(1, 2, 2)).unwrap();
        let x = lowering.within("conv", |l| l.push(conv, &[input])).unwrap();
        let x = lowering.within("relu", |l| l.push(Op::Activation(Activation::Relu), &[x])).unwrap();
        let x = lowering.within("pool", |l| l.push(Op::GlobalAvgPool, &[x])).unwrap();
        lowering.output("out", x);
        let mut network = Network::new(Arc::new(lowering.finish()), 1, &Device::flex()).unwrap();
        let weights = [
            ("conv.weight".to_owned(), HostTensor::new(vec![3, 1, 1, 1], vec![1.0, -1.0, 1.0])),
            ("conv.bias".to_owned(), HostTensor::new(vec![3], vec![0.0, -0.5, -3.5])),
        ];
        assert!(network.set_weights(&weights).unwrap().is_complete());
        // Pixels 0 … 3 and 4 … 7: filter 1 gives −x − 0.5, never above zero; filter 2 wakes up in the second image only.
        let images = (0..8_u8).map(f32::from).collect();
        let batch = Batch { images, shape: [1, 2, 2], target: BatchTarget::None, indices: vec![0, 1] };
        let report = spread(&network, std::slice::from_ref(&batch)).unwrap();
        assert_eq!(report.dead().collect::<Vec<_>>(), [("relu", &[1][..], 3)]);
        let paths: Vec<_> = report.layers.iter().map(|layer| layer.path.as_str()).collect();
        assert_eq!((paths, report.images), (vec!["conv", "relu", "pool"], 2));
        // 2 images of 3 maps of 4 pixels; zero are all 8 of filter 1, 4 of filter 2, and pixel 0 of filter 0.
        let relu = &report.layers[1].activations;
        assert_eq!((relu.count(), relu.zeros, relu.max), (24, 8 + 4 + 1, 7.0));
        assert_eq!(report.layers[0].weights.as_ref().map(|weights| (weights.min, weights.max)), Some((-1.0, 1.0)));
    }

    #[test]
    fn gradients_and_weights_of_a_dense_layer_are_those_worked_out_by_hand() {
        let mut lowering = Lowering::new();
        let input = lowering.input("input", Shape::vector(2)).unwrap();
        let dense = Op::Dense { features: 2, bias: true };
        let x = lowering.within("fc", |l| l.push(dense, &[input])).unwrap();
        lowering.output("out", x);
        let job = crate::engine::TrainJob {
            program: Arc::new(lowering.finish()),
            heads: vec![crate::graph::Head::default()],
            spec: crate::graph::TrainSpec::default(),
            seed: 1,
            steps_per_epoch: 1,
        };
        let mut trainer = Trainer::new(job, &Device::flex()).unwrap();
        let weights = [
            ("fc.weight".to_owned(), HostTensor::new(vec![2, 2], vec![0.5, 0.0, 0.5, 0.0])),
            ("fc.bias".to_owned(), HostTensor::new(vec![2], vec![0.0, 0.0])),
        ];
        assert!(trainer.network_mut().set_weights(&weights).unwrap().is_complete());
        let target = BatchTarget::Class(vec![0]);
        let batch = Batch { images: vec![2.0, 4.0], shape: [1, 1, 2], target, indices: vec![0] };
        let mut report = spread(trainer.network(), std::slice::from_ref(&batch)).unwrap();
        add_gradients(&mut report, &trainer, &batch).unwrap();
        let [fc] = &report.layers[..] else { panic!("{report:?}") };
        // Both logits are 0.5 · 2 = 1.
        assert_eq!((fc.activations.min, fc.activations.max, fc.activations.count()), (1.0, 1.0, 2));
        // Weights 0.5, 0, 0.5, 0: mean 1/4, half of them zero.
        let weights = fc.weights.as_ref().unwrap();
        assert_eq!((weights.count(), weights.zeros, weights.mean, weights.deviation), (4, 2, 0.25, 0.25));
        // Both classes are equally likely: (p − y) = (−½, ½), times the input (2, 4): −1, −2, 1, 2.
        let gradients = fc.gradients.as_ref().unwrap();
        let near = |found: f32, wanted: f32| (found - wanted).abs() < 1e-5;
        assert!(near(gradients.min, -2.0) && near(gradients.max, 2.0) && near(gradients.mean, 0.0), "{gradients:?}");
        // Mean of the squares (1 + 4 + 1 + 4) / 4 = 2.5. Bins of 1/12: −2 in bin 0, −1 in bin 12, 1 in bin 36, 2 in bin 47.
        assert!(near(gradients.deviation, 2.5_f32.sqrt()), "{gradients:?}");
        assert_eq!((gradients.counts[0], gradients.counts[47], gradients.count()), (1, 1, 4));
        assert_eq!(gradients.counts[11] + gradients.counts[12], 1);
        assert_eq!(gradients.counts[35] + gradients.counts[36], 1);
    }

    #[test]
    fn what_is_no_number_is_counted_apart() {
        let found = histogram(&[f32::NAN, 1.0, f32::INFINITY, 1.0]);
        assert_eq!((found.broken, found.count(), found.min, found.max), (2, 2, 1.0, 1.0));
        assert_eq!(histogram(&[]).count(), 0);
    }
}
