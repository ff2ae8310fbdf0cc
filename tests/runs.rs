//! Runs of several networks in one window: each keeps its own, others wait in a queue that outlives the window, and a run
//! whose epochs are done goes on for more. By labels on the real window with a real worker process.
#![cfg(feature = "gui")]
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use egui::{Key, Modifiers, Role, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use striate::engine::run::RunFolder;
use striate::ui::dialogs::{FileDialogs, Purpose, Reply};
use striate::ui::runs::{RunState, RunView};
use striate::ui::{App, Options};

/// Longest wait for the engine; a machine under load is slow.
const PATIENCE: Duration = Duration::from_mins(4);

/// A network that learns the built-in digits in a second an epoch.
fn tiny(folder: &Path, name: &str, epochs: u32) -> PathBuf {
    let file = folder.join(format!("{name}.json"));
    let json = serde_json::json!({
        "format": "striate-document", "version": 1, "name": name,
        "graph": {
            "nodes": [
                {"id": 1, "name": "input", "kind": "input", "settings": {"height": 28, "width": 28, "channels": 1}},
                {"id": 2, "name": "conv", "kind": "conv2d",
                    "settings": {"filters": 4, "kernel": [5, 5], "stride": [4, 4], "activation": "relu"}},
                {"id": 3, "name": "flat", "kind": "flatten", "settings": {}},
                {"id": 4, "name": "out", "kind": "dense", "settings": {"features": 10}},
            ],
            "links": [{"from": 1, "to": 2}, {"from": 2, "to": 3}, {"from": 3, "to": 4}],
        },
        "training": {"epochs": epochs, "batch": 64, "learning_rate": 0.003},
        "data": {"source": {"kind": "digits"}},
        "seed": 3,
    });
    std::fs::write(&file, json.to_string()).unwrap();
    file
}

/// Answers every file dialog with one path.
struct Always(PathBuf);

impl FileDialogs for Always {
    fn ask(&mut self, _purpose: &Purpose, _frame: &eframe::Frame, reply: Reply) {
        reply.send(Some(self.0.clone()));
    }
}

/// A window with a document, whose file dialog answers with another one.
fn window(storage: &Path, document: PathBuf, other: PathBuf) -> Harness<'static, App> {
    let options = Options {
        document: Some(document),
        worker_exe: Some(env!("CARGO_BIN_EXE_striate").into()),
        storage: Some(storage.to_path_buf()),
        dialogs: Some(Box::new(Always(other))),
        ..Options::default()
    };
    let mut window = Harness::builder()
        .with_size(vec2(1_440.0, 1_100.0))
        .with_step_dt(1.0 / 60.0)
        .build_eframe(|cc| App::new(cc, options));
    steps(&mut window, 8);
    window
}

fn steps(window: &mut Harness<'_, App>, count: usize) {
    (0..count).for_each(|_| window.step());
}

