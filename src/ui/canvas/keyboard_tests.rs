//! The canvas without a mouse: building, walking, linking, renaming, grouping, copying.

use super::tests::{Window, lenet, window};
use crate::graph::{Content, Document};
use crate::plan::plan;
use crate::presets;
use egui::{Event, Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

type Hand = Harness<'static, Window>;

fn key(hand: &mut Hand, key: Key) {
    hand.key_press(key);
    hand.run_ok();
}

fn ctrl(hand: &mut Hand, key: Key) {
    hand.key_press_modifiers(Modifiers::COMMAND, key);
    hand.run_ok();
}

fn text(hand: &mut Hand, text: &str) {
    hand.event(Event::Text(text.to_owned()));
    hand.run_ok();
}

/// `/`, the kind, Enter; then F2, the name, Enter.
fn add(hand: &mut Hand, kind: &str, name: &str) {
    key(hand, Key::Slash);
    text(hand, kind);
    key(hand, Key::Enter);
    key(hand, Key::F2);
    text(hand, name);
    key(hand, Key::Enter);
    assert_eq!(selected(hand), [name]);
}

#[test]
fn leaving_a_field_by_enter_or_escape_only_leaves_the_field() {
    for leave in [Key::Enter, Key::Escape] {
        let mut hand = lenet();
        key(&mut hand, Key::ArrowDown);
        key(&mut hand, Key::ArrowDown);
        key(&mut hand, Key::Enter);
        text(&mut hand, "8");
        key(&mut hand, leave);
        assert_eq!(selected(&hand), ["c1"]);
        hand.get_by_label_contains("c1, Conv2D, 28 × 28 × 8");
        key(&mut hand, Key::ArrowDown);
        assert_eq!(selected(&hand), ["s2"], "the arrows belong to the canvas again");
    }
}

/// Enter goes to the settings, Tab on to the named one, where the text is typed; Escape comes back.
fn set(hand: &mut Hand, values: &[(&str, &str)]) {
    key(hand, Key::Enter);
    for (name, value) in values {
        let is_there = |hand: &Hand| hand.query_all_by_label(name).any(|node| node.is_focused());
        for _ in 0..20 {
            if is_there(hand) {
                break;
            }
            key(hand, Key::Tab);
        }
        assert!(is_there(hand), "Tab does not reach {name}");
        text(hand, value);
    }
    key(hand, Key::Escape);
}

fn selected(hand: &Hand) -> Vec<String> {
    let window = hand.state();
    let document = window.history.document();
    let graph = document.graph.at(&window.path).unwrap();
    window.selection.iter().map(|id| graph.node(*id).unwrap().name.clone()).collect()
}

fn document(hand: &Hand) -> Document {
    (**hand.state().history.document()).clone()
}

fn note(hand: &Hand) -> String {
    hand.state().notes.last().cloned().unwrap_or_default()
}

/// LeCun et al. 1998, the layers as in the preset; 61,706 parameters with its full second convolution.
#[test]
fn the_keyboard_alone_builds_lenet_5_from_nothing() {
    let mut hand = window(Document::default());
    hand.run_ok();
    let conv = |filters: &'static str| {
        let kernel = [("Filters", filters), ("Kernel height", "5"), ("Kernel width", "5")];
        [&kernel[..], &[("Padding", "v"), ("Activation", "t")]].concat()
    };
    add(&mut hand, "input", "input");
    set(&mut hand, &[("Height", "32"), ("Width", "32"), ("Channels", "1")]);
    add(&mut hand, "conv2d", "c1");
    set(&mut hand, &conv("6"));
    add(&mut hand, "average", "s2");
    add(&mut hand, "conv2d", "c3");
    set(&mut hand, &conv("16"));
    add(&mut hand, "average", "s4");
    add(&mut hand, "conv2d", "c5");
    set(&mut hand, &conv("120"));
    add(&mut hand, "flatten", "flatten");
    add(&mut hand, "dense", "f6");
    set(&mut hand, &[("Features", "84"), ("Activation", "t")]);
    add(&mut hand, "dense", "output");
    let built = plan(&document(&hand));
    assert!(built.is_complete(), "{:?}", built.diagnostics);
    assert_eq!(built.program, plan(&presets::find("lenet5").unwrap()).program);
    let count: u64 = built.program.params.iter().map(|param| param.shape.iter().product::<u64>()).sum();
    assert_eq!(count, 61_706);
}

