//! Grouping, expanding, bypassing and copying as text: what each keeps, and what it refuses in words.

use super::*;
use crate::layers::{Activation, Add, BatchNorm, Conv2d, Flatten, Input, Layer, MaxPool, Residual};
use crate::op::{Init, ParamSpec, Program, Shape};
use crate::plan::{CostSettings, Severity, cost, plan};

/// Layers in a row, named, and further links by names.
fn network(row: &[(&str, Layer)], links: &[(&str, &str)]) -> Document {
    let mut document = Document::default();
    let mut edit = |edit: Edit| document = apply(&document, &[], &edit).unwrap().0;
    for (at, (name, layer)) in (1..).zip(row) {
        let place = if at == 1 { Place::Loose } else { Place::After(NodeId(at - 1)) };
        edit(Edit::Insert { content: Box::new(Content::Layer(layer.clone())), place });
        edit(Edit::Rename { node: NodeId(at), name: (*name).into() });
    }
    let id = |name: &str| NodeId(1 + row.iter().position(|(own, _)| *own == name).unwrap() as u64);
    for (from, to) in links {
        edit(Edit::Connect { from: id(from), to: id(to), port: None });
    }
    document
}

/// input → stem → conv → bn → add, stem → add, add → flatten: a skip around two layers.
fn skip() -> Document {
    let conv = || Conv2d { filters: 8, ..Conv2d::default() };
    let row = [
        ("input", Input::default().into()),
        ("stem", conv().into()),
        ("conv", conv().into()),
        ("bn", BatchNorm::default().into()),
        ("add", Add::default().into()),
        ("flatten", Flatten::default().into()),
    ];
    network(&row, &[("stem", "add")])
}

fn ids(document: &Document, names: &[&str]) -> Vec<NodeId> {
    names.iter().map(|name| document.graph.by_name(name).unwrap().id).collect()
}

fn grouped(document: &Document, names: &[&str]) -> Result<Document, EditError> {
    apply(document, &[], &Edit::Group { nodes: ids(document, names) }).map(|(document, _)| document)
}

/// Expands a node with the shapes that enter it, as the window does.
fn expanded(document: &Document, name: &str) -> Result<Document, EditError> {
    let node = document.graph.by_name(name).unwrap().id;
    let plan = plan(document);
    let inputs = plan.node(&[], node).map_or(&[][..], |plan| &plan.inputs);
    let inputs = inputs.iter().map(|&value| plan.program.value(value).shape.clone()).collect();
    apply(document, &[], &Edit::Expand { node, inputs }).map(|(document, _)| document)
}

fn program(document: &Document) -> Program {
    let plan = plan(document);
    assert!(plan.is_complete(), "{:?}", plan.diagnostics);
    plan.program
}

/// Path, shape and whether it learns, of every parameter.
fn params(document: &Document) -> Vec<(String, Vec<u64>, bool)> {
    let entry = |p: &ParamSpec| (p.path.clone(), p.shape.clone(), p.trainable);
    let mut list: Vec<_> = program(document).params.iter().map(entry).collect();
    list.sort();
    list
}

fn names(document: &Document) -> Vec<&str> {
    document.graph.nodes.iter().map(|node| node.name.as_str()).collect()
}

fn refusal(result: Result<Document, EditError>) -> String {
    result.map(|document| names(&document).join(" ")).unwrap_err().to_string()
}

#[test]
fn a_group_costs_and_computes_what_its_layers_did() {
    let before = skip();
    let after = grouped(&before, &["conv", "bn", "add"]).unwrap();
    assert_eq!(names(&after), ["input", "stem", "block1", "flatten"]);
    // The skip and the chain come from one place, so the group has one way in.
    assert_eq!(after.graph.links_into(ids(&after, &["block1"])[0]).len(), 1);
    let (old, new) = (program(&before), program(&after));
    let kinds = |program: &Program| program.ops.iter().map(|op| op.op.clone()).collect::<Vec<_>>();
    assert_eq!(kinds(&old), kinds(&new));
    let totals = |program: &Program| cost(program, CostSettings::default()).totals;
    assert_eq!(totals(&old), totals(&new));
    let paths: Vec<String> = params(&after).into_iter().map(|(path, ..)| path).collect();
    assert!(paths.contains(&"block1.conv.weight".to_owned()) && paths.contains(&"stem.weight".to_owned()), "{paths:?}");
}

