//! The window from opening to saving: layers, training, feature maps, files, the engine's end.

use crate::hand::{
    Window, ask_to_close, click, click_near, ctrl, delete, enter, has, open, options, steps, stop, tab, train, wait,
};
use crate::scratch::scratch;
use egui::{Key, Pos2, Role};
use egui_kittest::kittest::Queryable as _;
use std::path::Path;
use striate::presets;
use striate::ui::runs::RunState;

const SIZE: [f32; 2] = [1_440.0, 1_000.0];

fn window(storage: &Path) -> Window {
    open(SIZE, options(storage))
}

fn drag(window: &mut Window, from: Pos2, to: Pos2) {
    window.hover_at(from);
    window.step();
    window.drag_at(from);
    window.step();
    for part in [0.1, 0.3, 0.6, 0.9, 1.0, 1.0] {
        window.hover_at(from.lerp(to, part));
        window.step();
    }
    window.drop_at(to);
    steps(window, 6);
}

fn centre(window: &Window, label: &str) -> Pos2 {
    window.get_by_label_contains(label).rect().center()
}

#[test]
fn a_network_is_changed_trained_looked_into_saved_and_reopened() {
    let folder = scratch();
    let mut window = window(folder.path());
    // LeCun 1998 with a full second convolution: 61,706 parameters.
    window.get_by_label("61,706 parameters");

    // Conv2D from the palette onto the wire between c1 (28 × 28 × 6) and s2.
    let from = window.get_by_role_and_label(Role::Button, "Conv2D").rect().center();
    let (above, below) = (centre(&window, "c1, Conv2D"), centre(&window, "s2, Average pooling"));
    drag(&mut window, from, above.lerp(below, 0.5));
    assert_eq!(window.state().document().graph.nodes.len(), presets::find("lenet5").unwrap().graph.nodes.len() + 1);

    // Its filters by the inspector: 6, so that everything behind keeps its size but for the border.
    enter(&mut window, "Filters", "6");
    // 3 · 3 · 6 weights and a bias for each of 6 filters: 330.
    window.get_by_label_contains("conv1, Conv2D");
    window.get_by_label_contains("× 6, 330 parameters");

    // Undone, filters first, then the layer.
    ctrl(&mut window, Key::Z);
    ctrl(&mut window, Key::Z);
    window.get_by_label("61,706 parameters");
    assert!(window.query_by_label_contains("conv1, Conv2D").is_none());

    // Training shows in the charts.
    train(&mut window, 5);
    let first = window.state().run().map_or(0, |run| run.steps.len());
    window.get_by_label_contains("Loss chart");
    wait(&mut window, "more points in the chart", |window| {
        window.state().run().is_some_and(|run| run.steps.len() > first + 5)
    });

    // Feature maps follow the weights.
    tab(&mut window, "Feature maps");
    let probe = |window: &Window| window.state().look().probe.clone();
    wait(&mut window, "feature maps", |window| probe(window).is_some_and(|probe| !probe.planes.is_empty()));
    window.get_by_label("Channel 0");
    let before = probe(&window).unwrap();
    // The inspector shows some of them beside the settings of the layer.
    click_near(&mut window, "c1, Conv2D");
    wait(&mut window, "maps in the inspector", |window| has(window, "Feature maps of the selected layer"));
    window.get_by_label("Filters of the selected layer");
    wait(&mut window, "other feature maps", |window| {
        probe(window).is_some_and(|now| now.step > before.step && now.planes != before.planes)
    });
    let chances: f32 = before.top.iter().map(|(_, share)| share).sum();
    assert!(before.top.len() == 5 && chances <= 1.001, "{:?}", before.top);

    // Held, and on again.
    window.get_by_label("Pause").click();
    wait(&mut window, "the pause", |window| window.state().run().is_some_and(|run| run.state == RunState::Paused));
    window.get_by_label("Go on").click();
    wait(&mut window, "the end of the pause", |window| {
        window.state().run().is_some_and(|run| run.state == RunState::Training)
    });
    stop(&mut window);

    // Saved and reopened: the same network, nothing modified.
    let document = window.state().document().clone();
    ctrl(&mut window, Key::S);
    let file = folder.path().join("net.json");
    wait(&mut window, "the file", |_| file.exists());
    ctrl(&mut window, Key::N);
    assert!(window.state().document().graph.nodes.is_empty());
    ctrl(&mut window, Key::O);
    wait(&mut window, "the reopened network", |window| !window.state().document().graph.nodes.is_empty());
    assert_eq!(window.state().document().to_json(), document.to_json());
    assert!(window.query_by_label("Modified").is_none());
}

#[cfg(unix)]
#[test]
fn an_engine_that_is_killed_is_told_in_words_and_the_next_run_starts() {
    let folder = scratch();
    let mut window = window(folder.path());
    train(&mut window, 5);
    let pid = window.state().worker_pid().unwrap();
    let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(killed.success());
    wait(&mut window, "the bad news", |window| window.state().bad_news().is_some_and(|words| words.contains("engine")));
    click(&mut window, "Dismiss");
    assert!(window.state().bad_news().is_none());
    train(&mut window, 5);
    stop(&mut window);
}

#[test]
fn closing_with_unsaved_changes_asks() {
    let folder = scratch();
    let mut window = window(folder.path());
    delete(&mut window, "s2, Average pooling");
    ask_to_close(&mut window);
    window.get_by_label("There are unsaved changes");
    click(&mut window, "Keep open");
    assert!(window.query_by_label("There are unsaved changes").is_none());
    window.get_by_label("Modified");
}

#[test]
fn a_file_that_is_no_network_is_named_with_the_reason() {
    let folder = scratch();
    std::fs::write(folder.path().join("net.json"), "{}").unwrap();
    let mut window = window(folder.path());
    ctrl(&mut window, Key::O);
    wait(&mut window, "the message", |window| window.query_by_label("This file was not opened").is_some());
    window.get_by_label_contains("net.json");
    assert!(!window.state().document().graph.nodes.is_empty());
}
