//! RAM: the textbook's figure and the plan of what this engine will hold.
//!
//! The planned figure replays the program as the engine runs it: which values each op keeps for the backward pass, what it
//! needs while it works, and when each is dropped. Engine tests compare it with real allocations.

use super::cost::{CostSettings, Totals};
use super::dtype::in_dtype;
use crate::op::{Activation, DType, Op, Program, ValueId};
use serde::{Deserialize, Serialize};

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

/// The value whose memory a value shares, by value: itself, or the source of a view.
fn roots(program: &Program) -> Vec<usize> {
    let mut root: Vec<usize> = (0..program.values.len()).collect();
    for op in program.ops.iter().filter(|op| op.op.is_view()) {
        if let (Some(input), Some(output)) = (op.inputs.first(), op.outputs.first()) {
            root[output.index()] = root[input.index()];
        }
    }
    root
}

pub(super) fn memory(program: &Program, own: &[bool], totals: &Totals, settings: CostSettings) -> Memory {
    let element = settings.dtype.bytes();
    let numbers = totals.params().saturating_add(totals.state);
    let params_bytes = numbers.saturating_mul(element);
    let size = |id: ValueId| program.value(id).shape.elements().unwrap_or(u64::MAX).saturating_mul(element);
    let inputs: u64 = program.inputs.iter().map(|input| size(input.value)).fold(0, u64::saturating_add);

    // Textbook. Inference: the largest pair of what an op reads and what it makes; an op without an output of its own reads
    // and makes the same memory.
    let mut alias: Vec<usize> = (0..program.values.len()).collect();
    let mut largest = inputs;
    for (op, own) in program.ops.iter().zip(own) {
        let mut seen: Vec<usize> = op.inputs.iter().map(|input| alias[input.index()]).collect();
        seen.sort_unstable();
        seen.dedup();
        if let (false, Some(input), Some(output)) = (own, op.inputs.first(), op.outputs.first()) {
            alias[output.index()] = alias[input.index()];
        }
        let read =
            seen.iter().map(|&id| size(ValueId(u32::try_from(id).unwrap_or(u32::MAX)))).fold(0, u64::saturating_add);
        let made = if *own { op.outputs.iter().map(|&id| size(id)).fold(0, u64::saturating_add) } else { 0 };
        largest = largest.max(read.saturating_add(made));
    }
    let inference_textbook_bytes = largest.saturating_add(params_bytes);
    let training_textbook_bytes =
        totals.activation_bytes.saturating_add(inputs).saturating_mul(settings.batch).saturating_add(params_bytes);

    let typed = in_dtype(program, settings.dtype);
    let replay = Replay::new(&typed, settings);
    let training = replay.training(totals);
    Memory {
        params_bytes,
        inference_textbook_bytes,
        inference_planned_bytes: replay.inference(numbers.saturating_mul(4)),
        training_textbook_bytes,
        training_planned_bytes: training.total(),
        training,
    }
}

/// What the engine keeps of one op for the backward pass, and its scratch space, in bytes for one image unless said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Held {
    /// Keeps what it reads.
    inputs: bool,
    /// Keeps what it makes.
    output: bool,
    /// Further bytes kept per image: indices, masks, normalised copies.
    extra: u64,
    /// Scratch per image while forward runs.
    forward: u64,
    /// Scratch per image while backward runs.
    backward: u64,
    /// Whether the gradient it gets becomes the gradient it gives, in the same memory.
    in_place: bool,
}

struct Replay<'a> {
    program: &'a Program,
    settings: CostSettings,
    root: Vec<usize>,
    /// Index of the last op that reads each root.
    last_use: Vec<usize>,
}

impl<'a> Replay<'a> {
    fn new(program: &'a Program, settings: CostSettings) -> Self {
        let root = roots(program);
        let mut last_use = vec![0; program.values.len()];
        for (index, op) in program.ops.iter().enumerate() {
            for input in op.inputs.iter().chain(&op.outputs) {
                last_use[root[input.index()]] = index;
            }
        }
        for output in &program.outputs {
            last_use[root[output.value.index()]] = usize::MAX;
        }
        Self { program, settings, root, last_use }
    }

    fn bytes(&self, id: ValueId) -> u64 {
        self.program.value_bytes(id)
    }

