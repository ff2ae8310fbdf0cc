//! What a program costs: parameters, multiply-adds and bytes, per op, per node and in total.

use super::memory::{self, Memory};
use super::receptive::{Field, receptive_fields};
use super::shares::{Part, Shares};
use super::{Engine, NodePlan};
use crate::graph::Optimizer;
use crate::op::{DType, Program, ValueId};

/// What the figures depend on besides the program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CostSettings {
    /// Images that go through the network at once.
    pub batch: u64,
    /// Batches whose gradients are added up for one step.
    pub accumulate: u64,
    /// Element type of values.
    pub dtype: DType,
    /// Optimizer, for its state.
    pub optimizer: Optimizer,
    /// What it runs on.
    pub engine: Engine,
    /// Threads of the CPU engine: each unrolls patches of its own.
    pub threads: u64,
}

impl CostSettings {
    /// Images of one step: all are loaded before it begins.
    pub fn images(&self) -> u64 {
        self.batch.saturating_mul(self.accumulate.max(1))
    }
}

impl Default for CostSettings {
    fn default() -> Self {
        Self {
            batch: 64,
            accumulate: 1,
            dtype: DType::F32,
            optimizer: Optimizer::default(),
            engine: Engine::Cpu,
            threads: 2,
        }
    }
}

/// Figures of one op.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OpCost {
    /// Trained parameters.
    pub trainable: u64,
    /// Parameters that are frozen.
    pub frozen: u64,
    /// Numbers that no gradient changes: running statistics.
    pub state: u64,
    /// Multiply-adds for one image.
    pub macs: u64,
    /// Bytes of its output for one image by the textbook rule; 0 for views, dropout and fused activations.
    pub activation_bytes: u64,
    /// What its output sees of the input.
    pub field: Field,
}

/// Figures of one node: the sum over its ops.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NodeCost {
    /// Trained parameters.
    pub trainable: u64,
    /// Frozen parameters.
    pub frozen: u64,
    /// Running statistics.
    pub state: u64,
    /// Multiply-adds for one image.
    pub macs: u64,
    /// Bytes of outputs for one image.
    pub activation_bytes: u64,
    /// What its last op sees of the input.
    pub field: Field,
    /// Share of the textbook training bytes of the network, 0 to 1.
    pub ram_share: f64,
    /// What it holds of the planned bytes at the fullest moment of a training step.
    pub planned: Part,
    /// That as a share of the planned bytes of the network, 0 to 1.
    pub planned_share: f64,
}

impl NodeCost {
    /// Trained and frozen parameters.
    pub fn params(&self) -> u64 {
        self.trainable + self.frozen
    }
}

/// Figures of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Trained parameters.
    pub trainable: u64,
    /// Frozen parameters.
    pub frozen: u64,
    /// Running statistics.
    pub state: u64,
    /// Multiply-adds for one image.
    pub macs: u64,
    /// Bytes of all outputs for one image.
    pub activation_bytes: u64,
    /// Largest receptive field of an output.
    pub field: Field,
}

impl Totals {
    /// Trained and frozen parameters, as PyTorch counts; Keras adds the state.
    pub fn params(&self) -> u64 {
        self.trainable + self.frozen
    }
}

/// All figures of a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// What they hold for.
    pub settings: CostSettings,
    /// By op.
    pub ops: Vec<OpCost>,
    /// Sums.
    pub totals: Totals,
    /// RAM.
    pub memory: Memory,
    /// What each value sees, by value.
    pub fields: Vec<Field>,
    /// Bytes of one image, by the value in which it enters.
    pub images: Vec<(ValueId, u64)>,
    /// The planned bytes of the fullest moment, by op.
    pub shares: Shares,
}