#[test]
fn a_group_of_two_ways_in_has_two_inputs_in_the_order_of_its_links() {
    let before = skip();
    let after = grouped(&before, &["bn", "add"]).unwrap();
    let group = after.graph.by_name("block1").unwrap();
    let from: Vec<&str> = after
        .graph
        .links_into(group.id)
        .iter()
        .map(|link| after.graph.node(link.from).unwrap().name.as_str())
        .collect();
    assert_eq!(from, ["conv", "stem"]);
    assert_eq!(program(&before).ops.len(), program(&after).ops.len());
}

#[test]
fn what_cannot_be_a_group_is_refused_with_the_layer_that_is_missing() {
    let document = skip();
    let refused = |names: &[&str]| refusal(grouped(&document, names));
    assert!(refused(&[]).contains("Nothing is selected"));
    assert!(refused(&["input", "stem"]).contains("input is selected too"));
    let through = refused(&["conv", "add"]);
    assert!(through.contains("bn lies between conv and add"), "{through}");
    // Two ways on: the chain, and the skip.
    let two = refused(&["stem", "conv", "bn"]);
    assert!(two.contains("stem and bn lead on"), "{two}");
    let conv = || Layer::from(Conv2d::default());
    let row = [("input", Input::default().into()), ("a", conv())];
    let document = network(&row, &[]);
    let branch = Edit::Insert { content: Box::new(Content::Layer(conv())), place: Place::Branch(NodeId(1)) };
    let document = apply(&document, &[], &branch).unwrap().0;
    let apart = refusal(grouped(&document, &["a", "conv1"]));
    assert!(apart.contains("one connected piece"), "{apart}");
}

#[test]
fn loose_layers_become_a_group_that_can_be_linked() {
    let row = [("conv", Conv2d::default().into()), ("act", Activation::default().into())];
    let document = grouped(&network(&row, &[]), &["conv", "act"]).unwrap();
    let group = document.graph.by_name("block1").unwrap();
    assert_eq!(group.content.arity(), crate::layers::Arity::One);
    let place = Place::After(group.id);
    let layer = Content::Layer(Flatten::default().into());
    assert!(apply(&document, &[], &Edit::Insert { content: Box::new(layer), place }).is_ok());
}

#[test]
fn expanding_a_group_gives_back_what_was_grouped_under_dotted_names() {
    let before = grouped(&skip(), &["conv", "bn", "add"]).unwrap();
    let after = expanded(&before, "block1").unwrap();
    assert_eq!(names(&after), ["input", "stem", "block1.conv", "block1.bn", "block1.add", "flatten"]);
    assert_eq!(params(&before), params(&after));
    // Grouped again, its name is found again.
    let again = grouped(&after, &["block1.conv", "block1.bn", "block1.add"]).unwrap();
    assert_eq!(names(&again), names(&before));
    assert_eq!(program(&again), program(&before));
}

#[test]
fn a_repeated_group_expands_into_copies_with_numbers_in_their_names() {
    let row = [
        ("input", Input::default().into()),
        ("conv", Conv2d { filters: 8, ..Conv2d::default() }.into()),
        ("bn", BatchNorm::default().into()),
    ];
    let document = grouped(&network(&row, &[]), &["bn"]).unwrap();
    let node = ids(&document, &["block1"])[0];
    let repeat = Edit::SetRepeat { node, repeat: 3, first_index: 1 };
    let before = apply(&document, &[], &repeat).unwrap().0;
    let after = expanded(&before, "block1").unwrap();
    assert_eq!(names(&after), ["input", "conv", "block1.1.bn", "block1.2.bn", "block1.3.bn"]);
    // Three norms in a row, each with weight, bias and two running statistics of 8 channels.
    assert_eq!(params(&before), params(&after));
    assert_eq!(params(&after).len(), 2 + 3 * 4);
    assert_eq!(after.graph.links.len(), 4);
    // And the output is called after the last copy, also in the heads.
    let head = Head { output: "block1".into(), ..Head::default() };
    let headed = apply(&before, &[], &Edit::SetHeads(vec![head])).unwrap().0;
    assert_eq!(expanded(&headed, "block1").unwrap().heads[0].output, "block1.3.bn");
}

