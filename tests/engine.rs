//! Training as a whole: what changes and what does not, resuming, accumulation, errors, and weights in and out.
#![cfg(feature = "train")]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use striate::data::{Batch, BatchTarget};
use striate::engine::{Device, EngineError, HostTensor, LoadReport, Network, TrainJob, Trainer};
use striate::graph::{Head, Loss, Optimizer, Schedule, Target, TrainSpec};
use striate::layers::{Arity, Layer, LayerKind as _};
use striate::op::{Activation, Lowering, Op, Pads, Program, Shape, ValueId};

/// The CPU's random numbers come from one generator for the whole process; tests with dropout take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn program(shape: Shape, build: impl FnOnce(&mut Lowering, ValueId) -> ValueId) -> Arc<Program> {
    let mut lowering = Lowering::new();
    let input = lowering.input("input", shape).expect("shapes in tests are small");
    let output = build(&mut lowering, input);
    lowering.output("output", output);
    Arc::new(lowering.finish())
}

fn push(lowering: &mut Lowering, name: &str, op: Op, inputs: &[ValueId]) -> ValueId {
    lowering.within(name, |lowering| lowering.push(op, inputs)).expect("shapes in tests fit")
}

fn conv(filters: u64, bias: bool) -> Op {
    let pads = Pads::symmetric(1, 1);
    Op::Conv2d { filters, kernel: [3, 3], stride: [1, 1], dilation: [1, 1], groups: 1, pads, bias }
}

fn dense(features: u64) -> Op {
    Op::Dense { features, bias: true }
}

fn job(program: &Arc<Program>, spec: TrainSpec) -> TrainJob {
    TrainJob { program: Arc::clone(program), heads: vec![Head::default()], spec, seed: 42, steps_per_epoch: 3 }
}

fn trainer(program: &Arc<Program>, spec: TrainSpec) -> Trainer {
    Trainer::new(job(program, spec), &Device::flex()).expect("networks in tests can be trained")
}

/// Images of a fixed pattern without structure, classes in turn.
fn batch(first: usize, count: usize, shape: [usize; 3], classes: u32) -> Batch {
    let size: usize = shape.iter().product();
    let number = |i: usize| ((i * 7919 + 104_729) % 1009) as f32 / 504.5 - 1.0;
    let id = |i: usize| u32::try_from(i).expect("tests have few images");
    let ids = id(first)..id(first + count);
    Batch {
        images: (first * size..(first + count) * size).map(number).collect(),
        shape,
        target: BatchTarget::Class(ids.clone().map(|i| i % classes).collect()),
        indices: ids.collect(),
    }
}

fn sgd(learning_rate: f64) -> TrainSpec {
    TrainSpec { learning_rate, optimizer: Optimizer::Sgd { momentum: 0.0, nesterov: false }, ..TrainSpec::default() }
}

fn bits(weights: &[(String, HostTensor)]) -> Vec<(String, Vec<u32>)> {
    weights.iter().map(|(name, t)| (name.clone(), t.data.iter().map(|v| v.to_bits()).collect())).collect()
}

/// A layer between a stem of convolutions and a dense end; the layer alone is frozen or not.
fn sandwich(layer: &Layer, frozen: bool) -> Arc<Program> {
    program(Shape::map(2, 8, 8), |lowering, input| {
        let a = push(lowering, "stem1", conv(4, false), &[input]);
        let b = push(lowering, "stem2", conv(4, false), &[input]);
        let inputs = if layer.arity() == Arity::Many { vec![a, b] } else { vec![a] };
        lowering.set_frozen(frozen);
        let mark = lowering.checkpoint();
        let result = lowering.within("layer", |lowering| layer.lower(lowering, &inputs));
        let mut value = result.unwrap_or_else(|_| {
            lowering.rollback(mark);
            let flat = push(lowering, "before", Op::Flatten, &inputs);
            lowering
                .within("layer", |lowering| layer.lower(lowering, &[flat]))
                .expect("every layer takes a map or a vector")
        });
        lowering.set_frozen(false);
        if lowering.shape(value).as_map().is_some() {
            value = push(lowering, "flatten", Op::Flatten, &[value]);
        }
        push(lowering, "end", dense(3), &[value])
    })
}

