//! Every kind of op explained, cell by cell: the shown arithmetic must give the tensor's number.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use super::explain::explain;
use super::protocol::{Cell, ExplainReport, ExplainRequest, How, ImageRef, Tap};
use super::{EngineError, HostTensor, Network};
use crate::data::{Batch, BatchTarget};
use crate::op::{Activation, DType, Lowering, Op, Pads, ParamRole, Shape, UpsampleMode, ValueId};
use burn::tensor::Device;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Numbers between −1 and 1 that look drawn at random; the same every time.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let mut next = || {
        // Numerical Recipes' generator.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(u16::try_from(state >> 16).unwrap_or(0)) / 32_768.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn network(shape: &Shape, build: impl FnOnce(&mut Lowering, ValueId) -> ValueId) -> (Network, Batch) {
    let mut lowering = Lowering::new();
    let input = lowering.input("input", shape.clone()).unwrap();
    let output = build(&mut lowering, input);
    lowering.output("output", output);
    let mut network = Network::new(Arc::new(lowering.finish()), 3, &Device::flex()).unwrap();
    let weights: Vec<_> = (0..)
        .zip(&network.program().params)
        .map(|(seed, spec)| {
            let shape: Vec<usize> = spec.shape.iter().map(|&n| usize::try_from(n).unwrap()).collect();
            let mut data = numbers(shape.iter().product(), seed);
            if spec.role == ParamRole::RunningVar {
                data.iter_mut().for_each(|value| *value = value.abs() + 0.5);
            }
            (spec.path.clone(), HostTensor::new(shape, data))
        })
        .collect();
    assert!(network.set_weights(&weights).unwrap().is_complete());
    let dims: Vec<usize> = shape.dims().iter().map(|&n| usize::try_from(n).unwrap()).collect();
    let shape = match dims[..] {
        [c, h, w] => [c, h, w],
        _ => [1, 1, dims[0]],
    };
    let images = numbers(dims.iter().product(), 77);
    (network, Batch { images, shape, target: BatchTarget::None, indices: vec![0] })
}

fn ask(network: &Network, batch: &Batch, layer: &str, cell: Cell) -> Result<ExplainReport, EngineError> {
    explain(network, batch, &ExplainRequest::new(ImageRef::File("none".into()), layer, cell))
}

/// Explains every cell of the op's output and holds each step's arithmetic against the tensor.
fn check(op: &Op, shape: &Shape, build: impl FnOnce(&mut Lowering, ValueId) -> ValueId) {
    let (network, batch) = network(shape, build);
    let program = Arc::clone(network.program());
    let value = program.outputs[0].value;
    let truth = network.forward(&batch, &[value]).unwrap().remove(0);
    let (channels, height, width) =
        program.value(value).shape.as_map().unwrap_or((program.value(value).shape.channels(), 1, 1));
    let mut at = 0;
    for channel in 0..channels {
        for y in 0..height {
            for x in 0..width {
                let report = ask(&network, &batch, "op", Cell::new(channel, y, x)).unwrap();
                let last = report.steps.last().unwrap();
                assert_eq!(last.op, op.name());
                assert!((report.value - truth.data[at]).abs() < 1e-7 && (last.value - report.value).abs() < 1e-7);
                for step in &report.steps {
                    let error = (step.how.result() - f64::from(step.value)).abs();
                    assert!(error < 1e-4, "{} {op:?} at {:?}: {error}\n{:?}", step.path, step.cell, step.how);
                }
                at += 1;
            }
        }
    }
    assert_eq!(at, truth.data.len());
}

/// A number for each kind: a kind that this sweep forgets is named by the compiler or by the test.
fn kind(op: &Op) -> usize {
    match op {
        Op::Conv2d { .. } => 0,
        Op::ConvTranspose2d { .. } => 1,
        Op::MaxPool { .. } => 2,
        Op::AvgPool { .. } => 3,
        Op::GlobalAvgPool => 4,
        Op::BatchNorm { .. } => 5,
        Op::LayerNorm { .. } => 6,
        Op::GroupNorm { .. } => 7,
        Op::Lrn { .. } => 8,
        Op::Dropout { .. } => 9,
        Op::Flatten => 10,
        Op::Dense { .. } => 11,
        Op::Activation(_) => 12,
        Op::PRelu => 13,
        Op::ZeroPad { .. } => 14,
        Op::Upsample { .. } => 15,
        Op::Add => 16,
        Op::Multiply => 17,
        Op::Concat => 18,
        Op::Cast { .. } => 19,
    }
}