    /// What burn 0.22 keeps and needs for an op.
    ///
    /// # Source
    /// burn-autodiff `ops/{module,activation,tensor}.rs` (what each backward step captures) and burn-flex `ops/conv.rs`
    /// (NHWC copies), checked against the counting allocator by the engine's tests.
    fn held(&self, index: usize) -> Held {
        let node = &self.program.ops[index];
        let read: u64 = node.inputs.iter().map(|&id| self.bytes(id)).fold(0, u64::saturating_add);
        let made: u64 = node.outputs.iter().map(|&id| self.bytes(id)).fold(0, u64::saturating_add);
        match &node.op {
            Op::Conv2d { kernel, stride, groups, pads, filters, .. } => {
                let channels = self.program.input_shapes(node).first().map_or(1, |shape| shape.channels());
                let padded = if pads.is_symmetric() { 0 } else { read };
                let pointwise = *kernel == [1, 1] && *stride == [1, 1] && pads.is_zero();
                let few = channels <= 4 && *filters <= 16;
                let direct = pointwise || (*groups == channels && channels == *filters) || (*groups == 1 && few);
                // The gradient of the weights is a convolution of the input with the output's gradient as kernel: both are
                // copied twice (channels first, then NHWC), and each of two threads unrolls one patch per kernel position.
                let taps = kernel[0].saturating_mul(kernel[1]);
                let unrolled = (made / filters.max(&1)).saturating_mul(taps.min(512)).saturating_mul(channels.min(2));
                Held {
                    inputs: true,
                    extra: padded,
                    forward: if direct { 0 } else { read },
                    backward: read.saturating_add(made).saturating_mul(2).saturating_add(unrolled),
                    ..Held::default()
                }
            }
            Op::ConvTranspose2d { .. } => Held {
                inputs: true,
                forward: read,
                backward: read.saturating_add(made).saturating_mul(2),
                ..Held::default()
            },
            // The index of each maximum is an eight-byte number.
            Op::MaxPool { .. } => {
                let maxima = self.program.output_shape(node).elements().unwrap_or(u64::MAX);
                Held { inputs: true, extra: maxima.saturating_mul(8), ..Held::default() }
            }
            Op::AvgPool { .. } | Op::Dense { .. } | Op::PRelu | Op::Multiply => {
                Held { inputs: true, ..Held::default() }
            }
            // The backward step computes the function again.
            Op::Activation(activation) => {
                let again = if *activation == Activation::Relu { 0 } else { made };
                Held { inputs: true, backward: again, in_place: true, ..Held::default() }
            }
            Op::BatchNorm { .. } => Held { inputs: true, backward: read.saturating_mul(2), ..Held::default() },
            Op::LayerNorm { .. } | Op::GroupNorm { .. } => Held { inputs: true, backward: read, ..Held::default() },
            // The sum over the neighbours.
            Op::Lrn { .. } => Held { inputs: true, extra: read, backward: read, ..Held::default() },
            // The mask.
            Op::Dropout { .. } => Held { extra: made, in_place: true, ..Held::default() },
            Op::Flatten | Op::Add => Held { in_place: true, ..Held::default() },
            Op::Upsample { .. } => Held { backward: read, ..Held::default() },
            Op::GlobalAvgPool | Op::ZeroPad { .. } | Op::Concat | Op::Cast { .. } => Held::default(),
        }
    }

    /// Peak of a forward pass over one image.
    fn inference(&self, params: u64) -> u64 {
        let mut live = vec![false; self.program.values.len()];
        let mut now = 0_u64;
        for input in &self.program.inputs {
            live[input.value.index()] = true;
            now = now.saturating_add(self.bytes(input.value));
        }
        let mut peak = now;
        for (index, op) in self.program.ops.iter().enumerate() {
            for &output in &op.outputs {
                if self.root[output.index()] == output.index() {
                    live[output.index()] = true;
                    now = now.saturating_add(self.bytes(output));
                }
            }
            peak = peak.max(now.saturating_add(self.held(index).forward).saturating_add(self.weight_copies(index)));
            for id in op.inputs.iter().chain(&op.outputs) {
                let root = self.root[id.index()];
                if live[root] && self.last_use[root] <= index {
                    live[root] = false;
                    now = now.saturating_sub(self.bytes(ValueId(u32::try_from(root).unwrap_or(u32::MAX))));
                }
            }
        }
        peak.saturating_add(params)
    }

