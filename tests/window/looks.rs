//! Finding, explaining and arranging in the real window, driven by labels and keys; no display is needed.

use crate::hand::{Window, ctrl, options, steps, wait};
use crate::scratch::{Scratch, scratch};
use egui::{Key, Modifiers, Role, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use striate::ui::Options;

struct Opened {
    window: Window,
    /// Holds the runs; removed at the end.
    _folder: Scratch,
}

fn open(preset: &str) -> Opened {
    let folder = scratch();
    let options = Options { document: Some(preset.into()), ..options(folder.path()) };
    Opened { window: crate::hand::open([1_440.0, 1_000.0], options), _folder: folder }
}

/// Opens the command palette, types, and does the first entry.
fn ask(window: &mut Window, words: &str) {
    ctrl(window, Key::K);
    window.get_by_label("Command palette").type_text(words);
    steps(window, 3);
    window.key_press(Key::Enter);
    steps(window, 6);
    assert!(window.query_by_label("Command palette").is_none(), "the palette stays open after {words:?}");
}

/// Selects a card and comes near enough to read it.
fn near(window: &mut Window, card: &str) {
    window.get_by_label_contains(card).click();
    steps(window, 4);
    window.key_press(Key::F);
    steps(window, 6);
}

fn has_focus(window: &Window, role: Role, label: &str) -> bool {
    window.get_by_role_and_label(role, label).accesskit_node().is_focused()
}

#[test]
fn the_command_palette_runs_adds_opens_shows_focuses_and_finds() {
    let mut opened = open("lenet5");
    let window = &mut opened.window;
    let before = window.state().document().graph.nodes.len();

    near(window, "c1, Conv2D");
    ask(window, "batch norm");
    assert_eq!(window.state().document().graph.nodes.len(), before + 1);
    ask(window, "undo");
    assert_eq!(window.state().document().graph.nodes.len(), before);

    // A command of the canvas.
    ask(window, "select all");
    assert_eq!(window.state().workspace().front().selection.len(), before);

    // A layer of the network by name; then a field of it.
    ask(window, "c3 go to layer");
    let c3 = window.state().document().graph.by_name("c3").unwrap().id;
    assert_eq!(window.state().workspace().front().selection, [c3]);
    ask(window, "stride of");
    assert!(has_focus(window, Role::SpinButton, "Stride height"));

    // A setting of the training.
    ask(window, "weight decay");
    steps(window, 4);
    assert!(has_focus(window, Role::SpinButton, "Weight decay"));

    ask(window, "problems panel");
    window.get_by_label("No problems");

    // What is typed into a setting that was gone to replaces its number.
    ask(window, "batch setting");
    steps(window, 4);
    window.event(egui::Event::Text("10".into()));
    steps(window, 2);
    window.key_press(Key::Enter);
    steps(window, 4);
    assert_eq!(window.state().document().training.batch, 10);

    ask(window, "exercise");
    assert_eq!(window.state().workspace().documents.len(), 2);
}

/// What people type who do not know what a thing is called here.
#[test]
fn the_command_palette_knows_other_words() {
    let mut opened = open("lenet5");
    let window = &mut opened.window;
    ask(window, "problems panel");
    assert!(window.query_by_label("Copy as CSV").is_none());
    ask(window, "ram");
    assert!(window.query_by_label("Copy as CSV").is_some(), "ram finds the panel of costs");
    ask(window, "csv");
    assert!(window.query_by_label_contains("Copied to the clipboard").is_some(), "csv copies the table of costs");
    ask(window, "problems panel");
    ask(window, "memory");
    assert!(window.query_by_label("Reduce memory").is_some(), "memory shows what would need less");
    ask(window, "f16");
    assert!(has_focus(window, Role::ComboBox, "Element type: f32"));
    ask(window, "color");
    assert!(has_focus(window, Role::ComboBox, "Colour of the cards: Kind"));
    near(window, "c1, Conv2D");
    ask(window, "freeze");
    let c1 = window.state().document().graph.by_name("c1").unwrap();
    assert!(!c1.trainable);
    // Presets are called as in the sidebar; their ids are found as well.
    ask(window, "mnist-cnn");
    assert_eq!(window.state().workspace().documents.len(), 2);
}

#[test]
fn a_network_without_a_classifier_says_why_it_cannot_be_trained_and_how_it_can() {
    let mut opened = open("exercise-net");
    let window = &mut opened.window;
    assert!(window.get_by_role_and_label(Role::Button, "Train").accesskit_node().is_disabled());
    window.get_by_role_and_label(Role::Tab, "Problems").click();
    steps(window, 6);
    window.get_by_role_and_label(Role::Link, "Warning: conv3");
    window.get_by_label_contains("the network cannot be trained");
    window
        .get_all_by_role_and_label(Role::Button, "Add global average pooling and a dense layer")
        .next()
        .unwrap()
        .click();
    steps(window, 6);
    window.get_by_label("No problems");
    assert!(!window.get_by_role_and_label(Role::Button, "Train").accesskit_node().is_disabled());
}

#[test]
fn the_fit_button_shows_everything_and_escape_in_a_menu_keeps_the_selection() {
    let mut opened = open("lenet5");
    let window = &mut opened.window;
    let width = |window: &Window| window.get_by_label_contains("c1, Conv2D").rect().width();
    window.get_by_role_and_label(Role::Button, "Fit").click();
    steps(window, 30);
    let whole = width(window);
    near(window, "c1, Conv2D");
    steps(window, 30);
    assert!(width(window) > whole * 1.2, "F shows the selection: {} of {whole}", width(window));
    window.get_by_role_and_label(Role::Button, "Fit").click();
    steps(window, 30);
    assert!((width(window) - whole).abs() < 1.0, "{} of {whole}", width(window));

    let selected = window.state().workspace().front().selection.clone();
    assert_eq!(selected.len(), 1);
    window.get_by_role_and_label(Role::Button, "Edit").click();
    steps(window, 4);
    window.get_by_label_contains("Undo");
    window.key_press(Key::Escape);
    steps(window, 4);
    assert!(window.query_by_label_contains("Undo").is_none(), "the menu is closed");
    assert_eq!(window.state().workspace().front().selection, selected);
}

#[test]
fn the_command_palette_closes_by_escape_and_the_arrows_choose() {
    let mut opened = open("lenet5");
    let window = &mut opened.window;
    window.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::P);
    steps(window, 4);
    window.get_by_label("Command palette").type_text("actual");
    steps(window, 3);
    let chosen = |window: &Window| {
        let rows = window.get_all_by_role(Role::ListBoxOption);
        rows.filter(|row| row.accesskit_node().toggled() == Some(egui::accesskit::Toggled::True)).count()
    };
    assert_eq!(chosen(window), 1);
    window.key_press(Key::ArrowDown);
    steps(window, 3);
    assert_eq!(chosen(window), 1);
    window.key_press(Key::Escape);
    steps(window, 4);
    assert!(window.query_by_label("Command palette").is_none());
}