#[test]
fn arrows_follow_the_links_and_shift_gathers() {
    let mut hand = lenet();
    key(&mut hand, Key::ArrowDown);
    assert_eq!(selected(&hand), ["input"]);
    key(&mut hand, Key::ArrowDown);
    key(&mut hand, Key::ArrowDown);
    assert_eq!(selected(&hand), ["s2"]);
    key(&mut hand, Key::ArrowUp);
    hand.key_press_modifiers(Modifiers::SHIFT, Key::ArrowDown);
    hand.run_ok();
    assert_eq!(selected(&hand), ["c1", "s2"]);
    key(&mut hand, Key::Escape);
    assert!(selected(&hand).is_empty());
}

#[test]
fn a_skip_around_a_layer_is_made_with_l_and_the_arrows() {
    let mut hand = lenet();
    for _ in 0..3 {
        key(&mut hand, Key::ArrowDown);
    }
    add(&mut hand, "add", "sum");
    key(&mut hand, Key::L);
    hand.get_by_label_contains("arrows choose");
    // Up: s2, which feeds it already; up once more: c1.
    key(&mut hand, Key::ArrowUp);
    key(&mut hand, Key::ArrowUp);
    hand.get_by_label_contains("Link c1 to sum");
    key(&mut hand, Key::Enter);
    let graph = document(&hand).graph;
    let sum = graph.by_name("sum").unwrap().id;
    let from: Vec<String> =
        graph.links_into(sum).iter().map(|link| graph.node(link.from).unwrap().name.clone()).collect();
    assert_eq!(from, ["s2", "c1"]);
    // Both ends selected, Shift+L takes it away again, L brings it back.
    key(&mut hand, Key::ArrowUp);
    let ends = ["c1", "sum"].map(|name| graph.by_name(name).unwrap().id);
    hand.state_mut().selection = ends.to_vec();
    hand.key_press_modifiers(Modifiers::SHIFT, Key::L);
    hand.run_ok();
    assert_eq!(document(&hand).graph.links_into(sum).len(), 1);
    key(&mut hand, Key::L);
    assert_eq!(document(&hand).graph.links_into(sum).len(), 2);
}

#[test]
fn alt_and_arrows_move_the_selected_layers_along_the_flow() {
    let mut hand = lenet();
    let alt = |hand: &mut Hand, key: Key| {
        hand.key_press_modifiers(Modifiers::ALT, key);
        hand.run_ok();
    };
    // c3 and s4 together before s2, then back, then past c5: one step of undo each.
    let start = hand.state().names();
    for _ in 0..4 {
        key(&mut hand, Key::ArrowDown);
    }
    hand.key_press_modifiers(Modifiers::SHIFT, Key::ArrowDown);
    hand.run_ok();
    assert_eq!(selected(&hand), ["c3", "s4"]);
    alt(&mut hand, Key::ArrowUp);
    assert_eq!(hand.state().names()[..5], ["input", "c1", "c3", "s4", "s2"]);
    assert_eq!(selected(&hand), ["c3", "s4"]);
    alt(&mut hand, Key::ArrowDown);
    assert_eq!(hand.state().names(), start);
    alt(&mut hand, Key::ArrowDown);
    assert_eq!(hand.state().names()[2..6], ["s2", "c5", "c3", "s4"]);
    assert_eq!(hand.state().history.undo_label(), Some("Move 2 layers"));
    // At an end it says why.
    key(&mut hand, Key::Escape);
    key(&mut hand, Key::ArrowDown);
    key(&mut hand, Key::ArrowDown);
    alt(&mut hand, Key::ArrowUp);
    assert!(note(&hand).contains("nothing lies before input"), "{}", note(&hand));
}