#[test]
fn one_step_changes_every_trainable_tensor_and_no_frozen_one() {
    let _turn = alone();
    let layers: Vec<Layer> = Layer::all().into_iter().filter(|layer| layer.arity() != Arity::Zero).collect();
    assert!(layers.len() >= 19, "{}", layers.len());
    for layer in layers {
        for frozen in [false, true] {
            let program = sandwich(&layer, frozen);
            let mut trainer = trainer(&program, sgd(0.5));
            let before = trainer.network().weights().unwrap();
            trainer.step(&[batch(0, 6, [2, 8, 8], 3)]).unwrap();
            let after = trainer.network().weights().unwrap();
            for ((spec, before), after) in program.params.iter().zip(bits(&before)).zip(bits(&after)) {
                let is_reached = !spec.path.starts_with("stem2") || layer.arity() == Arity::Many;
                let is_own_state = spec.is_state() && !program.ops[spec.op as usize].frozen;
                let should_change = is_reached && (spec.trainable || is_own_state);
                let id = layer.about().id;
                assert_eq!(before != after, should_change, "{id}, frozen {frozen}: {}", spec.path);
            }
        }
    }
}

fn small_net() -> Arc<Program> {
    program(Shape::map(1, 8, 8), |lowering, input| {
        let x = push(lowering, "conv1", conv(6, true), &[input]);
        let x = push(lowering, "bn1", Op::BatchNorm { eps: 1e-5, momentum: 0.1 }, &[x]);
        let x = push(lowering, "relu1", Op::Activation(Activation::Relu), &[x]);
        let x = push(lowering, "drop1", Op::Dropout { rate: 0.3 }, &[x]);
        let x = push(lowering, "flatten", Op::Flatten, &[x]);
        push(lowering, "fc", dense(4), &[x])
    })
}

fn losses(trainer: &mut Trainer, steps: std::ops::Range<usize>, shape: [usize; 3]) -> Vec<(u64, u64)> {
    steps
        .map(|step| {
            let micro = [batch(step * 16, 5, shape, 4), batch(step * 16 + 5, 3, shape, 4)];
            let outcome = trainer.step(&micro).expect("the batches fit");
            (outcome.loss.to_bits(), outcome.grad_norm.to_bits())
        })
        .collect()
}

fn assert_resumes(program: &Arc<Program>, spec: &TrainSpec, shape: [usize; 3]) {
    let mut whole = trainer(program, spec.clone());
    let wanted = losses(&mut whole, 0..6, shape);
    let mut first = trainer(program, spec.clone());
    assert_eq!(losses(&mut first, 0..3, shape), wanted[..3], "a second run");
    let dir = tempfile::tempdir().expect("there is room for a scratch folder");
    first.save(dir.path()).expect("a checkpoint can be written");
    drop(first);
    let mut second = trainer(program, spec.clone());
    second.load(dir.path()).expect("a checkpoint can be read");
    assert_eq!(second.step_index(), 3);
    assert_eq!(losses(&mut second, 3..6, shape), wanted[3..], "after resuming");
    let end = |trainer: &Trainer| bits(&trainer.network().weights().expect("weights can be read"));
    assert_eq!(end(&second), end(&whole));
}

#[test]
fn an_interrupted_training_goes_on_bit_for_bit() {
    let _turn = alone();
    for id in Optimizer::IDS {
        let spec = TrainSpec {
            optimizer: Optimizer::from_id(id).unwrap(),
            schedule: Schedule::OneCycle,
            weight_decay: 0.01,
            clip_norm: Some(0.5),
            learning_rate: 1e-3 / 3.0,
            epochs: 2,
            ..TrainSpec::default()
        };
        assert_resumes(&small_net(), &spec, [1, 8, 8]);
    }
}

