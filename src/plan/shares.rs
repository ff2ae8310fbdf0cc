//! Who holds the planned bytes: the fullest moment of a training step, shared out among the ops to the byte.
//!
//! A value belongs to the op that made it, and so does its gradient; copies, indices and masks to the op that keeps them;
//! parameters with all that training holds of them to their op. What the losses hold belongs to none.

use super::cost::Totals;
use super::memory::{Breakdown, Moment};
use super::replay::{Replay, Step};
use crate::op::Op;
use std::ops::ControlFlow;

/// What one op (or one node) holds at the fullest moment, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Weights, biases and running statistics.
    pub parameters: u64,
    /// Gradients of trained parameters.
    pub gradients: u64,
    /// What the optimizer remembers.
    pub optimizer: u64,
    /// Images of the step, where they enter.
    pub images: u64,
    /// Outputs that wait for a reader or for the backward pass.
    pub outputs: u64,
    /// Copies, indices and masks kept for the backward pass besides.
    pub besides: u64,
    /// Gradients of its outputs under way.
    pub flowing: u64,
    /// Scratch space while it works.
    pub scratch: u64,
}

impl Part {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.named().iter().fold(0, |sum: u64, (_, bytes)| sum.saturating_add(*bytes))
    }

    /// The parts with their names, in the order of the backward pass's story.
    pub fn named(&self) -> [(&'static str, u64); 8] {
        [
            ("images", self.images),
            ("outputs kept for this batch", self.outputs),
            ("copies and masks kept for this batch", self.besides),
            ("gradients of values", self.flowing),
            ("scratch space", self.scratch),
            ("parameters", self.parameters),
            ("weight gradients", self.gradients),
            ("optimizer", self.optimizer),
        ]
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            parameters: self.parameters.saturating_add(other.parameters),
            gradients: self.gradients.saturating_add(other.gradients),
            optimizer: self.optimizer.saturating_add(other.optimizer),
            images: self.images.saturating_add(other.images),
            outputs: self.outputs.saturating_add(other.outputs),
            besides: self.besides.saturating_add(other.besides),
            flowing: self.flowing.saturating_add(other.flowing),
            scratch: self.scratch.saturating_add(other.scratch),
        }
    }
}

/// The planned bytes of the fullest moment, shared out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// By op of the program that was planned.
    pub ops: Vec<Part>,
    /// By input of the program: the images of the step.
    pub images: Vec<u64>,
    /// What the losses hold; no layer's.
    pub loss: u64,
}

/// The fullest moment of a training step, and who holds what then. Ops are numbered as in `origin`, see [`origins`].
pub(super) fn fullest(replay: &Replay<'_>, totals: &Totals, ops: usize) -> (Breakdown, Moment, Shares) {
    let (mut nth, mut at) = (0_usize, 0_usize);
    let mut peak: Option<(Breakdown, Moment)> = None;
    let _whole = replay.training(totals, &mut |held, moment, _| {
        if peak.is_none_or(|(most, _)| held.total() > most.total()) {
            (peak, at) = (Some((*held, moment)), nth);
        }
        nth += 1;
        ControlFlow::Continue(())
    });
    // The same way again, as far as that moment.
    let (mut nth, mut shares) = (0_usize, Shares::default());
    let _stopped = replay.training(totals, &mut |_, _, step| {
        if nth == at {
            shares = share_out(replay, step, ops);
            return ControlFlow::Break(());
        }
        nth += 1;
        ControlFlow::Continue(())
    });
    let (held, moment) = peak.unwrap_or_default();
    (held, moment, shares)
}

/// By op of the typed program: the op of the program as it was planned. A cast belongs to the op that it was put in for, one
/// behind the last op to the op whose output it takes.
pub(super) fn origins(replay: &Replay<'_>, ops: usize) -> Vec<usize> {
    let program = replay.program;
    let mut next = 0;
    let mut origin: Vec<usize> = program
        .ops
        .iter()
        .map(|op| {
            let own = next;
            next += usize::from(!matches!(op.op, Op::Cast { .. }));
            own
        })
        .collect();
    let made_by = makers(replay);
    for (index, op) in program.ops.iter().enumerate() {
        if origin[index] >= ops {
            let maker = op.inputs.first().and_then(|input| made_by[input.index()]);
            origin[index] = maker.map_or(ops.saturating_sub(1), |maker| origin[maker]);
        }
    }
    origin
}

/// By value: the op that makes it.
pub(super) fn makers(replay: &Replay<'_>) -> Vec<Option<usize>> {
    let mut made_by = vec![None; replay.program.values.len()];
    for (index, op) in replay.program.ops.iter().enumerate() {
        op.outputs.iter().for_each(|output| made_by[output.index()] = Some(index));
    }
    made_by
}

