//! The window as a hand has it: opened, waited for, clicked, typed into. Used by every test here.

use egui::{Key, Modifiers, Role, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use striate::ui::dialogs::{FileDialogs, Purpose, Reply};
use striate::ui::runs::RunState;
use striate::ui::{App, Options};

/// The real app, without a display.
pub(crate) type Window = Harness<'static, App>;

/// Longest wait for the engine; a debug machine under load is slow.
pub(crate) const PATIENCE: Duration = Duration::from_mins(4);

/// Answers file dialogs.
struct Answers<F>(F);

impl<F: FnMut(&Purpose) -> Option<PathBuf>> FileDialogs for Answers<F> {
    fn ask(&mut self, purpose: &Purpose, _frame: &eframe::Frame, reply: Reply) {
        reply.send((self.0)(purpose));
    }
}

/// Dialogs that are answered so; with none they are cancelled.
pub(crate) fn answer(how: impl FnMut(&Purpose) -> Option<PathBuf> + 'static) -> Box<dyn FileDialogs> {
    Box::new(Answers(how))
}

/// A window with a folder of its own; every file dialog is answered with `net.json` in it.
pub(crate) fn options(storage: &Path) -> Options {
    let file = storage.join("net.json");
    Options {
        worker_exe: Some(env!("CARGO_BIN_EXE_striate").into()),
        storage: Some(storage.to_path_buf()),
        dialogs: Some(answer(move |_| Some(file.clone()))),
        ..Options::default()
    }
}

/// Opens a window and lets it settle. With `STRIATE_PICTURES` it can be drawn, see [`picture`].
pub(crate) fn open(size: [f32; 2], options: Options) -> Window {
    opened(size, options, std::env::var_os("STRIATE_PICTURES").is_some())
}

/// The same with every picture that the window takes of itself really drawn, by a driver in software.
pub(crate) fn open_drawn(size: [f32; 2], options: Options) -> Window {
    opened(size, options, true)
}

fn opened(size: [f32; 2], options: Options, is_drawn: bool) -> Window {
    let mut builder = Harness::builder().with_size(vec2(size[0], size[1])).with_step_dt(1.0 / 60.0);
    if is_drawn {
        builder = builder.with_render_cursor(false).wgpu();
    }
    let mut window = builder.build_eframe(|cc| App::new(cc, options));
    steps(&mut window, 8);
    window
}

/// With `STRIATE_PICTURES=<folder>` the window as it is now is drawn there, light and dark, to be looked at.
pub(crate) fn picture(window: &mut Window, name: &str) {
    let Some(folder) = std::env::var_os("STRIATE_PICTURES").map(PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).unwrap();
    for (theme, suffix) in [(egui::ThemePreference::Light, "light"), (egui::ThemePreference::Dark, "dark")] {
        window.ctx.set_theme(theme);
        steps(window, 6);
        window.render().unwrap().save(folder.join(format!("{name}-{suffix}.png"))).unwrap();
    }
}

/// Writes a network that learns the built-in digits in a second an epoch, and some more layers before its last one.
pub(crate) fn network(folder: &Path, name: &str, epochs: u32, more: &[serde_json::Value]) -> PathBuf {
    let mut nodes = vec![
        serde_json::json!({"name": "input", "kind": "input", "settings": {"height": 28, "width": 28, "channels": 1}}),
        serde_json::json!({"name": "conv", "kind": "conv2d",
            "settings": {"filters": 4, "kernel": [5, 5], "stride": [4, 4], "activation": "relu"}}),
        serde_json::json!({"name": "flat", "kind": "flatten", "settings": {}}),
    ];
    nodes.extend_from_slice(more);
    nodes.push(serde_json::json!({"name": "out", "kind": "dense", "settings": {"features": 10}}));
    for (at, node) in nodes.iter_mut().enumerate() {
        node["id"] = (at + 1).into();
    }
    let links: Vec<_> = (1..nodes.len()).map(|at| serde_json::json!({"from": at, "to": at + 1})).collect();
    let json = serde_json::json!({
        "format": "striate-document", "version": 1, "name": name,
        "graph": {"nodes": nodes, "links": links},
        "training": {"epochs": epochs, "batch": 64, "learning_rate": 0.003},
        "data": {"source": {"kind": "digits"}},
        "seed": 3,
    });
    let file = folder.join(format!("{name}.json"));
    std::fs::write(&file, json.to_string()).unwrap();
    file
}

/// Draws some frames.
pub(crate) fn steps(window: &mut Window, count: usize) {
    (0..count).for_each(|_| window.step());
}

/// Draws frames until something holds; never longer than [`PATIENCE`].
pub(crate) fn wait(window: &mut Window, what: &str, holds: impl Fn(&Window) -> bool) {
    let end = Instant::now() + PATIENCE;
    loop {
        window.step();
        if holds(window) {
            return;
        }
        let app = window.state();
        let state = app.run().map(|run| (&run.state, run.steps.len()));
        assert!(
            Instant::now() < end,
            "{what} did not come: {:?} {state:?} {:?} {:#?}",
            app.bad_news(),
            app.look().problem,
            app.log()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether something is called so, or has it in its name.
pub(crate) fn has(window: &Window, words: &str) -> bool {
    window.query_by_label_contains(words).is_some()
}

/// A window with its feature maps in front, once the engine has answered; what it saves goes into its own folder.
pub(crate) fn maps_window(storage: &Path, size: [f32; 2], document: Option<PathBuf>) -> Window {
    let folder = storage.to_path_buf();
    let dialogs = answer(move |purpose| match purpose {
        Purpose::Picture(name) => Some(folder.join(name)),
        _ => None,
    });
    let mut window = open(size, Options { dialogs: Some(dialogs), document, ..options(storage) });
    wait(&mut window, "the data", |window| !window.state().data().classes.is_empty());
    tab(&mut window, "Feature maps");
    wait(&mut window, "maps", |window| window.state().look().probe.is_some());
    steps(&mut window, 3);
    window
}

/// Clicks what is called so.
pub(crate) fn click(window: &mut Window, label: &str) {
    window.get_by_label(label).click();
    steps(window, 4);
}

/// Clicks what has this in its name: a card, a menu's entry with its key.
pub(crate) fn click_near(window: &mut Window, words: &str) {
    window.get_by_label_contains(words).click();
    steps(window, 4);
}

/// Clicks a button.
pub(crate) fn button(window: &mut Window, label: &str) {
    window.get_by_role_and_label(Role::Button, label).click();
    steps(window, 4);
}

/// Brings a panel to the front.
pub(crate) fn tab(window: &mut Window, title: &str) {
    window.get_by_role_and_label(Role::Tab, title).click();
    steps(window, 4);
}

/// Presses a key.
pub(crate) fn key(window: &mut Window, modifiers: Modifiers, key: Key) {
    window.key_press_modifiers(modifiers, key);
    steps(window, 4);
}

/// Presses a key alone.
pub(crate) fn plain(window: &mut Window, which: Key) {
    key(window, Modifiers::NONE, which);
}

/// Presses a key together with Ctrl.
pub(crate) fn ctrl(window: &mut Window, which: Key) {
    key(window, Modifiers::COMMAND, which);
}

/// Types a number into a field.
pub(crate) fn enter(window: &mut Window, field: &str, text: &str) {
    steps(window, 3);
    for _ in 0..3 {
        window.get_by_role_and_label(Role::SpinButton, field).focus();
        steps(window, 3);
    }
    ctrl(window, Key::A);
    window.get_by_role_and_label(Role::SpinButton, field).type_text(text);
    plain(window, Key::Enter);
}

/// Starts training and waits for some steps.
pub(crate) fn train(window: &mut Window, count: usize) {
    ctrl(window, Key::Enter);
    wait(window, "the first steps", |window| window.state().run().is_some_and(|run| run.steps.len() >= count));
}

/// Whether the run has ended.
pub(crate) fn is_finished(window: &Window) -> bool {
    window.state().run().is_some_and(|run| matches!(run.state, RunState::Finished(_)))
}

/// Waits for the end of the run.
pub(crate) fn finish(window: &mut Window) {
    wait(window, "the end of the run", is_finished);
}

/// Stops the run and waits for its end.
pub(crate) fn stop(window: &mut Window) {
    ctrl(window, Key::Period);
    finish(window);
}

/// Deletes a layer of LeNet-5: a change that is not saved.
pub(crate) fn delete(window: &mut Window, card: &str) {
    click_near(window, card);
    plain(window, Key::Delete);
    window.get_by_label("Modified");
}

/// The system asks the window to close.
pub(crate) fn ask_to_close(window: &mut Window) {
    let root = window.input_mut().viewports.entry(egui::ViewportId::ROOT).or_default();
    root.events.push(egui::ViewportEvent::Close);
    window.step();
    window.input_mut().viewports.entry(egui::ViewportId::ROOT).or_default().events.clear();
    steps(window, 3);
}
