//! Drives the real window by its labels, with a real worker process behind it; no display is needed.

use egui::{Key, Modifiers, Pos2, Role, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use striate::engine::protocol::{Answer, EpochResults, RateAdvice, RatePoint};
use striate::graph::{Document, NodeId};
use striate::plan::{CostSettings, cost, layout, plan};
use striate::presets;
use striate::ui::data_view::{DataState, DataView, Sample, Step, Thumb};
use striate::ui::dialogs::{FileDialogs, Purpose, Reply};
use striate::ui::look::LookView;
use striate::ui::runs::{EpochPoint, Plane, ProbeView, RunState, RunView, StepPoint};
use striate::ui::runs_view::{QueuedRun, RunRow, RunSummary, RunsView, StoredRun};
use striate::ui::search::SearchView;
use striate::ui::{App, Options, PanelCx, all_panels, theme};

/// Longest wait for the engine; a debug machine under load is slow.
const PATIENCE: Duration = Duration::from_mins(4);

/// Answers every file dialog with one path.
struct Always(PathBuf);

impl FileDialogs for Always {
    fn ask(&mut self, _purpose: &Purpose, _frame: &eframe::Frame, reply: Reply) {
        reply.send(Some(self.0.clone()));
    }
}

fn window(storage: &Path) -> Harness<'static, App> {
    let options = Options {
        worker_exe: Some(env!("CARGO_BIN_EXE_striate").into()),
        storage: Some(storage.to_path_buf()),
        dialogs: Some(Box::new(Always(storage.join("net.json")))),
        ..Options::default()
    };
    let mut window = Harness::builder()
        .with_size(vec2(1_440.0, 1_000.0))
        .with_step_dt(1.0 / 60.0)
        .build_eframe(|cc| App::new(cc, options));
    steps(&mut window, 8);
    window
}

fn steps(window: &mut Harness<'_, App>, count: usize) {
    (0..count).for_each(|_| window.step());
}

/// Draws frames until something holds; never longer than [`PATIENCE`].
fn wait(window: &mut Harness<'_, App>, what: &str, holds: impl Fn(&Harness<'_, App>) -> bool) {
    let end = Instant::now() + PATIENCE;
    loop {
        window.step();
        if holds(window) {
            return;
        }
        let app = window.state();
        assert!(Instant::now() < end, "{what} did not come: {:?} {:?} {:#?}", app.bad_news(), app.run(), app.log());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn drag(window: &mut Harness<'_, App>, from: Pos2, to: Pos2) {
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

fn centre(window: &Harness<'_, App>, label: &str) -> Pos2 {
    window.get_by_label_contains(label).rect().center()
}

fn train(window: &mut Harness<'_, App>) {
    window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    wait(window, "the first steps", |window| window.state().run().is_some_and(|run| run.steps.len() >= 5));
}

fn stop(window: &mut Harness<'_, App>) {
    window.key_press_modifiers(Modifiers::COMMAND, Key::Period);
    wait(window, "the end of the run", |window| {
        window.state().run().is_some_and(|run| matches!(run.state, RunState::Finished(_)))
    });
}

#[test]
fn a_network_is_changed_trained_looked_into_saved_and_reopened() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = window(folder.path());
    // LeCun 1998 with a full second convolution: 61,706 parameters.
    window.get_by_label("61,706 parameters");

    // Conv2D from the palette onto the wire between c1 (28 × 28 × 6) and s2.
    let from = window.get_by_role_and_label(Role::Button, "Conv2D").rect().center();
    let (above, below) = (centre(&window, "c1, Conv2D"), centre(&window, "s2, Average pooling"));
    drag(&mut window, from, above.lerp(below, 0.5));
    assert_eq!(window.state().document().graph.nodes.len(), presets::find("lenet5").unwrap().graph.nodes.len() + 1);

    // Its filters by the inspector: 6, so that everything behind keeps its size but for the border.
    for _ in 0..3 {
        window.get_by_role_and_label(Role::SpinButton, "Filters").focus();
        steps(&mut window, 3);
    }
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    steps(&mut window, 2);
    window.get_by_role_and_label(Role::SpinButton, "Filters").type_text("6");
    window.key_press(Key::Enter);
    steps(&mut window, 4);
    // 3 · 3 · 6 weights and a bias for each of 6 filters: 330.
    window.get_by_label_contains("conv1, Conv2D");
    window.get_by_label_contains("× 6, 330 parameters");

    // Undone, filters first, then the layer.
    steps(&mut window, 2);
    for _ in 0..2 {
        window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
        steps(&mut window, 3);
    }
    window.get_by_label("61,706 parameters");
    assert!(window.query_by_label_contains("conv1, Conv2D").is_none());

    // Training shows in the charts.
    train(&mut window);
    let first = window.state().run().map_or(0, |run| run.steps.len());
    window.get_by_label_contains("Loss chart");
    wait(&mut window, "more points in the chart", |window| {
        window.state().run().is_some_and(|run| run.steps.len() > first + 5)
    });

    // Feature maps follow the weights.
    window.get_by_role_and_label(Role::Tab, "Feature maps").click();
    steps(&mut window, 3);
    let probe = |window: &Harness<'_, App>| window.state().look().probe.clone();
    wait(&mut window, "feature maps", |window| probe(window).is_some_and(|probe| !probe.planes.is_empty()));
    window.get_by_label("Channel 0");
    let before = probe(&window).unwrap();
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
    window.key_press_modifiers(Modifiers::COMMAND, Key::S);
    let file = folder.path().join("net.json");
    wait(&mut window, "the file", |_| file.exists());
    steps(&mut window, 4);
    window.key_press_modifiers(Modifiers::COMMAND, Key::N);
    steps(&mut window, 3);
    assert!(window.state().document().graph.nodes.is_empty());
    window.key_press_modifiers(Modifiers::COMMAND, Key::O);
    wait(&mut window, "the reopened network", |window| !window.state().document().graph.nodes.is_empty());
    assert_eq!(window.state().document().to_json(), document.to_json());
    assert!(window.query_by_label("Modified").is_none());
}

#[cfg(unix)]
#[test]
fn an_engine_that_is_killed_is_told_in_words_and_the_next_run_starts() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = window(folder.path());
    train(&mut window);
    let pid = window.state().worker_pid().unwrap();
    let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(killed.success());
    wait(&mut window, "the bad news", |window| window.state().bad_news().is_some_and(|words| words.contains("engine")));
    window.get_by_label("Dismiss").click();
    steps(&mut window, 3);
    assert!(window.state().bad_news().is_none());
    train(&mut window);
    stop(&mut window);
}

#[test]
fn closing_with_unsaved_changes_asks() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = window(folder.path());
    window.get_by_label_contains("s2, Average pooling").click();
    steps(&mut window, 3);
    window.key_press(Key::Delete);
    steps(&mut window, 3);
    let close = |window: &mut Harness<'_, App>| {
        let root = window.input_mut().viewports.entry(egui::ViewportId::ROOT).or_default();
        root.events.push(egui::ViewportEvent::Close);
        window.step();
        window.input_mut().viewports.entry(egui::ViewportId::ROOT).or_default().events.clear();
        steps(window, 3);
    };
    close(&mut window);
    window.get_by_label("There are unsaved changes");
    window.get_by_label("Keep open").click();
    steps(&mut window, 3);
    assert!(window.query_by_label("There are unsaved changes").is_none());
    window.get_by_label("Modified");
}

