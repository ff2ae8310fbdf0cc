//! Where the system has no file dialogs: the window asks for a path itself.

use crate::hand::{Window, click, ctrl, has, key, open, options, plain, steps, wait};
use egui::{Key, Modifiers, Role};
use egui_kittest::kittest::Queryable as _;
use std::path::Path;
use striate::graph::DataSource;
use striate::ui::Options;
use striate::ui::dialogs::{FileDialogs, Purpose, Reply};

/// A system without dialogs.
struct Refusing;

impl FileDialogs for Refusing {
    fn ask(&mut self, _purpose: &Purpose, _frame: &eframe::Frame, reply: Reply) {
        reply.refuse("This test has no file dialogs.");
    }
}

/// A file that was dropped on the window.
#[derive(Debug)]
struct Dropped(std::path::PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

fn window(storage: &Path) -> Window {
    open([1_200.0, 800.0], Options { dialogs: Some(Box::new(Refusing)), ..options(storage) })
}

/// Types another path.
fn type_path(window: &mut Window, path: &str) {
    ctrl(window, Key::A);
    window.get_by_role_and_label(Role::TextInput, "Path").type_text(path);
    steps(window, 3);
}

fn find(window: &mut Window, words: &str) {
    ctrl(window, Key::K);
    window.get_by_label("Command palette").type_text(words);
    steps(window, 3);
    plain(window, Key::Enter);
    steps(window, 4);
}

#[test]
fn a_folder_of_mnist_is_found_in_the_palette_and_its_path_typed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir_all(root.join("sets/mnist-here")).unwrap();
    let mut window = window(root);
    find(&mut window, "mnist");
    window.get_by_label("Folder with MNIST's four files");
    assert!(has(&window, "No file dialog on this system; type or paste a path."));
    assert!(has(&window, "Dropping it on this window works too."));
    // What is not there is said, and asked for again.
    type_path(&mut window, &root.join("nowhere").display().to_string());
    plain(&mut window, Key::Enter);
    assert!(has(&window, "There is no folder "));
    // Tab completes, once the folder is read.
    type_path(&mut window, &root.join("sets/mn").display().to_string());
    wait(&mut window, "the folder's names", |window| has(window, "Folder mnist-here"));
    crate::hand::picture(&mut window, "path-dialog");
    plain(&mut window, Key::Tab);
    plain(&mut window, Key::Enter);
    assert!(!has(&window, "No file dialog on this system"));
    let DataSource::Idx { path } = &window.state().document().data.source else { panic!("no MNIST folder") };
    assert_eq!(path.canonicalize().unwrap(), root.join("sets/mnist-here").canonicalize().unwrap());
}

#[test]
fn opening_is_cancelled_by_escape_and_a_dropped_file_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let net = crate::hand::network(folder.path(), "dropped", 1, &[]);
    let mut window = window(folder.path());
    find(&mut window, "photos");
    window.get_by_label("Folder with one folder of photos per class");
    plain(&mut window, Key::Escape);
    assert!(!has(&window, "No file dialog on this system"));
    assert_eq!(window.state().document().data.source, DataSource::Digits);
    ctrl(&mut window, Key::O);
    steps(&mut window, 3);
    window.get_by_label("Open network");
    window.input_mut().dropped_files.push(std::sync::Arc::new(Dropped(net)));
    steps(&mut window, 4);
    plain(&mut window, Key::Enter);
    assert_eq!(window.state().document().name, "dropped");
}

#[test]
fn saving_takes_the_suggested_name_and_asks_before_it_replaces() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.json");
    let mut window = window(folder.path());
    let save_as = |window: &mut Window| {
        key(window, Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::S);
        steps(window, 3);
        type_path(window, &file.display().to_string());
    };
    save_as(&mut window);
    click(&mut window, "Save here");
    assert!(file.is_file());
    save_as(&mut window);
    plain(&mut window, Key::Enter);
    assert!(has(&window, "exists already. Enter once more replaces it."));
    window.get_by_label("Replace file");
    plain(&mut window, Key::Enter);
    assert!(!has(&window, "No file dialog on this system"));
}
