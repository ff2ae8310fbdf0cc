//! Forward and backward time of each kind of op on the CPU.
//!
//! `cargo bench --bench ops`

#![expect(clippy::expect_used, reason = "a benchmark that cannot start must stop")]

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;
use striate::data::{Batch, BatchTarget};
use striate::engine::{Device, Network, TrainJob, Trainer};
use striate::graph::{Content, Document, Edit, NodeId, Place, apply};
use striate::layers::{Arity, GlobalAvgPool, Input, Layer, LayerKind as _};
use striate::plan::plan;

const BATCH: usize = 8;
const SIDE: u64 = 28;
const CHANNELS: u64 = 16;

/// Input, a 1x1 convolution so that a gradient flows through the layer, the layer, and a head.
fn around(layer: Layer) -> Option<Document> {
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
    plan(&document).is_complete().then_some(document)
}

fn ops(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("{CHANNELS} channels of {SIDE}x{SIDE}, batch {BATCH}"));
    group.sample_size(10).warm_up_time(std::time::Duration::from_millis(200));
    group.measurement_time(std::time::Duration::from_millis(800));
    let side = usize::try_from(SIDE).unwrap_or(28);
    let batch = Batch {
        images: (0..BATCH * 3 * side * side).map(|i| ((i * 7919) % 256) as f32 / 255.0).collect(),
        shape: [3, side, side],
        target: BatchTarget::Class(vec![0; BATCH]),
        indices: vec![0; BATCH],
    };
    for layer in Layer::all() {
        let name = layer.about().id;
        if layer.arity() == Arity::Zero {
            continue;
        }
        let document = around(layer).expect("every kind fits between a convolution and a head");
        let program = Arc::new(plan(&document).program);
        let network = Network::new(program.clone(), 1, &Device::flex()).expect("the program runs");
        group.bench_function(format!("{name}/forward"), |bencher| {
            bencher.iter(|| black_box(network.predict(&batch).expect("forward succeeds")));
        });
        let job = TrainJob {
            program,
            heads: document.heads_in_force(),
            spec: document.training.clone(),
            seed: 1,
            steps_per_epoch: 1000,
        };
        let mut trainer = Trainer::new(job, &Device::flex()).expect("the program trains");
        group.bench_function(format!("{name}/step"), |bencher| {
            bencher.iter(|| black_box(trainer.step(std::slice::from_ref(&batch)).expect("a step succeeds")));
        });
    }
    group.finish();
}

criterion_group!(benches, ops);
criterion_main!(benches);