#[test]
fn a_file_that_is_no_network_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("net.json"), "{}").unwrap();
    let mut window = window(folder.path());
    window.key_press_modifiers(Modifiers::COMMAND, Key::O);
    wait(&mut window, "the message", |window| window.query_by_label("This file was not opened").is_some());
    window.get_by_label_contains("net.json");
    assert!(!window.state().document().graph.nodes.is_empty());
}

/// A run with two epochs and a look into a layer.
fn full_run() -> RunView {
    let step = |step: u32| StepPoint {
        step: u64::from(step),
        epoch: f64::from(step) / 10.0,
        loss: 2.3 / f64::from(step),
        accuracy: 1.0 - 1.0 / f64::from(step),
        learning_rate: 1e-3,
        ..StepPoint::default()
    };
    let epoch = |number: u32| EpochPoint {
        epoch: number,
        step: u64::from(number) * 10,
        train_loss: 0.3,
        train_accuracy: 0.9,
        loss: 0.25,
        accuracy: 0.93,
        is_best: number == 2,
        secs: 1.0,
    };
    let answer = |index: u32| Answer {
        index: u64::from(index),
        truth: index % 10,
        guess: if index.is_multiple_of(7) { (index + 3) % 10 } else { index % 10 },
        probability: 0.5,
    };
    RunView {
        name: "lenet-5-1".into(),
        state: RunState::Training,
        steps: (1..=20).map(step).collect(),
        epochs: (1..=2).map(epoch).collect(),
        total_steps: 50,
        steps_per_epoch: 10,
        results: vec![Arc::new(EpochResults::count(2, 20, 10, (0..40).map(answer).collect()))],
        classes: (0..10).map(|digit| digit.to_string()).collect(),
        images_per_sec: 1_234.0,
        left_secs: Some(12.0),
        measured_bytes: Some(12_000_000),
        ..RunView::default()
    }
}