const KINDS: usize = 20;

/// Ops of one input, on maps of 4 × 6 × 7.
fn on_maps() -> Vec<Op> {
    let pads = Pads { top: 0, bottom: 1, left: 1, right: 2 };
    let conv = |kernel, stride, dilation, groups, pads| Op::Conv2d {
        filters: 6,
        kernel,
        stride,
        dilation,
        groups,
        pads,
        bias: groups == 1,
    };
    let transposed = |kernel, stride, dilation, groups, padding, output_padding| Op::ConvTranspose2d {
        filters: 6,
        kernel,
        stride,
        dilation,
        groups,
        padding,
        output_padding,
        bias: groups == 1,
    };
    let average = |ceil, count_padding| Op::AvgPool {
        kernel: [3, 2],
        stride: [2, 2],
        pads: Pads::symmetric(1, 1),
        ceil,
        count_padding,
    };
    let mut ops = vec![
        conv([3, 3], [1, 1], [1, 1], 1, Pads::default()),
        conv([3, 2], [2, 1], [1, 2], 2, pads),
        transposed([3, 3], [2, 2], [1, 1], 1, [1, 1], [1, 1]),
        transposed([2, 3], [1, 3], [2, 1], 2, [0, 1], [0, 0]),
        Op::MaxPool { kernel: [2, 2], stride: [2, 2], pads: Pads::default(), ceil: true },
        Op::MaxPool { kernel: [3, 3], stride: [2, 1], pads: Pads::symmetric(1, 1), ceil: false },
        average(false, true),
        average(false, false),
        average(true, true),
        average(true, false),
        Op::GlobalAvgPool,
        Op::BatchNorm { eps: 1e-5, momentum: 0.1 },
        Op::LayerNorm { eps: 1e-5 },
        Op::GroupNorm { groups: 2, eps: 1e-5 },
        Op::Lrn { window: 3, alpha: 0.5, beta: 0.75, k: 1.0 },
        Op::Lrn { window: 2, alpha: 0.5, beta: 0.75, k: 2.0 },
        Op::Dropout { rate: 0.5 },
        Op::Flatten,
        Op::PRelu,
        Op::ZeroPad { pads },
        Op::Upsample { scale: [2, 3], mode: UpsampleMode::Nearest },
        Op::Upsample { scale: [2, 3], mode: UpsampleMode::Bilinear },
        Op::Cast { to: DType::F32 },
    ];
    ops.extend(activations().map(Op::Activation));
    ops
}

fn activations() -> impl Iterator<Item = Activation> {
    use Activation as A;
    [A::Relu, A::Relu6, A::Elu { alpha: 0.7 }, A::Selu, A::Gelu, A::Silu, A::HardSwish, A::HardSigmoid]
        .into_iter()
        .chain([A::LeakyRelu { slope: 0.2 }, A::Sigmoid, A::Tanh, A::Softmax])
}

/// Ops of one input, on vectors of 12.
fn on_vectors() -> Vec<Op> {
    let mut ops = vec![
        Op::Dense { features: 5, bias: true },
        Op::Dense { features: 5, bias: false },
        Op::BatchNorm { eps: 1e-5, momentum: 0.1 },
        Op::LayerNorm { eps: 1e-5 },
        Op::GroupNorm { groups: 3, eps: 1e-5 },
        Op::PRelu,
        Op::Dropout { rate: 0.5 },
    ];
    ops.extend(activations().map(Op::Activation));
    ops
}

#[test]
fn the_shown_arithmetic_gives_the_tensors_number_for_every_kind_of_op() {
    let mut seen = BTreeSet::new();
    let push = |l: &mut Lowering, name: &str, op: &Op, inputs: &[ValueId]| {
        l.within(name, |l| l.push(op.clone(), inputs)).unwrap()
    };
    for op in on_maps() {
        seen.insert(kind(&op));
        check(&op, &Shape::map(4, 6, 7), |l, input| push(l, "op", &op, &[input]));
    }
    for op in on_vectors() {
        seen.insert(kind(&op));
        check(&op, &Shape::vector(12), |l, input| push(l, "op", &op, &[input]));
    }
    for op in [Op::Add, Op::Multiply, Op::Concat] {
        seen.insert(kind(&op));
        check(&op, &Shape::map(4, 6, 7), |l, input| {
            let tanh = push(l, "tanh", &Op::Activation(Activation::Tanh), &[input]);
            push(l, "op", &op, &[input, tanh, input])
        });
    }
    // A vector beside a map scales its channels.
    check(&Op::Multiply, &Shape::map(4, 6, 7), |l, input| {
        let mean = push(l, "mean", &Op::GlobalAvgPool, &[input]);
        push(l, "op", &Op::Multiply, &[input, mean])
    });
    assert_eq!(seen, (0..KINDS).collect());
}

