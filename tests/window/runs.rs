//! Runs of several networks in one window: each keeps its own, others wait in a queue that outlives the window, and a run
//! whose epochs are done goes on for more. By labels on the real window with a real worker process.

use crate::hand::{Window, answer, button, finish, network, open, options, steps, stop, tab, wait};
use crate::scratch::scratch;
use egui::{Key, Modifiers, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use striate::engine::run::RunFolder;
use striate::ui::Options;
use striate::ui::runs::RunView;

/// A network that learns the built-in digits in a second an epoch.
fn tiny(folder: &Path, name: &str, epochs: u32) -> PathBuf {
    network(folder, name, epochs, &[])
}

/// A window with a document, whose file dialog answers with another one.
fn window(storage: &Path, document: PathBuf, other: PathBuf) -> Window {
    let dialogs = answer(move |_| Some(other.clone()));
    open([1_440.0, 1_100.0], Options { document: Some(document), dialogs: Some(dialogs), ..options(storage) })
}

fn train(window: &mut Window) {
    crate::hand::ctrl(window, Key::Enter);
}

fn own(window: &Window) -> Option<(String, usize)> {
    window.state().run_in_front().map(|run: &RunView| (run.name.clone(), run.steps.len()))
}

#[test]
fn every_tab_keeps_its_last_run_and_train_in_another_tab_waits_its_turn() {
    let folder = scratch();
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
    let folder = scratch();
    let file = tiny(folder.path(), "Tiny", 2);
    let mut window = window(folder.path(), file.clone(), file);
    train(&mut window);
    finish(&mut window);
    let before = window.state().run().unwrap().clone();
    assert_eq!(before.epochs.len(), 2);
    // The curves say so too, and offer as many epochs again: there, and nowhere else. One is enough here.
    window.get_by_label("It was still learning");
    window.get_by_role_and_label(Role::Button, "Train 2 more epochs");
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
    let folder = scratch();
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

/// Place of a row in a list of runs to choose from, and whether it can be chosen.
fn row(window: &Window, words: &str) -> (f32, bool) {
    let node = window.get_by_role_and_label(Role::ListBoxOption, words);
    (node.rect().top(), !node.accesskit_node().is_disabled())
}

#[test]
fn runs_to_choose_from_start_with_those_that_fit_and_say_what_keeps_the_others_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let hidden = |features: u32| serde_json::json!({"kind": "dense", "name": "hidden", "settings": {"features": features, "activation": "relu"}});
    // Fits; then one more layer; then, newest, another network altogether.
    let tiny = tiny(folder.path(), "Tiny", 1);
    let longer = network(folder.path(), "Longer", 1, &[hidden(12)]);
    let lenet = folder.path().join("LeNet.json");
    let mut document = striate::presets::find("lenet5").unwrap();
    (document.name, document.training.epochs) = ("Other".into(), 1);
    document.data.source = striate::graph::DataSource::Digits;
    document.save(&lenet).unwrap();
    for file in [&tiny, &tiny, &longer, &lenet] {
        let mut window = window(folder.path(), file.clone(), tiny.clone());
        train(&mut window);
        finish(&mut window);
    }
    let accuracy = |run: &str| {
        let run = RunFolder::open(folder.path().join("runs").join(run)).unwrap();
        let metrics = run.metrics().unwrap().epochs[0].validation_metrics.clone();
        metrics.into_iter().find(|(name, _)| name == "accuracy").unwrap().1 * 100.0
    };
    let (older, newer) =
        (format!("tiny-1, {:.2} %, ", accuracy("tiny-1")), format!("tiny-2, {:.2} %, ", accuracy("tiny-2")));

    let mut window = window(folder.path(), tiny.clone(), tiny);
    // Whose weights are looked at: a layer that a network does not have cannot be shown with them.
    window.get_by_label_contains("conv, Conv2D").click();
    tab(&mut window, "Feature maps");
    wait(&mut window, "the maps", |window| window.state().look().probe.is_some());
    window.get_by_role_and_label(Role::ComboBox, "Weights: untrained").click();
    wait(&mut window, "the list", |window| window.query_by_label_contains(&newer).is_some());
    let found = |window: &Window, start: &str| {
        let names = window.query_all_by_role(Role::ListBoxOption).filter_map(|node| node.accesskit_node().label());
        names.into_iter().find(|name| name.starts_with(start)).unwrap_or_else(|| panic!("no run {start}"))
    };
    let rows = ["tiny-2, ", "tiny-1, ", "other-1, ", "longer-1, "].map(|start| found(&window, start));
    assert!(rows[0].starts_with(&newer) && rows[1].starts_with(&older), "{rows:?}");
    let places = rows.each_ref().map(|name| row(&window, name));
    assert!(places.windows(2).all(|pair| pair[0].0 < pair[1].0), "{rows:?} {places:?}");
    // LeNet-5: seven layers and a flattening. Of ours the convolution fits the longer network, the output does not.
    assert!(rows[2].contains("has no layer conv") && !places[2].1, "{rows:?}");
    assert!(rows[3].ends_with("other network: 1 of 2 layers fit") && places[3].1, "{rows:?}");
    crate::hand::picture(&mut window, "choose-weights");
    window.get_by_role_and_label(Role::ListBoxOption, &rows[0]).click();
    wait(&mut window, "its weights", |window| window.query_by_label_contains("Weights: tiny-2").is_some());

    // Results of any run can be read, in the same order.
    tab(&mut window, "Results");
    window.get_by_role_and_label(Role::ComboBox, "Results of: Choose a run").click();
    steps(&mut window, 4);
    let other = found(&window, "other-1, ");
    assert!(other.ends_with("other network: 8 layers") && row(&window, &other).1, "{other}");
    assert!(row(&window, &found(&window, "tiny-1, ")).0 < row(&window, &other).0);
    window.get_by_role_and_label(Role::ListBoxOption, &other).click();
    wait(&mut window, "its results", |window| window.query_by_label_contains(" right, ").is_some());

    // The list of runs: weights that fit nothing cannot be started from, and a run is compared with another one by a menu.
    tab(&mut window, "Runs");
    window.get_by_label("Run other-1").click();
    steps(&mut window, 4);
    let start = |window: &Window| {
        !window.get_by_role_and_label(Role::Button, "Start from its weights").accesskit_node().is_disabled()
    };
    assert!(!start(&window));
    window.get_by_label("Other network: 8 layers");
    window.get_by_label("Run longer-1").click();
    steps(&mut window, 4);
    assert!(start(&window));
    window.get_by_label("Other network: 1 of 2 layers fit");
    crate::hand::picture(&mut window, "run-of-another-network");
    button(&mut window, "Compare with…");
    let newest = found(&window, "tiny-2, ");
    window.get_by_role_and_label(Role::ListBoxOption, &newest).click();
    wait(&mut window, "the comparison", |window| window.query_by_label("What they reached").is_some());
    window.get_by_label("only in the first");
}

#[test]
fn the_list_of_runs_takes_the_keys_after_a_click_and_leaves_the_canvas_alone() {
    let folder = scratch();
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