#[test]
fn a_matrix_past_four_million_weights_trains_bit_for_bit_too() {
    let _turn = alone();
    // 2,304 x 2,048 = 4,718,592 weights: past the size from which flex's full sums depend on work stealing.
    let program = program(Shape::map(1, 48, 48), |lowering, input| {
        let x = push(lowering, "flatten", Op::Flatten, &[input]);
        let x = push(lowering, "fc1", dense(2048), &[x]);
        let x = push(lowering, "tanh", Op::Activation(Activation::Tanh), &[x]);
        push(lowering, "fc2", dense(4), &[x])
    });
    let spec = TrainSpec {
        optimizer: Optimizer::Sgd { momentum: 0.9, nesterov: false },
        clip_norm: Some(0.1),
        ..TrainSpec::default()
    };
    assert_resumes(&program, &spec, [1, 48, 48]);
}

#[test]
fn micro_batches_of_different_size_weigh_by_their_images() {
    let _turn = alone();
    let program = program(Shape::map(1, 6, 6), |lowering, input| {
        let x = push(lowering, "conv", conv(3, true), &[input]);
        let x = push(lowering, "tanh", Op::Activation(Activation::Tanh), &[x]);
        let x = push(lowering, "flatten", Op::Flatten, &[x]);
        push(lowering, "fc", dense(4), &[x])
    });
    let shape = [1, 6, 6];
    let (mut one, mut split) = (trainer(&program, sgd(0.1)), trainer(&program, sgd(0.1)));
    let whole = one.step(&[batch(0, 7, shape, 4)]).unwrap();
    let parts = split.step(&[batch(0, 5, shape, 4), batch(5, 2, shape, 4)]).unwrap();
    assert!((whole.loss - parts.loss).abs() < 1e-6 && (whole.grad_norm - parts.grad_norm).abs() < 1e-5);
    assert_eq!((whole.images, parts.images), (7, 7));
    assert_eq!(whole.metrics, parts.metrics);
    for ((name, a), (_, b)) in one.network().weights().unwrap().iter().zip(&split.network().weights().unwrap()) {
        assert!(a.data.iter().zip(&b.data).all(|(a, b)| (a - b).abs() < 1e-6), "{name}");
    }
}

#[test]
fn a_step_left_between_its_batches_has_learned_nothing_and_can_be_done_anew() {
    let _turn = alone();
    let program = small_net();
    let micro = [batch(0, 4, [1, 8, 8], 3), batch(4, 4, [1, 8, 8], 3), batch(8, 4, [1, 8, 8], 3)];
    let (mut left, mut whole) = (trainer(&program, sgd(0.1)), trainer(&program, sgd(0.1)));
    let before = bits(&left.network().weights().unwrap());
    // Asked before the second and the third.
    let mut asked = 0;
    let outcome = left.step_while(&micro, &mut || {
        asked += 1;
        asked < 2
    });
    assert!(outcome.unwrap().is_none());
    assert_eq!((asked, left.step_index()), (2, 0));
    assert!(bits(&left.network().weights().unwrap()) == before);
    let (again, once) = (left.step(&micro).unwrap(), whole.step(&micro).unwrap());
    assert_eq!((again.loss.to_bits(), again.step), (once.loss.to_bits(), 1));
    assert!(bits(&left.network().weights().unwrap()) == bits(&whole.network().weights().unwrap()));
}

#[test]
fn a_final_softmax_is_folded_into_the_loss_and_shown_by_predict() {
    let _turn = alone();
    let build = |with_softmax: bool| {
        program(Shape::map(1, 4, 4), |lowering, input| {
            let x = push(lowering, "flatten", Op::Flatten, &[input]);
            let x = push(lowering, "fc", dense(3), &[x]);
            if with_softmax { push(lowering, "softmax", Op::Activation(Activation::Softmax), &[x]) } else { x }
        })
    };
    let (mut plain, mut ending) = (trainer(&build(false), sgd(0.1)), trainer(&build(true), sgd(0.1)));
    let data = batch(0, 4, [1, 4, 4], 3);
    let step = |trainer: &mut Trainer| trainer.step(std::slice::from_ref(&data)).unwrap();
    assert_eq!(step(&mut plain), step(&mut ending));
    let (a, b) = (plain.network().predict(&data).unwrap(), ending.network().predict(&data).unwrap());
    assert_eq!(a, b);
    assert!(a.len() == 4 && a.iter().all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-6));
    assert_eq!(plain.evaluate(&data).unwrap(), ending.evaluate(&data).unwrap());
    assert_eq!(plain.evaluate(&data).unwrap().probabilities, a);
}

