//! Training as its user sees it: the run list, results, judgement, the queue, learning rates and kept weights, by labels
//! on the real window with a real worker process.

use crate::hand::{
    Window, answer, button, click, click_near, enter, finish, is_finished, network, open, options, steps, stop, tab,
    wait,
};
use crate::scratch::scratch;
use egui::{Key, Modifiers, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use std::path::{Path, PathBuf};
use striate::engine::run::RunFolder;
use striate::ui::Options;

/// A network that learns the built-in digits in a second an epoch.
fn tiny(folder: &Path, epochs: u32) -> PathBuf {
    let hidden =
        serde_json::json!({"kind": "dense", "name": "hidden", "settings": {"features": 16, "activation": "relu"}});
    network(folder, "Tiny", epochs, &[hidden])
}

fn window(storage: &Path, document: PathBuf) -> Window {
    let file = storage.join("out.file");
    let dialogs = answer(move |_| Some(file.clone()));
    open([1_440.0, 1_100.0], Options { document: Some(document), dialogs: Some(dialogs), ..options(storage) })
}

fn train(window: &mut Window) {
    window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
}

#[test]
fn runs_of_earlier_sessions_are_listed_named_shown_opened_and_deleted() {
    let folder = scratch();
    let mut first = window(folder.path(), tiny(folder.path(), 2));
    train(&mut first);
    finish(&mut first);
    drop(first);
    let broken = folder.path().join("runs/broken-1");
    std::fs::create_dir_all(&broken).unwrap();
    std::fs::write(broken.join("run.json"), "{").unwrap();

    // Another session of the program on the same folder.
    let mut window = window(folder.path(), tiny(folder.path(), 2));
    tab(&mut window, "Runs");
    wait(&mut window, "the list", |window| window.query_by_label("Run tiny-1").is_some());
    window.get_by_label("1 cannot be read");
    click(&mut window, "Run broken-1");
    assert!(window.get_all_by_label_contains("A run folder holds run.json").next().is_some());

    // Named: the list and the file on the disk follow.
    click(&mut window, "Run tiny-1");
    window.get_by_role_and_label(Role::TextInput, "Run name").focus();
    steps(&mut window, 2);
    window.get_by_role_and_label(Role::TextInput, "Run name").type_text("First try");
    window.key_press(Key::Enter);
    wait(&mut window, "the name in the list", |window| window.query_by_label("Run First try").is_some());
    let run = RunFolder::open(folder.path().join("runs/tiny-1")).unwrap();
    assert_eq!(run.note().unwrap().name, "First try");
    click(&mut window, "Colour 3");
    wait(&mut window, "the colour on the disk", |_| run.note().unwrap().color == Some(2));

    // Shown: its steps are in the charts, though nothing was trained in this session.
    button(&mut window, "Show in charts");
    tab(&mut window, "Training");
    let count = run.metrics().unwrap().steps.len();
    wait(&mut window, "its curves", |window| window.query_by_label(&format!("Loss chart, {count} steps")).is_some());

    // Opened: the network is in front, and its results can be looked at.
    tab(&mut window, "Runs");
    button(&mut window, "Open network");
    wait(&mut window, "the network", |window| window.query_by_label_contains("The network of First try").is_some());
    assert_eq!(window.state().document().name, "Tiny");

    // Deleted: asked for, then gone from list and disk.
    button(&mut window, "Delete…");
    wait(&mut window, "the question", |window| window.query_by_label("Delete First try?").is_some());
    button(&mut window, "Keep run");
    assert!(run.path().exists());
    button(&mut window, "Delete…");
    button(&mut window, "Delete run");
    wait(&mut window, "the end of the run", |window| window.query_by_label("Run First try").is_none());
    wait(&mut window, "an empty place", |_| !run.path().exists());
    wait(&mut window, "no scraps", |_| std::fs::read_dir(folder.path().join("runs")).unwrap().count() == 1);
}

/// Fields that show a number must not round it, nor bend it into what they would accept.
#[test]
fn settings_are_shown_without_being_changed() {
    let folder = scratch();
    let file = tiny(folder.path(), 100_000);
    let mut json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    json["training"]["learning_rate"] = 1.234_567_89e-4.into();
    json["data"]["splits"] = serde_json::json!({"validation": 0.6, "test": 0.1});
    std::fs::write(&file, json.to_string()).unwrap();
    let mut window = window(folder.path(), file);
    let before = window.state().document().to_json();
    for panel in ["Training", "Data", "Cost"] {
        tab(&mut window, panel);
    }
    // With a layer chosen the inspector shows that instead of the training settings.
    click_near(&mut window, "flat, Flatten");
    assert_eq!(window.state().document().to_json(), before);
    assert!(window.query_by_label("Modified").is_none());
}

#[test]
fn two_runs_are_compared_and_a_stopped_one_goes_on() {
    let folder = scratch();
    let mut window = window(folder.path(), tiny(folder.path(), 1));
    train(&mut window);
    finish(&mut window);
    // The second trains longer, and is stopped.
    window.get_by_label_contains("flat, Flatten").click();
    enter(&mut window, "Epochs", "500");
    assert_eq!(window.state().document().training.epochs, 500);
    train(&mut window);
    wait(&mut window, "an epoch", |window| {
        window.state().run().is_some_and(|run| run.is_active() && !run.epochs.is_empty())
    });
    stop(&mut window);
    let stopped_at = window.state().run().map_or(0, |run| run.steps.len());

    tab(&mut window, "Runs");
    wait(&mut window, "both runs", |window| window.query_by_label("Run tiny-2").is_some());
    click(&mut window, "Run tiny-1");
    window.get_by_label("Run tiny-2").click_modifiers(Modifiers::COMMAND);
    steps(&mut window, 4);
    wait(&mut window, "the comparison", |window| window.query_by_label("training, epochs").is_some());
    window.get_by_label("Both networks are the same.");

    click(&mut window, "Run tiny-2");
    button(&mut window, "Continue");
    wait(&mut window, "more steps", |window| {
        window.state().run().is_some_and(|run| run.is_active() && run.steps.len() > stopped_at)
    });
    let name = window.state().run().map(|run| run.name.clone());
    assert_eq!(name.as_deref(), Some("tiny-2"));
    stop(&mut window);
}

#[test]
fn every_epoch_shows_who_is_taken_for_whom_with_the_images() {
    let folder = scratch();
    let mut window = window(folder.path(), tiny(folder.path(), 2));
    train(&mut window);
    finish(&mut window);
    tab(&mut window, "Results");
    let results = window.state().run().map(|run| run.results.clone()).unwrap();
    assert_eq!(results.iter().map(|epoch| epoch.epoch).collect::<Vec<_>>(), [1, 2]);
    // Of the default digits a network this small gets some wrong.
    let (truth, guess, count) = results[1].confused()[0];
    let images = if count == 1 { "1 image".to_owned() } else { format!("{count} images") };
    let cell = format!("{truth} mistaken for {guess}: {images}");
    window.get_by_label_contains(&cell).click();
    steps(&mut window, 4);
    window.get_by_label(&format!("{truth} mistaken for {guess}"));
    let answer = *results[1].examples_of(truth, guess).next().unwrap();
    let image = format!("Image {}: {truth} called {guess}", answer.index + 1);
    window.get_by_label_contains(&image);
    wait(&mut window, "the picture", |window| {
        window.state().runs().pictures.values().any(|picture| picture.as_ref().is_ok_and(|thumb| thumb.width > 0))
    });
    // A click shows it in the feature maps; then back.
    window.get_by_label_contains(&image).click();
    steps(&mut window, 4);
    let shown = window.get_by_label("Image number").accesskit_node().numeric_value();
    assert_eq!(shown, Some((answer.index + 1) as f64));
    click(&mut window, "Results");
    // Scores of every class, and the way back to the worst mistakes.
    click(&mut window, "Classes");
    let scores = results[1].scores();
    for (title, score) in [("Precision", scores[3].precision), ("Recall", scores[3].recall), ("F1", scores[3].f1)] {
        window.get_by_label(title);
        let words = format!("{:.1} %", score.unwrap() * 100.0);
        assert!(window.query_all_by_label(&words).next().is_some(), "{title} {words}");
    }
    // The pairs that are confused most lead to their images; the cells can show shares.
    let (truth, guess, count) =
        *results[1].confused().last().filter(|_| results[1].confused().len() <= 6).unwrap_or(&results[1].confused()[5]);
    click(&mut window, &format!("{truth} › {guess}  {count}"));
    click(&mut window, "Share of the row");
    click(&mut window, "Images");
    window.get_by_label(&format!("{truth} mistaken for {guess}"));
    click(&mut window, "Classes");
    click(&mut window, "Images");
    button(&mut window, "Worst mistakes");
    assert!(window.query_by_label(&format!("{truth} mistaken for {guess}")).is_none());
}

#[test]
fn a_changed_network_is_offered_the_weights_that_still_fit() {
    let folder = scratch();
    let mut window = window(folder.path(), tiny(folder.path(), 1));
    train(&mut window);
    finish(&mut window);
    // The hidden layer gives 12 numbers instead of 16: the convolution before it fits, the output after it does not.
    window.get_by_label_contains("hidden, Dense").click();
    enter(&mut window, "Features", "12");
    train(&mut window);
    wait(&mut window, "the offer", |window| window.query_by_label("Keep what the network has learned?").is_some());
    button(&mut window, "Cancel");
    assert!(is_finished(&window));
    train(&mut window);
    steps(&mut window, 4);
    button(&mut window, "Keep weights (1 of 3 layers)");
    wait(&mut window, "the new run", |window| {
        window.state().run().is_some_and(|run| run.weights.is_some() && !run.steps.is_empty())
    });
    let weights = window.state().run().and_then(|run| run.weights.clone()).unwrap();
    // Of the output its bias of 10 numbers still fits.
    assert_eq!(weights.matched, ["conv.weight", "conv.bias", "out.bias"]);
    assert_eq!(weights.mismatched.len(), 3);
    window.get_by_label("3 of 6 tensors kept");
    finish(&mut window);
}

#[test]
fn layers_that_were_grouped_since_keep_what_they_have_learned() {
    let folder = scratch();
    let mut window = window(folder.path(), tiny(folder.path(), 1));
    train(&mut window);
    finish(&mut window);
    window.get_by_label_contains("conv, Conv2D").click();
    steps(&mut window, 4);
    window.get_by_label_contains("flat, Flatten").click_modifiers(Modifiers::SHIFT);
    steps(&mut window, 4);
    window.key_press_modifiers(Modifiers::COMMAND, Key::G);
    steps(&mut window, 4);
    assert!(window.state().document().graph.by_name("conv").is_none());
    train(&mut window);
    wait(&mut window, "the offer", |window| window.query_by_label("Keep what the network has learned?").is_some());
    button(&mut window, "Keep weights (3 of 3 layers)");
    wait(&mut window, "the new run", |window| {
        window.state().run().is_some_and(|run| run.weights.is_some() && !run.steps.is_empty())
    });
    let weights = window.state().run().and_then(|run| run.weights.clone()).unwrap();
    assert_eq!(weights.matched.len(), 6);
    assert!(weights.matched.contains(&"block1.conv.weight".to_owned()) && weights.missing.is_empty(), "{weights:?}");
    finish(&mut window);
}

#[test]
fn the_rate_is_searched_used_and_changed_during_a_run_and_the_next_run_waits_its_turn() {
    let folder = scratch();
    let mut window = window(folder.path(), tiny(folder.path(), 400));
    // With a layer chosen the inspector does not show the training settings a second time.
    window.get_by_label_contains("flat, Flatten").click();
    tab(&mut window, "Training");
    button(&mut window, "Find rate");
    let advice = |window: &Window| window.state().runs().search.as_ref().and_then(|search| search.advice);
    wait(&mut window, "an advice", |window| advice(window).is_some());
    let suggested = advice(&window).unwrap().suggested;
    assert!((1e-5..=1.0).contains(&suggested), "{suggested}");
    window.get_by_label_contains("Search chart");
    window.get_by_label_contains("Use 0").click();
    steps(&mut window, 4);
    assert!((window.state().document().training.learning_rate - suggested).abs() < 1e-12);
    button(&mut window, "Close search");

    train(&mut window);
    wait(&mut window, "steps", |window| window.state().run().is_some_and(|run| run.steps.len() > 3));
    window.get_by_label_contains("Schedule: ").click();
    steps(&mut window, 4);
    window.get_by_label("Cosine").click();
    steps(&mut window, 4);
    window.get_by_label_contains("Use cosine now").click();
    wait(&mut window, "the change", |window| window.state().run().is_some_and(|run| !run.changes.is_empty()));
    steps(&mut window, 3);
    assert!(window.query_by_label_contains("Use cosine now").is_none());

    // The network as it is now waits; the run before it is stopped, and it starts by itself.
    let before = window.state().run().map(|run| run.folder.clone());
    button(&mut window, "Add to queue");
    window.get_by_label("Queue, 1 waiting");
    window.key_press_modifiers(Modifiers::COMMAND, Key::Period);
    wait(&mut window, "the next run", |window| {
        window.state().run().is_some_and(|run| Some(&run.folder) != before.as_ref() && !run.steps.is_empty())
    });
    assert!(window.state().runs().queue.is_empty());

    // Numbers go out as CSV.
    button(&mut window, "Export");
    window.get_by_label("Numbers as CSV…").click();
    let file = folder.path().join("out.file");
    wait(&mut window, "the table", |_| file.exists());
    let table = std::fs::read_to_string(&file).unwrap();
    assert!(table.starts_with("run,kind,step") && table.lines().count() > 1, "{table}");
    stop(&mut window);
}
