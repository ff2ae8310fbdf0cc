//! Training in 16 bits: every layer as in 32, weights in 32, overflow survived, resumed bit for bit, and it learns.
#![cfg(feature = "train")]
#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use striate::data::{Batch, BatchTarget, Dataset, Order, Split};
use striate::engine::{Device, HostTensor, TrainJob, Trainer};
use striate::graph::{Document, Head, Optimizer, TrainSpec};
use striate::layers::{Arity, Layer, LayerKind as _};
use striate::op::{Activation, DType, Lowering, Op, Pads, Program, Shape, ValueId};
use striate::plan::{in_dtype, plan};

/// The CPU's random numbers come from one generator for the whole process: tests with dropout take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn program(shape: Shape, build: impl FnOnce(&mut Lowering, ValueId) -> ValueId) -> Program {
    let mut lowering = Lowering::new();
    let input = lowering.input("input", shape).unwrap();
    let output = build(&mut lowering, input);
    lowering.output("output", output);
    lowering.finish()
}

fn push(lowering: &mut Lowering, name: &str, op: Op, inputs: &[ValueId]) -> ValueId {
    lowering.within(name, |lowering| lowering.push(op, inputs)).unwrap()
}

fn conv(filters: u64) -> Op {
    let pads = Pads::symmetric(1, 1);
    Op::Conv2d { filters, kernel: [3, 3], stride: [1, 1], dilation: [1, 1], groups: 1, pads, bias: false }
}

fn trainer(program: &Program, dtype: DType) -> Trainer {
    let spec = TrainSpec {
        learning_rate: 0.1,
        optimizer: Optimizer::Sgd { momentum: 0.0, nesterov: false },
        ..TrainSpec::default()
    };
    let program = Arc::new(in_dtype(program, dtype).into_owned());
    let job = TrainJob { program, heads: vec![Head::default()], spec, seed: 42, steps_per_epoch: 3 };
    Trainer::new(job, &Device::flex()).unwrap()
}

fn batch(count: usize, shape: [usize; 3], factor: f32) -> Batch {
    let size: usize = shape.iter().product();
    Batch {
        images: (0..count * size).map(|i| ((i * 7919 % 1009) as f32 / 504.5 - 1.0) * factor).collect(),
        shape,
        target: BatchTarget::Class((0..).take(count).map(|i: u32| i % 3).collect()),
        indices: vec![0; count],
    }
}

/// A layer between a convolution (two, if it joins) and a dense end.
fn sandwich(layer: &Layer) -> Program {
    program(Shape::map(2, 8, 8), |lowering, input| {
        let a = push(lowering, "stem1", conv(4), &[input]);
        let b = push(lowering, "stem2", conv(4), &[input]);
        let inputs = if layer.arity() == Arity::Many { vec![a, b] } else { vec![a] };
        let mark = lowering.checkpoint();
        let mut value = lowering.within("layer", |lowering| layer.lower(lowering, &inputs)).unwrap_or_else(|_| {
            lowering.rollback(mark);
            let flat = push(lowering, "before", Op::Flatten, &inputs);
            lowering.within("layer", |lowering| layer.lower(lowering, &[flat])).unwrap()
        });
        if lowering.shape(value).as_map().is_some() {
            value = push(lowering, "flatten", Op::Flatten, &[value]);
        }
        push(lowering, "end", Op::Dense { features: 3, bias: true }, &[value])
    })
}

