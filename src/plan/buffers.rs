//! What lies behind the planned bytes of some ops: every buffer that they hold at the fullest moment of a training step, each as
//! a product of numbers. What parameters, gradients and the optimizer take is read off a [`super::Part`].

use super::cost::{Cost, CostSettings};
use super::dtype::in_dtype;
use super::memory::{Engine, Moment};
use super::replay::{Replay, Step};
use super::shares::{makers, origins};
use crate::op::{Activation, DType, Op, Program, ValueId};
use std::ops::{ControlFlow, Range};

/// One buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// The op that it belongs to, in the program that was planned.
    pub op: usize,
    /// What it holds, in words.
    pub words: String,
    /// What multiplies to its bytes; the last one is the bytes of a number.
    pub factors: Vec<u64>,
}

impl Buffer {
    /// The product.
    pub fn bytes(&self) -> u64 {
        self.factors.iter().fold(1, |product: u64, factor| product.saturating_mul(*factor))
    }
}

/// The buffers that these ops hold at the fullest moment, in the order of the ops: outputs and what is kept besides, gradients
/// of values, scratch space.
pub fn buffers(program: &Program, cost: &Cost, ops: &[Range<usize>]) -> Vec<Buffer> {
    let typed = in_dtype(program, cost.settings.dtype);
    let replay = Replay::new(&typed, cost.settings);
    let listing = Listing::new(&replay, program.ops.len(), ops);
    let mut list = Vec::new();
    let _stopped = replay.training(&cost.totals, &mut |held, moment, step| {
        if held.total() < cost.memory.training_planned_bytes {
            return ControlFlow::Continue(());
        }
        list = listing.list(moment, step);
        ControlFlow::Break(())
    });
    list
}

/// The most that these ops hold of values, copies and scratch space at any one moment of a step, however full that is.
pub fn own_most(program: &Program, cost: &Cost, ops: &[Range<usize>]) -> u64 {
    let typed = in_dtype(program, cost.settings.dtype);
    let replay = Replay::new(&typed, cost.settings);
    let listing = Listing::new(&replay, program.ops.len(), ops);
    let mut most = 0;
    let _whole = replay.training(&cost.totals, &mut |_, moment, step| {
        let held = listing.list(moment, step).iter().map(Buffer::bytes).fold(0, u64::saturating_add);
        most = most.max(held);
        ControlFlow::Continue(())
    });
    most
}

/// What a convolution's way back copies.
const COPIES: &str = "scratch: what it reads, copied twice (channels first, then last)";
const GRADIENTS: &str = "scratch: the gradient it gets, copied twice (channels first, then last)";

/// What is listed, and whose.
struct Listing<'a> {
    replay: &'a Replay<'a>,
    /// By op of the typed program: the op as it was planned.
    origin: Vec<usize>,
    /// By value: the op of the typed program that makes it.
    made_by: Vec<Option<usize>>,
    /// Ops of the typed program that are asked about, in their order.
    wanted: Vec<usize>,
}

impl<'a> Listing<'a> {
    fn new(replay: &'a Replay<'a>, ops: usize, asked: &[Range<usize>]) -> Self {
        let origin = origins(replay, ops);
        let is_asked = |op: &usize| asked.iter().any(|span| span.contains(&origin[*op]));
        let wanted = (0..replay.program.ops.len()).filter(is_asked).collect();
        Self { replay, made_by: makers(replay), wanted, origin }
    }

    fn list(&self, moment: Moment, step: &Step) -> Vec<Buffer> {
        let mut list = Vec::new();
        for &index in &self.wanted {
            let mut push = |words: String, factors: Vec<u64>| {
                if factors.iter().all(|factor| *factor > 0) {
                    list.push(Buffer { op: self.origin[index], words, factors });
                }
            };
            let node = &self.replay.program.ops[index];
            for &output in &node.outputs {
                let root = output.index();
                let is_leaving = step.leaving.contains(&root);
                if self.made_by[root] == Some(index) && (step.live[root] || is_leaving) {
                    push(self.output(index, root, step, moment), self.whole(output));
                }
                let flowing = step.flowing().filter(|(value, _)| *value == output);
                for _ in flowing {
                    push(format!("gradient of the {}, on its way back", self.named(index)), self.whole(output));
                }
            }
            if step.keeps[index] {
                self.besides(index).into_iter().for_each(|(words, factors)| push(words.into(), factors));
            }
            if let Some((at, bytes)) = step.scratch
                && at == index
                && bytes > 0
            {
                self.scratch(index, moment, bytes).into_iter().for_each(|(words, factors)| push(words.into(), factors));
            }
        }
        list
    }

    fn settings(&self) -> CostSettings {
        self.replay.settings
    }

    /// Batch × height × width × channels × bytes of a number.
    fn whole(&self, value: ValueId) -> Vec<u64> {
        let info = self.replay.program.value(value);
        let dims = info.shape.dims_hwc();
        [self.settings().batch].into_iter().chain(dims).chain([info.dtype.bytes()]).collect()
    }

