//! What one frame of the window costs the processor: the whole interface run, painted and cut into triangles, without the
//! graphics card. Half a frame at 60 Hz is 8.3 ms; the run says which cases stay below it.
//!
//! `cargo bench --bench frame`

use criterion::{Criterion, criterion_group, criterion_main};
use eframe::App as _;
use egui::{Event, Key, Modifiers, MouseWheelUnit, Pos2, RawInput, Rect, Vec2, pos2, vec2};
use std::hint::black_box;
use std::time::{Duration, Instant};
use striate::graph::{Content, Document, Edit, Place, apply};
use striate::layers::{Concat, Conv2d, Input, Layer};
use striate::plan::{CostSettings, cost, layout, plan};
use striate::ui::data_view::DataView;
use striate::ui::runs::{RunState, RunView, StepPoint};
use striate::ui::runs_view::RunsView;
use striate::ui::times::TimesView;
use striate::ui::{App, Options, PanelCx, all_panels, theme};

/// Half a frame at 60 Hz.
const HALF_FRAME: Duration = Duration::from_micros(8_333);
const SIZE: Vec2 = vec2(1_440.0, 900.0);
/// Branches, and convolutions in each: 1,000 cards and the Input and Concat around them.
const BRANCHES: usize = 25;
const DEPTH: usize = 40;

fn add(document: Document, layer: Layer, place: Place) -> Document {
    let edit = Edit::Insert { content: Box::new(Content::Layer(layer)), place };
    apply(&document, &[], &edit).map_or(document, |(changed, _)| changed)
}

/// Twenty-five branches of forty convolutions between an Input and a Concat.
fn wide() -> Document {
    let mut document = add(Document::default(), Input { height: 16, width: 16, channels: 3 }.into(), Place::Loose);
    let input = document.graph.nodes[0].id;
    document = add(document, Concat::default().into(), Place::After(input));
    let concat = document.graph.nodes[1].id;
    let trunk = document.graph.links[0];
    for branch in 0..BRANCHES {
        let mut last = input;
        for depth in 0..DEPTH {
            let place = match (branch, depth) {
                (0, 0) => Place::OnLink(trunk),
                (_, 0) => Place::Branch(last),
                _ => Place::After(last),
            };
            let known: Vec<_> = document.graph.nodes.iter().map(|node| node.id).collect();
            document = add(document, Conv2d { filters: 4, ..Conv2d::default() }.into(), place);
            last = document.graph.nodes.iter().map(|node| node.id).find(|id| !known.contains(id)).unwrap_or(last);
        }
        if branch > 0 {
            let link = Edit::Connect { from: last, to: concat, port: None };
            document = apply(&document, &[], &link).map_or(document, |(changed, _)| changed);
        }
    }
    document
}

/// The window without a screen.
struct Window {
    ctx: egui::Context,
    app: App,
    frame: eframe::Frame,
    time: f64,
    pointer: Pos2,
    texts: Vec<String>,
}

impl Window {
    fn new(document: &Document, storage: &std::path::Path) -> Self {
        let file = storage.join("thousand.json");
        document.save(&file).unwrap_or_else(|error| panic!("{error}"));
        let ctx = egui::Context::default();
        let options = Options {
            document: Some(file),
            worker_exe: Some(env!("CARGO_BIN_EXE_striate").into()),
            storage: Some(storage.to_path_buf()),
            ..Options::default()
        };
        let app = App::new(&eframe::CreationContext::_new_kittest(ctx.clone()), options);
        let frame = eframe::Frame::_new_kittest();
        let mut window = Self { ctx, app, frame, time: 0.0, pointer: pos2(700.0, 300.0), texts: Vec::new() };
        for _ in 0..12 {
            window.frame(Vec::new(), false);
        }
        window
    }