#[test]
fn a_link_that_cannot_be_says_why_before_enter() {
    let mut hand = lenet();
    key(&mut hand, Key::ArrowDown);
    key(&mut hand, Key::L);
    // input is linked to c1 already.
    key(&mut hand, Key::ArrowDown);
    hand.get_by_label_contains("linked already");
    key(&mut hand, Key::Escape);
    assert!(hand.query_by_label_contains("linked already").is_none());
    assert_eq!(selected(&hand), ["input"]);
}

#[test]
fn shift_enter_in_the_search_branches() {
    let mut hand = lenet();
    for _ in 0..2 {
        key(&mut hand, Key::ArrowDown);
    }
    key(&mut hand, Key::Slash);
    text(&mut hand, "conv2d");
    hand.key_press_modifiers(Modifiers::SHIFT, Key::Enter);
    hand.run_ok();
    let graph = document(&hand).graph;
    let c1 = graph.by_name("c1").unwrap().id;
    assert_eq!(graph.links_from(c1).len(), 2);
    assert_eq!(selected(&hand), ["conv1"]);
}

#[test]
fn a_name_is_typed_over_its_card_and_refused_there() {
    let mut hand = lenet();
    key(&mut hand, Key::ArrowDown);
    key(&mut hand, Key::ArrowDown);
    key(&mut hand, Key::F2);
    text(&mut hand, "s2");
    hand.get_by_label_contains("Names must be unique");
    key(&mut hand, Key::Enter);
    assert_eq!(selected(&hand), ["c1"]);
    hand.get_by_label_contains("Names must be unique");
    ctrl(&mut hand, Key::A);
    text(&mut hand, "edges");
    key(&mut hand, Key::Enter);
    assert_eq!(selected(&hand), ["edges"]);
    // Escape leaves the name as it was; typing does not delete or link layers.
    key(&mut hand, Key::F2);
    text(&mut hand, "l");
    key(&mut hand, Key::Backspace);
    key(&mut hand, Key::Escape);
    assert_eq!(selected(&hand), ["edges"]);
    assert_eq!(hand.state().names().len(), 9);
}

#[test]
fn group_open_leave_and_expand_by_keys() {
    let mut hand = lenet();
    for _ in 0..2 {
        key(&mut hand, Key::ArrowDown);
    }
    hand.key_press_modifiers(Modifiers::SHIFT, Key::ArrowDown);
    hand.run_ok();
    ctrl(&mut hand, Key::G);
    assert_eq!(selected(&hand), ["block1"]);
    key(&mut hand, Key::Enter);
    assert_eq!(hand.state().names(), ["input", "c1", "s2"]);
    key(&mut hand, Key::Escape);
    assert_eq!(selected(&hand), ["block1"]);
    hand.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::G);
    hand.run_ok();
    assert_eq!(selected(&hand), ["block1.c1", "block1.s2"]);
    // What cannot be a group says why.
    key(&mut hand, Key::Escape);
    key(&mut hand, Key::ArrowDown);
    ctrl(&mut hand, Key::G);
    assert!(note(&hand).contains("behind the inputs"), "{}", note(&hand));
}

