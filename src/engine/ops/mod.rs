//! The interpreter: a program's ops as functional calls of burn, values dropped when their last reader ran.
//!
//! Shapes were checked when the program was taken ([`super::Network::new`]); what burn cannot do it reports by panic, which
//! the callers turn into errors.

mod apply;
mod norm;
mod pointwise;
mod upsample;
mod window;

use super::EngineError;
use crate::op::{OpNode, ParamId, Program, ValueId};
use burn::tensor::{DType, Device, Distribution, FloatDType, Tensor};

/// A value of a batch: a vector or a map per image.
#[derive(Clone, Debug)]
pub(super) enum Val {
    /// `[n, features]`
    T2(Tensor<2>),
    /// `[n, c, h, w]`
    T4(Tensor<4>),
}

/// A parameter in the rank its op wants.
#[derive(Clone, Debug)]
pub(super) enum Leaf {
    /// A number per channel.
    R1(Tensor<1>),
    /// A matrix `[in, out]`: the transpose of PyTorch's, so that its gradient comes out contiguous.
    R2(Tensor<2>),
    /// Kernels, in PyTorch's layout.
    R4(Tensor<4>),
}

/// Statistics of a batch, found by a batch norm while training.
#[derive(Debug)]
pub(super) struct BatchStatistics {
    /// The parameters they belong to: running mean, running variance.
    pub(super) params: [ParamId; 2],
    /// Mean and unbiased variance per channel.
    pub(super) values: [Tensor<1>; 2],
    /// Share of this batch in the running statistics.
    pub(super) momentum: f64,
}

impl Val {
    pub(super) fn dims(&self) -> Vec<usize> {
        match self {
            Self::T2(x) => x.dims().to_vec(),
            Self::T4(x) => x.dims().to_vec(),
        }
    }

    pub(super) fn dtype(&self) -> DType {
        match self {
            Self::T2(x) => x.dtype(),
            Self::T4(x) => x.dtype(),
        }
    }

    pub(super) fn cast(self, to: FloatDType) -> Self {
        match self {
            Self::T2(x) => Self::T2(x.cast(to)),
            Self::T4(x) => Self::T4(x.cast(to)),
        }
    }

    /// The same numbers as a leaf of a new graph.
    pub(super) fn tracked(self) -> Self {
        match self {
            Self::T2(x) => Self::T2(x.inner().autodiff().require_grad()),
            Self::T4(x) => Self::T4(x.inner().autodiff().require_grad()),
        }
    }

    /// The same numbers outside any graph.
    pub(super) fn plain(self) -> Self {
        match self {
            Self::T2(x) => Self::T2(x.inner()),
            Self::T4(x) => Self::T4(x.inner()),
        }
    }

    /// Whether a gradient flows back through it.
    pub(super) fn is_tracked(&self) -> bool {
        match self {
            Self::T2(x) => x.is_tracked(),
            Self::T4(x) => x.is_tracked(),
        }
    }

    /// The sum of all numbers, each times its weight.
    pub(super) fn weighed(self, weights: &Self) -> Option<Tensor<1>> {
        match (self, weights) {
            (Self::T2(x), Self::T2(w)) => Some((x * w.clone()).sum()),
            (Self::T4(x), Self::T4(w)) => Some((x * w.clone()).sum()),
            _ => None,
        }
    }

    /// Numbers in ±1 of the same shape and type.
    pub(super) fn noise(&self) -> Self {
        let range = Distribution::Uniform(-1.0, 1.0);
        match self {
            Self::T2(x) => Self::T2(x.random_like(range)),
            Self::T4(x) => Self::T4(x.random_like(range)),
        }
    }

    /// One row per image.
    pub(super) fn flat(self) -> Tensor<2> {
        match self {
            Self::T2(x) => x,
            Self::T4(x) => {
                let [n, channels, h, w] = x.dims();
                x.reshape([n, channels * h * w])
            }
        }
    }
}

impl Leaf {
    /// Numbers in the shape that the op wants: what [`super::net`] keeps flat.
    pub(super) fn view(flat: Tensor<1>, shape: &[usize]) -> Option<Self> {
        Some(match *shape {
            [_] => Self::R1(flat),
            [a, b] => Self::R2(flat.reshape([a, b])),
            [a, b, c, d] => Self::R4(flat.reshape([a, b, c, d])),
            _ => return None,
        })
    }

