//! One op on its inputs: the match over every primitive.

use super::pointwise::activation;
use super::{BatchStatistics, Leaf, Pass, Val, missing, norm, upsample, window};
use crate::engine::EngineError;
use crate::engine::host::size;
use crate::op::{DType, Op, OpNode};
use burn::tensor::ops::PadMode;
use burn::tensor::{Distribution, FloatDType, Tensor, activation as act, module};

impl Pass<'_> {
    /// The output of `node`. In a frozen op dropout is off and batch norm uses its running statistics.
    pub(super) fn apply(
        &self,
        node: &OpNode,
        mut inputs: Vec<Val>,
        statistics: &mut Vec<BatchStatistics>,
    ) -> Result<Val, EngineError> {
        match &node.op {
            Op::Add => return add(inputs).ok_or_else(|| missing(node)),
            Op::Multiply => return multiply(inputs).ok_or_else(|| missing(node)),
            Op::Concat => return concat(inputs).ok_or_else(|| missing(node)),
            _ => {}
        }
        let x = inputs.pop().ok_or_else(|| missing(node))?;
        let live = self.training && !node.frozen;
        let vector = |n| self.vector(node, n);
        let both = || Ok::<_, EngineError>((vector(0)?, vector(1)?));
        Ok(match &node.op {
            Op::Conv2d { .. } | Op::ConvTranspose2d { .. } => {
                let (weight, bias) = (self.kernels(node)?, self.bias(node));
                Val::T4(window::convolve(&node.op, map(x, node)?, weight, bias))
            }
            Op::MaxPool { .. } | Op::AvgPool { .. } => Val::T4(window::pool(&node.op, map(x, node)?)),
            Op::GlobalAvgPool => {
                let x = map(x, node)?;
                let [n, channels, h, w] = x.dims();
                Val::T2(x.reshape([n, channels, h * w]).mean_dim(2).reshape([n, channels]))
            }
            Op::BatchNorm { eps, momentum } if live => {
                let (weight, bias) = both()?;
                let (output, values) = match x {
                    Val::T2(x) => {
                        let (y, values) = norm::batch_norm_live(x, weight, bias, *eps);
                        (Val::T2(y), values)
                    }
                    Val::T4(x) => {
                        let (y, values) = norm::batch_norm_live(x, weight, bias, *eps);
                        (Val::T4(y), values)
                    }
                };
                let (Some(&mean), Some(&variance)) = (node.params.get(2), node.params.get(3)) else {
                    return Err(missing(node));
                };
                statistics.push(BatchStatistics { params: [mean, variance], values, momentum: *momentum });
                output
            }
            Op::BatchNorm { eps, .. } => {
                let (weight, bias) = both()?;
                let (mean, variance) = (vector(2)?, vector(3)?);
                let scale = weight / variance.add_scalar(*eps).sqrt();
                let shift = bias - mean * scale.clone();
                match x {
                    Val::T2(x) => Val::T2(norm::scale_shift(x, scale, shift)),
                    Val::T4(x) => Val::T4(norm::scale_shift(x, scale, shift)),
                }
            }
            Op::LayerNorm { eps } => {
                let (weight, bias) = both()?;
                match x {
                    Val::T2(x) => Val::T2(module::layer_norm(x, weight, Some(bias), *eps)),
                    Val::T4(x) => Val::T4(norm::channel_norm(x, weight, bias, *eps)),
                }
            }
            Op::GroupNorm { groups, eps } => {
                let (weight, bias) = both()?;
                let groups = size(*groups);
                match x {
                    Val::T2(x) => Val::T2(norm::group_norm(x, groups, weight, bias, *eps)),
                    Val::T4(x) => Val::T4(norm::group_norm(x, groups, weight, bias, *eps)),
                }
            }
            Op::Lrn { window, alpha, beta, k } => {
                Val::T4(norm::local_response_norm(map(x, node)?, size(*window), [*alpha, *beta, *k]))
            }
            Op::Dropout { rate } if live && *rate > 0.0 => match x {
                Val::T2(x) => Val::T2(dropout(x, *rate)),
                Val::T4(x) => Val::T4(dropout(x, *rate)),
            },
            Op::Dropout { .. } => x,
            Op::Flatten => Val::T2(x.flat()),
            Op::Dense { .. } => {
                let Val::T2(x) = x else { return Err(missing(node)) };
                let Some(Leaf::R2(weight)) = self.leaf(node, 0) else { return Err(missing(node)) };
                let to: FloatDType = x.dtype().into();
                Val::T2(module::linear(x, weight.cast(to), self.bias(node).map(|bias| bias.cast(to))))
            }
            Op::Activation(kind) => match x {
                Val::T2(x) => Val::T2(activation(*kind, x)),
                Val::T4(x) => Val::T4(activation(*kind, x)),
            },
            Op::PRelu => {
                let slopes = vector(0)?.cast::<FloatDType>(x.dtype().into());
                match x {
                    Val::T2(x) => Val::T2(act::prelu(x, slopes)),
                    Val::T4(x) => Val::T4(act::prelu(x, slopes)),
                }
            }
            Op::ZeroPad { pads } => Val::T4(map(x, node)?.pad(window::pairs(*pads), PadMode::Constant(0.0))),
            Op::Upsample { scale, mode } => Val::T4(upsample::upsample(map(x, node)?, *scale, *mode, self.device)),
            Op::Cast { to } => x.cast(match to {
                DType::F32 => FloatDType::F32,
                DType::F16 => FloatDType::F16,
            }),
            Op::Add | Op::Multiply | Op::Concat => return Err(missing(node)),
        })
    }

    fn leaf(&self, node: &OpNode, index: usize) -> Option<Leaf> {
        node.params.get(index).and_then(|id| self.params.get(id.index())).cloned()
    }

    fn vector(&self, node: &OpNode, index: usize) -> Result<Tensor<1>, EngineError> {
        match self.leaf(node, index) {
            Some(Leaf::R1(x)) => Ok(x),
            _ => Err(missing(node)),
        }
    }

    fn kernels(&self, node: &OpNode) -> Result<Tensor<4>, EngineError> {
        match self.leaf(node, 0) {
            Some(Leaf::R4(x)) => Ok(x),
            _ => Err(missing(node)),
        }
    }

    fn bias(&self, node: &OpNode) -> Option<Tensor<1>> {
        self.vector(node, 1).ok()
    }
}

