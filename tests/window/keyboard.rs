//! The keyboard alone: a network that branches and merges, built from nothing and trained in the real window.

use crate::hand::{Window, click_near, ctrl, open, options, plain, steps, stop, tab, train};
use crate::scratch::scratch;
use egui::{Event, Key};
use egui_kittest::kittest::Queryable as _;
use striate::ui::Options;

const SIZE: [f32; 2] = [1_440.0, 1_000.0];

fn text(window: &mut Window, text: &str) {
    window.event(Event::Text(text.to_owned()));
    steps(window, 2);
}

fn add(window: &mut Window, kind: &str) {
    plain(window, Key::Slash);
    text(window, kind);
    plain(window, Key::Enter);
}

#[test]
fn a_network_that_branches_and_merges_is_built_and_trained_by_keys_alone() {
    let folder = scratch();
    let mut window = open(SIZE, options(folder.path()));
    ctrl(&mut window, Key::N);
    add(&mut window, "input");
    for _ in 0..2 {
        add(&mut window, "conv2d");
        // To the settings, 8 filters, and back.
        plain(&mut window, Key::Enter);
        text(&mut window, "8");
        plain(&mut window, Key::Escape);
    }
    add(&mut window, "add");
    // The skip: link the sum with the card two above it, the first convolution.
    plain(&mut window, Key::L);
    plain(&mut window, Key::ArrowUp);
    plain(&mut window, Key::ArrowUp);
    plain(&mut window, Key::Enter);
    add(&mut window, "global average");
    add(&mut window, "dense");
    let graph = window.state().document().graph.clone();
    let sum = graph.by_name("add1").unwrap().id;
    let from: Vec<&str> =
        graph.links_into(sum).iter().map(|link| graph.node(link.from).unwrap().name.as_str()).collect();
    assert_eq!(from, ["conv2", "conv1"]);
    // (3·3·1 + 1)·8 = 80, (3·3·8 + 1)·8 = 584, (8 + 1)·10 = 90.
    window.get_by_label("754 parameters");

    train(&mut window, 5);
    let losses: Vec<f64> = window.state().run().unwrap().steps.iter().map(|step| step.loss).collect();
    assert!(losses.iter().all(|loss| loss.is_finite()), "{losses:?}");
    stop(&mut window);
}

#[test]
fn the_outline_lists_nested_layers_and_shares_the_selection_with_the_canvas() {
    let folder = scratch();
    let mut window = open(SIZE, Options { document: Some("resnet-mini".into()), ..options(folder.path()) });
    tab(&mut window, "Outline");
    let named = |window: &Window| {
        let front = window.state().workspace().front();
        let graph = front.history.document().graph.at(&front.path).unwrap();
        let names: Vec<String> = front.selection.iter().map(|id| graph.node(*id).unwrap().name.clone()).collect();
        (front.path.len(), names)
    };
    // A click on a row selects its card; arrows go on from there, into the group that follows.
    click_near(&mut window, "layer1_0, Residual block, level 1");
    assert_eq!(named(&window), (0, vec!["layer1_0".to_owned()]));
    plain(&mut window, Key::ArrowDown);
    assert_eq!(named(&window), (0, vec!["layer1".to_owned()]));
    plain(&mut window, Key::ArrowDown);
    assert_eq!(named(&window), (1, vec!["input".to_owned()]));
    plain(&mut window, Key::ArrowDown);
    assert_eq!(named(&window), (1, vec!["block".to_owned()]));
    // Left: the group around it; left again closes it, and its layers are no longer listed.
    plain(&mut window, Key::ArrowLeft);
    assert_eq!(named(&window), (0, vec!["layer1".to_owned()]));
    let nested = |window: &Window| window.query_all_by_label_contains("level 2, 28 × 28 × 16").count();
    let before = nested(&window);
    plain(&mut window, Key::ArrowLeft);
    assert_eq!((before, nested(&window)), (2, 0), "its input and its block");
    plain(&mut window, Key::ArrowRight);
    assert_eq!(nested(&window), before);
    // And the canvas shows what was chosen here.
    plain(&mut window, Key::Enter);
    assert_eq!(window.state().workspace().front().path.len(), 1);
}
