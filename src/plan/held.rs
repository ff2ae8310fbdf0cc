//! What the engine keeps of each op for its backward pass, and the scratch space that it works with.

use super::cost::CostSettings;
use super::memory::Engine;
use crate::op::{Activation, Op, Program};

/// What the engine keeps of one op for the backward pass, and its scratch space, in bytes for one image unless said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Keeps what it reads.
    pub(super) inputs: bool,
    /// Keeps what it makes.
    pub(super) output: bool,
    /// Further bytes kept per image: indices, masks, normalised copies.
    pub(super) extra: u64,
    /// Scratch per image while forward runs.
    pub(super) forward: u64,
    /// Scratch per image while backward runs.
    pub(super) backward: u64,
    /// Whether the gradient it gets is overwritten with the one it gives, if nobody else waits for it.
    pub(super) in_place: bool,
    /// Whether the gradient it gets is the gradient it gives.
    pub(super) passes: bool,
    /// Whether its output takes over the memory of its input, if nobody else needs that.
    pub(super) takes_over: bool,
}

/// What burn 0.22 keeps and needs for an op.
///
/// # Source
/// burn-autodiff `ops/{module,activation,tensor}.rs` (what each backward step captures) and burn-flex `ops/conv.rs`
/// (NHWC copies), checked against the counting allocator by the engine's tests.
pub(super) fn held(program: &Program, settings: CostSettings, index: usize) -> Held {
    let node = &program.ops[index];
    let read: u64 = node.inputs.iter().map(|&id| program.value_bytes(id)).fold(0, u64::saturating_add);
    let made: u64 = node.outputs.iter().map(|&id| program.value_bytes(id)).fold(0, u64::saturating_add);
    match &node.op {
        // A matrix product per image, and one matrix of gradients for each until they are summed.
        op if settings.engine == Engine::Cpu && op.is_pointwise_convolution() => {
            let weights = node.params.first().map_or(0, |id| program.params[id.index()].elements());
            Held { inputs: true, backward: weights.saturating_mul(4), ..Held::default() }
        }
        Op::Conv2d { kernel, stride, groups, pads, filters, .. } => {
            let channels = program.input_shapes(node).first().map_or(1, |shape| shape.channels());
            let padded = if pads.is_symmetric() { 0 } else { read };
            let pointwise = *kernel == [1, 1] && *stride == [1, 1] && pads.is_zero();
            let few = channels <= 4 && *filters <= 16;
            let direct = pointwise || (*groups == channels && channels == *filters) || (*groups == 1 && few);
            // The gradient of the weights is a convolution of the input with the output's gradient as kernel: both are
            // copied twice (channels first, then NHWC), and each thread unrolls one patch per kernel position.
            let taps = kernel[0].saturating_mul(kernel[1]);
            let unrolled =
                (made / filters.max(&1)).saturating_mul(taps.min(512)).saturating_mul(channels.min(settings.threads));
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
            let maxima = program.output_shape(node).elements().unwrap_or(u64::MAX);
            Held { inputs: true, extra: maxima.saturating_mul(8), ..Held::default() }
        }
        Op::AvgPool { .. } | Op::Dense { .. } | Op::PRelu | Op::Multiply => Held { inputs: true, ..Held::default() },
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
