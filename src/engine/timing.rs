//! How long each op takes on a device: every op alone, forward and backward, on the values that really reach it.
//!
//! The device is waited for around each op, so the sum is a little more than a step that runs without waiting. Values are
//! dropped as in training, so this needs less memory than a step.

use super::error::guard;
use super::ops::{Leaf, Pass, Val, readers};
use super::protocol::LayerTime;
use super::{EngineError, Network};
use crate::data::{Batch, BatchTarget};
use crate::op::{OpNode, ValueId};
use std::time::Instant;

/// Medians over `repeats` runs, one row per path in the order of the program; none if `stop` ended it early.
///
/// # Errors
/// A network without an input, or a failing device.
pub fn layer_times(
    network: &Network,
    batch: usize,
    repeats: usize,
    stop: impl Fn() -> bool,
) -> Result<Option<Vec<LayerTime>>, EngineError> {
    let program = network.program();
    let incomplete = || EngineError::Program { found: "It has no input or no output".into() };
    let input = program.inputs.first().ok_or_else(incomplete)?.value;
    let shape = image_shape(program.value(input).shape.dims()).ok_or_else(incomplete)?;
    let wanted: Vec<ValueId> = program.outputs.iter().map(|output| output.value).collect();
    guard(|| {
        let device = network.device();
        let plain = network.leaves(false)?;
        let pass = Pass { program, params: &plain, training: true, device };
        let (needed, mut left) = readers(program, &wanted);
        let mut values: Vec<Option<Val>> = vec![None; program.values.len()];
        let mut learns = vec![false; program.values.len()];
        values[input.index()] = Some(network.images(&images(batch, shape))?);
        let mut rows: Vec<LayerTime> = Vec::new();
        for (node, _) in program.ops.iter().zip(needed).filter(|(_, needed)| *needed) {
            if stop() {
                return Ok(None);
            }
            let known = node.inputs.iter().map(|id| values[id.index()].clone()).collect::<Option<Vec<Val>>>();
            let inputs = known.ok_or_else(incomplete)?;
            let flows: Vec<bool> = node.inputs.iter().map(|id| learns[id.index()]).collect();
            let trains = node.params.iter().any(|id| program.params[id.index()].trainable);
            let times = Bench { network, plain: &plain, node, inputs: &inputs, flows: &flows }.run(repeats)?;
            record(&mut rows, &node.path, times);
            for id in &node.inputs {
                left[id.index()] -= 1;
                if left[id.index()] == 0 {
                    values[id.index()] = None;
                }
            }
            if let Some(id) = node.outputs.first() {
                values[id.index()] = Some(pass.one(node, inputs)?.plain());
                learns[id.index()] = trains || flows.contains(&true);
            }
        }
        Ok(Some(rows))
    })
}

/// One op at work.
struct Bench<'a> {
    network: &'a Network,
    /// All parameters, outside any graph.
    plain: &'a [Leaf],
    node: &'a OpNode,
    inputs: &'a [Val],
    /// By input: whether a gradient flows back through it.
    flows: &'a [bool],
}

impl Bench<'_> {
    /// Median seconds forward and backward. The first run warms up (a GPU makes its kernels then) and does not count.
    fn run(&self, repeats: usize) -> Result<(f64, f64), EngineError> {
        let (mut forward, mut backward) = (Vec::with_capacity(repeats), Vec::with_capacity(repeats));
        for round in 0..=repeats {
            let (ahead, back) = self.once()?;
            if round > 0 {
                forward.push(ahead);
                backward.push(back);
            }
        }
        Ok((median(forward), median(backward)))
    }

    fn once(&self) -> Result<(f64, f64), EngineError> {
        let (program, device) = (self.network.program(), self.network.device());
        let mut params = self.plain.to_vec();
        for id in self.node.params.iter().filter(|id| program.params[id.index()].trainable) {
            params[id.index()] = params[id.index()].clone().tracked();
        }
        let pass = Pass { program, params: &params, training: true, device };
        let pairs = self.inputs.iter().cloned().zip(self.flows);
        let inputs = pairs.map(|(value, &flows)| if flows { value.tracked() } else { value }).collect();
        device.sync()?;
        let start = Instant::now();
        let output = pass.one(self.node, inputs)?;
        device.sync()?;
        let forward = start.elapsed().as_secs_f64();
        if !output.is_tracked() {
            return Ok((forward, 0.0));
        }
        let weights = output.clone().plain().noise();
        // What the sum itself costs on its way back is not the op's: measured on a leaf of the same size.
        let leaf = output.clone().plain().tracked();
        let own = self.backward(leaf, &weights)?;
        let all = self.backward(output, &weights)?;
        Ok((forward, (all - own).max(0.0)))
    }

    fn backward(&self, output: Val, weights: &Val) -> Result<f64, EngineError> {
        let found = || EngineError::Program { found: format!("{} changes its rank", self.node.path) };
        let sum = output.weighed(weights).ok_or_else(found)?;
        let device = self.network.device();
        device.sync()?;
        let start = Instant::now();
        let gradients = sum.backward();
        device.sync()?;
        let secs = start.elapsed().as_secs_f64();
        drop(gradients);
        Ok(secs)
    }
}