    /// One frame; the number of vertices. Keeps the texts if asked to.
    fn frame(&mut self, mut events: Vec<Event>, reads: bool) -> usize {
        self.time += 1.0 / 60.0;
        events.insert(0, Event::PointerMoved(self.pointer));
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, SIZE)),
            time: Some(self.time),
            events,
            ..RawInput::default()
        };
        let (app, frame) = (&mut self.app, &mut self.frame);
        let output = self.ctx.run_pass(input, |ctx| {
            app.logic(ctx, frame);
            ctx.root_ui(|ui| app.ui(ui, frame));
        });
        if reads {
            self.texts.clear();
            for clipped in &output.shapes {
                read(&clipped.shape, &mut self.texts);
            }
        }
        let meshes = self.ctx.tessellate(output.shapes, output.pixels_per_point);
        meshes
            .iter()
            .map(|mesh| if let egui::epaint::Primitive::Mesh(mesh) = &mesh.primitive { mesh.vertices.len() } else { 0 })
            .sum()
    }

    fn wheel(&mut self, unit: MouseWheelUnit, delta: Vec2) -> usize {
        let wheel = Event::MouseWheel {
            unit,
            delta,
            phase: egui::TouchPhase::Move,
            modifiers: Modifiers::NONE,
            source: egui::MouseWheelSource::Unknown,
        };
        self.frame(vec![wheel], false)
    }

    fn key(&mut self, key: Key, modifiers: Modifiers, reads: bool) -> usize {
        let press = |pressed| Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
        self.frame(
            vec![
                Event::ModifiersChanged(modifiers),
                press(true),
                press(false),
                Event::ModifiersChanged(Modifiers::NONE),
            ],
            reads,
        )
    }

    /// Adds a layer by its name, as a person would by the command palette.
    fn add_layer(&mut self, name: &str) {
        self.key(Key::K, Modifiers::COMMAND, false);
        for _ in 0..3 {
            self.frame(Vec::new(), false);
        }
        self.frame(vec![Event::Text(name.into())], false);
        self.frame(Vec::new(), false);
        self.key(Key::Enter, Modifiers::NONE, false);
        for _ in 0..20 {
            self.frame(Vec::new(), false);
        }
    }

    /// Zooms in until cards of this size are seen.
    fn zoom_in(&mut self, lines: f32) {
        for _ in 0..8 {
            self.wheel(MouseWheelUnit::Line, vec2(0.0, lines));
        }
        for _ in 0..60 {
            self.frame(Vec::new(), false);
        }
    }
}

fn read(shape: &egui::Shape, into: &mut Vec<String>) {
    match shape {
        egui::Shape::Text(text) => into.push(text.galley.text().to_owned()),
        egui::Shape::Vec(list) => list.iter().for_each(|shape| read(shape, into)),
        _ => {}
    }
}

/// Time that this thread spent on a processor, where the system tells; else time on the clock, which other programs lengthen.
fn spent() -> Duration {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    let nanos = std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split_whitespace().next().and_then(|nanos| nanos.parse().ok()));
    nanos.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

/// Runs a case sixty times: what it takes of this thread's processor time, and of the clock, which counts what it waits for
/// on other threads (and other programs) as well.
fn judge(name: &str, run: &mut dyn FnMut()) {
    let (mut times, mut clocks): (Vec<Duration>, Vec<Duration>) = (0..60)
        .map(|_| {
            let (start, clock) = (spent(), Instant::now());
            run();
            (spent().saturating_sub(start), clock.elapsed())
        })
        .unzip();
    times.sort();
    clocks.sort();
    let middle = |sorted: &[Duration]| sorted[sorted.len() / 2];
    let (median, slow, clock) = (middle(&times), times[times.len() * 9 / 10], middle(&clocks));
    let verdict = if median < HALF_FRAME { "under half a frame" } else { "TOO SLOW" };
    let frame = if clock < HALF_FRAME * 2 { "" } else { ", LONGER THAN A FRAME" };
    println!(
        "{name}: {median:.2?} of processor time (median), nine in ten under {slow:.2?}: {verdict}; {clock:.2?} by the clock{frame}"
    );
}

/// Runs a case and tells how long it took.
type Measure<'a> = dyn FnMut(&str, &mut dyn FnMut()) + 'a;