    /// The output of an op, as its layer's reader knows it.
    fn named(&self, index: usize) -> String {
        let node = &self.replay.program.ops[index];
        match &node.op {
            Op::Cast { to } => format!("copy in {}", to.id()),
            op => format!("output of {}", op.name()),
        }
    }

    /// An output that is held, with who still needs it.
    fn output(&self, index: usize, root: usize, step: &Step, moment: Moment) -> String {
        let program = self.replay.program;
        let needs = |at: &usize| {
            step.keeps[*at]
                && self.replay.held[*at].inputs
                && program.ops[*at].inputs.iter().any(|id| self.replay.root[id.index()] == root)
        };
        let keepers: Vec<&str> = (0..program.ops.len()).filter(needs).map(|at| program.ops[at].op.name()).collect();
        let name = self.named(index);
        match (keepers.as_slice(), moment) {
            ([], Moment::Backward { .. }) => format!("{name}, not yet given back"),
            ([], _) => format!("{name}, waiting for what reads it"),
            ([one], _) => format!("{name}, kept: the way back through {one} needs it"),
            ([first, ..], _) => format!("{name}, kept: the ways back through {first} and others need it"),
        }
    }

    /// What an op keeps for its way back beside values.
    fn besides(&self, index: usize) -> Vec<(&'static str, Vec<u64>)> {
        let node = &self.replay.program.ops[index];
        let (Some(&input), Some(&output)) = (node.inputs.first(), node.outputs.first()) else { return Vec::new() };
        let mut list = match &node.op {
            Op::Conv2d { pads, .. } if !pads.is_symmetric() => {
                vec![("padded copy of what it reads", self.whole(input))]
            }
            Op::MaxPool { .. } => {
                let mut factors = self.whole(output);
                // The index of each maximum is an eight-byte number.
                *factors.last_mut().unwrap_or(&mut 0) = 8;
                vec![("index of each maximum", factors)]
            }
            Op::Lrn { .. } => vec![("sums over the neighbours", self.whole(input))],
            Op::Dropout { .. } => vec![("mask of what is dropped", self.whole(output))],
            _ => Vec::new(),
        };
        let copies = self.replay.weight_copies(index);
        if copies > 0 {
            let bytes = DType::F16.bytes();
            list.push(("16-bit copies of its parameters", vec![copies / bytes, bytes]));
        }
        let expected = self.replay.held[index].extra.saturating_mul(self.settings().batch).saturating_add(copies);
        checked(list, expected, "kept besides for the way back")
    }

    /// What an op works with at its moment.
    fn scratch(&self, index: usize, moment: Moment, bytes: u64) -> Vec<(&'static str, Vec<u64>)> {
        let program = self.replay.program;
        let node = &program.ops[index];
        let batch = self.settings().batch;
        let twice = |factors: Vec<u64>| [2].into_iter().chain(factors).collect::<Vec<u64>>();
        let (Some(&input), Some(&output)) = (node.inputs.first(), node.outputs.first()) else { return Vec::new() };
        let weights = || node.params.first().map_or(0, |id| program.params[id.index()].elements());
        let list = match (&node.op, moment) {
            (_, Moment::Update) => {
                let largest = node.params.iter().map(|id| program.params[id.index()].elements()).max().unwrap_or(0);
                vec![("scratch: new values of the largest parameter, two copies", vec![2, largest, 4])]
            }
            (Op::Conv2d { .. } | Op::ConvTranspose2d { .. }, Moment::Forward { .. }) => {
                vec![("scratch: what it reads, copied with the channels last", self.whole(input))]
            }
            (op, _) if self.settings().engine == Engine::Cpu && op.is_pointwise_convolution() => {
                vec![("scratch: gradients of the weights, one set for each image", vec![batch, weights(), 4])]
            }
            (Op::Conv2d { kernel, filters, .. }, _) => {
                let info = program.value(output);
                let channels = program.value(input).shape.channels();
                let pixels = info.shape.elements().unwrap_or(0) / filters.max(&1);
                let (_, height, width) = info.shape.as_map().unwrap_or((0, pixels, 1));
                let taps = kernel[0].saturating_mul(kernel[1]).min(512);
                let threads = channels.min(self.settings().threads);
                let unrolled = vec![batch, height, width, taps, threads, info.dtype.bytes()];
                vec![
                    (COPIES, twice(self.whole(input))),
                    (GRADIENTS, twice(self.whole(output))),
                    ("scratch: patches unrolled, one for each place, tap of the kernel and thread", unrolled),
                ]
            }
            (Op::ConvTranspose2d { .. }, _) => {
                vec![(COPIES, twice(self.whole(input))), (GRADIENTS, twice(self.whole(output)))]
            }
            (Op::Activation(activation), _) if *activation != Activation::Relu => {
                vec![("scratch: the function computed again", self.whole(output))]
            }
            (Op::BatchNorm { .. }, _) => {
                vec![("scratch: what it reads, normalised, and products with it", twice(self.whole(input)))]
            }
            (Op::LayerNorm { .. } | Op::GroupNorm { .. }, _) => {
                vec![("scratch: what it reads, normalised", self.whole(input))]
            }
            (Op::Lrn { .. } | Op::Upsample { .. }, _) => vec![("scratch: as much as it reads", self.whole(input))],
            _ => Vec::new(),
        };
        checked(list, bytes, "scratch space")
    }
}