    /// The fullest moment of a training step.
    fn training(&self, totals: &Totals) -> Breakdown {
        let batch = self.settings.batch;
        let parameters = totals.params().saturating_add(totals.state).saturating_mul(4);
        let optimizer =
            totals.trainable.saturating_mul(4).saturating_mul(self.settings.optimizer.state_per_parameter());
        let images: u64 = self.program.inputs.iter().map(|input| self.bytes(input.value)).fold(0, u64::saturating_add);
        let images = images.saturating_mul(batch);
        let fixed = Breakdown { parameters, optimizer, batch: images, ..Breakdown::default() };

        // Forward: values live until their last reader ran, kept ones until their op's backward step.
        let (needs, tracked) = self.needs_gradient();
        let count = self.program.values.len();
        let (mut keepers, mut live) = (vec![0_u32; count], vec![false; count]);
        let mut extras = 0_u64;
        let mut copies = 0_u64;
        let mut held_bytes = 0_u64;
        let mut peak = fixed;
        let mut consider = |candidate: Breakdown| {
            if candidate.total() > peak.total() {
                peak = candidate;
            }
        };
        for (index, op) in self.program.ops.iter().enumerate() {
            let held = self.held(index);
            for &output in &op.outputs {
                let root = self.root[output.index()];
                if root == output.index() {
                    live[root] = true;
                    held_bytes = held_bytes.saturating_add(self.bytes(output));
                }
            }
            if needs[index] {
                for root in self.kept(index, held) {
                    keepers[root] += 1;
                }
                extras = extras.saturating_add(held.extra);
                copies = copies.saturating_add(self.weight_copies(index));
            }
            consider(Breakdown {
                activations: held_bytes.saturating_add(extras).saturating_mul(batch).saturating_add(copies),
                workspace: held.forward.saturating_mul(batch),
                ..fixed
            });
            for id in op.inputs.iter().chain(&op.outputs) {
                let root = self.root[id.index()];
                if live[root] && keepers[root] == 0 && self.last_use[root] <= index {
                    live[root] = false;
                    held_bytes = held_bytes.saturating_sub(self.bytes_of_root(root));
                }
            }
        }
        // Backward: each step holds the gradient it got and those it makes.
        let mut gradients = 0_u64;
        for (index, op) in self.program.ops.iter().enumerate().rev() {
            if !needs[index] {
                continue;
            }
            let held = self.held(index);
            let own: u64 = op
                .params
                .iter()
                .map(|id| &self.program.params[id.index()])
                .filter(|spec| spec.trainable)
                .map(|spec| spec.elements().saturating_mul(4))
                .fold(0, u64::saturating_add);
            gradients = gradients.saturating_add(own);
            let got: u64 = op.outputs.iter().map(|&id| self.bytes(id)).fold(0, u64::saturating_add);
            let learning = op.inputs.iter().filter(|id| tracked[id.index()]);
            let given: u64 = learning.map(|&id| self.bytes(id)).fold(0, u64::saturating_add);
            let flowing = if held.in_place { got.max(given) } else { got.saturating_add(given) };
            consider(Breakdown {
                gradients,
                activations: held_bytes.saturating_add(extras).saturating_mul(batch).saturating_add(copies),
                workspace: flowing.saturating_add(held.backward).saturating_mul(batch),
                ..fixed
            });
            extras = extras.saturating_sub(held.extra);
            copies = copies.saturating_sub(self.weight_copies(index));
            for root in self.kept(index, held) {
                keepers[root] = keepers[root].saturating_sub(1);
                if keepers[root] == 0 && live[root] {
                    live[root] = false;
                    held_bytes = held_bytes.saturating_sub(self.bytes_of_root(root));
                }
            }
        }
        // The optimizer's step: all gradients, and the new values of the largest parameter beside the old.
        let largest = self
            .program
            .params
            .iter()
            .filter(|spec| spec.trainable)
            .map(crate::op::ParamSpec::elements)
            .max()
            .unwrap_or(0);
        consider(Breakdown { gradients, activations: 0, workspace: largest.saturating_mul(8), ..fixed });
        peak
    }

    fn bytes_of_root(&self, root: usize) -> u64 {
        self.bytes(ValueId(u32::try_from(root).unwrap_or(u32::MAX)))
    }

    /// The roots an op keeps; the batch itself is counted apart.
    fn kept(&self, index: usize, held: Held) -> Vec<usize> {
        let op = &self.program.ops[index];
        let mut kept: Vec<usize> = Vec::new();
        if held.inputs {
            kept.extend(op.inputs.iter().map(|id| self.root[id.index()]));
        }
        if held.output {
            kept.extend(op.outputs.iter().map(|id| self.root[id.index()]));
        }
        kept.retain(|root| !self.program.inputs.iter().any(|input| input.value.index() == *root));
        kept
    }

    /// Bytes of the 16-bit copies of an op's parameters, which stay f32 themselves.
    fn weight_copies(&self, index: usize) -> u64 {
        let node = &self.program.ops[index];
        if node.outputs.iter().all(|&id| self.program.value(id).dtype == DType::F32) {
            return 0;
        }
        let params = node.params.iter().map(|id| self.program.params[id.index()].elements());
        params.fold(0, u64::saturating_add).saturating_mul(DType::F16.bytes())
    }

    /// Whether a gradient flows through each op and each value: whether it or anything before it is trained.
    fn needs_gradient(&self) -> (Vec<bool>, Vec<bool>) {
        let mut tracked = vec![false; self.program.values.len()];
        let needs = self.program.ops.iter().map(|op| {
            let own = op.params.iter().any(|id| self.program.params[id.index()].trainable);
            let needs = own || op.inputs.iter().any(|input| tracked[input.index()]);
            op.outputs.iter().for_each(|output| tracked[output.index()] = needs);
            needs
        });
        (needs.collect(), tracked)
    }
}
