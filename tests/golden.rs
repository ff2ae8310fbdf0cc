//! Every primitive, forward and backward, against numbers that PyTorch wrote (`tests/golden/make.py`).
#![cfg(feature = "train")]

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use striate::engine::{Device, HostTensor, OpRun, run_op};
use striate::op::{Activation, DType, Op, UpsampleMode};

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    op: Op,
    training: bool,
    inputs: Vec<Numbers>,
    params: BTreeMap<String, Numbers>,
    output: Numbers,
    grad_output: Numbers,
    grads: BTreeMap<String, Numbers>,
    #[serde(default)]
    after: Option<BTreeMap<String, Numbers>>,
}

#[derive(Clone, Deserialize)]
struct Numbers {
    shape: Vec<usize>,
    data: Vec<f32>,
}

impl From<Numbers> for HostTensor {
    fn from(numbers: Numbers) -> Self {
        Self::new(numbers.shape, numbers.data)
    }
}

fn cases() -> Vec<Case> {
    let file: File = serde_json::from_str(include_str!("golden/ops.json")).expect("ops.json must fit the ops");
    file.cases
}

/// What differs, in words; nothing if all numbers agree to 1e-4, relative or absolute.
fn difference(what: &str, got: &HostTensor, wanted: &Numbers) -> Option<String> {
    if got.shape != wanted.shape {
        return Some(format!("{what} has the shape {:?}, PyTorch has {:?}", got.shape, wanted.shape));
    }
    let far = |(a, b): &(&f32, &f32)| (*a - *b).abs() > 1e-4 * b.abs().max(1.0) || a.is_nan();
    let first = got.data.iter().zip(&wanted.data).position(|pair| far(&pair))?;
    Some(format!("{what}[{first}] is {}, PyTorch has {}", got.data[first], wanted.data[first]))
}

const PARAMS: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

fn differences(case: &Case) -> Vec<String> {
    let inputs: Vec<HostTensor> = case.inputs.iter().cloned().map(Into::into).collect();
    let params: Vec<HostTensor> =
        PARAMS.iter().filter_map(|name| case.params.get(*name).cloned()).map(Into::into).collect();
    let gradient = case.grad_output.clone().into();
    let run: OpRun = match run_op(&case.op, &inputs, &params, case.training, Some(&gradient), &Device::flex()) {
        Ok(run) => run,
        Err(error) => return vec![format!("{}: {error}", case.name)],
    };
    let mut found = vec![difference("output", &run.output, &case.output)];
    let trained: Vec<&str> = PARAMS[..2].iter().copied().filter(|name| case.params.contains_key(*name)).collect();
    for (name, wanted) in &case.grads {
        let got = match name.strip_prefix("input").and_then(|n| n.parse::<usize>().ok()) {
            Some(index) => run.input_grads.get(index),
            None => trained.iter().position(|own| own == name).and_then(|index| run.param_grads.get(index)),
        };
        found.push(match got {
            Some(got) => difference(&format!("gradient of {name}"), got, wanted),
            None => Some(format!("no gradient of {name}")),
        });
    }
    let after = case.after.iter().flatten().filter(|_| case.training);
    for (name, wanted) in after {
        let index = usize::from(name == "running_var");
        found.push(match run.running.get(index) {
            Some(got) => difference(name, got, wanted),
            None => Some(format!("{name} was not updated")),
        });
    }
    if !case.training && !run.running.is_empty() {
        found.push(Some("statistics changed outside training".into()));
    }
    found.into_iter().flatten().map(|text| format!("{}: {text}", case.name)).collect()
}

