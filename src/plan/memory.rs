//! RAM: the textbook's figure and the plan of what this engine will hold.
//!
//! The planned figure comes from `replay.rs`.

use super::cost::{CostSettings, Totals};
use super::dtype::in_dtype;
use super::replay::Replay;
use super::shares::{Shares, fullest};
use crate::op::{Op, Program, ValueId};
use serde::{Deserialize, Serialize};

/// So far, as a share, the planned bytes of training may be from what the CPU engine allocates: what the tests allow.
pub const TOLERANCE: f64 = 0.1;

/// What runs the program; each holds other copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// burn's flex backend.
    #[default]
    Cpu,
    /// burn on a GPU.
    Gpu,
}

/// Where the planned training bytes go at the fullest moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breakdown {
    /// Weights, biases and running statistics.
    pub parameters: u64,
    /// Gradients of trained parameters that exist at that moment.
    pub gradients: u64,
    /// What the optimizer remembers.
    pub optimizer: u64,
    /// The images of the step.
    pub batch: u64,
    /// Values kept for the backward pass.
    pub activations: u64,
    /// Gradients of values and scratch space of the op at work.
    pub workspace: u64,
}

impl Breakdown {
    /// All of it.
    pub fn total(&self) -> u64 {
        [self.parameters, self.gradients, self.optimizer, self.batch, self.activations, self.workspace]
            .iter()
            .fold(0, |sum: u64, part| sum.saturating_add(*part))
    }
}

impl Memory {
    /// What the planned training bytes are made of, each with its name and what it is. Every place that lists them reads this.
    pub fn parts(&self) -> [(&'static str, u64, &'static str); 7] {
        let Breakdown { parameters, gradients, optimizer, batch, activations, workspace } = self.training;
        // Gradients of values flow on the way back only; all else that is worked with is scratch space.
        let flowing = match self.training_moment {
            Moment::Backward { scratch, .. } => workspace.saturating_sub(scratch),
            _ => 0,
        };
        [
            (
                "Kept for this batch",
                activations,
                "Outputs of all images of the batch, and copies, that the way back needs",
            ),
            (
                "Gradients of values",
                flowing,
                "How the loss changes with the outputs: on their way back through the layers",
            ),
            (
                "Scratch space",
                workspace.saturating_sub(flowing),
                "What the layer at work, or the loss, needs meanwhile",
            ),
            ("Images", batch, "The images of the step"),
            ("Parameters", parameters, "Weights, biases, running statistics"),
            ("Weight gradients", gradients, "One number for each trained parameter that the way back has passed"),
            ("Optimizer", optimizer, "What the optimizer remembers of each parameter between steps"),
        ]
    }
}

/// RAM of a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Parameters and state.
    pub params_bytes: u64,
    /// Textbook, one image.
    pub inference_textbook_bytes: u64,
    /// Planned, one image.
    pub inference_planned_bytes: u64,
    /// Textbook, the batch.
    pub training_textbook_bytes: u64,
    /// Planned, the batch.
    pub training_planned_bytes: u64,
    /// What the planned training bytes are made of.
    pub training: Breakdown,
    /// When they are held.
    pub training_moment: Moment,
    /// The op whose inputs and output are the textbook's largest pair, with the bytes that it reads and makes.
    pub inference_pair: Option<Pair>,
}

/// The fullest moment of a training step. Ops are numbered as in the program that was planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Moment {
    /// Before the first op.
    #[default]
    Start,
    /// While an op runs forward.
    Forward {
        /// Which.
        op: usize,
    },
    /// While the loss is taken.
    Loss,
    /// While an op's gradients are made.
    Backward {
        /// Which.
        op: usize,
        /// Bytes of the workspace that are its scratch space; the rest are gradients of values.
        scratch: u64,
    },
    /// While the optimizer changes the parameters.
    Update,
}