#[test]
fn find_goes_through_groups_and_round_again() {
    let mut opened = open("resnet-mini");
    let window = &mut opened.window;
    ctrl(window, Key::F);
    window.get_by_label("Find a layer").type_text("residual");
    steps(window, 6);
    let shown = |window: &Window| {
        let front = window.state().workspace().front();
        (front.path.clone(), front.selection.clone())
    };
    let first = shown(window);
    assert_eq!(first.1.len(), 1, "the first match is selected as one types");
    let mut seen = vec![first.clone()];
    loop {
        window.key_press(Key::F3);
        steps(window, 4);
        if shown(window) == first {
            break;
        }
        assert!(!seen.contains(&shown(window)), "{seen:?}");
        seen.push(shown(window));
    }
    assert!(seen.len() > 1 && seen.iter().any(|(path, _)| !path.is_empty()), "{seen:?}");
}

/// LeNet-5's first convolution: (5 · 5 · 1 + 1) · 6 = 156.
#[test]
fn a_term_of_a_calculation_leads_to_the_setting_behind_it() {
    let mut opened = open("lenet5");
    let window = &mut opened.window;
    near(window, "c1, Conv2D");
    // The number on the card is a node of its own.
    window.get_by_label("Parameters of c1: 156");
    window.get_by_label("Output of c1: 28 × 28 × 6");
    window.get_by_label("Why? Parameters").click();
    steps(window, 20);
    window.get_by_role_and_label(Role::Link, "6: Filters: click to change it").click();
    steps(window, 6);
    assert!(has_focus(window, Role::SpinButton, "Filters"));
    // What is read comes from the layer before.
    window.get_by_role_and_label(Role::Link, "1: From input: click to go there").click();
    steps(window, 6);
    let input = window.state().document().graph.by_name("input").unwrap().id;
    assert_eq!(window.state().workspace().front().selection, [input]);
}

