//! The planned bytes: replays a program as the engine runs it, what each op keeps for the backward pass, what it needs while
//! it works, and when each value is dropped. Engine tests compare it with real allocations.

use super::cost::{CostSettings, Totals};
use super::memory::{Breakdown, Engine, Moment};
use crate::op::{Activation, DType, Op, Program, ValueId};

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
    /// Whether the gradient it gets is overwritten with the one it gives, if nobody else waits for it.
    in_place: bool,
    /// Whether the gradient it gets is the gradient it gives.
    passes: bool,
    /// Whether its output takes over the memory of its input, if nobody else needs that.
    takes_over: bool,
}

/// What waits in the backward pass: gradients of values, each in a buffer that several may share.
struct Flow {
    of: Vec<Option<usize>>,
    /// Bytes for one image, and holders.
    buffers: Vec<(u64, u32)>,
    /// Bytes for one image in all buffers.
    bytes: u64,
}

impl Flow {
    fn new(values: usize) -> Self {
        Self { of: vec![None; values], buffers: Vec::new(), bytes: 0 }
    }

    /// A new buffer with one holder.
    fn make(&mut self, bytes: u64) -> usize {
        self.bytes = self.bytes.saturating_add(bytes);
        self.buffers.push((bytes, 1));
        self.buffers.len() - 1
    }

    fn share(&mut self, buffer: usize) -> usize {
        self.buffers[buffer].1 += 1;
        buffer
    }

    fn is_alone(&self, buffer: usize) -> bool {
        self.buffers[buffer].1 == 1
    }

    /// One more gradient for a value: the sum takes the place of the first.
    fn give(&mut self, value: ValueId, buffer: usize) {
        if self.of[value.index()].is_some() {
            self.drop(buffer);
        } else {
            self.of[value.index()] = Some(buffer);
        }
    }

    /// The gradient of a value, with whoever held it as the holder.
    fn take(&mut self, value: ValueId) -> Option<usize> {
        self.of[value.index()].take()
    }

    fn drop(&mut self, buffer: usize) {
        let (bytes, holders) = &mut self.buffers[buffer];
        *holders -= 1;
        if *holders == 0 {
            self.bytes = self.bytes.saturating_sub(*bytes);
        }
    }
}

/// Cross entropy holds the wanted scores and the powers of e beside its scores, and on the way back a gradient as well: so
/// many values of the size of the scores.
const LOSS_FORWARD: u64 = 2;
const LOSS_BACKWARD: u64 = 3;

pub(super) struct Replay<'a> {
    program: &'a Program,
    settings: CostSettings,
    root: Vec<usize>,
    /// Index of the last op that reads each root.
    last_use: Vec<usize>,
}

impl<'a> Replay<'a> {
    pub(super) fn new(program: &'a Program, settings: CostSettings) -> Self {
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
            // A matrix product per image, and one matrix of gradients for each until they are summed.
            op if self.settings.engine == Engine::Cpu && op.is_pointwise_convolution() => {
                let weights = node.params.first().map_or(0, |id| self.program.params[id.index()].elements());
                Held { inputs: true, backward: weights.saturating_mul(4), ..Held::default() }
            }
            Op::Conv2d { kernel, stride, groups, pads, filters, .. } => {
                let channels = self.program.input_shapes(node).first().map_or(1, |shape| shape.channels());
                let padded = if pads.is_symmetric() { 0 } else { read };
                let pointwise = *kernel == [1, 1] && *stride == [1, 1] && pads.is_zero();
                let few = channels <= 4 && *filters <= 16;
                let direct = pointwise || (*groups == channels && channels == *filters) || (*groups == 1 && few);
                // The gradient of the weights is a convolution of the input with the output's gradient as kernel: both are
                // copied twice (channels first, then NHWC), and each thread unrolls one patch per kernel position.
                let taps = kernel[0].saturating_mul(kernel[1]);
                let unrolled = (made / filters.max(&1))
                    .saturating_mul(taps.min(512))
                    .saturating_mul(channels.min(self.settings.threads));
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
            Op::Dropout { .. } => Held { extra: made, in_place: true, takes_over: true, ..Held::default() },
            Op::Flatten | Op::Add => Held { passes: true, ..Held::default() },
            Op::Upsample { .. } => Held { backward: read, ..Held::default() },
            Op::GlobalAvgPool | Op::ZeroPad { .. } | Op::Concat | Op::Cast { .. } => Held::default(),
        }
    }