/// A good run and a broken one in the list, one shown in the charts, one waiting, and a search for a rate.
fn full_runs() -> RunsView {
    let folder = PathBuf::from("runs/lenet-5-0");
    let document = Arc::new(presets::find("lenet5").unwrap_or_default());
    let summary = RunSummary { epochs_done: 2, best: Some((2, 0.93, 0.25)), ..RunSummary::default() };
    let stored = RunView { folder: folder.clone(), ..full_run() };
    let point = |n: u32| RatePoint { rate: 1e-5 * f64::from(n), loss: 2.0, smooth: 2.0 / f64::from(n) };
    RunsView {
        rows: vec![
            RunRow { folder: folder.clone(), summary: Ok(Box::new(summary)) },
            RunRow { folder: "runs/broken".into(), summary: Err("It has no run.json.".into()) },
        ],
        is_read: true,
        shown: vec![folder.clone()],
        loaded: [(folder, Arc::new(StoredRun { view: stored, document: Arc::clone(&document) }))].into(),
        queue: vec![QueuedRun { document, serial: 1, revision: 1, ..QueuedRun::default() }],
        search: Some(SearchView {
            points: (1..30).map(point).collect(),
            advice: Some(RateAdvice { suggested: 3e-4, steepest: 3e-4, lowest: 1e-3, diverged_at: Some(1.0) }),
            ..SearchView::new(1, 100)
        }),
        ..RunsView::default()
    }
}

/// A look into a layer.
fn full_look() -> LookView {
    let plane = |side: usize| Plane {
        width: side,
        height: side,
        depth: 1,
        pixels: (0..side * side).map(|at| u8::try_from(at % 251).unwrap_or(0)).collect(),
        min: -1.0,
        max: 1.0,
        mean: 0.0,
        zeros: 0.5,
    };
    let probe = ProbeView {
        serial: 1,
        layer: "c1".into(),
        shape: vec![6, 28, 28],
        planes: (0..6).map(|_| plane(28)).collect(),
        filters: (0..6).map(|_| plane(5)).collect(),
        filter_inputs: 1,
        top: vec![("7".into(), 0.9), ("1".into(), 0.1)],
        image: Some(plane(32)),
        label: "7".into(),
        step: 20,
        problem: None,
    };
    LookView { probe: Some(probe.into()), whose: "lenet-5-1".into(), ..LookView::default() }
}

fn full_data() -> DataView {
    let picture = Thumb { width: 8, height: 8, rgba: vec![200; 8 * 8 * 4] };
    DataView {
        state: DataState::Open,
        name: "Digits".into(),
        classes: (0..10).map(|digit| digit.to_string()).collect(),
        counts: [900, 100, 100],
        class_counts: vec![90; 10],
        samples: (0..10).map(|class| Sample { class, name: "made".into(), picture: picture.clone() }).collect(),
        strip: vec![Step { title: "Padded".into(), note: "32 × 32 × 1".into(), picture }],
        problems: vec![("broken.png".into(), "A picture must be whole. It ends early.".into())],
    }
}

#[test]
fn every_panel_draws_empty_and_full_in_light_and_dark_with_a_name_on_every_control() {
    let empty = (Document::default(), DataView::default(), None, Vec::new());
    let full = (presets::find("lenet5").unwrap(), full_data(), Some(full_run()), vec!["Warning: a line".to_owned()]);
    let failed = DataView { state: DataState::Failed("The folder must exist.".into()), ..DataView::default() };
    let broken = (presets::find("lenet5").unwrap(), failed, None, Vec::new());
    for theme in [egui::Theme::Dark, egui::Theme::Light] {
        for (document, data, run, log) in [&empty, &full, &broken] {
            let plan = plan(document);
            let cost = cost(&plan.program, CostSettings::default());
            let layout = layout(&document.graph);
            let runs = if run.is_some() { full_runs() } else { RunsView { is_read: true, ..RunsView::default() } };
            let look = if run.is_some() { full_look() } else { LookView::default() };
            let selection: Vec<NodeId> = document.graph.nodes.get(1).map(|node| node.id).into_iter().collect();
            for index in 0..all_panels().len() {
                let mut panels = all_panels();
                let panel = &mut panels[index];
                assert!(!panel.title().is_empty() && !panel.help().is_empty());
                let mut window = Harness::builder()
                    .with_size(vec2(1_000.0, 420.0))
                    .with_theme(theme)
                    .with_context_setup(theme::install)
                    .build_ui(|ui| {
                        let cx = PanelCx {
                            document,
                            revision: 1,
                            plan: &plan,
                            cost: &cost,
                            layout: &layout,
                            path: &[],
                            selection: &selection,
                            run: run.as_ref(),
                            runs: &runs,
                            look: &look,
                            data,
                            capacity_bytes: None,
                            device: "CPU",
                            log,
                            times: &striate::ui::times::TimesView::default(),
                        };
                        panel.ui(&cx, ui, &mut Vec::new());
                    });
                window.run_ok();
            }
        }
    }
}
