//! A program with weights on one device: inference, and weights in and out.

use super::error::guard;
use super::host::{download, numbers, size, transpose, upload};
use super::loss::maker;
use super::ops::{Leaf, Pass, Val};
use super::{EngineError, HostTensor, init};
use crate::data::Batch;
use crate::op::{Activation, DType, Op, ParamId, ParamSpec, Program, Shape, ValueId};
use burn::tensor::{Device, FloatDType, Tensor, Transaction, activation};
use std::collections::HashMap;
use std::sync::Arc;

/// A network ready to run.
///
/// Weights are kept as flat tensors outside autodiff, each owned here alone, so that an optimizer step changes them in
/// place; every pass sees them through views.
#[derive(Debug)]
pub struct Network {
    program: Arc<Program>,
    pub(super) params: Vec<Tensor<1>>,
    shapes: Vec<Vec<usize>>,
    device: Device,
}

/// What became of weights that were offered to a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Paths that were set.
    pub matched: Vec<String>,
    /// Parameters of the network that were not offered; they keep their values.
    pub missing: Vec<String>,
    /// Offered names that the network does not have.
    pub unused: Vec<String>,
    /// Offered under the right name with another shape; they keep their values.
    pub mismatched: Vec<Mismatch>,
}

/// A weight of another shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The parameter.
    pub path: String,
    /// Its shape.
    pub expected: Vec<usize>,
    /// The shape offered.
    pub found: Vec<usize>,
}

impl LoadReport {
    /// Whether every parameter was set and nothing was left over.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.unused.is_empty() && self.mismatched.is_empty()
    }
}

impl Network {
    /// Checks the program and draws its weights from the seed and the parameters' paths, the same on every device.
    ///
    /// # Errors
    /// A program that contradicts itself, or a device without room.
    pub fn new(program: Arc<Program>, seed: u64, device: &Device) -> Result<Self, EngineError> {
        check(&program).map_err(|found| EngineError::Program { found })?;
        let device = device.clone().without_autodiff();
        let is_half = program.values.iter().any(|info| info.dtype == DType::F16);
        if is_half && !device.supports_dtype(FloatDType::F16) {
            return Err(EngineError::HalfPrecision);
        }
        let shapes = program.params.iter().map(inner_shape).collect();
        let mut network = Self { program, params: Vec::new(), shapes, device };
        network.params = guard(|| {
            let draw = |(index, spec)| network.upload_param(index, init::initial_values(spec, seed));
            Ok(network.program.params.iter().enumerate().map(draw).collect())
        })?;
        Ok(network)
    }

    /// The program it runs.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Where it runs, outside autodiff.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Runs in inference mode and gives the tapped values, `[n, …]` each.
    ///
    /// # Errors
    /// Images of another size, a tap of another network, or a failing device.
    pub fn forward(&self, images: &Batch, taps: &[ValueId]) -> Result<Vec<HostTensor>, EngineError> {
        self.check_taps(taps)?;
        guard(|| {
            let values = self.infer(images, taps)?;
            let shapes: Vec<_> = values.iter().map(Val::dims).collect();
            let mut read = Transaction::default();
            for value in values {
                read = match value.cast(FloatDType::F32) {
                    Val::T2(x) => read.register(x),
                    Val::T4(x) => read.register(x),
                };
            }
            let data = read.try_execute()?;
            shapes.into_iter().zip(&data).map(|(shape, data)| Ok(HostTensor::new(shape, numbers(data)?))).collect()
        })
    }