fn share_out(replay: &Replay<'_>, step: &Step, ops: usize) -> Shares {
    let (program, settings) = (replay.program, replay.settings);
    let batch = settings.batch;
    let (origin, made_by) = (origins(replay, ops), makers(replay));
    let images =
        program.inputs.iter().map(|input| replay.bytes(input.value).saturating_mul(settings.images())).collect();
    let mut shares = Shares { ops: vec![Part::default(); ops], images, loss: step.loss };
    let mut give = |index: usize, part: Part| {
        if let Some(slot) = origin.get(index).and_then(|&at| shares.ops.get_mut(at)) {
            *slot = slot.plus(part);
        }
    };
    for (index, op) in program.ops.iter().enumerate() {
        let numbers = op.params.iter().map(|id| program.params[id.index()].elements()).fold(0, u64::saturating_add);
        let trained = replay.trained_bytes(index);
        let keeps = step.keeps[index];
        let besides = if keeps { replay.held[index].extra.saturating_mul(batch) } else { 0 };
        let copies = if keeps { replay.weight_copies(index) } else { 0 };
        let part = Part {
            parameters: numbers.saturating_mul(4),
            gradients: trained.saturating_mul(u64::from(step.has_gradient[index]) + u64::from(step.has_sums)),
            optimizer: trained.saturating_mul(settings.optimizer.state_per_parameter()),
            besides: besides.saturating_add(copies),
            ..Part::default()
        };
        give(index, part);
    }
    let live = step.live.iter().enumerate().filter(|(_, live)| **live).map(|(value, _)| value);
    for root in live.chain(step.leaving.iter().copied()) {
        let outputs = replay.bytes_of_root(root).saturating_mul(batch);
        made_by[root].into_iter().for_each(|maker| give(maker, Part { outputs, ..Part::default() }));
    }
    for (value, bytes) in step.flowing() {
        let flowing = bytes.saturating_mul(batch);
        made_by[value.index()].into_iter().for_each(|maker| give(maker, Part { flowing, ..Part::default() }));
    }
    if let Some((index, scratch)) = step.scratch {
        give(index, Part { scratch, ..Part::default() });
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Optimizer;
    use crate::op::DType;
    use crate::plan::{Cost, CostSettings, Engine, cost, plan};

    /// Every part of the plan, summed over the layers of the network's own graph.
    fn summed(preset: &str, settings: CostSettings) -> (Part, Cost) {
        let document = crate::presets::find(preset).unwrap();
        let plan = plan(&document);
        let found = cost(&plan.program, settings);
        let nodes = document.graph.nodes.iter().filter_map(|node| plan.node(&[], node.id));
        (nodes.fold(Part::default(), |sum, node| sum.plus(found.node(node).planned)), found)
    }

    #[test]
    fn the_layers_hold_every_planned_byte_of_every_preset_but_the_losses() {
        let optimizers = ["sgd", "momentum", "adam"].map(|id| Optimizer::from_id(id).unwrap());
        for preset in crate::presets::ALL {
            for (batch, dtype) in [(1, DType::F32), (50, DType::F32), (64, DType::F16), (1, DType::F16)] {
                for (optimizer, engine) in optimizers.into_iter().zip([Engine::Cpu, Engine::Gpu, Engine::Cpu]) {
                    // Every batch alone, and as the second of two.
                    for accumulate in [1, 2] {
                        let settings =
                            CostSettings { batch, accumulate, dtype, optimizer, engine, ..CostSettings::default() };
                        let (sum, found) = summed(preset.id, settings);
                        let (id, whole) = (preset.id, found.memory.training);
                        assert_eq!(
                            sum.total() + found.shares.loss,
                            found.memory.training_planned_bytes,
                            "{id} {settings:?}"
                        );
                        assert_eq!(sum.parameters, whole.parameters, "{id}");
                        assert_eq!((sum.gradients, sum.optimizer), (whole.gradients, whole.optimizer), "{id}");
                        assert_eq!(sum.images, whole.batch, "{id}");
                        assert_eq!(sum.outputs + sum.besides, whole.activations, "{id} {settings:?}");
                        assert_eq!(sum.flowing + sum.scratch + found.shares.loss, whole.workspace, "{id}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_layer_holds_its_parameters_and_what_adam_remembers_of_them() {
        let document = crate::presets::find("lenet5").unwrap();
        let plan = plan(&document);
        let found = cost(&plan.program, CostSettings::default());
        let c1 = found.node(plan.node(&[], document.graph.by_name("c1").unwrap().id).unwrap()).planned;
        // 156 parameters of 4 bytes, and two numbers of 4 bytes for each.
        assert_eq!((c1.parameters, c1.optimizer), (624, 1_248));
        // Its output waits for the way back, or its gradient is on its way: 28 · 28 · 6 · 4 bytes for each of 64 images.
        assert!(c1.outputs + c1.flowing >= 28 * 28 * 6 * 4 * 64, "{c1:?}");
        let input = found.node(plan.node(&[], document.graph.by_name("input").unwrap().id).unwrap()).planned;
        // 32 · 32 · 1 · 4 bytes for each of 64 images, and nothing else.
        assert_eq!((input.images, input.total()), (262_144, 262_144));
    }
}
