//! The planned bytes of training against what the engine really allocates on the CPU, by the counting allocator.

#![cfg(feature = "train")]
#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

use cap::Cap;
use std::alloc::System;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use striate::data::{Batch, BatchTarget};
use striate::engine::{Device, TrainJob, Trainer};
use striate::graph::{Content, Document, Edit, Place, TrainSpec, apply};
use striate::layers::{Arity, Conv2d, Flatten, GlobalAvgPool, Input, Layer, LayerKind as _};
use striate::op::DType;
use striate::plan::{CostSettings, TOLERANCE, cost, in_dtype, plan};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// One measurement at a time: the allocator counts for the whole process. Two threads, as the plan is told: each one that works on
/// a convolution unrolls patches of its own.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    static POOL: Once = Once::new();
    let turn = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    POOL.call_once(|| {
        rayon::ThreadPoolBuilder::new().num_threads(2).build_global().unwrap();
        // What a process takes once and keeps is not a network's.
        measure(&striate::presets::find("lenet5").unwrap(), 8);
    });
    turn
}

/// Planned and measured bytes of training: the peak over two steps, since the optimizer's state first exists after one.
fn measure(document: &Document, batch: usize) -> (u64, u64) {
    let found = plan(document);
    assert!(found.is_complete(), "{:?}", found.first_error());
    let TrainSpec { optimizer, dtype, accumulate, .. } = document.training;
    let settings = CostSettings {
        batch: batch as u64,
        accumulate: u64::from(accumulate),
        optimizer,
        dtype,
        ..CostSettings::default()
    };
    let planned = cost(&found.program, settings).memory.training_planned_bytes;
    let program = Arc::new(in_dtype(&found.program, dtype).into_owned());
    let (c, h, w) = program.value(program.inputs[0].value).shape.as_map().unwrap();
    let [c, h, w] = [c, h, w].map(|size| usize::try_from(size).unwrap());
    // The allocator only knows the highest peak of the process: lift the floor to it, without touching the memory.
    let ballast: Vec<u8> = Vec::with_capacity(ALLOCATOR.max_allocated() - ALLOCATOR.allocated());
    let before = ALLOCATOR.allocated();
    let batch = Batch {
        images: (0..batch * c * h * w).map(|i| ((i * 7919) % 256) as f32 / 255.0).collect(),
        shape: [c, h, w],
        target: BatchTarget::Class((0..).take(batch).map(|i: u32| i % 2).collect()),
        indices: vec![0; batch],
    };
    let batches: Vec<Batch> = (0..accumulate).map(|_| batch.clone()).collect();
    drop(batch);
    let job = TrainJob {
        program,
        heads: document.heads_in_force(),
        spec: document.training.clone(),
        seed: 1,
        steps_per_epoch: 100,
    };
    let mut trainer = Trainer::new(job, &Device::flex()).unwrap();
    for _ in 0..2 {
        trainer.step(&batches).unwrap();
    }
    let measured = (ALLOCATOR.max_allocated() - before) as u64;
    drop(ballast);
    (planned, measured)
}

fn gap(planned: u64, measured: u64) -> f64 {
    planned as f64 / measured as f64 - 1.0
}

/// Three networks at the batch a person gets without choosing, and others: the plan is within 10 %.
#[test]
fn the_plan_of_whole_networks_is_true() {
    let _alone = alone();
    let cases = [
        ("lenet5", 64, 1, DType::F32),
        ("lenet5", 256, 1, DType::F32),
        ("mnist-cnn", 16, 1, DType::F32),
        ("mnist-cnn", 64, 1, DType::F32),
        ("resnet-mini", 64, 1, DType::F32),
        ("lenet5", 64, 1, DType::F16),
        ("mnist-cnn", 64, 1, DType::F16),
        ("resnet-mini", 64, 1, DType::F16),
        // Gradients of the batches before are held as a sum: much of the whole where the batch is small.
        ("mnist-cnn", 2, 2, DType::F32),
        ("mnist-cnn", 8, 8, DType::F32),
        ("lenet5", 16, 4, DType::F32),
        ("resnet-mini", 16, 4, DType::F32),
        ("mnist-cnn", 8, 4, DType::F16),
    ];
    let mut wrong = Vec::new();
    for (preset, batch, accumulate, dtype) in cases {
        let mut document = striate::presets::find(preset).unwrap();
        (document.training.dtype, document.training.accumulate) = (dtype, accumulate);
        let (planned, measured) = measure(&document, batch);
        let gap = gap(planned, measured);
        let row = format!(
            "{preset} at batch {batch}, {accumulate} for a step, in {}: planned {planned}, measured {measured}, {:+.1} %",
            dtype.id(),
            gap * 100.0
        );
        println!("{row}");
        if gap.abs() > TOLERANCE {
            wrong.push(row);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Input, a convolution so that a gradient flows through the layer, the layer, and a pooling where it gives a map.
fn around(layer: Layer) -> Document {
    let add = |document: &Document, layer: Layer| {
        let place = document.graph.nodes.last().map_or(Place::Loose, |node| Place::After(node.id));
        apply(document, &[], &Edit::Insert { content: Box::new(Content::Layer(layer)), place }).unwrap().0
    };
    let conv = Conv2d { filters: 32, ..Conv2d::default() };
    let mut document = add(&Document::default(), Input { height: 32, width: 32, channels: 3 }.into());
    document = add(&document, conv.clone().into());
    if layer.about().id == "dense" {
        document = add(&document, Flatten::default().into());
    }
    let many = layer.arity() == Arity::Many;
    document = add(&document, layer);
    if many {
        let (from, to) = (document.graph.nodes[1].id, document.graph.nodes[2].id);
        let insert = Edit::Insert { content: Box::new(Content::Layer(conv.into())), place: Place::Branch(from) };
        let (with_branch, outcome) = apply(&document, &[], &insert).unwrap();
        let branch = outcome.select.unwrap()[0];
        document = apply(&with_branch, &[], &Edit::Connect { from: branch, to, port: None }).unwrap().0;
    }
    let found = plan(&document).program;
    let output = &found.outputs[0];
    if found.value(output.value).shape.as_map().is_some() {
        let last = document.graph.by_name(&output.name).unwrap().id;
        let pool = Content::Layer(GlobalAvgPool::default().into());
        document =
            apply(&document, &[], &Edit::Insert { content: Box::new(pool), place: Place::After(last) }).unwrap().0;
    }
    document
}

/// Every kind of layer, one at a time: what the plan says the engine keeps and copies is what it allocates.
#[test]
fn the_plan_of_every_layer_kind_is_true() {
    let _alone = alone();
    let mut wrong = Vec::new();
    for layer in Layer::all().into_iter().filter(|layer| layer.arity() != Arity::Zero) {
        let id = layer.about().id;
        let (planned, measured) = measure(&around(layer), 32);
        let gap = gap(planned, measured);
        println!("{id:>18}: planned {planned:>10}, measured {measured:>10}, {:+.1} %", gap * 100.0);
        if gap.abs() > TOLERANCE {
            wrong.push(format!("{id} {:+.1} %", gap * 100.0));
        }
    }
    assert!(wrong.is_empty(), "planned is more than 10 % off for {}", wrong.join(", "));
}