/// (5 · 5 · 1 + 1) · 12 = 312 instead of 156.
#[test]
fn a_change_shows_old_and_new_side_by_side_and_can_be_reset() {
    let mut opened = open("lenet5");
    let window = &mut opened.window;
    near(window, "c1, Conv2D");
    window.get_by_role_and_label(Role::SpinButton, "Filters").focus();
    steps(window, 4);
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.get_by_role_and_label(Role::SpinButton, "Filters").type_text("12");
    window.key_press(Key::Enter);
    steps(window, 4);
    window.get_by_label("Parameters of c1: 312");
    window.get_by_label("156 →");
    window.get_by_label("+156");
    // Conv2D's default is 32 filters: (5 · 5 · 1 + 1) · 32 = 832.
    window.get_by_label("Reset Filters to 32").click();
    steps(window, 4);
    window.get_by_label("Parameters of c1: 832");
    assert!(window.query_by_label("Reset Filters to 32").is_none());
    ctrl(window, Key::Z);
    window.get_by_label("Parameters of c1: 312");
}

#[test]
fn problems_are_listed_jumped_to_and_mended_in_one_step() {
    let mut opened = open("lenet5");
    let window = &mut opened.window;
    window.get_by_label_contains("flatten, Flatten").click();
    steps(window, 4);
    window.key_press(Key::Delete);
    steps(window, 20);
    window.key_press(Key::Escape);
    steps(window, 3);
    window.key_press(Key::F8);
    steps(window, 6);
    let f6 = window.state().document().graph.by_name("f6").unwrap().id;
    assert_eq!(window.state().workspace().front().selection, [f6]);
    window.get_by_label_contains("Problem 1 of ");
    window.get_by_role_and_label(Role::Tab, "Problems").click();
    steps(window, 4);
    window.get_by_role_and_label(Role::Link, "Error: f6");
    window.get_all_by_role_and_label(Role::Button, "Insert Flatten").next().unwrap().click();
    steps(window, 6);
    window.get_by_label("No problems");
    // One step back, and the problem is there again.
    ctrl(window, Key::Z);
    window.get_by_role_and_label(Role::Link, "Error: f6");
}

#[test]
fn cards_are_coloured_by_a_figure_with_a_legend() {
    let mut opened = open("lenet5");
    let window = &mut opened.window;
    window.get_by_role_and_label(Role::ComboBox, "Colour of the cards: Kind").click();
    steps(window, 6);
    window.get_by_role_and_label(Role::Button, "Parameters").click();
    steps(window, 6);
    // The least is c1's 156; the most c5's 48,120 = (5 · 5 · 16 + 1) · 120.
    window.get_by_label("Parameters from 156 params to 48.12 k params");
}

#[test]
fn the_map_shows_while_not_everything_is_in_sight_and_moves_the_view() {
    let mut opened = open("lenet5");
    let window = &mut opened.window;
    assert!(window.query_by_label("Minimap").is_none());
    near(window, "input, Input");
    let map = window.get_by_label("Minimap").rect();
    let before = window.get_by_label_contains("input, Input").rect();
    let below = map.center_bottom() - vec2(0.0, 6.0);
    window.hover_at(below);
    window.drag_at(below);
    window.step();
    window.drop_at(below);
    steps(window, 4);
    let hidden = window.query_by_label_contains("input, Input").is_none_or(|card| card.rect().top() < before.top());
    assert!(hidden, "the view did not move down");
    ask(window, "minimap");
    assert!(window.query_by_label("Minimap").is_none());
}

#[test]
fn preferences_change_the_window_and_escape_closes_them() {
    let mut opened = open("lenet5");
    let window = &mut opened.window;
    ctrl(window, Key::Comma);
    window.get_by_label("Motion: reduced").click();
    steps(window, 4);
    assert!(window.ctx.global_style().animation_time.abs() < f32::EPSILON);
    window.get_by_label("Map of large networks").click();
    steps(window, 4);
    window.key_press(Key::Escape);
    steps(window, 4);
    assert!(window.query_by_label("Map of large networks").is_none());
    near(window, "input, Input");
    assert!(window.query_by_label("Minimap").is_none());
}

/// A real engine measures LeNet-5; every layer with weights takes some time.
#[test]
fn layers_are_measured_and_coloured_by_their_time() {
    let mut opened = open("lenet5");
    let window = &mut opened.window;
    window.get_by_role_and_label(Role::ComboBox, "Colour of the cards: Kind").click();
    steps(window, 6);
    window.get_by_role_and_label(Role::Button, "Measured time").click();
    steps(window, 6);
    window.get_by_role_and_label(Role::Button, "Measure").click();
    wait(window, "times", |window| window.query_by_label_contains("Measured time from ").is_some());
    window.get_by_role_and_label(Role::Button, "Measure again");
}

