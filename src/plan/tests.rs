//! Goldens of the costs, and what each diagnostic offers.

use super::*;
use crate::graph::{Content, Document, Edit, Place, apply};
use crate::layers::{Add, Concat, Conv2d, Dense, Flatten, Input, Layer, MaxPool, Padding};
use crate::op::DType;

/// A document from layers in a row.
fn row(layers: Vec<Layer>) -> Document {
    let mut document = Document::default();
    for layer in layers {
        let place = document.graph.nodes.last().map_or(Place::Loose, |node| Place::After(node.id));
        document = apply(&document, &[], &Edit::Insert { content: Box::new(Content::Layer(layer)), place }).unwrap().0;
    }
    document
}

fn input(height: u64, width: u64, channels: u64) -> Layer {
    Input { height, width, channels }.into()
}

fn exercise(batch: u64, dtype: DType) -> Cost {
    let document = crate::presets::find("exercise-net").unwrap();
    cost(&plan(&document).program, CostSettings { batch, dtype, ..CostSettings::default() })
}

#[test]
fn the_exercise_net_has_the_books_parameters() {
    // (3·3·3 + 1)·100, (3·3·100 + 1)·200, (3·3·200 + 1)·400
    let found = exercise(50, DType::F32);
    let by_op: Vec<u64> = found.ops.iter().map(|op| op.trainable).collect();
    assert_eq!(by_op, [2_800, 180_200, 720_400]);
    assert_eq!(found.totals.params(), 903_400);
}

#[test]
fn the_exercise_net_has_the_books_memory() {
    // Inference: 100·150·100·4 + 50·75·200·4 = 9,000,000, and 903,400·4 = 3,613,600; whatever the batch.
    for batch in [1, 50, 1000] {
        assert_eq!(exercise(batch, DType::F32).memory.inference_textbook_bytes, 12_613_600);
    }
    // Training at 50: (6,000,000 + 3,000,000 + 25·38·400·4 = 1,520,000)·50 = 526,000,000; 200·300·3·4·50 = 36,000,000;
    // and the parameters.
    assert_eq!(exercise(50, DType::F32).memory.training_textbook_bytes, 526_000_000 + 36_000_000 + 3_613_600);
    // 16-bit floats halve everything.
    assert_eq!(exercise(50, DType::F16).memory.training_textbook_bytes, 565_613_600 / 2);
}

#[test]
fn a_dense_layer_on_a_photo_costs_billions() {
    // (4032·3024·3 + 1)·100
    let document =
        row(vec![input(3024, 4032, 3), Flatten::default().into(), Dense { features: 100, ..Dense::default() }.into()]);
    assert_eq!(cost(&plan(&document).program, CostSettings::default()).totals.params(), 3_657_830_500);
}

#[test]
fn why_2800_is_answered_with_the_layers_own_values() {
    let document = crate::presets::find("exercise-net").unwrap();
    let program = plan(&document).program;
    let op = &program.ops[0];
    let explained = op.op.explain(&program.input_shapes(op), program.output_shape(op));
    let params = explained.iter().find(|a| a.quantity == "Parameters").unwrap();
    assert_eq!((params.formula().as_str(), params.result), ("(3 × 3 × 3 + 1) × 100", 2_800));
}

#[test]
fn the_receptive_field_of_three_stride_two_convolutions_is_15() {
    // 3, then + 2·2, then + 2·4.
    let field = exercise(1, DType::F32).totals.field;
    assert_eq!((field.pixels(), field.jump), ([15, 15], [8.0, 8.0]));
}

#[test]
fn planned_training_never_is_below_its_own_parts() {
    let found = exercise(50, DType::F32).memory;
    assert_eq!(found.training.total(), found.training_planned_bytes);
    // The batch, and the outputs that the next convolution keeps: at least 9,000,000 · 50.
    assert!(found.training.activations >= 450_000_000, "{found:?}");
    assert_eq!(found.training.batch, 36_000_000);
    assert_eq!(found.training.optimizer, 2 * 3_613_600);
}

#[test]
fn the_layers_behind_the_memory_of_the_exercise_net_are_named() {
    let document = crate::presets::find("exercise-net").unwrap();
    let plan = plan(&document);
    let found = exercise(50, DType::F32);
    let name = |op| {
        let path = plan.node_of(op).unwrap();
        document.graph.node(path[0]).unwrap().name.clone()
    };
    // The second convolution reads 100·150·100·4 bytes and makes 50·75·200·4: more than any other pair.
    let pair = found.memory.inference_pair.unwrap();
    assert_eq!((name(pair.op).as_str(), pair.read_bytes, pair.made_bytes), ("conv2", 6_000_000, 3_000_000));
    // All outputs are kept until the way back, and the way back begins at the end.
    let Moment::Backward { op, scratch } = found.memory.training_moment else { panic!("{:?}", found.memory) };
    assert!(scratch <= found.memory.training.workspace);
    assert!(["conv1", "conv2", "conv3"].contains(&name(op).as_str()));
    // 16 bits put casts between the layers; the moment still names a layer.
    let Moment::Backward { op, .. } = exercise(50, DType::F16).memory.training_moment else {
        panic!("not on the way back")
    };
    assert!(plan.node_of(op).is_some());
}

