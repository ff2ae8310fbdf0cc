//! What a change costs before its numbers are on the screen: plan, cost and layout of a 500-op and a 1,000-card network.
//!
//! `cargo bench --bench plan`

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use striate::graph::{Content, Document, Edit, Place, apply};
use striate::layers::{Act, Conv2d, Input, Layer};
use striate::plan::{CostSettings, cost, layout, plan};

/// A chain of convolutions with their activation apart: `cards` cards.
fn chain(cards: usize) -> Document {
    let mut document = Document::default();
    for index in 0..cards {
        let layer: Layer = match index {
            0 => Input { height: 64, width: 64, channels: 3 }.into(),
            i if i % 2 == 1 => Conv2d { activation: Act::None, ..Conv2d::default() }.into(),
            _ => striate::layers::Activation::default().into(),
        };
        let place = document.graph.nodes.last().map_or(Place::Loose, |node| Place::After(node.id));
        let insert = Edit::Insert { content: Box::new(Content::Layer(layer)), place };
        document = apply(&document, &[], &insert).map_or(document, |(changed, _)| changed);
    }
    document
}

fn plans(criterion: &mut Criterion) {
    for cards in [501, 1001] {
        let document = chain(cards);
        let planned = plan(&document);
        assert_eq!(planned.program.ops.len(), cards - 1, "{:?}", planned.first_error());
        criterion.bench_function(&format!("plan + cost, {} ops", cards - 1), |bencher| {
            bencher.iter(|| {
                let planned = plan(black_box(&document));
                black_box(cost(&planned.program, CostSettings::default()))
            });
        });
        criterion.bench_function(&format!("layout, {} cards", cards - 1), |bencher| {
            bencher.iter(|| black_box(layout(black_box(&document.graph))));
        });
    }
}

criterion_group!(benches, plans);
criterion_main!(benches);
