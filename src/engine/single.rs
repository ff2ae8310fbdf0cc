//! One op alone, forward and backward: for comparing devices with each other and with other frameworks.

use super::error::guard;
use super::host::{download, upload};
use super::net::{from_inner, inner_shape, to_inner};
use super::ops::{Leaf, Pass, Val};
use super::{EngineError, HostTensor};
use crate::op::{Lowering, Op, Shape};
use burn::tensor::{Device, FloatDType};

/// What one op gave.
#[derive(Clone, Debug, PartialEq)]
pub struct OpRun {
    /// Output of the batch.
    pub output: HostTensor,
    /// Gradient of each input, if a gradient of the output was given.
    pub input_grads: Vec<HostTensor>,
    /// Gradient of each trained parameter, in PyTorch's layout.
    pub param_grads: Vec<HostTensor>,
    /// Running mean and variance afterwards, if a batch norm looked at the batch.
    pub running: Vec<HostTensor>,
}

/// Runs one op on a batch: inputs `[n, …]`, parameters in the order and layout of [`Op::params`].
///
/// # Errors
/// Shapes that the op refuses, or a failing device.
pub fn run_op(
    op: &Op,
    inputs: &[HostTensor],
    params: &[HostTensor],
    training: bool,
    output_grad: Option<&HostTensor>,
    device: &Device,
) -> Result<OpRun, EngineError> {
    let refused = |error: &dyn std::fmt::Display| EngineError::Program { found: error.to_string() };
    let mut lowering = Lowering::new();
    let mut ids = Vec::with_capacity(inputs.len());
    for input in inputs {
        let shape = match input.shape[..] {
            [_, c, h, w] => Shape::map(c as u64, h as u64, w as u64),
            [_, features] => Shape::vector(features as u64),
            _ => return Err(refused(&"An input must have two or four axes")),
        };
        ids.push(lowering.input("input", shape).map_err(|error| refused(&error))?);
    }
    let output = lowering.within("op", |lowering| lowering.push(op.clone(), &ids)).map_err(|error| refused(&error))?;
    let program = lowering.finish();
    if params.len() != program.params.len() || !params.iter().chain(inputs).all(HostTensor::is_consistent) {
        return Err(refused(&"The op has another number of parameters or numbers"));
    }
    let device = device.clone().without_autodiff();
    guard(|| {
        let tracks = output_grad.is_some();
        let values: Vec<Val> = inputs.iter().map(|input| value(input, tracks, &device)).collect();
        let mut leaves = Vec::with_capacity(params.len());
        for (spec, tensor) in program.params.iter().zip(params) {
            let shape = inner_shape(spec);
            let flat = upload(to_inner(tensor.data.clone(), &shape), [tensor.data.len()], &device);
            let leaf = Leaf::view(flat, &shape).ok_or_else(|| refused(&"A parameter has no usable rank"))?;
            leaves.push(if tracks && spec.trainable { leaf.tracked() } else { leaf });
        }
        let pass = Pass { program: &program, params: &leaves, training, device: &device };
        let (mut outputs, statistics) = pass.run(values.clone(), &[output])?;
        let result = outputs.remove(0).cast(FloatDType::F32);
        let mut run = OpRun {
            output: read(result.clone())?,
            input_grads: Vec::new(),
            param_grads: Vec::new(),
            running: Vec::new(),
        };
        if let Some(gradient) = output_grad {
            let loss = match (result, value(gradient, false, &device)) {
                (Val::T2(y), Val::T2(g)) => (y * g).sum(),
                (Val::T4(y), Val::T4(g)) => (y * g).sum(),
                _ => return Err(refused(&"The output's gradient has another rank")),
            };
            let mut gradients = loss.backward();
            for (value, input) in values.iter().zip(inputs) {
                let flat = match value {
                    Val::T2(x) => x.grad_remove(&mut gradients).map(download),
                    Val::T4(x) => x.grad_remove(&mut gradients).map(download),
                };
                let zeros = || Ok(HostTensor::new(input.shape.clone(), vec![0.0; input.data.len()]));
                run.input_grads.push(flat.unwrap_or_else(zeros)?);
            }
            for (leaf, spec) in leaves.iter().zip(&program.params).filter(|(leaf, _)| leaf.is_tracked()) {
                let flat = leaf.take_grad(&mut gradients).ok_or_else(|| refused(&"A parameter has no gradient"))?;
                run.param_grads.push(from_inner(HostTensor::new(inner_shape(spec), download(flat)?.data)));
            }
        }
        for found in statistics {
            for (id, new) in found.params.into_iter().zip(found.values) {
                let Some(Leaf::R1(old)) = leaves.get(id.index()).cloned() else { continue };
                run.running.push(download(old.mul_scalar(1.0 - found.momentum).add(new.mul_scalar(found.momentum)))?);
            }
        }
        Ok(run)
    })
}

fn value(tensor: &HostTensor, tracks: bool, device: &Device) -> Val {
    let data = tensor.data.clone();
    if let [n, channels, h, w] = tensor.shape[..] {
        let x = upload(data, [n, channels, h, w], device);
        return Val::T4(if tracks { x.autodiff().require_grad() } else { x });
    }
    let n = tensor.shape.first().copied().unwrap_or(1).max(1);
    let x = upload(data, [n, tensor.data.len() / n], device);
    Val::T2(if tracks { x.autodiff().require_grad() } else { x })
}

fn read(value: Val) -> Result<HostTensor, EngineError> {
    match value {
        Val::T2(x) => download(x),
        Val::T4(x) => download(x),
    }
}