#[test]
fn a_residual_card_expands_into_its_layers_and_every_parameter_keeps_its_path() {
    let preset = crate::presets::find("resnet-mini").unwrap();
    // One that keeps its shape, and one whose skip is a projection.
    for name in ["layer1_0", "layer2_0"] {
        let after = expanded(&preset, name).unwrap();
        assert_eq!(params(&preset), params(&after));
        assert!(after.graph.by_name(&format!("{name}.conv1")).is_some());
        let before = &preset.graph.by_name(name).unwrap().init;
        assert_eq!(after.graph.by_name(&format!("{name}.conv2")).unwrap().init, *before);
        let kinds = |document: &Document| program(document).ops.iter().map(|op| op.op.clone()).collect::<Vec<_>>();
        assert_eq!(kinds(&preset), kinds(&after));
        // Grouped, it has its name again.
        let members: Vec<&str> = names(&after).into_iter().filter(|own| own.starts_with(&format!("{name}."))).collect();
        let again = grouped(&after, &members).unwrap();
        assert_eq!(params(&preset), params(&again));
        assert!(again.graph.by_name(name).is_some());
    }
    // Nine layers instead of one card: 2 × (conv, norm, ReLU), conv and norm on the skip, and the sum.
    let count = |document: &Document| document.graph.nodes.len();
    assert_eq!(count(&expanded(&preset, "layer2_0").unwrap()), count(&preset) - 1 + 9);
}

#[test]
fn the_groups_of_a_preset_expand_to_the_same_network() {
    let mut document = crate::presets::find("resnet-mini").unwrap();
    let expected = params(&document);
    for name in ["layer1", "layer2", "layer3", "layer1.1.block", "layer1.2.block"] {
        document = expanded(&document, name).unwrap();
        assert_eq!(params(&document), expected, "after {name}");
    }
    assert!(document.graph.by_name("layer1.2.block.conv1").is_some());
    // It is saved and read with its dotted names.
    assert_eq!(params(&Document::from_json(&document.to_json()).unwrap()), expected);
}

#[test]
fn a_convolution_with_an_activation_expands_into_both() {
    let conv = Conv2d { filters: 8, ..Conv2d::default() };
    let mut before = network(&[("input", Input::default().into()), ("conv", conv.into())], &[]);
    before = apply(&before, &[], &Edit::SetInit { node: NodeId(2), init: Init::HeNormal }).unwrap().0;
    before = apply(&before, &[], &Edit::SetTrainable { nodes: vec![NodeId(2)], trainable: false }).unwrap().0;
    let after = expanded(&before, "conv").unwrap();
    assert_eq!(names(&after), ["input", "conv", "conv_act"]);
    assert_eq!(params(&before), params(&after));
    assert_eq!(after.graph.by_name("conv").unwrap().init, Init::HeNormal);
}

#[test]
fn what_is_one_layer_or_has_no_shape_is_not_expanded() {
    let row = [("input", Input::default().into()), ("pool", MaxPool::default().into())];
    assert!(refusal(expanded(&network(&row, &[]), "pool")).contains("a single Max pooling"));
    let loose = network(&[("res", Residual::default().into())], &[]);
    assert!(refusal(expanded(&loose, "res")).contains("known what enters it"));
    let bypassed = Edit::SetBypassed { nodes: vec![NodeId(2)], bypassed: true };
    let document = apply(&network(&row, &[]), &[], &bypassed).unwrap().0;
    assert!(refusal(expanded(&document, "pool")).contains("bypassed"));
}

#[test]
fn a_bypassed_layer_is_as_if_it_were_not_there_and_comes_back() {
    let document = crate::presets::find("lenet5").unwrap();
    let s2 = document.graph.by_name("s2").unwrap().id;
    let bypass = |bypassed| Edit::SetBypassed { nodes: vec![s2], bypassed };
    let without = apply(&document, &[], &bypass(true)).unwrap().0;
    // 28 − 4 = 24, pooled 12, 12 − 4 = 8: c5 still fits, and the dense layer sees 8 · 8 · 120 instead of 120 numbers.
    let removed = apply(&document, &[], &Edit::Remove { nodes: vec![s2] }).unwrap().0;
    assert_eq!(program(&without).params, program(&removed).params);
    let c3 = without.graph.by_name("c3").unwrap().id;
    assert_eq!(plan(&without).output_shape(&[], c3), Some(&Shape::map(16, 24, 24)));
    assert!(plan(&without).diagnostics.iter().any(|found| found.node == Some(s2) && found.severity == Severity::Info));
    // Saved with it, read with it, and back.
    let read = Document::from_json(&without.to_json()).unwrap();
    assert!(read.graph.node(s2).unwrap().bypassed);
    let back = apply(&read, &[], &bypass(false)).unwrap().0;
    assert_eq!(program(&back), program(&document));
    assert!(!back.to_json().contains("bypassed"));
}