    /// Class probabilities per image: softmax of the first output, unless it ends in softmax or sigmoid itself.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn predict(&self, images: &Batch) -> Result<Vec<Vec<f32>>, EngineError> {
        let output = self.main_output()?;
        let is_probability = maker(&self.program, output)
            .is_some_and(|node| matches!(node.op, Op::Activation(Activation::Softmax | Activation::Sigmoid)));
        guard(|| {
            let value = self.infer(images, &[output])?.remove(0).cast(FloatDType::F32);
            let value = match value {
                value if is_probability => value,
                Val::T4(x) if x.dims()[2..] != [1, 1] => Val::T4(activation::softmax(x, 1)),
                value => Val::T2(activation::softmax(value.flat(), 1)),
            };
            rows(&download(value.flat())?)
        })
    }

    /// All parameters in the order of the program, in PyTorch's layout. Waits for the device once.
    ///
    /// # Errors
    /// A failing device.
    pub fn weights(&self) -> Result<Vec<(String, HostTensor)>, EngineError> {
        let tensors = self.params.iter().map(|param| Some(param.clone())).collect();
        let read = self.download_params(tensors)?;
        Ok(self.program.params.iter().zip(read).map(|(spec, t)| (spec.path.clone(), t.unwrap_or_default())).collect())
    }

    /// One parameter, in PyTorch's layout.
    ///
    /// # Errors
    /// An id of another network, or a failing device.
    pub fn parameter(&self, id: ParamId) -> Result<HostTensor, EngineError> {
        let only = |(at, param): (usize, &Tensor<1>)| (at == id.index()).then(|| param.clone());
        let read = self.download_params(self.params.iter().enumerate().map(only).collect())?;
        let lost = || EngineError::Program { found: format!("It has no parameter {}", id.0) };
        read.into_iter().flatten().next().ok_or_else(lost)
    }

    /// Sets the parameters whose path and shape fit; the others keep their values and are named in the report.
    ///
    /// # Errors
    /// A failing device.
    pub fn set_weights(&mut self, weights: &[(String, HostTensor)]) -> Result<LoadReport, EngineError> {
        let mut offered: HashMap<&str, &HostTensor> = weights.iter().map(|(name, t)| (name.as_str(), t)).collect();
        let mut report = LoadReport::default();
        guard(|| {
            for index in 0..self.params.len() {
                let spec = &self.program.params[index];
                let path = spec.path.clone();
                let Some(tensor) = offered.remove(path.as_str()) else {
                    report.missing.push(path);
                    continue;
                };
                let expected: Vec<usize> = spec.shape.iter().map(|&n| size(n)).collect();
                if tensor.shape == expected && tensor.is_consistent() {
                    self.params[index] = self.upload_param(index, tensor.data.clone());
                    report.matched.push(path);
                } else {
                    report.mismatched.push(Mismatch { path, expected, found: tensor.shape.clone() });
                }
            }
            Ok(())
        })?;
        report.unused =
            weights.iter().filter(|(n, _)| offered.contains_key(n.as_str())).map(|(n, _)| n.clone()).collect();
        Ok(report)
    }

    /// The image tensor of a batch, once its size is checked.
    pub(super) fn images(&self, batch: &Batch) -> Result<Val, EngineError> {
        let input =
            self.program.inputs.first().ok_or_else(|| EngineError::Program { found: "It has no input".into() })?;
        let expected = &self.program.value(input.value).shape;
        let [c, h, w] = batch.shape;
        let n = batch.len();
        if n == 0 {
            return Err(EngineError::EmptyBatch);
        }
        let fits = expected.as_map().is_some_and(|(ec, eh, ew)| [size(ec), size(eh), size(ew)] == [c, h, w])
            || expected.as_vector().is_some_and(|features| size(features) == c * h * w);
        if !fits || batch.images.len() != n * c * h * w {
            let found = format!("{n} images of {h} × {w} × {c} in {} numbers", batch.images.len());
            return Err(EngineError::BatchShape { expected: expected.clone(), found });
        }
        let data = batch.images.clone();
        Ok(match expected.as_map() {
            Some(_) => Val::T4(upload(data, [n, c, h, w], &self.device)),
            None => Val::T2(upload(data, [n, c * h * w], &self.device)),
        })
    }

    /// Views of all parameters; those that training changes are leaves of a new graph if `track`.
    pub(super) fn leaves(&self, track: bool) -> Result<Vec<Leaf>, EngineError> {
        self.params
            .iter()
            .zip(&self.shapes)
            .zip(&self.program.params)
            .map(|((param, shape), spec)| {
                let leaf = Leaf::view(param.clone(), shape)
                    .ok_or_else(|| EngineError::Program { found: format!("{} has no usable rank", spec.path) })?;
                Ok(if track && spec.trainable { leaf.tracked() } else { leaf })
            })
            .collect()
    }

    /// Inference, values still on the device. Panics are the caller's.
    pub(super) fn infer(&self, images: &Batch, wanted: &[ValueId]) -> Result<Vec<Val>, EngineError> {
        let params = self.leaves(false)?;
        let pass = Pass { program: &self.program, params: &params, training: false, device: &self.device };
        Ok(pass.run(vec![self.images(images)?], wanted)?.0)
    }

    fn main_output(&self) -> Result<ValueId, EngineError> {
        let output =
            self.program.outputs.first().ok_or_else(|| EngineError::Program { found: "It has no output".into() })?;
        Ok(output.value)
    }

    fn check_taps(&self, taps: &[ValueId]) -> Result<(), EngineError> {
        let values = self.program.values.len();
        match taps.iter().find(|tap| tap.index() >= values) {
            Some(tap) => Err(EngineError::Tap { values, found: tap.0 }),
            None => Ok(()),
        }
    }

    /// Numbers in the spec's layout to the device, flat and in our own layout.
    pub(super) fn upload_param(&self, index: usize, data: Vec<f32>) -> Tensor<1> {
        let count = data.len();
        upload(to_inner(data, &self.shapes[index]), [count], &self.device)
    }

    /// Flat tensors, one per parameter or none, read back in the spec's layout with one wait.
    pub(super) fn download_params(
        &self,
        tensors: Vec<Option<Tensor<1>>>,
    ) -> Result<Vec<Option<HostTensor>>, EngineError> {
        guard(|| {
            let present: Vec<_> = tensors.iter().map(Option::is_some).collect();
            let read = tensors.into_iter().flatten().fold(Transaction::default(), Transaction::register);
            let mut data = read.try_execute()?.into_iter();
            let mut list = Vec::with_capacity(present.len());
            for (index, present) in present.into_iter().enumerate() {
                let Some(data) = present.then(|| data.next()).flatten() else {
                    list.push(None);
                    continue;
                };
                let tensor = HostTensor::new(self.shapes[index].clone(), numbers(&data)?);
                list.push(Some(from_inner(tensor)));
            }
            Ok(list)
        })
    }
}