/// A list that adds up to what is planned; else the sum alone, under a word for all of it.
fn checked(list: Vec<(&'static str, Vec<u64>)>, bytes: u64, word: &'static str) -> Vec<(&'static str, Vec<u64>)> {
    let product = |factors: &Vec<u64>| factors.iter().fold(1, |product: u64, factor| product.saturating_mul(*factor));
    let sum = list.iter().map(|(_, factors)| product(factors)).fold(0, u64::saturating_add);
    if sum == bytes { list } else { vec![(word, vec![bytes])] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Content, Document, Edit, NodeId, Optimizer, Place, apply};
    use crate::layers::{Conv2d, Input, Layer, Padding};
    use crate::plan::{Part, cost, plan};

    fn sum(list: &[Buffer]) -> u64 {
        list.iter().map(Buffer::bytes).sum()
    }

    /// What a part holds beside parameters and what training holds of them.
    fn of_values(part: &Part) -> u64 {
        part.outputs + part.besides + part.flowing + part.scratch
    }

    #[test]
    fn the_buffers_of_every_layer_of_every_preset_add_up_to_its_planned_bytes() {
        let optimizers = ["sgd", "adam"].map(|id| Optimizer::from_id(id).unwrap());
        for preset in crate::presets::ALL {
            let document = crate::presets::find(preset.id).unwrap();
            let plan = plan(&document);
            for (batch, dtype) in [(1, DType::F32), (50, DType::F32), (64, DType::F16)] {
                for (optimizer, engine) in optimizers.into_iter().zip([Engine::Cpu, Engine::Gpu]) {
                    let settings = CostSettings { batch, dtype, optimizer, engine, ..CostSettings::default() };
                    let found = cost(&plan.program, settings);
                    for node in document.graph.nodes.iter().filter_map(|node| plan.node(&[], node.id)) {
                        let list = buffers(&plan.program, &found, &node.spans);
                        let part = found.node(node).planned;
                        assert_eq!(sum(&list), of_values(&part), "{} {settings:?} {list:#?}", preset.id);
                        // Each is a product of what multiplies to it, and none is a sum without a formula.
                        assert!(list.iter().all(|buffer| buffer.factors.len() > 1), "{} {list:#?}", preset.id);
                    }
                }
            }
        }
    }

    fn chain(layers: &[Layer]) -> Document {
        layers.iter().fold(Document::default(), |document, layer| {
            let place = document.graph.nodes.last().map_or(Place::Loose, |node| Place::After(node.id));
            apply(&document, &[], &Edit::Insert { content: Box::new(Content::Layer(layer.clone())), place }).unwrap().0
        })
    }

    /// The start of VGG: its first convolutions keep their output and what ReLU makes of it, each 64 · 224 · 224 · 64 · 4 bytes
    /// for a batch of 64.
    #[test]
    fn a_convolution_with_relu_keeps_its_output_twice() {
        let conv =
            || Layer::from(Conv2d { filters: 64, padding: Padding::Same, activation: relu(), ..Conv2d::default() });
        let input = Layer::from(Input { height: 224, width: 224, channels: 3 });
        let pool = Layer::from_id("max_pool").unwrap();
        let document = chain(&[input, conv(), conv(), pool]);
        let plan = plan(&document);
        let found = cost(&plan.program, CostSettings::default());
        let of = |id: NodeId| buffers(&plan.program, &found, &plan.node(&[], id).unwrap().spans);
        let first = of(document.graph.nodes[1].id);
        let kept: Vec<_> = first.iter().filter(|buffer| buffer.words.contains("kept")).collect();
        let factors = vec![64, 224, 224, 64, 4];
        assert_eq!(kept.iter().map(|buffer| &buffer.factors).collect::<Vec<_>>(), [&factors, &factors], "{first:#?}");
        assert_eq!(kept[0].words, "output of Conv2D, kept: the way back through ReLU needs it");
        assert_eq!(kept[1].words, "output of ReLU, kept: the way back through Conv2D needs it");
        // 64 · 224 · 224 · 64 · 4.
        assert_eq!(kept[0].bytes(), 822_083_584);
    }

    fn relu() -> crate::layers::Act {
        crate::layers::Act::Relu
    }

    #[test]
    fn what_is_freed_at_the_fullest_moment_was_held_at_its_own() {
        let document = crate::presets::find("mnist-cnn").unwrap();
        let plan = plan(&document);
        let found = cost(&plan.program, CostSettings::default());
        for node in document.graph.nodes.iter().filter_map(|node| plan.node(&[], node.id)) {
            let now = sum(&buffers(&plan.program, &found, &node.spans));
            assert!(own_most(&plan.program, &found, &node.spans) >= now);
        }
    }
}