fn wait(window: &mut Harness<'_, App>, what: &str, holds: impl Fn(&Harness<'_, App>) -> bool) {
    let end = Instant::now() + PATIENCE;
    loop {
        window.step();
        if holds(window) {
            return;
        }
        let app = window.state();
        assert!(Instant::now() < end, "{what} did not come: {:?} {:#?}", app.bad_news(), app.log());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn train(window: &mut Harness<'_, App>) {
    window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    steps(window, 4);
}

fn stop(window: &mut Harness<'_, App>) {
    window.key_press_modifiers(Modifiers::COMMAND, Key::Period);
    finish(window);
}

fn finish(window: &mut Harness<'_, App>) {
    wait(window, "the end of the run", |window| {
        window.state().run().is_some_and(|run| matches!(run.state, RunState::Finished(_)))
    });
}

fn tab(window: &mut Harness<'_, App>, title: &str) {
    window.get_by_role_and_label(Role::Tab, title).click();
    steps(window, 4);
}

fn button(window: &mut Harness<'_, App>, label: &str) {
    window.get_by_role_and_label(Role::Button, label).click();
    steps(window, 4);
}

fn own(window: &Harness<'_, App>) -> Option<(String, usize)> {
    window.state().run_in_front().map(|run: &RunView| (run.name.clone(), run.steps.len()))
}

#[test]
fn every_tab_keeps_its_last_run_and_train_in_another_tab_waits_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    let second = tiny(folder.path(), "Second", 500);
    let mut window = window(folder.path(), tiny(folder.path(), "First", 1), second);
    train(&mut window);
    finish(&mut window);
    let first = own(&window).unwrap();
    assert_eq!(first.0, "first-1");
    let curves = format!("Loss chart, {} steps", first.1);
    window.get_by_label(&curves);

    // Another network in a tab of its own has no run, trains, and takes nothing from the first.
    window.key_press_modifiers(Modifiers::COMMAND, Key::O);
    wait(&mut window, "the second network", |window| window.state().document().name == "Second");
    steps(&mut window, 4);
    assert_eq!(own(&window), None);
    assert!(window.query_by_label(&curves).is_none());
    window.get_by_label("Ready to train");
    train(&mut window);
    wait(&mut window, "steps", |window| own(window).is_some_and(|(_, steps)| steps > 3));
    tab(&mut window, "Network First");
    assert_eq!(own(&window).as_ref(), Some(&first));
    window.get_by_label(&curves);
    tab(&mut window, "Results");
    window.get_by_label_contains("right, ");
    tab(&mut window, "Training");

    // Train says what it does now, and does it: also by its key.
    window.get_by_label_contains("Second: Training");
    assert!(window.query_by_role_and_label(Role::Button, "Train").is_none());
    train(&mut window);
    window.get_by_label("Queue, 1 waiting");
    assert_eq!(own(&window).as_ref(), Some(&first));

    // An empty network has no run either, and says why it cannot train instead of pretending that it could.
    button(&mut window, "New network");
    assert_eq!(window.state().document().name, "Untitled");
    window.get_by_label("Not ready to train");

    // The run ends; the waiting one starts in its own tab, and the second keeps what it had.
    stop(&mut window);
    wait(&mut window, "the waiting run", |window| {
        window.state().run().is_some_and(|run| run.name == "first-2" && !run.steps.is_empty())
    });
    tab(&mut window, "Network Second");
    assert_eq!(own(&window).unwrap().0, "second-1");
    finish(&mut window);
    tab(&mut window, "Network First");
    assert_eq!(own(&window).unwrap().0, "first-2");
}

#[test]
fn a_run_whose_epochs_are_done_goes_on_for_more_in_the_same_curves() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path(), "Tiny", 2);
    let mut window = window(folder.path(), file.clone(), file);
    train(&mut window);
    finish(&mut window);
    let before = window.state().run().unwrap().clone();
    assert_eq!(before.epochs.len(), 2);
    // Ten are proposed; one is enough here.
    window.get_by_role_and_label(Role::SpinButton, "More epochs").focus();
    steps(&mut window, 3);
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    steps(&mut window, 2);
    window.get_by_role_and_label(Role::SpinButton, "More epochs").type_text("1");
    window.key_press(Key::Enter);
    steps(&mut window, 4);
    button(&mut window, "Train 1 more epoch");
    wait(&mut window, "the third epoch", |window| window.state().run().is_some_and(|run| run.epochs.len() == 3));
    finish(&mut window);
    let after = window.state().run().unwrap();
    assert_eq!((after.name.as_str(), after.total_epochs()), ("tiny-1", 3));
    // What there was is still there, to the last bit, and the best epoch is the best of all three.
    assert_eq!(
        after.epochs[..2].iter().map(|epoch| epoch.loss).collect::<Vec<_>>(),
        before.epochs.iter().map(|epoch| epoch.loss).collect::<Vec<_>>()
    );
    let lowest = after.epochs.iter().min_by(|a, b| a.loss.total_cmp(&b.loss)).unwrap();
    assert_eq!(after.best().unwrap().epoch, lowest.epoch);
    let stored = RunFolder::open(folder.path().join("runs/tiny-1")).unwrap();
    assert_eq!(stored.record().unwrap().epochs, 3);
}

#[test]
fn what_waits_outlives_the_window_and_starts_only_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path(), "Long", 500);
    let mut first = window(folder.path(), file.clone(), file.clone());
    train(&mut first);
    wait(&mut first, "steps", |window| own(window).is_some_and(|(_, steps)| steps > 3));
    button(&mut first, "Add to queue");
    first.get_by_label("Queue, 1 waiting");
    drop(first);

    // Another network is in front: the waiting one belongs to no tab of this window.
    let other = tiny(folder.path(), "Other", 1);
    let mut window = window(folder.path(), other, file);
    tab(&mut window, "Training");
    window.get_by_label("Queue, 1 waiting");
    window.get_by_label("From an earlier session. Nothing starts by itself.");
    std::thread::sleep(Duration::from_millis(300));
    steps(&mut window, 20);
    assert!(window.state().run().is_none());
    button(&mut window, "Start queue");
    wait(&mut window, "its steps", |window| {
        window.state().run().is_some_and(|run| run.name == "long-2" && run.steps.len() > 3)
    });
    // It has got a tab behind the one in front, which shows its run.
    assert_eq!((window.state().document().name.as_str(), own(&window)), ("Other", None));
    tab(&mut window, "Network Long");
    assert_eq!(own(&window).unwrap().0, "long-2");
    assert!(!folder.path().join("queue/0.json").exists());
    stop(&mut window);
}

#[test]
fn the_list_of_runs_takes_the_keys_after_a_click_and_leaves_the_canvas_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path(), "Tiny", 1);
    let mut window = window(folder.path(), file.clone(), file);
    for _ in 0..2 {
        train(&mut window);
        finish(&mut window);
    }
    let before = window.state().workspace().front().selection.clone();
    tab(&mut window, "Runs");
    wait(&mut window, "both runs", |window| window.query_by_label("Run tiny-2").is_some());
    // The newest stands first.
    window.get_by_label("Run tiny-2").click();
    steps(&mut window, 4);
    window.key_press(Key::ArrowDown);
    steps(&mut window, 4);
    window.get_by_role_and_label(Role::Button, "Open network");
    window.key_press(Key::Space);
    wait(&mut window, "its curves", |window| window.state().runs().shown == [folder.path().join("runs/tiny-1")]);
    window.key_press_modifiers(Modifiers::SHIFT, Key::ArrowUp);
    wait(&mut window, "the comparison", |window| window.query_by_label("Settings that differ").is_some());
    window.key_press(Key::ArrowDown);
    steps(&mut window, 4);
    window.key_press(Key::Delete);
    wait(&mut window, "the question", |window| window.query_by_label("Delete tiny-1?").is_some());
    button(&mut window, "Keep run");
    assert_eq!(window.state().workspace().front().selection, before);
    assert_eq!(window.state().document().graph.nodes.len(), 4);
}
