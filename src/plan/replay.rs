//! The planned bytes: replays a program as the engine runs it, what each op keeps for the backward pass, what it needs while
//! it works, and when each value is dropped. Engine tests compare it with real allocations.

use super::cost::{CostSettings, Totals};
use super::held::{Held, held};
use super::memory::{Breakdown, Moment};
use crate::op::{DType, Program, ValueId};
use std::ops::ControlFlow;

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

/// What waits in the backward pass: gradients of values, each in a buffer that several may share.
pub(super) struct Flow {
    of: Vec<Option<usize>>,
    /// The value that each was made for, bytes for one image, and holders.
    buffers: Vec<(ValueId, u64, u32)>,
    /// Bytes for one image in all buffers.
    bytes: u64,
}

impl Flow {
    fn new(values: usize) -> Self {
        Self { of: vec![None; values], buffers: Vec::new(), bytes: 0 }
    }

    /// A new buffer with one holder.
    fn make(&mut self, value: ValueId, bytes: u64) -> usize {
        self.bytes = self.bytes.saturating_add(bytes);
        self.buffers.push((value, bytes, 1));
        self.buffers.len() - 1
    }

    fn share(&mut self, buffer: usize) -> usize {
        self.buffers[buffer].2 += 1;
        buffer
    }

    fn is_alone(&self, buffer: usize) -> bool {
        self.buffers[buffer].2 == 1
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
        let (_, bytes, holders) = &mut self.buffers[buffer];
        *holders -= 1;
        if *holders == 0 {
            self.bytes = self.bytes.saturating_sub(*bytes);
        }
    }
}

/// Who holds what at one moment of a training step.
pub(super) struct Step {
    /// By value: whether its memory is held.
    pub(super) live: Vec<bool>,
    /// Values that go right after this moment.
    pub(super) leaving: Vec<usize>,
    /// By op: whether it keeps what it needs besides values for its way back.
    pub(super) keeps: Vec<bool>,
    /// By op: whether this batch's gradients of its parameters exist.
    pub(super) has_gradient: Vec<bool>,
    /// Whether the gradients of earlier batches of the step are held as well, as a sum for each parameter.
    pub(super) has_sums: bool,
    flow: Flow,
    /// The op at work and its scratch space in bytes.
    pub(super) scratch: Option<(usize, u64)>,
    /// Bytes that the losses hold.
    pub(super) loss: u64,
}

impl Step {
    fn new(values: usize, ops: usize) -> Self {
        Self {
            live: vec![false; values],
            leaving: Vec::new(),
            keeps: vec![false; ops],
            has_gradient: vec![false; ops],
            has_sums: false,
            flow: Flow::new(values),
            scratch: None,
            loss: 0,
        }
    }

    /// Gradients under way: the value that each buffer was made for, and its bytes for one image.
    pub(super) fn flowing(&self) -> impl Iterator<Item = (ValueId, u64)> {
        self.flow.buffers.iter().filter(|(.., holders)| *holders > 0).map(|(value, bytes, _)| (*value, *bytes))
    }
}

/// Cross entropy holds the wanted scores and the powers of e beside its scores, and on the way back a gradient as well: so
/// many values of the size of the scores.
const LOSS_FORWARD: u64 = 2;
const LOSS_BACKWARD: u64 = 3;

