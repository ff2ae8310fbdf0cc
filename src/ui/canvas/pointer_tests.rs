//! The canvas under the mouse: branches, links dropped on empty canvas, menus, panning, numbers as nodes.

use super::tests::{Window, centre, drag, lenet};
use crate::ui::runs_view::{RunRow, RunSummary};
use egui::{Event, Key, Modifiers, PointerButton, Pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

type Hand = Harness<'static, Window>;

fn feeds(hand: &Hand, name: &str) -> Vec<String> {
    let graph = &hand.state().history.document().graph;
    let id = graph.by_name(name).unwrap().id;
    graph.links_from(id).iter().map(|link| graph.node(link.to).unwrap().name.clone()).collect()
}

fn press(hand: &mut Hand, at: Pos2, button: PointerButton) {
    for pressed in [true, false] {
        hand.event(Event::PointerMoved(at));
        hand.event(Event::PointerButton { pos: at, button, pressed, modifiers: Modifiers::NONE });
        hand.run_ok();
    }
}

/// A place of the canvas with nothing near it: to the right of the chain.
fn empty_place(hand: &Hand) -> Pos2 {
    let card = hand.get_by_label_contains("c3, Conv2D").rect();
    card.right_center() + vec2(150.0, 0.0)
}

#[test]
fn a_layer_dropped_on_the_edge_of_a_card_branches() {
    let mut hand = lenet();
    let from = hand.get_by_label("Dropout").rect().center();
    let card = hand.get_by_label_contains("c1, Conv2D").rect();
    drag(&mut hand, from, card.right_center() - vec2(8.0, 0.0));
    let mut fed = feeds(&hand, "c1");
    fed.sort();
    assert_eq!(fed, ["dropout1", "s2"]);
    // In the middle it goes between.
    let from = hand.get_by_label("Flatten").rect().center();
    let middle = centre(&hand, "c3, Conv2D");
    drag(&mut hand, from, middle);
    assert_eq!(feeds(&hand, "c3"), ["flatten1"]);
}

#[test]
fn a_link_dropped_on_empty_canvas_offers_the_layers_that_fit() {
    let mut hand = lenet();
    let from = hand.get_by_label("Output port of c5").rect().center();
    let to = empty_place(&hand);
    drag(&mut hand, from, to);
    hand.get_by_label("Add a layer");
    // c5 gives 1 × 1 × 120: it can be flattened to 120 numbers; a dense layer needs a vector.
    hand.get_by_label("Add Flatten, 120");
    assert!(hand.query_by_label_contains("Add Dense").is_none());
    hand.event(Event::Text("flat".into()));
    hand.run_ok();
    hand.key_press(Key::Enter);
    hand.run_ok();
    let mut fed = feeds(&hand, "c5");
    fed.sort();
    assert_eq!(fed, ["flatten", "flatten1"]);
    assert!(hand.query_by_label("Add a layer").is_none());
}

#[test]
fn a_double_click_near_a_wire_searches_for_a_layer_between_its_ends() {
    let mut hand = lenet();
    let (above, below) = (hand.get_by_label_contains("c1, Conv2D").rect(), hand.get_by_label_contains("s2, Av").rect());
    let at = above.center_bottom().lerp(below.center_top(), 0.5) + vec2(30.0, 0.0);
    for _ in 0..2 {
        hand.hover_at(at);
        hand.drag_at(at);
        hand.drop_at(at);
    }
    hand.run_ok();
    hand.get_by_label("Between c1 and s2");
    hand.event(Event::Text("batch".into()));
    hand.run_ok();
    hand.key_press(Key::Enter);
    hand.run_ok();
    assert_eq!(feeds(&hand, "c1"), ["bn1"]);
    assert_eq!(feeds(&hand, "bn1"), ["s2"]);
}

#[test]
fn menus_of_card_wire_and_ground_carry_their_keys() {
    let mut hand = lenet();
    let at = centre(&hand, "c3, Conv2D");
    press(&mut hand, at, PointerButton::Secondary);
    for entry in ["Rename F2", "Bypass Ctrl+B", "Freeze Ctrl+L", "Group Ctrl+G", "Duplicate Ctrl+D", "Delete Delete"] {
        hand.get_by_label(entry);
    }
    hand.get_by_label("Bypass Ctrl+B").click();
    hand.run_ok();
    hand.get_by_label_contains("c3, Conv2D, 14 × 14 × 6, 0 parameters, bypassed");
    let at = empty_place(&hand);
    press(&mut hand, at, PointerButton::Secondary);
    hand.get_by_label("Paste Ctrl+V");
    hand.get_by_label("Add layer… /").click();
    hand.run_ok();
    hand.get_by_label("Add a layer");
}

#[test]
fn every_number_of_a_card_in_sight_is_a_node() {
    let hand = lenet();
    hand.get_by_label("Output of c1: 28 × 28 × 6");
    hand.get_by_label("Parameters of c1: 156");
    assert!(hand.query_all_by_label_contains("Planned RAM of ").count() >= 5);
    hand.get_by_label("Output port of c1");
    hand.get_by_label("Input port 1 of c3");
}

#[test]
fn the_middle_button_and_the_space_bar_pan() {
    let mut hand = lenet();
    let at = empty_place(&hand);
    let moved = |hand: &mut Hand, button: PointerButton| {
        let before = centre(hand, "c1, Conv2D");
        hand.hover_at(at);
        hand.step();
        hand.event(Event::PointerButton { pos: at, button, pressed: true, modifiers: Modifiers::NONE });
        hand.step();
        for part in [10.0, 25.0, 40.0] {
            hand.hover_at(at + vec2(part, 0.0));
            hand.step();
        }
        let to = at + vec2(40.0, 0.0);
        hand.event(Event::PointerButton { pos: to, button, pressed: false, modifiers: Modifiers::NONE });
        hand.run_ok();
        centre(hand, "c1, Conv2D").x - before.x
    };
    assert!((moved(&mut hand, PointerButton::Middle) - 40.0).abs() < 2.0);
    hand.key_down(Key::Space);
    hand.step();
    assert!((moved(&mut hand, PointerButton::Primary) - 40.0).abs() < 2.0);
    assert!(hand.state().selection.is_empty());
}

/// 61,706 parameters of LeNet-5, without the (5 · 5 · 1 + 1) · 6 = 156 of c1.
#[test]
fn freezing_a_layer_shows_the_old_figures_beside_the_new_ones() {
    let mut hand = lenet();
    let at = centre(&hand, "c1, Conv2D");
    press(&mut hand, at, PointerButton::Primary);
    hand.get_by_role_and_label(egui::Role::CheckBox, "Frozen").click();
    hand.run_ok();
    hand.get_by_label("Trained parameters");
    hand.get_by_label("61,706 →");
    hand.get_by_label("61,550");
}

/// In a file of weights `c1.weight` would be `block1.c1.weight`.
#[test]
fn grouping_says_when_trained_weights_lose_their_names() {
    let mut hand = lenet();
    let select = |hand: &mut Hand, names: &[&str]| {
        let graph = &hand.state().history.document().graph;
        let ids = names.iter().map(|name| graph.by_name(name).unwrap().id).collect();
        hand.state_mut().selection = ids;
        hand.run_ok();
    };
    // The canvas must have the keyboard.
    let at = empty_place(&hand);
    press(&mut hand, at, PointerButton::Primary);
    select(&mut hand, &["s2"]);
    hand.key_press_modifiers(Modifiers::COMMAND, Key::G);
    hand.run_ok();
    assert!(hand.state().notes.is_empty(), "pooling has no weights: {:?}", hand.state().notes);
    // Nothing was ever trained under the old names.
    select(&mut hand, &["c3", "s4"]);
    hand.key_press_modifiers(Modifiers::COMMAND, Key::G);
    hand.run_ok();
    assert!(hand.state().notes.is_empty(), "no weights lose their names: {:?}", hand.state().notes);
    let mut run = RunSummary::default();
    run.record.name.clone_from(&hand.state().history.document().name);
    hand.state_mut().runs.rows.push(RunRow { folder: "run".into(), summary: Ok(Box::new(run)) });
    assert!(hand.state_mut().history.undo(&[], &[]).is_some());
    select(&mut hand, &["c3", "s4"]);
    hand.key_press_modifiers(Modifiers::COMMAND, Key::G);
    hand.run_ok();
    assert!(hand.state().notes.iter().any(|note| note.contains("Undo brings the old names back")));
    assert!(hand.state().names().iter().all(|name| name != "c3"));
}

/// Turns a wheel (lines) or moves two fingers (points) up over the middle of a card; the card before and after.
fn scrolled(unit: egui::MouseWheelUnit, amount: f32) -> [egui::Rect; 2] {
    let mut hand = lenet();
    let card = hand.get_by_label_contains("c3, Conv2D").rect();
    hand.hover_at(card.center());
    hand.step();
    hand.event(Event::MouseWheel {
        unit,
        delta: vec2(0.0, amount),
        phase: egui::TouchPhase::Move,
        modifiers: Modifiers::NONE,
        source: egui::MouseWheelSource::Unknown,
    });
    (0..40).for_each(|_| hand.step());
    [card, hand.get_by_label_contains("c3, Conv2D").rect()]
}

#[test]
fn the_wheel_zooms_about_the_pointer_and_two_fingers_pan() {
    let [before, after] = scrolled(egui::MouseWheelUnit::Line, 2.0);
    assert!(after.width() > before.width() * 1.1, "{before:?} {after:?}");
    assert!((after.center() - before.center()).length() < 3.0, "what lies under the pointer stays there: {after:?}");
    let [before, after] = scrolled(egui::MouseWheelUnit::Point, 120.0);
    assert!((after.width() - before.width()).abs() < 1.0, "{before:?} {after:?}");
    assert!((after.top() - before.top() - 120.0).abs() < 2.0, "{before:?} {after:?}");
}

#[test]
fn a_box_drawn_on_empty_canvas_selects_the_cards_in_it() {
    let mut hand = lenet();
    let (first, last) =
        (hand.get_by_label_contains("c1, Conv2D").rect(), hand.get_by_label_contains("c3, Conv2D").rect());
    drag(&mut hand, first.left_top() - vec2(30.0, 3.0), last.right_bottom() + vec2(30.0, 3.0));
    let graph = &hand.state().history.document().graph;
    let mut names: Vec<&str> = hand.state().selection.iter().map(|id| graph.node(*id).unwrap().name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["c1", "c3", "s2"]);
}

fn select(hand: &mut Hand, names: &[&str]) {
    let graph = &hand.state().history.document().graph;
    hand.state_mut().selection = names.iter().map(|name| graph.by_name(name).unwrap().id).collect();
    hand.run_ok();
}

/// The place between two cards.
fn wire(hand: &Hand, above: &str, below: &str) -> Pos2 {
    centre(hand, above).lerp(centre(hand, below), 0.5)
}

#[test]
fn dragging_one_of_several_selected_cards_moves_all_of_them_in_one_step() {
    let mut hand = lenet();
    let start = hand.state().names();
    hand.get_by_label_contains("c1, Conv2D").click();
    hand.run_ok();
    hand.get_by_label_contains("s2, Average pooling").click_modifiers(Modifiers::SHIFT);
    hand.run_ok();
    let s2 = centre(&hand, "s2, Average pooling");
    assert_eq!(hand.state().selection.len(), 2);
    let to = wire(&hand, "c3, Conv2D", "s4, Average pooling");
    drag(&mut hand, s2, to);
    assert_eq!(hand.state().names()[..5], ["input", "c3", "c1", "s2", "s4"]);
    assert_eq!(hand.state().selection.len(), 2, "what moved stays selected");
    assert_eq!(hand.state().history.undo_label(), Some("Move 2 layers"));
    hand.state_mut().history.undo(&[], &[]);
    hand.run_ok();
    assert_eq!(hand.state().names(), start);
}

#[test]
fn cards_dropped_on_empty_canvas_leave_the_network_together_and_on_their_own_wire_nothing_moves() {
    let mut hand = lenet();
    let before = hand.state().history.document().clone();
    select(&mut hand, &["c3", "s4"]);
    let (from, to) = (centre(&hand, "c3, Conv2D"), wire(&hand, "s2, Average", "c3, Conv2D"));
    drag(&mut hand, from, to);
    assert_eq!(*hand.state().history.document(), before, "back to their place");
    let (from, to) = (centre(&hand, "c3, Conv2D"), empty_place(&hand));
    drag(&mut hand, from, to);
    assert_eq!(feeds(&hand, "c3"), ["s4"]);
    assert!(feeds(&hand, "s4").is_empty());
    assert_eq!(feeds(&hand, "s2"), ["c5"]);
}

#[test]
fn cards_that_cannot_move_together_say_why_and_stay() {
    let mut hand = lenet();
    let before = hand.state().history.document().clone();
    select(&mut hand, &["input", "c1"]);
    let (from, to) = (centre(&hand, "c1, Conv2D"), wire(&hand, "c3, Conv2D", "s4, Average pooling"));
    drag(&mut hand, from, to);
    assert_eq!(*hand.state().history.document(), before);
    assert!(
        hand.state().notes.iter().any(|note| note.contains("input is where data enter")),
        "{:?}",
        hand.state().notes
    );
}

#[test]
fn many_layers_are_deleted_in_one_step() {
    let mut hand = lenet();
    let start = hand.state().names();
    let at = empty_place(&hand);
    press(&mut hand, at, PointerButton::Primary);
    select(&mut hand, &["s2", "c3", "s4"]);
    hand.key_press(Key::Delete);
    hand.run_ok();
    assert_eq!(hand.state().names()[..3], ["input", "c1", "c5"]);
    hand.state_mut().history.undo(&[], &[]);
    hand.run_ok();
    assert_eq!(hand.state().names(), start);
}

/// 28 · 28 · 6 = 4,704 numbers of 4 bytes; (5 · 5 · 1 + 1) · 6 = 156.
#[test]
fn under_the_pointer_a_wire_says_what_it_carries_and_a_number_how_it_comes_about() {
    let mut hand = lenet();
    let between = |hand: &Hand| {
        let (above, below) =
            (hand.get_by_label_contains("c1, Conv2D").rect(), hand.get_by_label_contains("s2, Av").rect());
        above.center_bottom().lerp(below.center_top(), 0.5)
    };
    let at = between(&hand);
    hand.hover_at(at);
    (0..60).for_each(|_| hand.step());
    hand.get_by_label("c1 → s2");
    hand.get_by_label("28 × 28 × 6 = 4,704 numbers");
    hand.get_by_label("18.82 kB");
    let at = hand.get_by_label("Parameters of c1: 156").rect().center();
    hand.hover_at(at);
    (0..60).for_each(|_| hand.step());
    assert!(hand.query_all_by_label_contains("= 156").count() >= 1, "the arithmetic of c1's parameters");
}

#[test]
fn dragging_a_number_shows_the_old_figures_beside_the_new_ones_and_is_one_step() {
    let mut hand = lenet();
    let at = centre(&hand, "c1, Conv2D");
    press(&mut hand, at, PointerButton::Primary);
    let field = hand.get_by_role_and_label(egui::Role::SpinButton, "Filters").rect().center();
    hand.hover_at(field);
    hand.step();
    hand.drag_at(field);
    hand.step();
    for by in 1..=20_u8 {
        hand.hover_at(field + vec2(f32::from(by) * 2.0, 0.0));
        hand.step();
    }
    // Held all the while.
    hand.get_by_label("156 →");
    hand.drop_at(field + vec2(40.0, 0.0));
    hand.run_ok();
    assert!(hand.query_by_label("Parameters of c1: 156").is_none());
    hand.state_mut().history.undo(&[], &[]);
    hand.run_ok();
    hand.get_by_label("Parameters of c1: 156");
    assert!(hand.state().history.undo_label().is_none(), "one step of undo");
}

/// 61,706 without the (5 · 5 · 1 + 1) · 6 = 156 of c1 and the (5 · 5 · 6 + 1) · 16 = 2,416 of c3.
#[test]
fn freezing_several_layers_shows_the_old_figures_beside_the_new_ones() {
    let mut hand = lenet();
    select(&mut hand, &["c1", "c3"]);
    hand.get_by_role_and_label(egui::Role::Button, "Freeze").click();
    hand.run_ok();
    hand.get_by_label("Trained parameters");
    hand.get_by_label("61,706 →");
    hand.get_by_label("59,134");
    assert_eq!(hand.query_all_by_label_contains(", frozen").count(), 2);
}

#[test]
fn a_skip_link_is_two_gestures() {
    let mut hand = lenet();
    let from = hand.get_by_label("Add").rect().center();
    let to = wire(&hand, "s2, Average pooling", "c3, Conv2D");
    drag(&mut hand, from, to);
    let from = hand.get_by_label("Output port of c1").rect().center();
    let to = centre(&hand, "add1, Add");
    drag(&mut hand, from, to);
    let mut fed = feeds(&hand, "c1");
    fed.sort();
    assert_eq!(fed, ["add1", "s2"]);
    assert_eq!(feeds(&hand, "s2"), ["add1"]);
}

#[test]
fn a_layers_help_has_its_picture_formula_and_source() {
    let mut hand = lenet();
    let at = centre(&hand, "c1, Conv2D");
    press(&mut hand, at, PointerButton::Primary);
    let help = hand.get_all_by_label("Help").next().unwrap();
    help.scroll_to_me();
    help.click();
    (0..40).for_each(|_| hand.step());
    hand.get_by_label_contains("Source: ");
}

/// Everything that the hand did while one slow frame was drawn.
fn at_once(hand: &mut Hand, events: Vec<Event>) {
    hand.input_mut().events.extend(events);
    hand.step();
    hand.run_ok();
}

fn button(pos: Pos2, button: PointerButton, pressed: bool) -> Event {
    Event::PointerButton { pos, button, pressed, modifiers: Modifiers::NONE }
}

/// A press, a way and a release that arrive together.
fn quick_drag(hand: &mut Hand, from: Pos2, to: Pos2, which: PointerButton) {
    hand.hover_at(from - vec2(60.0, 0.0));
    hand.step();
    let way = [0.4, 0.8, 1.0].map(|part| Event::PointerMoved(from.lerp(to, part)));
    let mut events = vec![Event::PointerMoved(from), button(from, which, true)];
    events.extend(way);
    events.push(button(to, which, false));
    at_once(hand, events);
}

#[test]
fn a_quick_drag_starts_at_what_was_pressed_and_not_at_what_it_reached() {
    let mut hand = lenet();
    let links = hand.state().history.document().graph.links.clone();
    // From empty canvas under and beside a card over its port and the card itself: a box, no link.
    let (card, above) =
        (hand.get_by_label_contains("c3, Conv2D").rect(), hand.get_by_label_contains("s2, Average").rect());
    quick_drag(&mut hand, card.left_bottom() + vec2(-20.0, 3.0), above.center(), PointerButton::Primary);
    let names = |hand: &Hand| {
        let graph = &hand.state().history.document().graph;
        let mut names: Vec<String> =
            hand.state().selection.iter().map(|id| graph.node(*id).unwrap().name.clone()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&hand), ["c3", "s2"]);
    assert_eq!(hand.state().history.document().graph.links, links);
    // From a port over the card below onto the one after it: a link from that port.
    let from = hand.get_by_label("Output port of s2").rect().center();
    let to = hand.get_by_label_contains("s4, Average").rect().center();
    quick_drag(&mut hand, from, to, PointerButton::Primary);
    assert!(feeds(&hand, "s2").contains(&"s4".to_owned()), "{:?}", feeds(&hand, "s2"));
    // From a card onto the edge of another: that card moves there.
    let from = hand.get_by_label_contains("f6, Dense").rect().center();
    let to = hand.get_by_label_contains("c1, Conv2D").rect().center();
    quick_drag(&mut hand, from, to, PointerButton::Primary);
    assert!(feeds(&hand, "c1").contains(&"f6".to_owned()), "{:?}", feeds(&hand, "c1"));
}

#[test]
fn a_quick_pan_moves_by_the_way_from_the_press_on() {
    let mut hand = lenet();
    let at = empty_place(&hand);
    let before = centre(&hand, "c1, Conv2D");
    quick_drag(&mut hand, at, at + vec2(40.0, 25.0), PointerButton::Middle);
    let moved = centre(&hand, "c1, Conv2D") - before;
    assert!((moved - vec2(40.0, 25.0)).length() < 2.0, "{moved:?}");
    // Pressed beside the canvas, nothing moves.
    let panel = hand.get_by_label("Dropout").rect().center();
    let before = centre(&hand, "c1, Conv2D");
    quick_drag(&mut hand, panel, at, PointerButton::Middle);
    assert!((centre(&hand, "c1, Conv2D") - before).length() < 1.0);
}
