//! Why a network needs so much memory, asked in the real window: each byte of a layer by its formula, groups with figures of
//! their own, fields that Tab walks through, and the table as a file. No display is needed.

use crate::hand::{Window, answer, click, click_near, ctrl, enter, key, options, picture, plain, steps, tab, wait};
use crate::scratch::{Scratch, scratch};
use egui::{Key, Modifiers, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use std::path::{Path, PathBuf};
use striate::layers::LayerKind as _;
use striate::ui::Options;

struct Opened {
    window: Window,
    /// Holds the runs; removed at the end.
    folder: Scratch,
}

fn open_file(document: impl FnOnce(&Path) -> PathBuf) -> Opened {
    let folder = scratch();
    let table = folder.path().join("table.csv");
    let document = Some(document(folder.path()));
    let options = Options { document, dialogs: Some(answer(move |_| Some(table.clone()))), ..options(folder.path()) };
    Opened { window: crate::hand::open([1_440.0, 1_000.0], options), folder }
}

fn open(preset: &str) -> Opened {
    open_file(|_| preset.into())
}

/// The start of VGG: two convolutions of 64 filters with ReLU, a pooling, and a classifier, on 224 × 224.
fn vgg(folder: &Path) -> PathBuf {
    let conv = |name: &str| {
        serde_json::json!({"name": name, "kind": "conv2d", "settings":
            {"filters": 64, "kernel": [3, 3], "padding": "same", "activation": "relu"}})
    };
    let mut nodes = vec![
        serde_json::json!({"name": "input", "kind": "input", "settings": {"height": 224, "width": 224, "channels": 3}}),
        conv("conv1"),
        conv("conv2"),
        serde_json::json!({"name": "pool", "kind": "max_pool", "settings": {}}),
        serde_json::json!({"name": "flat", "kind": "flatten", "settings": {}}),
        serde_json::json!({"name": "fc1", "kind": "dense", "settings": {"features": 128, "activation": "relu"}}),
        serde_json::json!({"name": "out", "kind": "dense", "settings": {"features": 10}}),
    ];
    nodes.iter_mut().enumerate().for_each(|(at, node)| node["id"] = (at + 1).into());
    let links: Vec<_> = (1..nodes.len()).map(|at| serde_json::json!({"from": at, "to": at + 1})).collect();
    let json = serde_json::json!({"format": "striate-document", "version": 1, "name": "vgg",
        "graph": {"nodes": nodes, "links": links}, "training": {"batch": 64}});
    let file = folder.join("vgg.json");
    std::fs::write(&file, json.to_string()).unwrap();
    file
}

/// Whether something has this in its name, however many do.
fn any(window: &Window, words: &str) -> bool {
    window.query_all_by_label_contains(words).count() > 0
}

/// Selects a card by its name.
fn select(window: &mut Window, card: &str) {
    click_near(window, card);
    steps(window, 6);
}

/// Each output of a batch of 64 is 64 · 224 · 224 · 64 · 4 bytes, and the convolution's is kept beside what ReLU makes of it.
#[test]
fn why_of_the_planned_bytes_says_each_buffer_with_its_formula() {
    let mut opened = open_file(vgg);
    let window = &mut opened.window;
    select(window, "conv1, Conv2D");
    click(window, "Why? Planned RAM");
    steps(window, 20);
    let kept =
        ["output of Conv2D, kept: the way back through ReLU needs it", "output of ReLU, kept: the way back through"];
    for words in kept {
        assert!(any(window, words), "{words}");
    }
    // A third one is the gradient that the second convolution gives back, while it is at work.
    assert_eq!(window.query_all_by_label("64 × 224 × 224 × 64 × 4").count(), 3);
    picture(window, "why-planned");
    // What is open for one layer is open for the next.
    select(window, "pool, Max pooling");
    assert!(any(window, " MB / image"));
    steps(window, 20);
    assert!(any(window, "Already freed at the fullest moment of a step") && any(window, "0 B at the peak"));
    picture(window, "why-planned-pool");
    // A flatten holds the gradient of its output while the dense layer behind it is passed: 64 · 802,816 · 4 bytes.
    select(window, "flat, Flatten");
    steps(window, 20);
    assert!(any(window, "it holds 205.52 MB"));
    picture(window, "why-planned-flatten");
}

/// LeNet-5's c1, s2 and c3 in a group: three layers, and 156 + 2,416 parameters.
#[test]
fn a_group_has_figures_of_its_own() {
    let mut opened = open("lenet5");
    let window = &mut opened.window;
    select(window, "c1, Conv2D");
    for card in ["s2, ", "c3, Conv2D"] {
        window.get_by_label_contains(card).click_modifiers(Modifiers::SHIFT);
        steps(window, 4);
    }
    key(window, Modifiers::COMMAND, Key::G);
    steps(window, 6);
    // Nothing was trained: no run knows the old names.
    assert!(!any(window, "those of earlier runs"));
    window.get_by_label("3 layers");
    assert!(!any(window, "Numbered from"));
    enter(window, "Repeat", "1");
    click(window, "Open group");
    tab(window, "Cost");
    steps(window, 6);
    assert!(window.query_all_by_label("Total of block1").count() > 0);
    assert!(window.query_all_by_label("Rest of the network").count() > 0);
    assert!(window.query_all_by_label("2,572").count() >= 1, "156 + 2,416 parameters");
    assert!(window.query_all_by_label_contains("Cost of input: planned RAM 0 B").count() > 0);
    picture(window, "group-cost");
}

/// Height, Width and Channels are typed one after the other, though each gets a reset arrow as it changes.
#[test]
fn tab_goes_from_a_changed_number_to_the_next_number() {
    let mut opened = open("lenet5");
    let window = &mut opened.window;
    select(window, "input, Input");
    window.get_by_label("1 × 1 px");
    window.get_by_role_and_label(Role::SpinButton, "Height").focus();
    steps(window, 4);
    for (field, number) in [("Height", "224"), ("Width", "200"), ("Channels", "3")] {
        assert!(window.get_by_role_and_label(Role::SpinButton, field).accesskit_node().is_focused(), "{field}");
        ctrl(window, Key::A);
        window.get_by_role_and_label(Role::SpinButton, field).type_text(number);
        steps(window, 3);
        plain(window, Key::Tab);
    }
    let document = window.state().document();
    let input = document.graph.by_name("input").unwrap().layer().unwrap().input_shape().unwrap();
    assert_eq!(input.as_map(), Some((3, 224, 200)));
}

#[test]
fn export_writes_the_cost_table_to_a_file() {
    let mut opened = open("exercise-net");
    let window = &mut opened.window;
    ctrl(window, Key::K);
    window.get_by_label("Command palette").type_text("export");
    steps(window, 3);
    plain(window, Key::Enter);
    let file = opened.folder.path().join("table.csv");
    let wanted = file.clone();
    wait(&mut opened.window, "the table", move |_| wanted.exists());
    let table = std::fs::read_to_string(file).unwrap();
    // The book's exercise: 903,400 parameters.
    assert!(table.starts_with("Layer,Kind,Output,Planned bytes") && table.contains("903400"), "{table}");
}

/// VGG's dense layers hold nearly all parameters: here 112 · 112 · 64 numbers into 128 features.
#[test]
fn a_dense_layer_that_holds_nearly_all_is_told_what_helps() {
    let mut opened = open_file(vgg);
    let window = &mut opened.window;
    ctrl(window, Key::K);
    window.get_by_label("Command palette").type_text("reduce memory");
    steps(window, 3);
    plain(window, Key::Enter);
    steps(window, 10);
    window.get_by_label("Global average pooling before fc1");
    window.get_by_label("64 features in fc1");
    assert!(!any(window, "−0"));
    let apply = window.get_by_label_contains("Apply Batch of 8, ").rect();
    let title = window.get_by_label("Batch of 8, 8 gradients added up").rect();
    assert!((apply.top() - title.top()).abs() < 8.0 && apply.right() < 1_140.0, "at the right, in sight: {apply:?}");
    picture(window, "reduce-memory");
    window.get_by_label_contains("Apply Global average pooling before fc1").click_accesskit();
    steps(window, 8);
    window.get_by_label("Undo Global average pooling before fc1");
    picture(window, "reduce-memory-applied");
}