/// Length of the difference of two lists of tensors, and of the first.
fn distance(a: &[(String, HostTensor)], b: &[(String, HostTensor)]) -> f64 {
    let numbers =
        |list: &[(String, HostTensor)]| -> Vec<f32> { list.iter().flat_map(|(_, t)| t.data.clone()).collect() };
    numbers(a).iter().zip(&numbers(b)).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn every_layer_learns_in_16_bits_what_it_learns_in_32() {
    let _turn = alone();
    for layer in Layer::all().into_iter().filter(|layer| layer.arity() != Arity::Zero) {
        let id = layer.about().id;
        let program = sandwich(&layer);
        let data = batch(6, [2, 8, 8], 1.0);
        let [(before, full, a), (_, half, b)] = [DType::F32, DType::F16].map(|dtype| {
            let mut trainer = trainer(&program, dtype);
            let before = trainer.network().weights().unwrap();
            let outcome = trainer.step(std::slice::from_ref(&data)).unwrap();
            (before, trainer.network().weights().unwrap(), outcome)
        });
        // A 16-bit number keeps 11 bits; dozens of roundings in a row stay within a few per cent.
        assert!((a.loss - b.loss).abs() < 0.02 * a.loss.abs().max(1.0), "{id}: {a:?} {b:?}");
        assert!((a.grad_norm - b.grad_norm).abs() < 0.03 * a.grad_norm, "{id}: {a:?} {b:?}");
        let (apart, moved) = (distance(&full, &half), distance(&full, &before));
        assert!(apart < 0.05 * moved, "{id}: the steps differ by {apart}, their length is {moved}");
    }
}

#[test]
fn gradients_that_overflow_16_bits_are_taken_again_with_a_smaller_factor() {
    let _turn = alone();
    // Images of ±1000: the gradient of a weight is the sum of 6 products of up to 1000 and about 0.1, some hundreds. Times
    // 65,536, the factor at the start, it is past 65,504, the largest number of 16 bits.
    let program = program(Shape::map(1, 6, 6), |lowering, input| {
        let x = push(lowering, "flatten", Op::Flatten, &[input]);
        push(lowering, "fc", Op::Dense { features: 3, bias: true }, &[x])
    });
    let data = batch(6, [1, 6, 6], 1000.0);
    let [a, b] = [DType::F32, DType::F16].map(|dtype| {
        let outcome = trainer(&program, dtype).step(std::slice::from_ref(&data)).unwrap();
        outcome.grad_norm
    });
    assert!(a > 10.0 && (a - b).abs() < 0.02 * a, "{a} {b}");
}

#[test]
fn an_interrupted_training_in_16_bits_goes_on_bit_for_bit() {
    let _turn = alone();
    let program = program(Shape::map(1, 8, 8), |lowering, input| {
        let x = push(lowering, "conv1", conv(6), &[input]);
        let x = push(lowering, "bn1", Op::BatchNorm { eps: 1e-5, momentum: 0.1 }, &[x]);
        let x = push(lowering, "relu1", Op::Activation(Activation::Relu), &[x]);
        let x = push(lowering, "drop1", Op::Dropout { rate: 0.3 }, &[x]);
        let x = push(lowering, "flatten", Op::Flatten, &[x]);
        push(lowering, "fc", Op::Dense { features: 4, bias: true }, &[x])
    });
    // Large images, so that the factor has to shrink on the way and must be remembered.
    let steps = |trainer: &mut Trainer, count: u32| -> Vec<(u64, u64)> {
        let images = (0..count).map(|n| batch(5, [1, 8, 8], 300.0 + n as f32));
        let outcomes = images.map(|data| trainer.step(&[data]).unwrap());
        outcomes.map(|outcome| (outcome.loss.to_bits(), outcome.grad_norm.to_bits())).collect()
    };
    let mut whole = trainer(&program, DType::F16);
    let wanted = [steps(&mut whole, 4), steps(&mut whole, 4)];
    let mut first = trainer(&program, DType::F16);
    assert_eq!(steps(&mut first, 4), wanted[0]);
    let folder = tempfile::tempdir().unwrap();
    first.save(folder.path()).unwrap();
    let mut second = trainer(&program, DType::F16);
    second.load(folder.path()).unwrap();
    assert_eq!(steps(&mut second, 4), wanted[1]);
}

/// Accuracy on the built-in digits after some steps.
fn accuracy(mut document: Document, dtype: DType, steps: usize) -> f64 {
    document.training.dtype = dtype;
    let program = Arc::new(in_dtype(&plan(&document).program, dtype).into_owned());
    let shape = program.value(program.inputs[0].value).shape.clone();
    let dataset = Dataset::open(&document.data, &shape, document.seed).unwrap();
    let job = TrainJob {
        program,
        heads: document.heads_in_force(),
        spec: document.training.clone(),
        seed: 1,
        steps_per_epoch: 100,
    };
    let mut trainer = Trainer::new(job, &Device::flex()).unwrap();
    let order = Order::Epoch { seed: 1, epoch: 1, augment: false };
    for data in dataset.batches(Split::Train, 64, order, 0).take(steps) {
        trainer.step(&[data.unwrap()]).unwrap();
    }
    let (mut right, mut count) = (0, 0);
    for data in dataset.batches(Split::Validation, 64, Order::Sequential, 0).take(5) {
        let outcome = trainer.evaluate(&data.unwrap()).unwrap();
        right += outcome.correct;
        count += outcome.count;
    }
    f64::from(u32::try_from(right).unwrap()) / f64::from(u32::try_from(count).unwrap())
}

#[test]
fn lenet_learns_digits_in_16_bits_as_well_as_in_32() {
    let _turn = alone();
    let document = striate::presets::find("lenet5").unwrap();
    let [full, half] = [DType::F32, DType::F16].map(|dtype| accuracy(document.clone(), dtype, 40));
    println!("LeNet-5 after 40 steps: {full:.3} in f32, {half:.3} in f16");
    assert!(half > 0.5 && half > full - 0.05, "{full} in f32, {half} in f16");
}