/// Calculates all figures.
pub fn cost(program: &Program, settings: CostSettings) -> Cost {
    let own = memory::own_outputs(program);
    let fields = receptive_fields(program);
    let element = settings.dtype.bytes();
    let ops: Vec<OpCost> = program
        .ops
        .iter()
        .enumerate()
        .map(|(index, op)| {
            let mut row = OpCost { macs: program.macs(op), ..OpCost::default() };
            for id in &op.params {
                let spec = &program.params[id.index()];
                let count = spec.elements();
                let slot = if spec.is_state() {
                    &mut row.state
                } else if spec.trainable {
                    &mut row.trainable
                } else {
                    &mut row.frozen
                };
                *slot = slot.saturating_add(count);
            }
            if own[index] {
                row.activation_bytes = program.output_shape(op).elements().unwrap_or(u64::MAX).saturating_mul(element);
            }
            row.field = op.outputs.first().map_or_else(Field::default, |output| fields[output.index()]);
            row
        })
        .collect();
    let mut totals = Totals::default();
    for row in &ops {
        totals.trainable = totals.trainable.saturating_add(row.trainable);
        totals.frozen = totals.frozen.saturating_add(row.frozen);
        totals.state = totals.state.saturating_add(row.state);
        totals.macs = totals.macs.saturating_add(row.macs);
        totals.activation_bytes = totals.activation_bytes.saturating_add(row.activation_bytes);
    }
    for output in &program.outputs {
        let field = fields[output.value.index()];
        for axis in 0..2 {
            totals.field.size[axis] = totals.field.size[axis].max(field.size[axis]);
            totals.field.jump[axis] = totals.field.jump[axis].max(field.jump[axis]);
            totals.field.input[axis] = totals.field.input[axis].max(field.input[axis]);
        }
    }
    let (memory, shares) = memory::memory(program, &own, &totals, settings);
    let bytes = |id| program.value(id).shape.elements().unwrap_or(u64::MAX).saturating_mul(element);
    let images = program.inputs.iter().map(|input| (input.value, bytes(input.value))).collect();
    Cost { settings, ops, totals, memory, fields, images, shares }
}

impl Cost {
    /// Figures of a node.
    pub fn node(&self, node: &NodePlan) -> NodeCost {
        // A node without steps hands on what it reads, or is where an image enters: a pixel that sees itself.
        let field = node.output.and_then(|id| self.fields.get(id.index())).copied().unwrap_or_default();
        let mut sum = NodeCost { field, ..NodeCost::default() };
        let parts = node.spans.iter().filter_map(|span| self.shares.ops.get(span.clone())).flatten();
        sum.planned = parts.fold(Part::default(), |sum, part| sum.plus(*part));
        for row in node.spans.iter().filter_map(|span| self.ops.get(span.clone())).flatten() {
            sum.trainable += row.trainable;
            sum.frozen += row.frozen;
            sum.state += row.state;
            sum.macs = sum.macs.saturating_add(row.macs);
            sum.activation_bytes = sum.activation_bytes.saturating_add(row.activation_bytes);
            sum.field = row.field;
        }
        let element = self.settings.dtype.bytes();
        // Where images enter no op is at work, but the batch itself takes room.
        let is_input = node.inputs.is_empty() && node.spans.iter().all(std::ops::Range::is_empty);
        let entry = node.output.filter(|_| is_input).and_then(|id| self.images.iter().position(|(at, _)| *at == id));
        let images = entry.and_then(|at| self.images.get(at)).map_or(0, |(_, bytes)| *bytes);
        sum.planned.images = entry.and_then(|at| self.shares.images.get(at)).copied().unwrap_or(0);
        let bytes = sum.activation_bytes.saturating_add(images) as f64 * self.settings.batch as f64
            + (sum.params() + sum.state) as f64 * element as f64;
        let total = self.memory.training_textbook_bytes as f64;
        sum.ram_share = if total > 0.0 { bytes / total } else { 0.0 };
        let planned = self.memory.training_planned_bytes as f64;
        sum.planned_share = if planned > 0.0 { sum.planned.total() as f64 / planned } else { 0.0 };
        sum
    }
}
