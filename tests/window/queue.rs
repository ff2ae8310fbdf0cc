//! What Train does at each moment, in one place; the queue in sight, in order and on hold; and its question about memory. By
//! labels on the real window with a real worker process.

use crate::hand::{
    Window, answer, button, click, ctrl, has, network, open, options, picture, plain, steps, stop, tab, wait,
};
use egui::{Key, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use std::path::{Path, PathBuf};
use striate::presets;
use striate::ui::Options;

/// A window with one network, whose file dialog answers with another one.
fn window(storage: &Path, size: [f32; 2], other: PathBuf) -> Window {
    let document = Some(network(storage, "First", 500, &[]));
    let dialogs = Some(answer(move |_| Some(other.clone())));
    open(size, Options { document, dialogs, ..options(storage) })
}

fn start(window: &mut Window) {
    ctrl(window, Key::Enter);
    wait(window, "steps", |window| window.state().run().is_some_and(|run| run.steps.len() > 3));
    steps(window, 4);
}

/// Whether each button of this name can be pressed.
fn buttons(window: &Window, label: &str) -> Vec<bool> {
    window
        .query_all_by_role(Role::Button)
        .filter(|node| node.accesskit_node().label().as_deref() == Some(label))
        .map(|node| !node.accesskit_node().is_disabled())
        .collect()
}

/// The entry of the Run menu that trains, and whether it can be chosen.
fn entries(window: &mut Window, label: &str) -> Vec<bool> {
    window.get_by_role_and_label(Role::Button, "Run").click();
    steps(window, 4);
    let found = window.query_all_by_label_contains(label).filter(|node| {
        let name = node.accesskit_node().label().unwrap_or_default();
        // In the menu the key stands behind the words.
        name.starts_with(label) && name.contains("Ctrl")
    });
    let found = found.map(|node| !node.accesskit_node().is_disabled()).collect();
    plain(window, Key::Escape);
    steps(window, 4);
    found
}

fn waiting(window: &Window) -> Vec<String> {
    window.state().runs().queue.iter().map(|queued| queued.document.name.clone()).collect()
}

#[test]
fn train_says_what_it_does_in_every_state_and_add_to_queue_stands_in_one_place() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = window(folder.path(), [1_440.0, 900.0], network(folder.path(), "Second", 500, &[]));
    tab(&mut window, "Training");
    // Nothing trains: it starts.
    assert_eq!((buttons(&window, "Train"), buttons(&window, "Add to queue")), (vec![true], vec![]));
    assert_eq!(entries(&mut window, "Train"), [true]);

    // Its own run is under way: another of the same network can wait.
    start(&mut window);
    assert_eq!((buttons(&window, "Train"), buttons(&window, "Add to queue")), (vec![], vec![true]));
    assert_eq!(entries(&mut window, "Train"), [false]);
    button(&mut window, "Pause");
    wait(&mut window, "the pause", |window| window.query_all_by_label("Paused").next().is_some());
    assert_eq!(buttons(&window, "Go on"), [true]);
    assert_eq!(entries(&mut window, "Go on"), [true]);
    button(&mut window, "Go on");
    wait(&mut window, "its going on", |window| buttons(window, "Pause") == [true]);

    // Another network is in front: it can wait for its turn, by one button and in words that lead there.
    ctrl(&mut window, Key::O);
    wait(&mut window, "the second network", |window| window.state().document().name == "Second");
    steps(&mut window, 4);
    for panel in ["Training", "Results"] {
        tab(&mut window, panel);
        window.get_by_label("First is training");
        assert!(has(&window, "Add to queue, at the top of the window"));
        assert_eq!((buttons(&window, "Train"), buttons(&window, "Add to queue")), (vec![], vec![true]), "{panel}");
    }
    assert_eq!(entries(&mut window, "Add to queue"), [true]);
    picture(&mut window, "train-elsewhere");
    button(&mut window, "Add to queue");
    assert_eq!(waiting(&window), ["Second"]);
    assert!(has(&window, "This network waits for its turn and then starts by itself."));

    // A network that cannot be trained says why.
    button(&mut window, "New network");
    assert_eq!((buttons(&window, "Train"), buttons(&window, "Add to queue")), (vec![false], vec![]));
    assert_eq!(entries(&mut window, "Train"), [false]);
    tab(&mut window, "Training");
    window.get_by_label("Not ready to train");
    click(&mut window, "Hold");
    stop(&mut window);
}