#[test]
fn a_cell_behind_norm_and_activation_is_told_from_the_patch_on() {
    let conv = Op::Conv2d {
        filters: 3,
        kernel: [3, 3],
        stride: [1, 1],
        dilation: [1, 1],
        groups: 1,
        pads: Pads::symmetric(1, 1),
        bias: false,
    };
    let (network, batch) = network(&Shape::map(2, 5, 5), |l, input| {
        let mut push = |name: &str, op: Op, x: ValueId| l.within(name, |l| l.push(op, &[x])).unwrap();
        let x = push("op.conv", conv, input);
        let x = push("op.norm", Op::BatchNorm { eps: 1e-5, momentum: 0.1 }, x);
        push("op.tanh", Op::Activation(Activation::Tanh), x)
    });
    let report = ask(&network, &batch, "op", Cell::new(1, 0, 4)).unwrap();
    let ops: Vec<_> = report.steps.iter().map(|step| step.op.as_str()).collect();
    assert_eq!(ops, ["Conv2D", "Batch norm", "Tanh"]);
    // The upper right corner with one row and column of padding: the first row and last column of the window are empty.
    let How::Products { window, rows, bias: None } = &report.steps[0].how else { panic!("{report:?}") };
    assert_eq!((window.rows_seen, window.columns_seen, rows.len()), ((-1, 2), (3, 6), 2));
    let empty: Vec<usize> = (0..9).filter(|&at| window.taps[at] == Tap::Padding).collect();
    assert_eq!(empty, [0, 1, 2, 5, 8]);
    // Each step starts with what the one before gave.
    let How::Normalise { x, .. } = report.steps[1].how else { panic!("{report:?}") };
    assert!((x - report.steps[0].value).abs() < 1e-7);
    assert_eq!(report.steps[0].sources, ["input"]);
    // Both input maps come along, the one that contributes most first.
    let order: Vec<_> = report.maps.iter().map(|map| map.channel).collect();
    let strongest = u64::from(rows[1].sum.abs() > rows[0].sum.abs());
    assert_eq!(order, [strongest, 1 - strongest]);
}

#[test]
fn a_dense_layer_behind_flattened_maps_is_told_map_by_map() {
    let (network, batch) = network(&Shape::map(3, 2, 4), |l, input| {
        let x = l.within("flat", |l| l.push(Op::Flatten, &[input])).unwrap();
        l.within("op", |l| l.push(Op::Dense { features: 2, bias: true }, &[x])).unwrap()
    });
    let report = ask(&network, &batch, "op", Cell::new(1, 0, 0)).unwrap();
    assert_eq!(report.steps[0].source_shape, [3, 2, 4]);
    let How::Products { rows, .. } = &report.steps[0].how else { panic!("{report:?}") };
    assert_eq!((rows.len(), rows[2].patch.len(), report.maps.len()), (3, 8, 3));
    assert_eq!(rows[2].patch, batch.images[16..24]);
}

#[test]
fn a_cell_outside_the_layer_is_refused_in_words() {
    let (network, batch) = network(&Shape::map(1, 3, 3), |l, input| {
        l.within("op", |l| l.push(Op::Activation(Activation::Relu), &[input])).unwrap()
    });
    for (layer, cell) in [("op", Cell::new(1, 0, 0)), ("op", Cell::new(0, 3, 0)), ("no", Cell::default())] {
        let error = ask(&network, &batch, layer, cell).unwrap_err().to_string();
        assert!(error.contains("must be one of a layer's output"), "{error}");
    }
    // The input itself has no steps before it.
    let report = ask(&network, &batch, "input", Cell::new(0, 1, 1)).unwrap();
    assert!(report.steps.is_empty() && (report.value - batch.images[4]).abs() < 1e-7);
}