#[test]
fn the_shares_of_ram_add_up_with_the_images() {
    let document = crate::presets::find("exercise-net").unwrap();
    let (plan, found) = (plan(&document), exercise(50, DType::F32));
    let share = |name: &str| found.node(plan.node(&[], document.graph.by_name(name).unwrap().id).unwrap()).ram_share;
    // 200·300·3·4·50 = 36,000,000 of 565,613,600 bytes.
    assert!((share("input") - 36_000_000.0 / 565_613_600.0).abs() < 1e-12);
    let sum: f64 = document.graph.nodes.iter().map(|node| share(&node.name)).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{sum}");
}

#[test]
fn a_dense_layer_on_a_map_offers_flatten_and_the_fix_works() {
    let document = row(vec![input(28, 28, 1), Dense::default().into()]);
    let found = plan(&document);
    let diagnostic = &found.diagnostics[0];
    assert_eq!(diagnostic.severity, Severity::Error);
    assert!(diagnostic.message.contains("Flatten"), "{}", diagnostic.message);
    let fix = diagnostic.fixes.iter().find(|fix| fix.label == "Insert Flatten").unwrap();
    let mended = apply(&document, &diagnostic.path, &fix.edit).unwrap().0;
    assert!(plan(&mended).is_complete());
}

#[test]
fn a_kernel_larger_than_the_input_offers_same_padding() {
    let conv = Conv2d { kernel: [7, 7], padding: Padding::Valid, ..Conv2d::default() };
    let document = row(vec![input(5, 5, 1), conv.into()]);
    let found = plan(&document);
    let fix = found.diagnostics[0].fixes.iter().find(|fix| fix.label == "Use padding = same").unwrap();
    assert!(plan(&apply(&document, &[], &fix.edit).unwrap().0).is_complete());
    assert!(found.diagnostics[0].message.contains("Kernel 7×7, input 5×5"), "{}", found.diagnostics[0].message);
}

#[test]
fn groups_that_do_not_divide_offer_some_that_do() {
    let document = row(vec![input(8, 8, 6), Conv2d { groups: 4, filters: 12, ..Conv2d::default() }.into()]);
    let found = plan(&document);
    // 6 channels: 3 is the largest divisor up to 4, and divides 12.
    assert_eq!(found.diagnostics[0].fixes[0].label, "Use groups = 3");
    assert!(plan(&apply(&document, &[], &found.diagnostics[0].fixes[0].edit).unwrap().0).is_complete());
}

/// Input, conv1 (8 filters, stride 1), conv2 (16 filters, stride 2) and a merge of the two.
fn branched(merge: Layer) -> Document {
    let document = row(vec![
        input(16, 16, 3),
        Conv2d { filters: 8, ..Conv2d::default() }.into(),
        Conv2d { filters: 16, stride: [2, 2], ..Conv2d::default() }.into(),
        merge,
    ]);
    let ids: Vec<_> = document.graph.nodes.iter().map(|node| node.id).collect();
    apply(&document, &[], &Edit::Connect { from: ids[1], to: ids[3], port: None }).unwrap().0
}

#[test]
fn mismatched_branches_show_both_shapes_and_offer_a_convolution_that_fits() {
    for merge in [Layer::from(Add::default()), Layer::from(Concat::default())] {
        let document = branched(merge);
        let found = plan(&document);
        let diagnostic = &found.diagnostics[0];
        assert!(
            diagnostic.message.contains("8 × 8 × 16") && diagnostic.message.contains("16 × 16 × 8"),
            "{}",
            diagnostic.message
        );
        assert!(diagnostic.link.is_some());
        let mended = apply(&document, &[], &diagnostic.fixes[0].edit).unwrap().0;
        assert!(plan(&mended).is_complete(), "{:?}", plan(&mended).diagnostics);
    }
}

#[test]
fn the_valid_part_keeps_its_numbers() {
    let document =
        row(vec![input(28, 28, 1), Conv2d::default().into(), Dense::default().into(), Dense::default().into()]);
    let found = plan(&document);
    let ids: Vec<_> = document.graph.nodes.iter().map(|node| node.id).collect();
    // (3·3·1 + 1)·32
    assert_eq!(cost(&found.program, CostSettings::default()).node(found.node(&[], ids[1]).unwrap()).params(), 320);
    assert_eq!(found.diagnostics.len(), 1, "only the cause is reported: {:?}", found.diagnostics);
    assert!(!found.is_complete());
}