/// One list per image.
pub(super) fn rows(tensor: &HostTensor) -> Result<Vec<Vec<f32>>, EngineError> {
    let width = tensor.shape.get(1).copied().filter(|&width| width > 0).ok_or(EngineError::EmptyBatch)?;
    Ok(tensor.data.chunks(width).map(<[f32]>::to_vec).collect())
}

/// The shape that the op wants: PyTorch's, except that a dense matrix is `[in, out]`.
pub(super) fn inner_shape(spec: &ParamSpec) -> Vec<usize> {
    let mut shape: Vec<usize> = spec.shape.iter().map(|&n| size(n)).collect();
    if shape.len() == 2 {
        shape.reverse();
    }
    shape
}

/// Numbers in PyTorch's order to those of `shape`, an inner one.
pub(super) fn to_inner(data: Vec<f32>, shape: &[usize]) -> Vec<f32> {
    match *shape {
        [inputs, outputs] => transpose(&data, outputs, inputs),
        _ => data,
    }
}

/// A tensor of an inner shape in PyTorch's layout.
pub(super) fn from_inner(tensor: HostTensor) -> HostTensor {
    if tensor.shape.len() == 2 { tensor.transposed() } else { tensor }
}

/// Everything that the interpreter relies on.
fn check(program: &Program) -> Result<(), String> {
    if program.inputs.len() != 1 {
        return Err(format!("It must have one input and has {}", program.inputs.len()));
    }
    if program.outputs.is_empty() {
        return Err("It has no output".into());
    }
    let mut known = vec![false; program.values.len()];
    for input in &program.inputs {
        *known.get_mut(input.value.index()).ok_or("Its input is not one of its values")? = true;
    }
    for node in &program.ops {
        if !node.inputs.iter().all(|id| known.get(id.index()) == Some(&true)) {
            return Err(format!("{} reads a value that is not computed before it", node.path));
        }
        let shapes = program.input_shapes(node);
        let shape = node.op.output_shape(&shapes).map_err(|error| format!("{}: {error}", node.path))?;
        let [output] = node.outputs[..] else { return Err(format!("{} must have one output", node.path)) };
        if program.values.get(output.index()).map(|info| &info.shape) != Some(&shape) {
            return Err(format!("{} gives {shape}, which is not what the program says", node.path));
        }
        check_params(program, node, &shapes)?;
        if std::mem::replace(&mut known[output.index()], true) {
            return Err(format!("{} gives a value that another op gives", node.path));
        }
    }
    match program.outputs.iter().find(|output| known.get(output.value.index()) != Some(&true)) {
        Some(output) => Err(format!("Output {:?} is not computed", output.name)),
        None => Ok(()),
    }
}

fn check_params(program: &Program, node: &crate::op::OpNode, shapes: &[&Shape]) -> Result<(), String> {
    let wanted =
        node.op.params(shapes, crate::op::Init::default()).map_err(|error| format!("{}: {error}", node.path))?;
    let spec = |id: &ParamId| program.params.get(id.index());
    let found: Vec<_> = node.params.iter().map(|id| spec(id).map(|spec| (&spec.shape, spec.role))).collect();
    if found == wanted.iter().map(|template| Some((&template.shape, template.role))).collect::<Vec<_>>() {
        Ok(())
    } else {
        Err(format!("{} has other parameters than its op needs", node.path))
    }
}