pub(super) struct Replay<'a> {
    pub(super) program: &'a Program,
    pub(super) settings: CostSettings,
    pub(super) root: Vec<usize>,
    /// Index of the last op that reads each root.
    last_use: Vec<usize>,
    /// What is kept of each op, and its scratch space.
    pub(super) held: Vec<Held>,
    /// By value: whether it enters from outside.
    enters: Vec<bool>,
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
        let held = (0..program.ops.len()).map(|index| held(program, settings, index)).collect();
        let mut enters = vec![false; program.values.len()];
        program.inputs.iter().for_each(|input| enters[input.value.index()] = true);
        Self { program, settings, root, last_use, held, enters }
    }

    pub(super) fn bytes(&self, id: ValueId) -> u64 {
        self.program.value_bytes(id)
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
            peak = peak.max(now.saturating_add(self.held[index].forward).saturating_add(self.weight_copies(index)));
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

    /// Walks through a training step and shows each moment of it until it is told to stop: what is held then, and by whom.
    pub(super) fn training(
        &self,
        totals: &Totals,
        look: &mut dyn FnMut(&Breakdown, Moment, &Step) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let batch = self.settings.batch;
        let parameters = totals.params().saturating_add(totals.state).saturating_mul(4);
        let optimizer =
            totals.trainable.saturating_mul(4).saturating_mul(self.settings.optimizer.state_per_parameter());
        let images: u64 = self.program.inputs.iter().map(|input| self.bytes(input.value)).fold(0, u64::saturating_add);
        let images = images.saturating_mul(self.settings.images());
        // The fullest batch of a step with several is one behind the first: it finds the gradients of those before it.
        let has_sums = self.settings.accumulate > 1;
        let sums = if has_sums { totals.trainable.saturating_mul(4) } else { 0 };
        let fixed = Breakdown { parameters, gradients: sums, optimizer, batch: images, ..Breakdown::default() };

        // Forward: values live until their last reader ran, kept ones until their op's backward step.
        let (needs, tracked) = self.needs_gradient();
        let count = self.program.values.len();
        let mut keepers = vec![0_u32; count];
        let mut step = Step::new(count, self.program.ops.len());
        step.has_sums = has_sums;
        let mut extras = 0_u64;
        let mut copies = 0_u64;
        let mut held_bytes = 0_u64;
        look(&fixed, Moment::Start, &step)?;
        for (index, op) in self.program.ops.iter().enumerate() {
            let held = self.held[index];
            for &output in &op.outputs {
                let root = self.root[output.index()];
                if root == output.index() {
                    step.live[root] = true;
                    held_bytes = held_bytes.saturating_add(self.bytes(output));
                }
            }
            if needs[index] {
                for root in self.kept(index, held) {
                    keepers[root] += 1;
                }
                step.keeps[index] = true;
                extras = extras.saturating_add(held.extra);
                copies = copies.saturating_add(self.weight_copies(index));
            }
            let mut dying = 0_u64;
            step.leaving.clear();
            for id in op.inputs.iter().chain(&op.outputs) {
                let root = self.root[id.index()];
                if step.live[root] && keepers[root] == 0 && self.last_use[root] <= index {
                    step.live[root] = false;
                    dying = dying.saturating_add(self.bytes_of_root(root));
                    if !held.takes_over {
                        step.leaving.push(root);
                    }
                }
            }
            let all = if held.takes_over { held_bytes.saturating_sub(dying) } else { held_bytes };
            step.scratch = Some((index, held.forward.saturating_mul(batch)));
            look(
                &Breakdown {
                    activations: all.saturating_add(extras).saturating_mul(batch).saturating_add(copies),
                    workspace: held.forward.saturating_mul(batch),
                    ..fixed
                },
                Moment::Forward { op: index },
                &step,
            )?;
            held_bytes = held_bytes.saturating_sub(dying);
        }
        // The losses read the outputs; then nobody does.
        let judged: u64 =
            self.program.outputs.iter().map(|output| self.bytes(output.value)).fold(0, u64::saturating_add);
        step.leaving.clear();
        step.scratch = None;
        step.loss = judged.saturating_mul(LOSS_FORWARD).saturating_mul(batch);
        look(
            &Breakdown {
                activations: held_bytes.saturating_add(extras).saturating_mul(batch).saturating_add(copies),
                workspace: step.loss,
                ..fixed
            },
            Moment::Loss,
            &step,
        )?;
        for output in &self.program.outputs {
            let root = self.root[output.value.index()];
            if step.live[root] && keepers[root] == 0 {
                step.live[root] = false;
                held_bytes = held_bytes.saturating_sub(self.bytes_of_root(root));
            }
        }
        step.loss = judged.saturating_mul(LOSS_BACKWARD).saturating_mul(batch);
        look(
            &Breakdown {
                activations: held_bytes.saturating_add(extras).saturating_mul(batch).saturating_add(copies),
                workspace: step.loss,
                ..fixed
            },
            Moment::Loss,
            &step,
        )?;
        step.loss = 0;

        // Backward: gradients wait for the step that takes them, deepest op first.
        let mut gradients = 0_u64;
        for output in self.program.outputs.iter().filter(|output| tracked[output.value.index()]) {
            let buffer = step.flow.make(output.value, self.bytes(output.value));
            step.flow.give(output.value, buffer);
        }
        for index in self.backward_order(&needs) {
            let (op, held) = (&self.program.ops[index], self.held[index]);
            gradients = gradients.saturating_add(self.trained_bytes(index));
            step.has_gradient[index] = true;
            let got = op.outputs.first().and_then(|&output| step.flow.take(output));
            for &input in op.inputs.iter().filter(|input| tracked[input.index()]) {
                let buffer = match got {
                    Some(got) if held.passes => step.flow.share(got),
                    Some(got) if held.in_place && step.flow.is_alone(got) => step.flow.share(got),
                    _ => step.flow.make(input, self.bytes(input)),
                };
                step.flow.give(input, buffer);
            }
            let scratch = held.backward.saturating_mul(batch);
            step.scratch = Some((index, scratch));
            look(
                &Breakdown {
                    gradients: sums.saturating_add(gradients),
                    activations: held_bytes.saturating_add(extras).saturating_mul(batch).saturating_add(copies),
                    workspace: step.flow.bytes.saturating_add(held.backward).saturating_mul(batch),
                    ..fixed
                },
                Moment::Backward { op: index, scratch },
                &step,
            )?;
            if let Some(got) = got {
                step.flow.drop(got);
            }
            step.keeps[index] = false;
            extras = extras.saturating_sub(held.extra);
            copies = copies.saturating_sub(self.weight_copies(index));
            for root in self.kept(index, held) {
                keepers[root] = keepers[root].saturating_sub(1);
                if keepers[root] == 0 && step.live[root] {
                    step.live[root] = false;
                    held_bytes = held_bytes.saturating_sub(self.bytes_of_root(root));
                }
            }
        }
        // The optimizer's step: all gradients, and the new values of the largest parameter beside the old. No value is left.
        let trained = self.program.params.iter().filter(|spec| spec.trainable);
        let largest = trained.max_by_key(|spec| spec.elements());
        let workspace = largest.map_or(0, crate::op::ParamSpec::elements).saturating_mul(8);
        step.scratch = largest.map(|spec| (spec.op as usize, workspace));
        step.live.fill(false);
        step.has_sums = false;
        step.flow = Flow::new(0);
        look(&Breakdown { gradients, activations: 0, workspace, ..fixed }, Moment::Update, &step)
    }

    /// Bytes of the gradients of an op's parameters.
    pub(super) fn trained_bytes(&self, index: usize) -> u64 {
        let params = self.program.ops[index].params.iter().map(|id| &self.program.params[id.index()]);
        let trained = params.filter(|spec| spec.trainable);
        trained.map(|spec| spec.elements().saturating_mul(4)).fold(0, u64::saturating_add)
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

    pub(super) fn bytes_of_root(&self, root: usize) -> u64 {
        self.bytes(ValueId(u32::try_from(root).unwrap_or(u32::MAX)))
    }

    /// The roots an op keeps; the batch itself is counted apart.
    fn kept(&self, index: usize, held: Held) -> impl Iterator<Item = usize> {
        let op = &self.program.ops[index];
        let inputs = op.inputs.iter().filter(move |_| held.inputs);
        let outputs = op.outputs.iter().filter(move |_| held.output);
        inputs.chain(outputs).map(|id| self.root[id.index()]).filter(|root| !self.enters[*root])
    }

    /// Bytes of the 16-bit copies of an op's parameters, which stay f32 themselves.
    pub(super) fn weight_copies(&self, index: usize) -> u64 {
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
