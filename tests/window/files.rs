//! Files and closing, seen from the window: unsaved changes after a crash, files that another program changed or that cannot be
//! written, two windows on one file, recent files.
//!
//! With `STRIATE_PICTURES=<folder>` every dialog and banner is also drawn there, to be looked at.

use crate::hand::{
    PATIENCE, Window, answer, ask_to_close, button, click, click_near, ctrl, delete, has, open, options, picture,
    steps, wait,
};
use crate::scratch::scratch;
use egui::{Key, Role};
use egui_kittest::kittest::Queryable as _;
use std::path::Path;
use std::time::{Duration, Instant};
use striate::graph::Document;
use striate::presets;
use striate::ui::Options;

pub(crate) fn window(options: Options) -> Window {
    open([1_440.0, 900.0], options)
}

/// A change that is not saved.
pub(crate) fn change(window: &mut Window) {
    delete(window, "s2, Average pooling");
}

/// Waits for copies of unsaved networks below a data folder.
pub(crate) fn wait_for_copy(window: &mut Window, storage: &Path) {
    let recovery = storage.join("recovery");
    let is_there = || {
        let folders = std::fs::read_dir(&recovery).into_iter().flatten().flatten().map(|entry| entry.path());
        folders.filter(|path| path.is_dir()).any(|path| path.join("1.json").exists() || path.join("2.json").exists())
    };
    wait(window, "the copy", |_| is_there());
}

