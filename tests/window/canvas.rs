//! The canvas among its neighbours in the real window: wires that are wrong, room for either part, small windows, help.

use crate::hand::{Window, button, click, click_near, ctrl, key, open, options, picture, plain, steps, tab};
use crate::scratch::{Scratch, scratch};
use egui::{Key, Modifiers, Rect, Role};
use egui_kittest::kittest::Queryable as _;

struct Opened {
    window: Window,
    /// Holds the runs; removed at the end.
    _folder: Scratch,
}

fn lenet(size: [f32; 2]) -> Opened {
    let folder = scratch();
    Opened { window: open(size, options(folder.path())), _folder: folder }
}

fn canvas(window: &Window) -> Option<Rect> {
    window.query_by_label("Network canvas").map(|node| node.rect())
}

fn has_tab(window: &Window, title: &str) -> bool {
    window.query_by_role_and_label(Role::Tab, title).is_some()
}

#[test]
fn a_question_mark_opens_the_help_but_not_while_one_types() {
    let mut opened = lenet([1_440.0, 1_000.0]);
    let window = &mut opened.window;
    key(window, Modifiers::SHIFT, Key::Questionmark);
    window.get_by_label("Find and see");
    window.get_by_label("Move earlier");
    // The page finds its size in a few frames.
    steps(window, 10);
    picture(window, "help");
    click(window, "Close help");
    assert!(window.query_by_label("Close help").is_none());
    window.get_by_label("Search layers").focus();
    steps(window, 3);
    key(window, Modifiers::SHIFT, Key::Questionmark);
    assert!(window.query_by_label("Close help").is_none());
    plain(window, Key::F1);
    window.get_by_label("Close help");
}

/// Without Flatten the map of c5 meets the dense layer f6.
#[test]
fn the_wire_of_a_problem_is_marked_jumped_to_and_mended_where_it_is() {
    let mut opened = lenet([1_440.0, 1_000.0]);
    let window = &mut opened.window;
    let mark = "Problem of the link c5 → f6";
    assert!(window.query_by_label(mark).is_none());
    click_near(window, "flatten, Flatten");
    plain(window, Key::Delete);
    tab(window, "Problems");
    window.get_by_role_and_label(Role::Link, "Error: f6").click();
    steps(window, 20);
    picture(window, "wire-problem");
    let at = window.get_by_role_and_label(Role::Button, mark).rect().center();
    let middle = canvas(window).unwrap().center();
    assert!((at - middle).length() < 60.0, "{at:?} is far from {middle:?}");
    // A click on the mark shows what is wrong, with the ways out.
    window.get_by_role_and_label(Role::Button, mark).click();
    steps(window, 6);
    picture(window, "wire-problem-menu");
    let fixes = window.get_all_by_role_and_label(Role::Button, "Insert Flatten");
    let near = fixes.min_by(|a, b| (a.rect().center() - at).length().total_cmp(&(b.rect().center() - at).length()));
    near.unwrap().click();
    steps(window, 6);
    window.get_by_label("No problems");
    assert!(window.query_by_label(mark).is_none());
}

#[test]
fn the_network_or_the_panels_can_have_all_the_room() {
    let mut opened = lenet([1_000.0, 640.0]);
    let window = &mut opened.window;
    let shared = canvas(window).unwrap().height();
    ctrl(window, Key::J);
    assert!(!has_tab(window, "Cost"));
    assert!(canvas(window).unwrap().height() > shared + 100.0);
    picture(window, "network-alone");
    ctrl(window, Key::J);
    assert!(has_tab(window, "Cost") && (canvas(window).unwrap().height() - shared).abs() < 1.0);
    key(window, Modifiers::COMMAND | Modifiers::SHIFT, Key::J);
    assert!(has_tab(window, "Cost") && canvas(window).is_none());
    picture(window, "panels-alone");
    // Buttons do the same as the keys, and so does the menu.
    click_near(window, "Bring back what is hidden");
    assert!(canvas(window).is_some());
    click_near(window, "Give the network all the room");
    assert!(!has_tab(window, "Cost"));
    button(window, "View");
    click_near(window, "Show lower panels");
    assert!(has_tab(window, "Cost"));
    // What is asked for comes into sight by itself.
    key(window, Modifiers::COMMAND | Modifiers::SHIFT, Key::J);
    ctrl(window, Key::F);
    window.get_by_label("Find a layer").type_text("c3");
    steps(window, 6);
    assert!(canvas(window).is_some(), "a layer that was found is shown");
}

/// 1000 × 640, and what is left of 1440 × 900 at a scale of 155 %.
#[test]
fn a_small_window_and_large_letters_leave_every_part_usable() {
    for size in [[1_000.0, 640.0], [929.0, 580.0]] {
        let mut opened = lenet(size);
        let window = &mut opened.window;
        tab(window, "Cost");
        steps(window, 4);
        picture(window, &format!("small-{}", size[0]));
        let all = Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(size[0], size[1]));
        let network = canvas(window).unwrap();
        assert!(network.width() >= 400.0 && network.height() >= 240.0, "{network:?} in {size:?}");
        let of = |role, label: &str| window.get_by_role_and_label(role, label).rect();
        let (train, stop) = (of(Role::Button, "Train"), of(Role::Button, "Stop"));
        let gauge = window.get_by_label_contains("Planned RAM: ").rect();
        assert!(train.right() <= stop.left() && stop.right() <= gauge.left(), "{stop:?} {gauge:?}");
        assert!(all.contains_rect(gauge), "{gauge:?} in {size:?}");
        // The first card can be read, the fields are whole, the table has some rows in sight.
        let card = window.get_by_label_contains("input, Input").rect();
        assert!(network.contains_rect(card) && card.height() >= 32.0, "{card:?} in {size:?}");
        let epochs = of(Role::SpinButton, "Epochs");
        assert!(epochs.left() > network.right() && epochs.right() <= all.right(), "{epochs:?} in {size:?}");
        let rows = window.query_all_by_label_contains("Cost of ").filter(|row| row.rect().bottom() <= size[1] - 26.0);
        assert!(rows.count() >= 3, "{size:?}");
        let (fit, colour) = (of(Role::Button, "Fit"), of(Role::ComboBox, "Colour of the cards: Kind"));
        assert!(network.contains_rect(fit) && colour.right() < fit.left(), "{fit:?} {colour:?}");
        ctrl(window, Key::J);
        click_near(window, "input, Input");
        picture(window, &format!("small-{}-network", size[0]));
    }
}