fn map(x: Val, node: &OpNode) -> Result<Tensor<4>, EngineError> {
    match x {
        Val::T4(x) => Ok(x),
        Val::T2(_) => Err(missing(node)),
    }
}

/// Zeroes a share of the values and scales the others so that the expectation stays.
fn dropout<const D: usize>(x: Tensor<D>, rate: f64) -> Tensor<D> {
    let keep = 1.0 - rate;
    let mask = x.random_like(Distribution::Bernoulli(keep)).mul_scalar(1.0 / keep);
    x * mask
}

fn add(values: Vec<Val>) -> Option<Val> {
    values.into_iter().map(Some).reduce(|a, b| match (a?, b?) {
        (Val::T2(a), Val::T2(b)) => Some(Val::T2(a + b)),
        (Val::T4(a), Val::T4(b)) => Some(Val::T4(a + b)),
        _ => None,
    })?
}

/// A vector beside a map scales its channels.
fn multiply(values: Vec<Val>) -> Option<Val> {
    values.into_iter().reduce(|a, b| match (a, b) {
        (Val::T2(a), Val::T2(b)) => Val::T2(a * b),
        (a, b) => Val::T4(as_map(a) * as_map(b)),
    })
}

fn as_map(x: Val) -> Tensor<4> {
    match x {
        Val::T4(x) => x,
        Val::T2(x) => {
            let [n, c] = x.dims();
            x.reshape([n, c, 1, 1])
        }
    }
}

fn concat(values: Vec<Val>) -> Option<Val> {
    let (mut vectors, mut maps) = (Vec::new(), Vec::new());
    for value in values {
        match value {
            Val::T2(x) => vectors.push(x),
            Val::T4(x) => maps.push(x),
        }
    }
    match (vectors.is_empty(), maps.is_empty()) {
        (false, true) => Some(Val::T2(Tensor::cat(vectors, 1))),
        (true, false) => Some(Val::T4(Tensor::cat(maps, 1))),
        _ => None,
    }
}