#[test]
fn bypass_and_freeze_show_on_the_card_and_come_back() {
    let mut hand = lenet();
    for _ in 0..3 {
        key(&mut hand, Key::ArrowDown);
    }
    ctrl(&mut hand, Key::B);
    // Without the pooling c3 sees 28 × 28: 28 − 4 = 24.
    hand.get_by_label_contains("s2, Average pooling, 28 × 28 × 6, 0 parameters, bypassed");
    hand.get_by_label_contains("c3, Conv2D, 24 × 24 × 16");
    ctrl(&mut hand, Key::B);
    hand.get_by_label_contains("c3, Conv2D, 10 × 10 × 16");
    key(&mut hand, Key::ArrowUp);
    ctrl(&mut hand, Key::L);
    hand.get_by_label_contains("156 parameters, frozen");
    ctrl(&mut hand, Key::L);
    assert!(hand.query_by_label_contains("156 parameters, frozen").is_none());
}

#[test]
fn copied_layers_go_to_another_window_and_foreign_text_says_why_not() {
    let mut hand = lenet();
    key(&mut hand, Key::ArrowDown);
    key(&mut hand, Key::ArrowDown);
    hand.key_press_modifiers(Modifiers::SHIFT, Key::ArrowDown);
    hand.run_ok();
    hand.event(Event::Copy);
    hand.run_ok();
    let copied = hand.state().clipboard.clone();
    let mut other = window(Document::default());
    other.run_ok();
    other.event(Event::Paste(copied));
    other.run_ok();
    assert_eq!(other.state().names(), ["c1", "s2"]);
    assert_eq!(document(&other).graph.links.len(), 1);
    other.event(Event::Paste("a shopping list".into()));
    other.run_ok();
    assert!(note(&other).contains("It holds \"a shopping list\""), "{}", note(&other));
}

#[test]
fn keys_typed_into_a_field_are_not_commands() {
    let mut hand = lenet();
    key(&mut hand, Key::ArrowDown);
    key(&mut hand, Key::ArrowDown);
    key(&mut hand, Key::Enter);
    for typed in [Key::Backspace, Key::Delete, Key::L, Key::Slash, Key::F] {
        key(&mut hand, typed);
    }
    assert_eq!(selected(&hand), ["c1"]);
    assert_eq!(hand.state().names().len(), 9);
    assert!(hand.query_by_label("Add a layer").is_none() && hand.query_by_label_contains("arrows choose").is_none());
}

#[test]
fn the_tab_key_stops_once_at_the_canvas_however_many_cards() {
    let mut hand = lenet();
    let mut stops = 0;
    hand.get_by_label("Network canvas").focus();
    hand.run_ok();
    assert!(hand.get_by_label("Network canvas").is_focused());
    while stops < 120 {
        key(&mut hand, Key::Tab);
        stops += 1;
        let on_card = hand.query_all_by_label_contains("port of").any(|node| node.is_focused())
            || hand.query_all_by_label_contains(", Conv2D, ").any(|node| node.is_focused());
        assert!(!on_card, "stop {stops} is a card");
        if hand.get_by_label("Network canvas").is_focused() {
            break;
        }
    }
    assert!(stops < 120, "the canvas was not reached again");
}

#[test]
fn a_group_of_a_group_opens_and_closes_level_by_level() {
    let mut hand = window(presets::find("resnet-mini").unwrap());
    hand.run_ok();
    let find = |hand: &Hand| {
        let graph = document(hand).graph;
        let group = graph.nodes.iter().find(|node| matches!(node.content, Content::Group(_))).unwrap();
        (group.id, group.name.clone())
    };
    let (id, name) = find(&hand);
    hand.state_mut().selection = vec![id];
    hand.run_ok();
    ctrl(&mut hand, Key::G);
    key(&mut hand, Key::Enter);
    key(&mut hand, Key::ArrowDown);
    key(&mut hand, Key::ArrowDown);
    assert_eq!(selected(&hand), [name.as_str()]);
    key(&mut hand, Key::Enter);
    assert_eq!(hand.state().path.len(), 2);
    key(&mut hand, Key::Escape);
    assert_eq!(selected(&hand), [name.as_str()]);
    key(&mut hand, Key::Escape);
    assert_eq!(hand.state().path.len(), 1);
    key(&mut hand, Key::Escape);
    assert!(hand.state().path.is_empty());
}