#[test]
fn weights_have_pytorchs_layout() {
    let program = program(Shape::vector(2), |lowering, input| push(lowering, "fc", dense(3), &[input]));
    let mut network = Network::new(Arc::clone(&program), 0, &Device::flex()).unwrap();
    // [out, in] = [[1, 2], [3, 4], [5, 6]] on [1, 10] gives [21, 43, 65]; plus the bias [100, 200, 300].
    let weights = vec![
        ("fc.weight".to_owned(), HostTensor::new(vec![3, 2], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
        ("fc.bias".to_owned(), HostTensor::new(vec![3], vec![100.0, 200.0, 300.0])),
    ];
    assert!(network.set_weights(&weights).unwrap().is_complete());
    assert_eq!(network.weights().unwrap(), weights);
    let images = Batch { images: vec![1.0, 10.0], shape: [2, 1, 1], target: BatchTarget::None, indices: vec![0] };
    let output = network.forward(&images, &[program.outputs[0].value]).unwrap();
    assert_eq!(output, [HostTensor::new(vec![1, 3], vec![121.0, 243.0, 365.0])]);
}

#[test]
fn weights_that_do_not_fit_are_named_and_change_nothing() {
    let program = program(Shape::vector(2), |lowering, input| push(lowering, "fc", dense(3), &[input]));
    let mut network = Network::new(program, 0, &Device::flex()).unwrap();
    let before = network.weights().unwrap();
    let report: LoadReport = network
        .set_weights(&[
            ("fc.weight".to_owned(), HostTensor::new(vec![2, 3], vec![0.0; 6])),
            ("head.bias".to_owned(), HostTensor::new(vec![3], vec![0.0; 3])),
        ])
        .unwrap();
    assert_eq!(report.matched, Vec::<String>::new());
    assert_eq!((report.missing, report.unused), (vec!["fc.bias".to_owned()], vec!["head.bias".to_owned()]));
    assert_eq!((&report.mismatched[0].expected, &report.mismatched[0].found), (&vec![3, 2], &vec![2, 3]));
    assert_eq!(network.weights().unwrap(), before);
}

#[test]
fn a_step_that_is_not_finite_leaves_everything_as_it_was() {
    let _turn = alone();
    let mut trainer = trainer(&small_net(), TrainSpec::default());
    let before = bits(&trainer.network().weights().unwrap());
    let mut broken = batch(0, 4, [1, 8, 8], 4);
    broken.images[3] = f32::NAN;
    assert!(matches!(trainer.step(&[broken]), Err(EngineError::NotFinite { step: 1, .. })));
    assert_eq!(bits(&trainer.network().weights().unwrap()), before);
    assert_eq!(trainer.step_index(), 0);
}

#[test]
fn what_does_not_fit_is_an_error_with_a_way_out() {
    let _turn = alone();
    let mut trainer = trainer(&small_net(), TrainSpec::default());
    let text = |result: Result<_, EngineError>| result.map(|_| ()).unwrap_err().to_string();
    let small = text(trainer.step(&[batch(0, 4, [1, 7, 8], 4)]));
    assert!(small.contains("8 × 8 × 1") && small.contains("7 × 8 × 1"), "{small}");
    assert!(text(trainer.step(&[])).contains("empty batch"));
    let mut unlabelled = batch(0, 4, [1, 8, 8], 4);
    unlabelled.target = BatchTarget::None;
    assert!(text(trainer.step(&[unlabelled])).contains("no target"));
    assert!(text(trainer.step(&[batch(0, 9, [1, 8, 8], 9)])).contains("class 4 of 4 scores"));
    let tap = trainer.network().forward(&batch(0, 1, [1, 8, 8], 4), &[ValueId(99)]);
    assert!(matches!(tap, Err(EngineError::Tap { found: 99, .. })));
    let frozen = program(Shape::vector(2), |lowering, input| {
        lowering.set_frozen(true);
        push(lowering, "fc", dense(3), &[input])
    });
    let refused = Trainer::new(job(&frozen, TrainSpec::default()), &Device::flex());
    assert!(matches!(refused, Err(EngineError::NothingToTrain)));
}

#[test]
fn a_checkpoint_of_another_network_is_refused_and_changes_nothing() {
    let _turn = alone();
    let other = program(Shape::map(1, 8, 8), |lowering, input| {
        let x = push(lowering, "flatten", Op::Flatten, &[input]);
        push(lowering, "fc", dense(4), &[x])
    });
    let dir = tempfile::tempdir().unwrap();
    trainer(&small_net(), TrainSpec::default()).save(dir.path()).unwrap();
    let mut mine = trainer(&other, TrainSpec::default());
    let before = bits(&mine.network().weights().unwrap());
    assert!(matches!(mine.load(dir.path()), Err(EngineError::Checkpoint { .. })));
    assert_eq!(bits(&mine.network().weights().unwrap()), before);
    let mut sgd_run = trainer(&small_net(), sgd(0.1));
    let error = sgd_run.load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("adam") && error.contains("sgd"), "{error}");
}

#[test]
fn pixels_can_be_classified() {
    let _turn = alone();
    let program = program(Shape::map(1, 4, 4), |lowering, input| push(lowering, "conv", conv(2, true), &[input]));
    let head = Head { target: Target::Map, loss: Loss::CrossEntropy { label_smoothing: 0.0 }, ..Head::default() };
    let job = TrainJob { heads: vec![head], ..job(&program, sgd(0.5)) };
    let mut trainer = Trainer::new(job, &Device::flex()).unwrap();
    // The class of a pixel is its sign, which one kernel can tell.
    let mut data = batch(0, 2, [1, 4, 4], 2);
    let classes = data.images.iter().map(|&v| u32::from(v > 0.0)).collect();
    data.target = BatchTarget::Map { height: 4, width: 4, classes };
    let first = trainer.step(std::slice::from_ref(&data)).unwrap();
    for _ in 0..300 {
        trainer.step(std::slice::from_ref(&data)).unwrap();
    }
    let end = trainer.evaluate(&data).unwrap();
    assert_eq!((end.judged, end.count), (32, 2));
    assert!(end.loss_sum / 2.0 < first.loss / 3.0 && end.correct >= 31, "{first:?} {} {}", end.loss_sum, end.correct);
}

#[test]
fn two_heads_are_weighted_and_named() {
    let _turn = alone();
    let mut lowering = Lowering::new();
    let input = lowering.input("input", Shape::vector(4)).unwrap();
    let x = push(&mut lowering, "body", dense(5), &[input]);
    for name in ["main", "side"] {
        let y = push(&mut lowering, name, dense(2), &[x]);
        lowering.output(name, y);
    }
    let program = Arc::new(lowering.finish());
    let head = |output: &str, weight| Head { output: output.into(), weight, ..Head::default() };
    let job = TrainJob { heads: vec![head("main", 1.0), head("side", 0.25)], ..job(&program, sgd(0.1)) };
    let mut trainer = Trainer::new(job, &Device::flex()).unwrap();
    let outcome = trainer.step(&[batch(0, 4, [4, 1, 1], 2)]).unwrap();
    let names: Vec<&str> = outcome.metrics.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["main.loss", "side.loss", "main.accuracy", "side.accuracy"]);
    assert!((outcome.loss - outcome.metrics[0].1 - 0.25 * outcome.metrics[1].1).abs() < 1e-6);
}
