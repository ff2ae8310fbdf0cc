//! The planned figure against what the engine really allocates, by the counting allocator.

#![cfg(feature = "train")]

use cap::Cap;
use std::alloc::System;
use std::sync::Arc;
use striate::data::{Batch, BatchTarget};
use striate::engine::{Device, TrainJob, Trainer};
use striate::plan::{CostSettings, cost, plan};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

fn measure(preset: &str, batch: usize) -> (u64, u64) {
    let document = striate::presets::find(preset).unwrap();
    let program = Arc::new(plan(&document).program);
    let settings = CostSettings { batch: batch as u64, ..CostSettings::default() };
    let found = cost(&program, settings).memory;
    let (c, h, w) = program.value(program.inputs[0].value).shape.as_map().unwrap();
    let (c, h, w) = (c as usize, h as usize, w as usize);
    let images: Vec<f32> = (0..batch * c * h * w).map(|i| ((i * 7919) % 256) as f32 / 255.0).collect();
    let target = BatchTarget::Class((0..batch as u32).map(|i| i % 10).collect());
    let mut trainer_batch = Some(Batch { images, shape: [c, h, w], target, indices: vec![0; batch] });
    let before = ALLOCATOR.allocated() - batch * c * h * w * 4;
    let job = TrainJob {
        program: program.clone(),
        heads: document.heads_in_force(),
        spec: document.training.clone(),
        seed: 1,
        steps_per_epoch: 100,
    };
    let mut trainer = Trainer::new(job, &Device::flex()).unwrap();
    let batch_ref = trainer_batch.take().unwrap();
    for _ in 0..2 {
        trainer.step(std::slice::from_ref(&batch_ref)).unwrap();
    }
    let peak = ALLOCATOR.max_allocated() - before;
    println!(
        "{preset} batch {batch}: planned {} measured {peak} ratio {:.3} {:?}",
        found.training_planned_bytes,
        found.training_planned_bytes as f64 / peak as f64,
        found.training
    );
    (found.training_planned_bytes, peak as u64)
}

#[test]
fn planned() {
    for (preset, batch) in [
        ("lenet5", 1),
        ("lenet5", 64),
        ("lenet5", 256),
        ("mnist-cnn", 1),
        ("mnist-cnn", 16),
        ("mnist-cnn", 32),
        ("mnist-cnn", 64),
        ("resnet-mini", 64),
        ("mnist-cnn", 128),
        ("mnist-cnn", 256),
    ] {
        measure(preset, batch);
    }
}
