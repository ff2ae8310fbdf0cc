//! Forward and backward time of each kind of op on the CPU.
//!
//! `cargo bench --bench ops`

#![expect(clippy::expect_used, reason = "a benchmark that cannot start must stop")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use striate::data::{Batch, BatchTarget};
use striate::engine::{Device, Network, TrainJob, Trainer, layer_times};
use striate::graph::{Content, Document, Edit, NodeId, Place, apply};
use striate::layers::{Arity, GlobalAvgPool, Input, Layer, LayerKind as _};
use striate::plan::plan;

const BATCH: usize = 8;
const SIDE: u64 = 28;
const CHANNELS: u64 = 16;

/// Input, a 1x1 convolution so that a gradient flows through the layer, the layer, and a head; and the layer's name.
fn around(layer: Layer) -> Option<(Document, String)> {
    let add = |document: &Document, layer: Layer| {
        let place = document.graph.nodes.last().map_or(Place::Loose, |node| Place::After(node.id));
        apply(document, &[], &Edit::Insert { content: Box::new(Content::Layer(layer)), place }).map(|(new, _)| new)
    };
    let stem = striate::layers::Conv2d { filters: CHANNELS, kernel: [1, 1], ..Default::default() };
    let mut document = add(&Document::default(), Input { height: SIDE, width: SIDE, channels: 3 }.into()).ok()?;
    document = add(&document, stem.into()).ok()?;
    let many = layer.arity() == Arity::Many;
    let is_dense = layer.about().id == "dense";
    if is_dense {
        document = add(&document, striate::layers::Flatten::default().into()).ok()?;
    }
    document = add(&document, layer).ok()?;
    let name = document.graph.nodes.last()?.name.clone();
    if many {
        let (from, to) = (document.graph.nodes.get(1)?.id, document.graph.nodes.last()?.id);
        let second = striate::layers::Conv2d { filters: CHANNELS, kernel: [1, 1], ..Default::default() };
        let insert = Edit::Insert { content: Box::new(Content::Layer(second.into())), place: Place::Branch(from) };
        let (with_branch, outcome) = apply(&document, &[], &insert).ok()?;
        let branch: NodeId = *outcome.select?.first()?;
        document = apply(&with_branch, &[], &Edit::Connect { from: branch, to, port: None }).ok()?.0;
    }
    let output = plan(&document).program.outputs.first().map(|o| o.value);
    let is_map = output.is_some_and(|value| plan(&document).program.value(value).shape.as_map().is_some());
    if is_map {
        let sink = plan(&document).program.outputs.first()?.name.clone();
        let last = document.graph.by_name(&sink)?.id;
        let pool = Content::Layer(GlobalAvgPool::default().into());
        document = apply(&document, &[], &Edit::Insert { content: Box::new(pool), place: Place::After(last) }).ok()?.0;
    }
    plan(&document).is_complete().then_some((document, name))
}

/// Medians over so many runs.
const REPEATS: usize = 11;

fn by_kind() {
    println!(
        "{CHANNELS} channels of {SIDE} x {SIDE}, batch {BATCH}: each kind of layer alone, medians of {REPEATS} runs"
    );
    println!("{:<18} {:>12} {:>12}", "layer", "forward ms", "backward ms");
    for layer in Layer::all().into_iter().filter(|layer| layer.arity() != Arity::Zero) {
        let id = layer.about().id;
        let (document, name) = around(layer).expect("every kind fits between a convolution and a head");
        let network = Network::new(Arc::new(plan(&document).program), 1, &Device::flex()).expect("the program runs");
        let times = layer_times(&network, BATCH, REPEATS, || false).expect("every op runs").unwrap_or_default();
        let below = |path: &str| path == name || path.strip_prefix(&name).is_some_and(|rest| rest.starts_with('.'));
        let (forward, backward) = times
            .iter()
            .filter(|row| below(&row.path))
            .fold((0.0, 0.0), |sum, row| (sum.0 + row.forward_secs, sum.1 + row.backward_secs));
        println!("{id:<18} {:>12.3} {:>12.3}", forward * 1e3, backward * 1e3);
    }
}

/// The layers of whole networks, one by one, beside a step that runs them all, loss and optimizer included.
fn by_network() {
    for preset in ["lenet5", "mnist-cnn"] {
        let document = striate::presets::find(preset).expect("the preset exists");
        let program = Arc::new(plan(&document).program);
        let dims = program.inputs.first().map(|input| program.value(input.value).shape.dims().to_vec());
        let Some([c, h, w]) = dims.as_deref().map(|dims| [dims[0], dims[1], dims[2]]) else { continue };
        let shape = [c, h, w].map(|size| usize::try_from(size).unwrap_or(1));
        let network = Network::new(Arc::clone(&program), 1, &Device::flex()).expect("the program runs");
        let times = layer_times(&network, 64, REPEATS, || false).expect("every op runs").unwrap_or_default();
        let sum: f64 = times.iter().map(|row| row.forward_secs + row.backward_secs).sum();
        let job = TrainJob {
            program,
            heads: document.heads_in_force(),
            spec: document.training.clone(),
            seed: 1,
            steps_per_epoch: 1000,
        };
        let mut trainer = Trainer::new(job, &Device::flex()).expect("the preset can be trained");
        let count = 64 * shape.iter().product::<usize>();
        let batch = Batch {
            images: (0..count).map(|i| ((i * 7919) % 256) as f32 / 255.0).collect(),
            shape,
            target: BatchTarget::Class((0_u32..64).map(|i| i % 10).collect()),
            indices: vec![0; 64],
        };
        let mut steps: Vec<f64> = (0..REPEATS + 2)
            .map(|_| {
                let start = Instant::now();
                black_box(trainer.step(std::slice::from_ref(&batch)).expect("a step succeeds"));
                start.elapsed().as_secs_f64()
            })
            .skip(2)
            .collect();
        steps.sort_by(f64::total_cmp);
        let step = steps.get(steps.len() / 2).copied().unwrap_or_default();
        println!("{preset} at batch 64: its layers one by one {:.1} ms, a step {:.1} ms", sum * 1e3, step * 1e3);
    }
}

fn main() {
    by_kind();
    by_network();
}