fn record(rows: &mut Vec<LayerTime>, path: &str, (forward, backward): (f64, f64)) {
    match rows.iter_mut().rev().find(|row| row.path == path) {
        Some(row) => {
            row.forward_secs += forward;
            row.backward_secs += backward;
        }
        None => rows.push(LayerTime { path: path.into(), forward_secs: forward, backward_secs: backward }),
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(0.0)
}

fn image_shape(dims: &[u64]) -> Option<[usize; 3]> {
    match *dims {
        [c, h, w] => Some([c, h, w].map(super::host::size)),
        [features] => Some([super::host::size(features), 1, 1]),
        _ => None,
    }
}

/// Made-up images, between 0 and 1.
fn images(count: usize, shape: [usize; 3]) -> Batch {
    let numbers = count.saturating_mul(shape.iter().product());
    Batch {
        images: (0..numbers).map(|i| (i.wrapping_mul(7919) % 256) as f32 / 255.0).collect(),
        shape,
        target: BatchTarget::None,
        indices: vec![0; count],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Device;
    use crate::op::{Activation, Lowering, Op, Pads, Shape};
    use std::sync::Arc;

    fn network() -> Network {
        let mut lowering = Lowering::new();
        let conv = |filters| Op::Conv2d {
            filters,
            kernel: [3, 3],
            stride: [1, 1],
            dilation: [1, 1],
            groups: 1,
            pads: Pads::symmetric(1, 1),
            bias: true,
        };
        let input = lowering.input("input", Shape::map(16, 24, 24)).unwrap();
        lowering.set_frozen(true);
        let frozen = lowering.within("frozen", |l| l.push(conv(2), &[input])).unwrap();
        lowering.set_frozen(false);
        let big = lowering.within("big", |l| l.push(conv(64), &[frozen])).unwrap();
        let big = lowering.within("big", |l| l.push(Op::Activation(Activation::Relu), &[big])).unwrap();
        let flat = lowering.within("flat", |l| l.push(Op::Flatten, &[big])).unwrap();
        let out = lowering.within("fc", |l| l.push(Op::Dense { features: 2, bias: true }, &[flat])).unwrap();
        lowering.output("fc", out);
        Network::new(Arc::new(lowering.finish()), 1, &Device::flex()).unwrap()
    }

    #[test]
    fn every_path_has_its_time_and_only_what_learns_has_a_backward_time() {
        let times = layer_times(&network(), 8, 3, || false).unwrap().unwrap();
        let paths: Vec<&str> = times.iter().map(|row| row.path.as_str()).collect();
        assert_eq!(paths, ["frozen", "big", "flat", "fc"], "the activation counts to its layer");
        let [frozen, big, flat, _] = &times[..] else { panic!("{times:?}") };
        assert!(frozen.backward_secs == 0.0 && frozen.forward_secs > 0.0, "{frozen:?}");
        assert!(big.backward_secs > 0.0, "{big:?}");
        // 64 x 2 x 9 multiply-adds a pixel against nothing but a new shape.
        assert!(big.forward_secs > 10.0 * flat.forward_secs, "{big:?} {flat:?}");
    }

    #[test]
    fn measuring_ends_when_something_else_is_wanted() {
        assert_eq!(layer_times(&network(), 2, 1, || true).unwrap(), None);
    }
}