#[test]
fn the_last_column_of_the_costs_is_in_sight_in_a_window_of_the_usual_size() {
    let mut opened = lenet([1_440.0, 900.0]);
    let window = &mut opened.window;
    tab(window, "Cost");
    picture(window, "cost");
    let last = window.get_by_label("Sort by Textbook share").rect();
    let edge = canvas(window).unwrap().right();
    assert!(last.right() <= edge, "{last:?} ends behind {edge}");
}

/// c1: what the planner gives it stands in the cost table as well.
#[test]
fn the_outline_says_the_planned_bytes_of_each_layer() {
    let mut opened = lenet([1_440.0, 900.0]);
    let window = &mut opened.window;
    tab(window, "Cost");
    let row = window.get_all_by_label_contains("Cost of c1: planned RAM ").next().unwrap();
    let label = egui_kittest::kittest::NodeT::accesskit_node(&row).label().unwrap();
    let bytes = label.rsplit("planned RAM ").next().unwrap().to_owned();
    tab(window, "Outline");
    picture(window, "outline");
    window.get_by_label_contains(&format!("c1, Conv2D, level 1, 28 × 28 × 6, 156 params, planned RAM {bytes}"));
}

/// 16-bit values halve what is kept of them.
#[test]
fn another_element_type_shows_the_old_memory_beside_the_new() {
    let mut opened = lenet([1_440.0, 1_000.0]);
    let window = &mut opened.window;
    tab(window, "Training");
    let planned = |window: &Window| window.state().workspace().front().derived().cost.memory.training_planned_bytes;
    let before = planned(window);
    window.get_by_role_and_label(Role::ComboBox, "Element type: f32").click();
    steps(window, 6);
    button(window, "f16");
    let after = planned(window);
    assert!(after < before);
    let [old, new] = [before, after].map(striate::text::bytes);
    window.get_by_label_contains(&format!("Planned RAM {old} → {new}"));
}

/// The exercise network ends in a map of 25 × 38 × 400; a classifier must follow it.
#[test]
fn where_a_wire_is_missing_its_end_says_what_should_follow_and_adds_it() {
    let folder = scratch();
    let options = striate::ui::Options { document: Some("exercise-net".into()), ..options(folder.path()) };
    let mut window = open([1_440.0, 1_000.0], options);
    let mark = "Missing link behind conv3";
    picture(&mut window, "missing-wire");
    window.get_by_role_and_label(Role::Button, mark).click();
    steps(&mut window, 6);
    picture(&mut window, "missing-wire-menu");
    window.get_by_role_and_label(Role::Button, "Add global average pooling and a dense layer").click();
    steps(&mut window, 6);
    assert!(window.query_by_label(mark).is_none());
    assert!(window.query_by_label_contains("Global average pooling, 400").is_some());
}

/// c1 and s2, held by s2, go behind c3; one step back brings both to their places.
#[test]
fn several_selected_cards_are_dragged_as_one() {
    let mut opened = lenet([1_440.0, 1_000.0]);
    let window = &mut opened.window;
    let rect = |window: &Window, card: &str| window.get_by_label_contains(card).rect();
    let order = |window: &Window| {
        let graph = &window.state().document().graph;
        let names = graph.topological().0.into_iter().map(|at| graph.nodes[at].name.clone());
        names.collect::<Vec<_>>().join(" ")
    };
    let start = order(window);
    click_near(window, "c1, Conv2D");
    window.get_by_label_contains("s2, Average pooling").click_modifiers(Modifiers::COMMAND);
    steps(window, 4);
    let from = rect(window, "s2, Average pooling").center();
    let (above, below) = (rect(window, "c3, Conv2D"), rect(window, "s4, Average pooling"));
    let to = above.center_bottom().lerp(below.center_top(), 0.5);
    window.hover_at(from);
    window.step();
    window.drag_at(from);
    window.step();
    for part in [0.1, 0.5, 1.0, 1.0] {
        window.hover_at(from.lerp(to, part));
        window.step();
    }
    picture(window, "dragging-two");
    window.drop_at(to);
    steps(window, 20);
    assert!(order(window).starts_with("input c3 c1 s2 s4 c5"), "{}", order(window));
    ctrl(window, Key::Z);
    assert_eq!(order(window), start);
}

#[test]
fn hover_texts_carry_the_key_of_their_command() {
    let mut opened = lenet([1_440.0, 1_000.0]);
    let window = &mut opened.window;
    let hints = [("New network", "(Ctrl+N)"), ("Train", "Ctrl+Enter"), ("Give the network all the room", "(Ctrl+J)")];
    for (label, keys) in hints {
        let at = window.get_by_role_and_label(Role::Button, label).rect().center();
        window.hover_at(at);
        steps(window, 60);
        let shown = window.query_all_by_label_contains(keys).count();
        assert!(shown > 0, "hovering over {label} does not say {keys}");
    }
}