#[test]
fn every_op_and_its_gradients_are_pytorchs() {
    let found: Vec<String> = cases().iter().flat_map(differences).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// Numbers in a scrambled order, 1/16 apart and 1/32 or more from every whole number: no step of 1/64 reaches a kink of an
/// activation (0, ±3, 6) or changes which of a window's numbers is the largest.
fn apart(shape: &[usize], salt: usize) -> HostTensor {
    let count: usize = shape.iter().product();
    assert!(count < 251, "more numbers than places");
    let number = |i: usize| (((i + salt) * 37 % 251) as f32 - 124.5) / 16.0;
    HostTensor::new(shape.to_vec(), (0..count).map(number).collect())
}

/// Weights of the outputs, as many as wanted.
fn spread(shape: &[usize]) -> HostTensor {
    let count: usize = shape.iter().product();
    HostTensor::new(shape.to_vec(), (0..count).map(|i| (i * 37 % 101) as f32 / 32.0 - 1.5).collect())
}

/// Central differences over every input and every trained parameter, one number at a time. The sum over the outputs is taken
/// in 64 bits; what is left is the rounding of the outputs themselves, and a term in the square of the step.
#[test]
fn every_gradient_is_the_slope_of_its_op() {
    const STEP: f32 = 1.0 / 64.0;
    let mut checked = BTreeSet::new();
    let mut wrong = Vec::new();
    for case in cases() {
        let inputs: Vec<HostTensor> = case.inputs.iter().zip(1..).map(|(x, n)| apart(&x.shape, 83 * n)).collect();
        let names: Vec<&str> = PARAMS.into_iter().filter(|name| case.params.contains_key(*name)).collect();
        let trained = names.iter().filter(|name| !name.starts_with("running")).count();
        let params = names.iter().zip(5..).map(|(name, salt)| {
            let mut tensor = apart(&case.params[*name].shape, 31 * salt);
            if *name == "running_var" {
                tensor.data.iter_mut().for_each(|v| *v = v.abs() + 0.5);
            }
            tensor
        });
        let (count, mut all) = (inputs.len(), inputs);
        all.extend(params);
        let run = |all: &[HostTensor], gradient: Option<&HostTensor>| {
            let (inputs, params) = all.split_at(count);
            run_op(&case.op, inputs, params, case.training, gradient, &Device::flex()).expect("the op fits")
        };
        let weights = spread(&case.output.shape);
        let found = run(&all, Some(&weights));
        let gradients: Vec<&HostTensor> = found.input_grads.iter().chain(&found.param_grads).collect();
        assert_eq!(gradients.len(), count + trained, "{}", case.name);
        for (which, gradient) in gradients.into_iter().enumerate() {
            let largest = gradient.data.iter().fold(1.0_f64, |most, v| most.max(f64::from(v.abs())));
            for at in 0..gradient.data.len() {
                let mut moved = |step: f32| {
                    all[which].data[at] += step;
                    let output = run(&all, None).output;
                    all[which].data[at] -= step;
                    output.data
                };
                let (up, down) = (moved(STEP), moved(-STEP));
                let sum: f64 = up
                    .iter()
                    .zip(&down)
                    .zip(&weights.data)
                    .map(|((up, down), weight)| (f64::from(*up) - f64::from(*down)) * f64::from(*weight))
                    .sum();
                let (slope, got) = (sum / f64::from(2.0 * STEP), f64::from(gradient.data[at]));
                if (slope - got).abs() > 2e-3 * largest {
                    wrong.push(format!("{}: gradient {which}[{at}] is {got}, the slope {slope}", case.name));
                    break;
                }
            }
        }
        checked.insert(variant(&case.op));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    // All 32 kinds but the cast, whose steps are no slope.
    assert_eq!(checked.len(), 31, "{checked:?}");
}

/// A new variant stops compiling here, and then asks for a case.
fn variant(op: &Op) -> &'static str {
    match op {
        Op::Conv2d { .. } => "conv",
        Op::ConvTranspose2d { .. } => "transposed conv",
        Op::MaxPool { .. } => "max pool",
        Op::AvgPool { .. } => "avg pool",
        Op::GlobalAvgPool => "global avg pool",
        Op::BatchNorm { .. } => "batch norm",
        Op::LayerNorm { .. } => "layer norm",
        Op::GroupNorm { .. } => "group norm",
        Op::Lrn { .. } => "lrn",
        Op::Dropout { .. } => "dropout",
        Op::Flatten => "flatten",
        Op::Dense { .. } => "dense",
        Op::Activation(kind) => match kind {
            Activation::Relu => "relu",
            Activation::Relu6 => "relu6",
            Activation::LeakyRelu { .. } => "leaky relu",
            Activation::Elu { .. } => "elu",
            Activation::Selu => "selu",
            Activation::Gelu => "gelu",
            Activation::Silu => "silu",
            Activation::HardSwish => "hard swish",
            Activation::HardSigmoid => "hard sigmoid",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::Softmax => "softmax",
        },
        Op::PRelu => "prelu",
        Op::ZeroPad { .. } => "zero pad",
        Op::Upsample { mode: UpsampleMode::Nearest, .. } => "nearest",
        Op::Upsample { mode: UpsampleMode::Bilinear, .. } => "bilinear",
        Op::Add => "add",
        Op::Multiply => "multiply",
        Op::Concat => "concat",
        Op::Cast { .. } => "cast",
    }
}

#[test]
fn every_op_has_a_case() {
    // 20 variants, of which Activation has 12 kinds and Upsample 2 modes: 18 + 12 + 2 = 32. Cast is tested below.
    let seen: BTreeSet<&str> = cases().iter().map(|case| variant(&case.op)).chain(["cast"]).collect();
    assert_eq!(seen.len(), 32, "{seen:?}");
}

#[test]
fn a_cast_to_sixteen_bits_rounds_the_value_and_passes_the_gradient() {
    // Half precision near 2048 has steps of 2: 2049 ties to even, 2048. 1/3 becomes 0.333251953125. Gradients of 2^-3 fit.
    let input = HostTensor::new(vec![1, 2], vec![2049.0, 1.0 / 3.0]);
    let gradient = HostTensor::new(vec![1, 2], vec![0.125, -0.25]);
    let run = run_op(&Op::Cast { to: DType::F16 }, &[input], &[], true, Some(&gradient), &Device::flex()).unwrap();
    assert_eq!(run.output.data, [2048.0, 0.333_251_95]);
    assert_eq!(run.input_grads[0].data, gradient.data);
}

#[test]
fn dropout_zeroes_its_share_and_keeps_the_expectation() {
    // 10,000 ones at rate 0.25: kept ones are 1/0.75; zeroes 2500 ± 43, five sigma allowed.
    let input = HostTensor::new(vec![1, 10_000], vec![1.0; 10_000]);
    let run =
        run_op(&Op::Dropout { rate: 0.25 }, std::slice::from_ref(&input), &[], true, Some(&input), &Device::flex())
            .unwrap();
    let zeroes = run.output.data.iter().filter(|&&v| v == 0.0).count();
    assert!((2284..2717).contains(&zeroes), "{zeroes}");
    assert!(run.output.data.iter().all(|&v| v == 0.0 || (v - 4.0 / 3.0).abs() < 1e-6));
    assert_eq!(run.input_grads[0].data, run.output.data, "the gradient goes where the value went");
}
