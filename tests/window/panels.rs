//! Every panel draws, empty and full, light and dark, and every control in it has a name.

use egui::vec2;
use egui_kittest::Harness;
use std::path::PathBuf;
use std::sync::Arc;
use striate::engine::protocol::{Answer, EpochResults, RateAdvice, RatePoint};
use striate::graph::{Document, NodeId};
use striate::plan::{CostSettings, cost, layout, plan};
use striate::presets;
use striate::ui::data_view::{DataState, DataView, Sample, Step, Thumb};
use striate::ui::look::LookView;
use striate::ui::runs::{EpochPoint, Plane, ProbeView, RunState, RunView, StepPoint};
use striate::ui::runs_view::{QueuedRun, RunRow, RunSummary, RunsView, StoredRun};
use striate::ui::search::SearchView;
use striate::ui::{PanelCx, all_panels, theme};

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
