//! The keyboard alone: a network that branches and merges, built from nothing and trained in the real window.

use egui::{Event, Key, Modifiers, Role, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use std::path::Path;
use std::time::{Duration, Instant};
use striate::ui::runs::RunState;
use striate::ui::{App, Options};

/// Longest wait for the engine; a debug machine under load is slow.
const PATIENCE: Duration = Duration::from_mins(4);

type Hand = Harness<'static, App>;

fn window(storage: &Path) -> Hand {
    let options = Options {
        worker_exe: Some(env!("CARGO_BIN_EXE_striate").into()),
        storage: Some(storage.to_path_buf()),
        ..Options::default()
    };
    let mut window = Harness::builder()
        .with_size(vec2(1_440.0, 1_000.0))
        .with_step_dt(1.0 / 60.0)
        .build_eframe(|cc| App::new(cc, options));
    steps(&mut window, 8);
    window
}

fn steps(window: &mut Hand, count: usize) {
    (0..count).for_each(|_| window.step());
}

fn key(window: &mut Hand, modifiers: Modifiers, key: Key) {
    window.key_press_modifiers(modifiers, key);
    steps(window, 3);
}

fn plain(window: &mut Hand, which: Key) {
    key(window, Modifiers::NONE, which);
}

fn text(window: &mut Hand, text: &str) {
    window.event(Event::Text(text.to_owned()));
    steps(window, 2);
}

fn add(window: &mut Hand, kind: &str) {
    plain(window, Key::Slash);
    text(window, kind);
    plain(window, Key::Enter);
}

fn wait(window: &mut Hand, what: &str, holds: impl Fn(&App) -> bool) {
    let end = Instant::now() + PATIENCE;
    loop {
        window.step();
        let app = window.state();
        if holds(app) {
            return;
        }
        assert!(Instant::now() < end, "{what} did not come: {:?} {:?} {:#?}", app.bad_news(), app.run(), app.log());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_network_that_branches_and_merges_is_built_and_trained_by_keys_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = window(folder.path());
    key(&mut window, Modifiers::COMMAND, Key::N);
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

    key(&mut window, Modifiers::COMMAND, Key::Enter);
    wait(&mut window, "the first steps", |app| app.run().is_some_and(|run| run.steps.len() >= 5));
    let losses: Vec<f64> = window.state().run().unwrap().steps.iter().map(|step| step.loss).collect();
    assert!(losses.iter().all(|loss| loss.is_finite()), "{losses:?}");
    key(&mut window, Modifiers::COMMAND, Key::Period);
    wait(&mut window, "the end of the run", |app| {
        app.run().is_some_and(|run| matches!(run.state, RunState::Finished(_)))
    });
}

#[test]
fn the_outline_lists_nested_layers_and_shares_the_selection_with_the_canvas() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        worker_exe: Some(env!("CARGO_BIN_EXE_striate").into()),
        storage: Some(folder.path().to_path_buf()),
        document: Some("resnet-mini".into()),
        ..Options::default()
    };
    let mut window = Harness::builder()
        .with_size(vec2(1_440.0, 1_000.0))
        .with_step_dt(1.0 / 60.0)
        .build_eframe(|cc| App::new(cc, options));
    steps(&mut window, 6);
    window.get_by_role_and_label(Role::Tab, "Outline").click();
    steps(&mut window, 4);
    let named = |window: &Hand| {
        let front = window.state().workspace().front();
        let graph = front.history.document().graph.at(&front.path).unwrap();
        let names: Vec<String> = front.selection.iter().map(|id| graph.node(*id).unwrap().name.clone()).collect();
        (front.path.len(), names)
    };
    // A click on a row selects its card; arrows go on from there, into the group that follows.
    window.get_by_label_contains("layer1_0, Residual block, level 1").click();
    steps(&mut window, 3);
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
    let nested = |window: &Hand| window.query_all_by_label_contains("level 2, 28 × 28 × 16").count();
    let before = nested(&window);
    plain(&mut window, Key::ArrowLeft);
    assert_eq!((before, nested(&window)), (2, 0), "its input and its block");
    plain(&mut window, Key::ArrowRight);
    assert_eq!(nested(&window), before);
    // And the canvas shows what was chosen here.
    plain(&mut window, Key::Enter);
    assert_eq!(window.state().workspace().front().path.len(), 1);
}