    /// Peak of a forward pass over one image.
    pub(super) fn inference(&self, params: u64) -> u64 {
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
    pub(super) fn training(&self, totals: &Totals) -> (Breakdown, Moment) {
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
        let mut peak = (fixed, Moment::Start);
        let mut consider = |candidate: Breakdown, moment: Moment| {
            if candidate.total() > peak.0.total() {
                peak = (candidate, moment);
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
            let mut dying = 0_u64;
            for id in op.inputs.iter().chain(&op.outputs) {
                let root = self.root[id.index()];
                if live[root] && keepers[root] == 0 && self.last_use[root] <= index {
                    live[root] = false;
                    dying = dying.saturating_add(self.bytes_of_root(root));
                }
            }
            let all = if held.takes_over { held_bytes.saturating_sub(dying) } else { held_bytes };
            consider(
                Breakdown {
                    activations: all.saturating_add(extras).saturating_mul(batch).saturating_add(copies),
                    workspace: held.forward.saturating_mul(batch),
                    ..fixed
                },
                Moment::Forward { op: index },
            );
            held_bytes = held_bytes.saturating_sub(dying);
        }
        // The losses read the outputs; then nobody does.
        let judged: u64 =
            self.program.outputs.iter().map(|output| self.bytes(output.value)).fold(0, u64::saturating_add);
        consider(
            Breakdown {
                activations: held_bytes.saturating_add(extras).saturating_mul(batch).saturating_add(copies),
                workspace: judged.saturating_mul(LOSS_FORWARD).saturating_mul(batch),
                ..fixed
            },
            Moment::Loss,
        );
        for output in &self.program.outputs {
            let root = self.root[output.value.index()];
            if live[root] && keepers[root] == 0 {
                live[root] = false;
                held_bytes = held_bytes.saturating_sub(self.bytes_of_root(root));
            }
        }
        consider(
            Breakdown {
                activations: held_bytes.saturating_add(extras).saturating_mul(batch).saturating_add(copies),
                workspace: judged.saturating_mul(LOSS_BACKWARD).saturating_mul(batch),
                ..fixed
            },
            Moment::Loss,
        );

        // Backward: gradients wait for the step that takes them, deepest op first.
        let mut gradients = 0_u64;
        let mut flow = Flow::new(count);
        for output in self.program.outputs.iter().filter(|output| tracked[output.value.index()]) {
            let buffer = flow.make(self.bytes(output.value));
            flow.give(output.value, buffer);
        }
        for index in self.backward_order(&needs) {
            let (op, held) = (&self.program.ops[index], self.held(index));
            let own: u64 = op
                .params
                .iter()
                .map(|id| &self.program.params[id.index()])
                .filter(|spec| spec.trainable)
                .map(|spec| spec.elements().saturating_mul(4))
                .fold(0, u64::saturating_add);
            gradients = gradients.saturating_add(own);
            let got = op.outputs.first().and_then(|&output| flow.take(output));
            for &input in op.inputs.iter().filter(|input| tracked[input.index()]) {
                let buffer = match got {
                    Some(got) if held.passes => flow.share(got),
                    Some(got) if held.in_place && flow.is_alone(got) => flow.share(got),
                    _ => flow.make(self.bytes(input)),
                };
                flow.give(input, buffer);
            }
            consider(
                Breakdown {
                    gradients,
                    activations: held_bytes.saturating_add(extras).saturating_mul(batch).saturating_add(copies),
                    workspace: flow.bytes.saturating_add(held.backward).saturating_mul(batch),
                    ..fixed
                },
                Moment::Backward { op: index, scratch: held.backward.saturating_mul(batch) },
            );
            if let Some(got) = got {
                flow.drop(got);
            }
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
        let update = Breakdown { gradients, activations: 0, workspace: largest.saturating_mul(8), ..fixed };
        consider(update, Moment::Update);
        peak
    }

    /// The ops that gradients flow through in the order of burn's backward pass: by depth in the graph, deepest first.
    fn backward_order(&self, needs: &[bool]) -> Vec<usize> {
        let mut depth = vec![0_u32; self.program.values.len()];
        let mut order = Vec::with_capacity(needs.len());
        for (index, op) in self.program.ops.iter().enumerate().filter(|(index, _)| needs[*index]) {
            let own = op.inputs.iter().map(|input| depth[input.index()]).max().unwrap_or(0) + 1;
            op.outputs.iter().for_each(|output| depth[output.index()] = own);
            order.push((std::cmp::Reverse(own), std::cmp::Reverse(index)));
        }
        order.sort_unstable();
        order.into_iter().map(|(_, index)| index.0).collect()
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