#[test]
fn what_a_bypass_breaks_is_told_where_it_breaks_and_merges_cannot_be_bypassed() {
    let document = crate::presets::find("lenet5").unwrap();
    let [flatten, f6] = [&ids(&document, &["flatten"])[..], &ids(&document, &["f6"])[..]].map(|ids| ids[0]);
    let without = apply(&document, &[], &Edit::SetBypassed { nodes: vec![flatten], bypassed: true }).unwrap().0;
    let plan = plan(&without);
    let found = plan.diagnostics.iter().find(|found| found.severity == Severity::Error).unwrap();
    assert_eq!(found.node, Some(f6));
    for name in ["add", "input"] {
        let document = skip();
        let edit = Edit::SetBypassed { nodes: ids(&document, &[name]), bypassed: true };
        assert!(matches!(apply(&document, &[], &edit), Err(EditError::NoBypass { .. })), "{name}");
    }
}

#[test]
fn copied_layers_are_readable_text_that_pastes_into_another_network() {
    let document = skip();
    let text = document.graph.fragment(&ids(&document, &["conv", "bn"])).to_fragment();
    assert!(text.starts_with("{\n  \"format\": \"striate-layers\",\n  \"version\": 1,"), "{text}");
    assert!(text.contains("\"kind\": \"batch_norm\""));
    let fragment = Graph::from_fragment(&text).unwrap();
    assert_eq!((fragment.nodes.len(), fragment.links.len()), (2, 1));
    let other = crate::presets::find("lenet5").unwrap();
    let (pasted, outcome) = apply(&other, &[], &Edit::Paste { fragment: Box::new(fragment) }).unwrap();
    assert_eq!(outcome.select.map(|list| list.len()), Some(2));
    assert_eq!(pasted.graph.nodes.len(), other.graph.nodes.len() + 2);
    assert!(pasted.graph.by_name("conv").is_some(), "a free name is kept");
    // A whole document pastes all of its layers.
    let all = Graph::from_fragment(&other.to_json()).unwrap();
    assert_eq!((all.nodes.len(), &all.links), (other.graph.nodes.len(), &other.graph.links));
}

#[test]
fn text_that_holds_no_layers_says_why() {
    let said = |text: &str| Graph::from_fragment(text).map(|_| ()).unwrap_err().to_string();
    assert!(said("buy milk").contains("It holds \"buy milk\""));
    assert!(said("").contains("no text"));
    assert!(said("{\"a\": 1}").contains("Copy layers first"));
    assert!(said(r#"{"format": "striate-layers", "version": 7, "nodes": []}"#).contains("version 7"));
    assert!(said(r#"{"format": "striate-layers", "version": 1, "nodes": []}"#).contains("none"));
    let broken =
        r#"{"format": "striate-layers", "version": 1, "nodes": [{"id": 1, "name": "a b", "kind": "flatten"}]}"#;
    assert!(said(broken).contains("1 to 64 letters"));
    assert!(said(&"x".repeat(17 << 20)).len() < 300);
}

#[test]
fn a_network_may_not_grow_past_what_can_be_read_again() {
    let mut document = network(&[("input", Input::default().into()), ("bn", BatchNorm::default().into())], &[]);
    // 1,000 copies of a group of 1,000 copies: expanded once 1,000 cards, twice a million.
    for _ in 0..2 {
        let name = document.graph.nodes.last().unwrap().name.clone();
        document = grouped(&document, &[&name]).unwrap();
        let node = document.graph.nodes.last().unwrap().id;
        document = apply(&document, &[], &Edit::SetRepeat { node, repeat: 1_000, first_index: 0 }).unwrap().0;
    }
    let name = document.graph.nodes.last().unwrap().name.clone();
    // 1,000 groups with two layers each are within 20,000; 20 such groups pasted again are not.
    let document = expanded_group(&document, &name);
    assert_eq!(document.graph.nodes.len(), 1_001);
    let mut grown = document;
    let refused = (0..40).find_map(|_| {
        let edit = Edit::Paste { fragment: Box::new(grown.graph.clone()) };
        match apply(&grown, &[], &edit) {
            Ok((more, _)) => {
                grown = more;
                None
            }
            Err(error) => Some(error.to_string()),
        }
    });
    assert!(refused.unwrap().contains("20000 layers"));
}

/// Expands a group without planning the network, which would be a million ops.
fn expanded_group(document: &Document, name: &str) -> Document {
    let node = document.graph.by_name(name).unwrap().id;
    apply(document, &[], &Edit::Expand { node, inputs: Vec::new() }).unwrap().0
}