fn cards(measure: &mut Measure<'_>) {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let mut window = Window::new(&wide(), folder.path());
    let mut sway = 1.0_f32;
    for (name, lines) in [("all in sight", 0.0), ("at a third", 2.5), ("at full size", 2.5)] {
        if lines > 0.0 {
            window.zoom_in(lines);
        }
        measure(&format!("1,000 cards, {name}, panning"), &mut || {
            sway = -sway;
            black_box(window.wheel(MouseWheelUnit::Point, vec2(6.0 * sway, 4.0 * sway)));
        });
    }

    // A layer added by the palette's search, then undone and redone again and again.
    let step = |window: &mut Window, redo: bool, reads: bool| {
        let modifiers = if redo { Modifiers::COMMAND | Modifiers::SHIFT } else { Modifiers::COMMAND };
        black_box(window.key(Key::Z, modifiers, reads));
    };
    let before = window.app.document().graph.nodes.len();
    window.add_layer("dropout");
    let after = window.app.document().graph.nodes.len();
    assert_eq!(after, before + 1, "the layer was not added");
    for (redo, expected) in [(false, before), (true, after)] {
        step(&mut window, redo, true);
        let words = format!("{} layers", striate::text::count(expected as u64));
        let is_shown = window.texts.contains(&words);
        assert!(is_shown, "the frame of the edit does not show {words:?}");
    }
    let mut redo = false;
    measure("1,000 cards, an edit and its new numbers in the same frame", &mut || {
        step(&mut window, redo, false);
        redo = !redo;
    });
}

/// A run of many steps.
fn run(steps: u32) -> RunView {
    let point = |step: u32| {
        let noise = f64::from(step.wrapping_mul(2_654_435_761) % 1_000) / 1_000.0;
        StepPoint {
            step: u64::from(step),
            epoch: f64::from(step) / 1_000.0,
            loss: 2.3 / (1.0 + f64::from(step) / 5_000.0) + noise * 0.2,
            accuracy: 1.0 - 1.0 / (1.0 + f64::from(step) / 3_000.0) - noise * 0.05,
            learning_rate: 1e-3,
            grad_norm: 1.0 + noise,
            secs: f64::from(step) / 20.0,
        }
    };
    RunView {
        name: "long".into(),
        state: RunState::Training,
        steps: (1..=steps).map(point).collect(),
        total_steps: 200_000,
        steps_per_epoch: 1_000,
        ..RunView::default()
    }
}

fn charts(measure: &mut Measure<'_>) {
    let document = striate::presets::find("lenet5").unwrap_or_default();
    let (plan, layout) = (plan(&document), layout(&document.graph));
    let cost = cost(&plan.program, CostSettings::default());
    let (data, times, runs) = (DataView::default(), TimesView::default(), RunsView::default());
    let mut panels = all_panels();
    let Some(panel) = panels.iter_mut().find(|panel| panel.id() == "training") else { return };
    let ctx = egui::Context::default();
    theme::install(&ctx);
    let mut view = run(100_000);
    let mut time = 0.0;
    let mut sway = 0.0_f32;
    let mut frame = |view: &RunView| {
        time += 1.0 / 60.0;
        sway += 1.0 / 60.0;
        let at = pos2(300.0 + 200.0 * sway.sin(), 300.0);
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, vec2(1_440.0, 460.0))),
            time: Some(time),
            events: vec![Event::PointerMoved(at)],
            ..RawInput::default()
        };
        let cx = PanelCx {
            document: &document,
            revision: 1,
            plan: &plan,
            cost: &cost,
            layout: &layout,
            path: &[],
            selection: &[],
            run: Some(view),
            runs: &runs,
            look: &striate::ui::look::LookView::default(),
            data: &data,
            capacity_bytes: None,
            device: "CPU",
            log: &[],
            times: &times,
        };
        let output = ctx.run_ui(input, |ui| panel.ui(&cx, ui, &mut Vec::new()));
        black_box(ctx.tessellate(output.shapes, output.pixels_per_point).len());
    };
    for _ in 0..5 {
        frame(&view);
    }
    measure("charts of 100,000 points, the pointer over them", &mut || frame(&view));
    let mut step = 100_000;
    measure("charts of 100,000 points, one more in each frame", &mut || {
        step += 1;
        let next = StepPoint { step, epoch: step as f64 / 1_000.0, ..view.steps[view.steps.len() - 1] };
        view.steps.push(next);
        frame(&view);
    });
}

fn frames(criterion: &mut Criterion) {
    let mut measure = |name: &str, run: &mut dyn FnMut()| {
        judge(name, run);
        criterion.bench_function(name, |bencher| bencher.iter(&mut *run));
    };
    cards(&mut measure);
    charts(&mut measure);
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3));
    targets = frames
}
criterion_main!(benches);