    /// The same as a leaf of the graph that gradients are wanted of.
    pub(super) fn tracked(self) -> Self {
        match self {
            Self::R1(x) => Self::R1(x.autodiff().require_grad()),
            Self::R2(x) => Self::R2(x.autodiff().require_grad()),
            Self::R4(x) => Self::R4(x.autodiff().require_grad()),
        }
    }

    /// Whether gradients are wanted of it.
    pub(super) fn is_tracked(&self) -> bool {
        match self {
            Self::R1(x) => x.is_tracked(),
            Self::R2(x) => x.is_tracked(),
            Self::R4(x) => x.is_tracked(),
        }
    }

    /// Takes the gradient out, flat.
    pub(super) fn take_grad(&self, gradients: &mut burn::tensor::Gradients) -> Option<Tensor<1>> {
        match self {
            Self::R1(x) => x.grad_remove(gradients),
            Self::R2(x) => x.grad_remove(gradients).map(flatten),
            Self::R4(x) => x.grad_remove(gradients).map(flatten),
        }
    }
}

fn flatten<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let elements = x.shape().num_elements();
    x.reshape([elements])
}

/// One pass over a program.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    /// What is run.
    pub(super) program: &'a Program,
    /// All parameters, by id.
    pub(super) params: &'a [Leaf],
    /// Dropout drops, and batch norm looks at the batch, in ops that are not frozen.
    pub(super) training: bool,
    /// Where small constants are made.
    pub(super) device: &'a Device,
}

impl Pass<'_> {
    /// Runs one op alone; a batch norm's statistics are thrown away.
    pub(super) fn one(&self, node: &OpNode, inputs: Vec<Val>) -> Result<Val, EngineError> {
        self.apply(node, inputs, &mut Vec::new())
    }

    /// Runs what `wanted` depends on and nothing else.
    pub(super) fn run(
        &self,
        inputs: Vec<Val>,
        wanted: &[ValueId],
    ) -> Result<(Vec<Val>, Vec<BatchStatistics>), EngineError> {
        let program = self.program;
        let (needed, mut readers) = readers(program, wanted);
        let mut values: Vec<Option<Val>> = vec![None; program.values.len()];
        for (input, value) in program.inputs.iter().zip(inputs) {
            if let Some(slot) = values.get_mut(input.value.index()) {
                *slot = Some(value);
            }
        }
        let mut statistics = Vec::new();
        for (node, _) in program.ops.iter().zip(needed).filter(|(_, needed)| *needed) {
            let mut inputs = Vec::with_capacity(node.inputs.len());
            for id in &node.inputs {
                let left = &mut readers[id.index()];
                *left -= 1;
                let slot = &mut values[id.index()];
                let value = if *left == 0 { slot.take() } else { slot.clone() };
                inputs.push(value.ok_or_else(|| missing(node))?);
            }
            let output = self.apply(node, inputs, &mut statistics)?;
            if let Some(id) = node.outputs.first() {
                values[id.index()] = Some(output);
            }
        }
        let taken: Option<Vec<_>> = wanted.iter().map(|id| values.get(id.index()).cloned().flatten()).collect();
        let taken = taken.ok_or_else(|| EngineError::Program { found: "A wanted value is not computed".into() })?;
        Ok((taken, statistics))
    }
}

/// Which ops the wanted values depend on, and how often each value is read by them (once more if it is wanted).
pub(super) fn readers(program: &Program, wanted: &[ValueId]) -> (Vec<bool>, Vec<u32>) {
    let mut readers = vec![0_u32; program.values.len()];
    for id in wanted {
        if let Some(count) = readers.get_mut(id.index()) {
            *count += 1;
        }
    }
    let mut needed = vec![false; program.ops.len()];
    for (index, node) in program.ops.iter().enumerate().rev() {
        if node.outputs.iter().any(|id| readers[id.index()] > 0) {
            needed[index] = true;
            for id in &node.inputs {
                readers[id.index()] += 1;
            }
        }
    }
    (needed, readers)
}

fn missing(node: &OpNode) -> EngineError {
    EngineError::Program { found: format!("{} reads a value that nothing computed", node.path) }
}
