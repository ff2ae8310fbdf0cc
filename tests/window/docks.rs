//! The movable panels: torn off, taken back, resized; also where a slow frame gets everything at once.

use crate::hand::{Window, click, open, options, picture, steps, tab};
use egui::{Event, Modifiers, PointerButton, Pos2, Role, vec2};
use egui_kittest::kittest::Queryable as _;

fn window(storage: &std::path::Path) -> Window {
    open([1_440.0, 900.0], options(storage))
}

fn button(pos: Pos2, pressed: bool) -> Event {
    Event::PointerButton { pos, button: PointerButton::Primary, pressed, modifiers: Modifiers::NONE }
}

/// Drags with frames between, and stays there with the button down.
fn pull(window: &mut Window, from: Pos2, to: Pos2) {
    window.hover_at(from);
    window.drag_at(from);
    for part in [0.1, 0.4, 0.8, 1.0, 1.0] {
        window.hover_at(from.lerp(to, part));
    }
    steps(window, 6);
}

#[test]
fn a_panel_that_was_torn_off_keeps_its_tab_and_can_be_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = window(folder.path());
    tab(&mut window, "Log");
    let from = window.get_by_role_and_label(Role::Tab, "Log").rect().center();
    let canvas = window.get_by_label("Network canvas").rect();
    pull(&mut window, from, canvas.right_center() - vec2(60.0, 0.0));
    picture(&mut window, "dock-drop");
    window.drop_at(canvas.right_center() - vec2(60.0, 0.0));
    steps(&mut window, 6);
    picture(&mut window, "dock-torn-off");
    let log = window.get_by_role_and_label(Role::Tab, "Log").rect();
    let cost = window.get_by_role_and_label(Role::Tab, "Cost").rect();
    assert!(log.bottom() < cost.top(), "beside the canvas now: {log:?} {cost:?}");
    assert!(window.query_by_role_and_label(Role::Tab, "Network").is_none(), "the canvas alone needs no title");
    // Back onto the other tabs.
    pull(&mut window, log.center(), cost.center());
    window.drop_at(cost.center());
    steps(&mut window, 6);
    let log = window.get_by_role_and_label(Role::Tab, "Log").rect();
    assert!((log.center().y - window.get_by_role_and_label(Role::Tab, "Cost").rect().center().y).abs() < 2.0);
}

#[test]
fn reset_layout_keeps_the_panel_in_front() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = window(folder.path());
    tab(&mut window, "Problems");
    window.get_by_label_contains("No problems");
    click(&mut window, "View");
    click(&mut window, "Reset layout");
    window.get_by_label_contains("No problems");
}

#[test]
fn a_quick_drag_of_the_line_between_panels_resizes_and_tears_nothing_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = window(folder.path());
    let before = window.get_by_label("Network canvas").rect();
    // 3 points beside the line is near enough.
    let from = before.center_bottom() + vec2(-300.0, 3.0);
    let to = from - vec2(0.0, 80.0);
    window.hover_at(from - vec2(0.0, 200.0));
    window.step();
    window.input_mut().events.extend([
        Event::PointerMoved(from),
        button(from, true),
        Event::PointerMoved(from + vec2(0.0, 12.0)),
        Event::PointerMoved(to),
        button(to, false),
    ]);
    steps(&mut window, 8);
    let after = window.get_by_label("Network canvas").rect();
    assert!((before.bottom() - after.bottom() - 80.0).abs() < 5.0, "{before:?} {after:?}");
    let (cost, log) =
        (window.get_by_role_and_label(Role::Tab, "Cost").rect(), window.get_by_role_and_label(Role::Tab, "Log").rect());
    assert!((cost.center().y - log.center().y).abs() < 2.0);
}