/// Whether the window asks its system to close it, within some frames.
pub(crate) fn closes(window: &mut Window) -> bool {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let mut outputs = window.output().viewport_output.values();
        if outputs.any(|viewport| viewport.commands.contains(&egui::ViewportCommand::Close)) {
            return true;
        }
        window.step();
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

#[test]
fn a_crashed_windows_changes_are_offered_restored_and_discarded() {
    let folder = scratch();
    let mut first = window(options(folder.path()));
    change(&mut first);
    let changed = first.state().document().to_json();
    wait_for_copy(&mut first, folder.path());
    // Dropped without its clean end, as by a kill.
    drop(first);

    let mut second = window(options(folder.path()));
    second.get_by_label("Restore unsaved work?");
    assert!(has(&second, "Never saved to a file") && has(&second, "layers, copied"));
    picture(&mut second, "recovery");
    button(&mut second, "Restore LeNet-5");
    assert!(!has(&second, "Restore unsaved work?"));
    assert_eq!(second.state().document().to_json(), changed);
    second.get_by_label("Modified");
    // Its copy is this window's now: a crash at once would lose nothing.
    drop(second);

    let mut third = window(options(folder.path()));
    button(&mut third, "Decide later");
    assert!(!has(&third, "Restore unsaved work?"));
    drop(third);
    let mut fourth = window(options(folder.path()));
    button(&mut fourth, "Discard LeNet-5");
    assert!(!has(&fourth, "Restore unsaved work?") && fourth.query_by_label("Modified").is_none());
    drop(fourth);
    let fifth = window(options(folder.path()));
    assert!(!has(&fifth, "Restore unsaved work?"));
}

#[test]
fn a_file_that_another_window_changed_is_not_written_over_without_asking() {
    let folder = scratch();
    let path = folder.path().join("net.json");
    let mut mine = presets::find("lenet5").unwrap();
    mine.name = "Mine".into();
    mine.save(&path).unwrap();
    let mut window = window(Options { document: Some(path.clone()), ..options(folder.path()) });
    change(&mut window);
    // Another window saves another network under the same name.
    let other = presets::find("mnist-cnn").unwrap();
    other.save(&path).unwrap();
    ctrl(&mut window, Key::S);
    window.get_by_label("net.json was changed by another program");
    picture(&mut window, "conflict");
    assert_eq!(Document::open(&path).unwrap().document.to_json(), other.to_json());
    button(&mut window, "Open the other one");
    // Beside it, and beside the network that every window opens with.
    assert_eq!(window.state().workspace().documents.len(), 3);
    assert_eq!(window.state().document().to_json(), other.to_json());
    // Back in front, the answer is to replace it.
    click(&mut window, "Network Mine");
    ctrl(&mut window, Key::S);
    button(&mut window, "Replace it");
    let saved = Document::open(&path).unwrap().document.to_json();
    assert_eq!(saved, window.state().document().to_json());
    assert!(window.query_by_label("Modified").is_none());
    // From here on the file is its own again.
    delete(&mut window, "s4, Average pooling");
    ctrl(&mut window, Key::S);
    assert!(!has(&window, "was changed by another program") && window.query_by_label("Modified").is_none());
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_written_is_named_and_another_place_is_one_click_away() {
    let folder = scratch();
    let place = folder.path().join("place");
    std::fs::create_dir(&place).unwrap();
    let path = place.join("net.json");
    presets::find("lenet5").unwrap().save(&path).unwrap();
    // The dialog of the system gives another file.
    let mut window = window(Options { document: Some(path), ..options(folder.path()) });
    change(&mut window);
    let changed = window.state().document().graph.clone();
    // Its folder is gone, as a stick that was pulled out.
    std::fs::remove_dir_all(&place).unwrap();
    ctrl(&mut window, Key::S);
    window.get_by_label("This file was not saved");
    assert!(has(&window, "place/net.json: No such file") && has(&window, "Your network is unchanged"));
    picture(&mut window, "not-saved");
    button(&mut window, "Save as…");
    let other = folder.path().join("net.json");
    wait(&mut window, "the other file", |_| other.exists());
    steps(&mut window, 4);
    assert_eq!(Document::open(&other).unwrap().document.graph, changed);
    assert!(window.query_by_label("Modified").is_none() && !has(&window, "This file was not saved"));
}

#[test]
fn closing_saves_first_if_asked_and_a_cancelled_save_keeps_the_window() {
    let folder = scratch();
    let mut cancels = window(Options { dialogs: Some(answer(|_| None)), ..options(folder.path()) });
    change(&mut cancels);
    ask_to_close(&mut cancels);
    picture(&mut cancels, "closing");
    button(&mut cancels, "Save and close");
    steps(&mut cancels, 10);
    cancels.get_by_label("Modified");
    assert!(!has(&cancels, "There are unsaved changes"));

    let mut saves = window(options(folder.path()));
    change(&mut saves);
    let changed = saves.state().document().to_json();
    ask_to_close(&mut saves);
    saves.get_by_role_and_label(Role::Button, "Save and close").click();
    assert!(closes(&mut saves));
    assert_eq!(Document::open(&folder.path().join("net.json")).unwrap().document.to_json(), changed);
}

#[test]
fn two_windows_on_one_file_lose_neither_ones_work() {
    let folder = scratch();
    let path = folder.path().join("net.json");
    presets::find("lenet5").unwrap().save(&path).unwrap();
    let open = || window(Options { document: Some(path.clone()), ..options(folder.path()) });
    let (mut first, mut second) = (open(), open());
    delete(&mut first, "s2, Average pooling");
    delete(&mut second, "s4, Average pooling");
    let names = |window: &Window| -> Vec<String> {
        window.state().document().graph.nodes.iter().map(|node| node.name.clone()).collect()
    };
    let (mine, other) = (names(&first), names(&second));
    ctrl(&mut first, Key::S);
    assert!(first.query_by_label("Modified").is_none());
    // The second one is told, and what the first one wrote stays.
    ctrl(&mut second, Key::S);
    second.get_by_label("net.json was changed by another program");
    let saved = || -> Vec<String> {
        Document::open(&path).unwrap().document.graph.nodes.iter().map(|node| node.name.clone()).collect()
    };
    assert_eq!(saved(), mine);
    button(&mut second, "Cancel");
    second.get_by_label("Modified");
    delete(&mut first, "f6, Dense");
    // Both crash: each one's unsaved work is offered.
    let mine = names(&first);
    wait(&mut first, "both copies", |_| {
        let recovery = std::fs::read_dir(folder.path().join("recovery")).unwrap().flatten().map(|entry| entry.path());
        recovery.filter(|path| path.is_dir() && std::fs::read_dir(path).unwrap().count() > 0).count() == 2
    });
    second.step();
    drop((first, second));
    let mut third = open();
    button(&mut third, "Restore all");
    let restored: Vec<Vec<String>> = third
        .state()
        .workspace()
        .documents
        .iter()
        .map(|open| open.history.document().graph.nodes.iter().map(|node| node.name.clone()).collect())
        .collect();
    assert!(restored.contains(&mine) && restored.contains(&other), "{restored:?}");
}

#[test]
fn recent_files_are_offered_the_newest_first_and_one_that_is_gone_is_named() {
    let folder = scratch();
    let save = |name: &str| {
        let path = folder.path().join(format!("{name}.json"));
        Document { name: name.into(), ..presets::find("lenet5").unwrap() }.save(&path).unwrap();
        path
    };
    let (older, newer) = (save("Older"), save("Newer"));
    let dialogs = answer(move |_| Some(newer.clone()));
    let mut window =
        window(Options { document: Some(older.clone()), dialogs: Some(dialogs), ..options(folder.path()) });
    ctrl(&mut window, Key::O);
    wait(&mut window, "the newer one", |window| window.state().document().name == "Newer");
    let menu = |window: &mut Window| {
        click(window, "File");
        wait(window, "the menu", |window| has(window, "Open recent"));
        click_near(window, "Open recent");
        wait(window, "the files", |window| has(window, "Older.json") && has(window, "Newer.json"));
    };
    menu(&mut window);
    let top = |window: &Window, words: &str| window.get_by_label_contains(words).rect().top();
    assert!(top(&window, "Newer.json") < top(&window, "Older.json"));
    click_near(&mut window, "Older.json");
    wait(&mut window, "the older one", |window| window.state().document().name == "Older");
    // It is the newest now; and gone.
    std::fs::remove_file(&older).unwrap();
    menu(&mut window);
    assert!(top(&window, "Older.json") < top(&window, "Newer.json"));
    click_near(&mut window, "Older.json");
    window.get_by_label("This file was not opened");
    assert!(has(&window, "Older.json: No such file"));
}