#[test]
fn what_waits_is_in_sight_in_a_low_panel_can_change_places_be_held_and_taken_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = window(folder.path(), [1_000.0, 640.0], network(folder.path(), "Second", 500, &[]));
    tab(&mut window, "Training");
    start(&mut window);
    button(&mut window, "Add to queue");
    ctrl(&mut window, Key::O);
    wait(&mut window, "the second network", |window| window.state().document().name == "Second");
    steps(&mut window, 4);
    button(&mut window, "Add to queue");
    assert_eq!(waiting(&window), ["First", "Second"]);
    // In sight without scrolling: above what the panel says of a network without a run.
    let place = |window: &Window, label: &str| window.get_by_label(label).rect();
    let (queue, empty) = (place(&window, "Queue, 2 waiting"), place(&window, "First is training"));
    let panel = window.get_by_role_and_label(Role::Tab, "Training").rect();
    assert!(queue.top() > panel.bottom() && queue.bottom() < 640.0 - 24.0, "{queue:?}, panel from {panel:?}");
    assert!(queue.bottom() <= empty.top(), "{queue:?} {empty:?}");
    picture(&mut window, "queue-low");

    button(&mut window, "Earlier Second, 2");
    assert_eq!(waiting(&window), ["Second", "First"]);
    button(&mut window, "Later Second, 1");
    assert_eq!(waiting(&window), ["First", "Second"]);
    button(&mut window, "Remove First, 1");
    assert_eq!(waiting(&window), ["Second"]);
    assert!(window.get_by_label("Earlier Second, 1").accesskit_node().is_disabled());

    // On hold nothing starts when the run before has ended; the lower edge says so from every panel.
    click(&mut window, "Hold");
    window.get_by_label("1 waiting, on hold");
    stop(&mut window);
    steps(&mut window, 30);
    assert_eq!((waiting(&window), window.state().run().unwrap().name.as_str()), (vec!["Second".to_owned()], "first-1"));
    tab(&mut window, "Cost");
    click(&mut window, "1 waiting, on hold");
    click(&mut window, "Hold");
    wait(&mut window, "the next run", |window| {
        window.state().run().is_some_and(|run| run.name == "second-1" && !run.steps.is_empty())
    });
    assert!(waiting(&window).is_empty());
    stop(&mut window);
}

/// LeNet-5 with a batch that does not fit into 40 MB: 0.15 MB an image, so 156 MB for 1,024 and 20 MB for 128.
fn large(folder: &Path) -> PathBuf {
    let path = folder.join("large.json");
    let mut document = presets::find("lenet5").unwrap();
    document.name = "Large".into();
    document.training.batch = 1_024;
    document.save(&path).unwrap();
    path
}

fn limited(storage: &Path, document: PathBuf, other: PathBuf) -> Window {
    let dialogs = Some(answer(move |_| Some(other.clone())));
    let worker_env = vec![("STRIATE_MEMORY_LIMIT".into(), "40000000".into())];
    open([1_440.0, 900.0], Options { document: Some(document), dialogs, worker_env, ..options(storage) })
}

#[test]
fn a_network_that_will_not_fit_is_asked_about_before_it_is_added() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = limited(folder.path(), network(folder.path(), "First", 500, &[]), large(folder.path()));
    start(&mut window);
    ctrl(&mut window, Key::O);
    wait(&mut window, "the large network", |window| window.state().document().name == "Large");
    steps(&mut window, 4);
    button(&mut window, "Add to queue");
    window.get_by_label("This will probably run out of memory");
    button(&mut window, "Cancel");
    assert!(waiting(&window).is_empty() && !has(&window, "probably run out of memory"));
    // What helps is a change of the settings, and then it is added.
    button(&mut window, "Add to queue");
    button(&mut window, "Use batches of 128");
    assert_eq!(waiting(&window), ["Large"]);
    let training = &window.state().runs().queue[0].document.training;
    assert_eq!((training.batch, training.accumulate), (128, 8));
    assert_eq!(window.state().document().training.batch, 128);
    // As it is, if a person wants that.
    ctrl(&mut window, Key::Z);
    button(&mut window, "Add to queue");
    button(&mut window, "Add anyway");
    assert_eq!(window.state().runs().queue[1].document.training.batch, 1_024);
    tab(&mut window, "Training");
    click(&mut window, "Hold");
    stop(&mut window);
}

#[test]
fn a_waiting_run_that_will_not_fit_is_asked_about_when_its_turn_comes() {
    let folder = tempfile::tempdir().unwrap();
    let small = network(folder.path(), "First", 500, &[]);
    // It was added where there was room.
    let mut before = window(folder.path(), [1_440.0, 900.0], large(folder.path()));
    start(&mut before);
    ctrl(&mut before, Key::O);
    wait(&mut before, "the large network", |window| window.state().document().name == "Large");
    steps(&mut before, 4);
    button(&mut before, "Add to queue");
    assert_eq!(waiting(&before), ["Large"]);
    drop(before);

    let question = "Large, next in the queue, will probably run out of memory";
    let mut window = limited(folder.path(), small.clone(), small);
    tab(&mut window, "Training");
    button(&mut window, "Start queue");
    wait(&mut window, "the question", |window| has(window, question));
    picture(&mut window, "queue-memory");
    button(&mut window, "Hold queue");
    steps(&mut window, 30);
    assert!(!has(&window, question) && window.state().run().is_none());
    assert_eq!(waiting(&window), ["Large"]);
    click(&mut window, "Hold");
    wait(&mut window, "the question again", |window| has(window, question));
    button(&mut window, "Use batches of 128");
    wait(&mut window, "its steps", |window| {
        window.state().run().is_some_and(|run| run.name == "large-1" && !run.steps.is_empty())
    });
    assert!(waiting(&window).is_empty() && window.state().bad_news().is_none(), "{:?}", window.state().bad_news());
    stop(&mut window);
}