/// Each way to need less memory stands there with its figure before and after, is made by one click and undone by one key.
#[test]
fn memory_is_reduced_by_one_click_that_can_be_undone() {
    let mut opened = open("lenet5");
    let window = &mut opened.window;
    ask(window, "reduce memory");
    let planned = |window: &Window| window.state().workspace().front().derived().cost.memory.training_planned_bytes;
    let before = planned(window);
    let batch = window.state().document().training.batch;
    window.get_by_label_contains("Apply SGD without momentum").click_accesskit();
    steps(window, 6);
    // Adam keeps two numbers of 4 bytes for each of 61,706 parameters.
    assert_eq!(before - planned(window), 2 * 4 * 61_706);
    // It stands where it stood, as done, with the way back; every other row stays in its place.
    assert!(window.query_by_label_contains("Apply SGD without momentum").is_none());
    window.get_by_label("Undo SGD without momentum");
    let tops = |window: &Window| {
        let titles = ["Batch of 32, 2 gradients added up", "SGD without momentum", "Values in 16 bits (f16)"];
        titles.map(|title| format!("{:.0}", window.get_by_label(title).rect().top()))
    };
    let at = tops(window);
    window.get_by_label_contains("Apply Batch of 32, 2 gradients added up: ").click_accesskit();
    steps(window, 6);
    assert_eq!(tops(window), at);
    let spec = &window.state().document().training;
    assert_eq!((spec.batch, spec.accumulate), (batch / 2, 2));
    // Only the last change is taken back; then the one before it can be.
    let undo =
        |window: &Window, title: &str| window.get_by_label(&format!("Undo {title}")).accesskit_node().is_disabled();
    assert!(undo(window, "SGD without momentum"));
    window.get_by_label("Undo Batch of 32, 2 gradients added up").click_accesskit();
    steps(window, 6);
    assert!(!undo(window, "SGD without momentum"));
    assert_eq!(tops(window), at);
    window.get_by_label("Undo SGD without momentum").click_accesskit();
    steps(window, 6);
    assert_eq!(planned(window), before);
}

/// The exercise network has no classifier: what needs less is told all the same, and what makes it trainable stands beside it.
#[test]
fn memory_is_reduced_in_a_network_that_cannot_be_trained_yet() {
    let mut opened = open("exercise-net");
    let window = &mut opened.window;
    ask(window, "reduce memory");
    window.get_by_label_contains("It cannot be trained yet");
    // 50 = 25 · 2.
    window.get_by_label("Batch of 25, 2 gradients added up");
    for heading in ["Learns the same", "Changes the network or how it learns"] {
        window.get_by_label(heading);
    }
    window.get_by_role_and_label(Role::Button, "Add global average pooling and a dense layer").click_accesskit();
    steps(window, 6);
    assert_eq!(window.state().workspace().front().derived().plan.training_problem(), None);
    assert!(window.query_by_label_contains("It cannot be trained yet").is_none());
}

/// Rows of the cost table stand in the order of the planned bytes after a click on the head, and in the flow's order after two
/// more.
#[test]
fn a_click_on_a_head_sorts_the_table_of_costs() {
    let mut opened = open("exercise-net");
    let window = &mut opened.window;
    ask(window, "cost panel");
    let order = |window: &Window| {
        let mut rows: Vec<(f32, String)> = window
            .query_all_by_label_contains("Cost of ")
            .map(|row| (row.rect().top(), row.accesskit_node().label().unwrap_or_default()))
            .collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        // A row has a node in the part that scrolls and one in the part that stays.
        rows.dedup_by(|a, b| a.1 == b.1);
        let name = |label: &str| label.trim_start_matches("Cost of ").split(':').next().unwrap_or("").to_owned();
        rows.iter().map(|(_, label)| name(label)).collect::<Vec<_>>()
    };
    let flow = order(window);
    assert_eq!(flow[..2], ["input", "conv1"]);
    window.get_by_label("Sort by Planned RAM").click();
    steps(window, 4);
    let most = order(window);
    // The first convolution makes the largest maps, 100 × 150 × 100; the images are the least: 200 × 300 × 3 numbers.
    assert_ne!(most, flow);
    window.get_by_label("Sort by Planned RAM, most first").click();
    steps(window, 4);
    assert_eq!(order(window), most.iter().rev().cloned().collect::<Vec<_>>());
    window.get_by_label("Sort by Planned RAM, least first").click();
    steps(window, 4);
    assert_eq!(order(window), flow);
}

#[test]
fn another_batch_shows_the_old_memory_beside_the_new() {
    let mut opened = open("lenet5");
    let window = &mut opened.window;
    assert!(window.query_by_label_contains(" MB →").is_none());
    ask(window, "batch setting");
    steps(window, 4);
    window.event(egui::Event::Text("128".into()));
    steps(window, 3);
    window.key_press(Key::Enter);
    steps(window, 4);
    assert_eq!(window.state().document().training.batch, 128);
    assert!(window.query_all_by_label_contains(" MB →").count() >= 2, "planned and textbook");
}