#[test]
fn stride_zero_overflow_and_loose_layers_are_reported() {
    let zero = row(vec![input(8, 8, 1), Conv2d { stride: [0, 1], ..Conv2d::default() }.into()]);
    assert_eq!(plan(&zero).diagnostics[0].fixes[0].label, "Set stride to 1");
    let huge = row(vec![input(1 << 40, 1 << 40, 3), Conv2d::default().into()]);
    assert!(plan(&huge).diagnostics[0].message.contains("64-bit"), "{:?}", plan(&huge).diagnostics);
    let lonely = row(vec![input(8, 8, 1), Conv2d::default().into()]);
    let pool = Content::Layer(MaxPool::default().into());
    let lonely = apply(&lonely, &[], &Edit::Insert { content: Box::new(pool), place: Place::Loose }).unwrap().0;
    let found = plan(&lonely);
    assert_eq!((found.diagnostics[0].severity, found.is_complete()), (Severity::Warning, true));
}

#[test]
fn a_cycle_in_a_file_is_named_and_can_be_cut() {
    let mut document = row(vec![input(8, 8, 1), Add::default().into(), Conv2d::default().into()]);
    let ids: Vec<_> = document.graph.nodes.iter().map(|node| node.id).collect();
    document.graph.links.push(crate::graph::Link { from: ids[2], from_port: 0, to: ids[1], to_port: 1 });
    let found = plan(&document);
    let fix = &found.diagnostics[0].fixes[0];
    assert_eq!(fix.label, "Remove the link back");
    assert!(found.diagnostics[0].message.contains("feed back"));
}

#[test]
fn a_frozen_layer_counts_as_frozen() {
    let document = crate::presets::find("lenet5").unwrap();
    let c1 = document.graph.by_name("c1").unwrap().id;
    let frozen = apply(&document, &[], &Edit::SetTrainable { nodes: vec![c1], trainable: false }).unwrap().0;
    let totals = cost(&plan(&frozen).program, CostSettings::default()).totals;
    assert_eq!((totals.trainable, totals.frozen), (61_706 - 156, 156));
}

#[test]
fn a_repeated_group_has_separate_weights_with_numbered_names() {
    let program = plan(&crate::presets::find("resnet-mini").unwrap()).program;
    let paths: Vec<&str> = program.params.iter().map(|param| param.path.as_str()).collect();
    for path in ["layer1.1.block.conv1.weight", "layer1.2.block.bn2.running_var", "layer2_0.downsample.0.weight"] {
        assert!(paths.contains(&path), "{path} is missing in {paths:?}");
    }
}

#[test]
fn what_comes_from_a_connection_names_its_wire_or_the_one_that_is_missing() {
    let marks = |document: &Document| {
        let found = plan(document);
        let first = found.diagnostics.first().unwrap();
        (first.link.map(|link| (link.from.0, link.to.0)), first.gap)
    };
    // A vector is needed and a map comes: the wire into the dense layer.
    let dense = row(vec![input(28, 28, 1), Conv2d::default().into(), Dense::default().into()]);
    assert_eq!(marks(&dense), (Some((2, 3)), None));
    // Channels that groups do not divide come by the wire; a stride of 0 is the layer's own.
    let groups = row(vec![input(8, 8, 6), Conv2d { groups: 4, filters: 12, ..Conv2d::default() }.into()]);
    assert_eq!(marks(&groups), (Some((1, 2)), None));
    let zero = row(vec![input(8, 8, 1), Conv2d { stride: [0, 1], ..Conv2d::default() }.into()]);
    assert_eq!(marks(&zero), (None, None));
    // Of two branches the one that differs: conv1, 16 × 16 × 8, from the side.
    assert_eq!(marks(&branched(Add::default().into())), (Some((2, 4)), None));
    // A merge of one, and a layer that nothing feeds but which feeds another.
    let merge = row(vec![input(8, 8, 1), Add::default().into()]);
    assert_eq!(marks(&merge), (None, Some(Gap::Input)));
    let open = row(vec![input(8, 8, 1), Conv2d::default().into(), Conv2d::default().into()]);
    let link = open.graph.links_into(open.graph.nodes[1].id)[0];
    let open = apply(&open, &[], &Edit::Disconnect { link }).unwrap().0;
    assert!(
        plan(&open).diagnostics.iter().any(|found| found.gap == Some(Gap::Input) && found.severity == Severity::Error)
    );
}