impl Moment {
    /// The same moment in the program before casts were put in.
    fn without_casts(self, typed: &Program) -> Self {
        let before = |op: usize| typed.ops.iter().take(op).filter(|other| !matches!(other.op, Op::Cast { .. })).count();
        match self {
            Self::Forward { op } => Self::Forward { op: before(op) },
            Self::Backward { op, scratch } => Self::Backward { op: before(op), scratch },
            other => other,
        }
    }
}

/// What one op reads and makes, in the textbook's account of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Index of the op.
    pub op: usize,
    /// Bytes of its distinct inputs.
    pub read_bytes: u64,
    /// Bytes of its output; 0 where it has none of its own.
    pub made_bytes: u64,
}

/// By op: whether its output takes memory of its own in the textbook's account. Views, dropout, and a pointwise activation
/// that is its producer's only consumer do not.
pub(super) fn own_outputs(program: &Program) -> Vec<bool> {
    let mut uses = vec![0_u32; program.values.len()];
    for input in program.ops.iter().flat_map(|op| &op.inputs) {
        uses[input.index()] += 1;
    }
    let mut made = vec![false; program.values.len()];
    program.ops.iter().for_each(|op| op.outputs.iter().for_each(|output| made[output.index()] = true));
    program
        .ops
        .iter()
        .map(|op| {
            let fused = op.op.is_pointwise_activation()
                && op.inputs.iter().all(|input| uses[input.index()] == 1 && made[input.index()]);
            !(op.op.is_view() || matches!(op.op, Op::Dropout { .. }) || fused)
        })
        .collect()
}

pub(super) fn memory(program: &Program, own: &[bool], totals: &Totals, settings: CostSettings) -> (Memory, Shares) {
    let element = settings.dtype.bytes();
    let numbers = totals.params().saturating_add(totals.state);
    let params_bytes = numbers.saturating_mul(element);
    let size = |id: ValueId| program.value(id).shape.elements().unwrap_or(u64::MAX).saturating_mul(element);
    let inputs: u64 = program.inputs.iter().map(|input| size(input.value)).fold(0, u64::saturating_add);

    // Textbook. Inference: the largest pair of what an op reads and what it makes; an op without an output of its own reads
    // and makes the same memory.
    let mut alias: Vec<usize> = (0..program.values.len()).collect();
    let (mut largest, mut inference_pair) = (inputs, None);
    for (index, (op, own)) in program.ops.iter().zip(own).enumerate() {
        let mut seen: Vec<usize> = op.inputs.iter().map(|input| alias[input.index()]).collect();
        seen.sort_unstable();
        seen.dedup();
        if let (false, Some(input), Some(output)) = (own, op.inputs.first(), op.outputs.first()) {
            alias[output.index()] = alias[input.index()];
        }
        let read =
            seen.iter().map(|&id| size(ValueId(u32::try_from(id).unwrap_or(u32::MAX)))).fold(0, u64::saturating_add);
        let made = if *own { op.outputs.iter().map(|&id| size(id)).fold(0, u64::saturating_add) } else { 0 };
        if read.saturating_add(made) > largest {
            largest = read.saturating_add(made);
            inference_pair = Some(Pair { op: index, read_bytes: read, made_bytes: made });
        }
    }
    let inference_textbook_bytes = largest.saturating_add(params_bytes);
    let training_textbook_bytes =
        totals.activation_bytes.saturating_add(inputs).saturating_mul(settings.batch).saturating_add(params_bytes);

    let typed = in_dtype(program, settings.dtype);
    let replay = Replay::new(&typed, settings);
    let (training, moment, shares) = fullest(&replay, totals, program.ops.len());
    let memory = Memory {
        params_bytes,
        inference_textbook_bytes,
        inference_planned_bytes: replay.inference(numbers.saturating_mul(4)),
        training_textbook_bytes,
        training_planned_bytes: training.total(),
        training,
        training_moment: moment.without_casts(&typed),
        inference_pair,
    };
    (memory, shares)
}
