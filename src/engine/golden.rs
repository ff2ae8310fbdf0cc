//! Optimizers and losses against numbers that PyTorch wrote (`tests/golden/make.py`).

use super::host::upload;
use super::loss::Judge;
use super::ops::Val;
use super::optim::{Moments, Update};
use crate::data::BatchTarget;
use crate::graph::{Head, Loss, Optimizer, Target};
use crate::op::ValueId;
use burn::tensor::{Device, Tensor};
use serde::Deserialize;

#[derive(Deserialize)]
struct File<T> {
    cases: Vec<T>,
}

#[derive(Deserialize)]
struct OptimizerCase {
    name: String,
    optimizer: Optimizer,
    lr: f64,
    weight_decay: f64,
    start: Vec<f32>,
    grads: Vec<Vec<f32>>,
    after: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct LossCase {
    name: String,
    spec: Loss,
    logits: Numbers,
    classes: Vec<u32>,
    loss: f32,
    grad: Numbers,
}

#[derive(Deserialize)]
struct Numbers {
    shape: Vec<usize>,
    data: Vec<f32>,
}

fn cases<T: serde::de::DeserializeOwned>(text: &str) -> Vec<T> {
    let file: File<T> = serde_json::from_str(text).expect("the file must fit its cases");
    assert!(file.cases.len() > 10, "the file must hold its cases");
    file.cases
}

fn assert_close(name: &str, got: &[f32], wanted: &[f32]) {
    assert_eq!(got.len(), wanted.len(), "{name}");
    for (at, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        assert!((got - wanted).abs() <= 1e-4 * wanted.abs().max(0.1), "{name} [{at}]: {got}, PyTorch has {wanted}");
    }
}

#[test]
fn every_optimizer_walks_where_pytorchs_does() {
    let device = Device::flex();
    for case in cases::<OptimizerCase>(include_str!("../../tests/golden/optimizers.json")) {
        let count = case.start.len();
        let mut param: Tensor<1> = upload(case.start, [count], &device);
        let mut moments = Moments::default();
        for (step, (gradient, after)) in (1..).zip(case.grads.into_iter().zip(&case.after)) {
            let update = Update { optimizer: case.optimizer, rate: case.lr, step };
            param = update.apply(param, upload(gradient, [count], &device), &mut moments, case.weight_decay);
            assert_close(&case.name, &param.clone().into_data().try_to_vec::<f32>().unwrap(), after);
        }
    }
}

#[test]
fn every_loss_and_its_gradient_are_pytorchs() {
    let device = Device::flex();
    for case in cases::<LossCase>(include_str!("../../tests/golden/losses.json")) {
        let (target, wanted) = match case.logits.shape[..] {
            [_, _, height, width] => (Target::Map, BatchTarget::Map { height, width, classes: case.classes }),
            _ => (Target::Class, BatchTarget::Class(case.classes)),
        };
        let judge = Judge { head: Head { loss: case.spec, target, ..Head::default() }, value: ValueId(0) };
        let flat = |x: Tensor<1>| x.into_data().try_to_vec::<f32>().unwrap();
        let leaf: Tensor<1> = upload(case.logits.data, [case.grad.data.len()], &device).autodiff().require_grad();
        let value = match case.logits.shape[..] {
            [n, c, h, w] => Val::T4(leaf.clone().reshape([n, c, h, w])),
            [n, c] => Val::T2(leaf.clone().reshape([n, c])),
            _ => panic!("{}: unknown rank", case.name),
        };
        let verdict = judge.judge(value, &wanted, &device).unwrap();
        let gradient = leaf.grad(&verdict.loss.backward()).unwrap();
        assert_close(&case.name, &flat(verdict.loss.inner()), &[case.loss]);
        assert_close(&case.name, &flat(gradient), &case.grad.data);
        assert_eq!(case.grad.shape, case.logits.shape);
    }
}
