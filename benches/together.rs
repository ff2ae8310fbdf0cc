//! Training with the window open, feature maps live, against the same training without a window: images a second, taken in
//! turns in one run. With one thread for the engine (a core to spare, if the machine has two) and with all of them.
//!
//! The window draws 30 frames a second, as often as the engine wakes it, tessellation included; what a graphics card
//! would do is not done at all.
//!
//! `cargo bench --bench together`

use egui::{Key, Modifiers, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use std::path::Path;
use std::time::{Duration, Instant};
use striate::engine::Supervisor;
use striate::engine::protocol::{Command, DeviceChoice, Event, RunId, TrainRequest};
use striate::ui::{App, Options};

/// Steps before the clock starts: kernels, caches and the first looks are behind.
const WARM_UP: u64 = 20;
/// How long one measurement takes.
const SPAN: Duration = Duration::from_secs(6);
/// Measurements of each kind.
const ROUNDS: usize = 3;
/// Time between frames.
const FRAME: Duration = Duration::from_millis(33);
/// Longest wait for the engine.
const PATIENCE: Duration = Duration::from_mins(3);

const EXE: &str = env!("CARGO_BIN_EXE_striate");

/// Steps a second from when the first steps are done.
struct Clock {
    start: Option<(u64, Instant)>,
    begun: Instant,
}

impl Clock {
    fn new() -> Self {
        Self { start: None, begun: Instant::now() }
    }

    /// Takes the number of steps done; gives steps a second at the end.
    fn tick(&mut self, step: u64) -> Option<f64> {
        assert!(self.begun.elapsed() < PATIENCE, "the engine did not come along");
        match self.start {
            None if step >= WARM_UP => self.start = Some((step, Instant::now())),
            Some((first, at)) if at.elapsed() >= SPAN && step > first => {
                return Some((step - first) as f64 / at.elapsed().as_secs_f64());
            }
            _ => {}
        }
        None
    }
}

fn alone(preset: &str, threads: Option<u32>, folder: &Path) -> f64 {
    let worker = Supervisor::start(Path::new(EXE), &[]).expect("the engine starts");
    let document = striate::presets::find(preset).expect("a preset");
    let request = TrainRequest::new(document.to_json(), folder.join("run"));
    for command in [
        Command::Open { device: DeviceChoice::Cpu, threads },
        Command::Train { run: RunId(1), request: Box::new(request) },
    ] {
        worker.send(command).expect("the engine listens");
    }
    let (mut clock, mut step) = (Clock::new(), 0);
    loop {
        match worker.recv_timeout(FRAME) {
            Some(Event::Steps { steps, .. }) => step = steps.last().map_or(step, |last| last.step),
            Some(Event::Failed { message, .. }) => panic!("{message}"),
            Some(Event::Finished { .. }) => panic!("the run is too short for a measurement"),
            _ => {}
        }
        if let Some(speed) = clock.tick(step) {
            worker.kill();
            return speed;
        }
    }
}

fn with_window(preset: &str, layer: &str, threads: Option<u32>, folder: &Path) -> f64 {
    let options = Options {
        worker_exe: Some(EXE.into()),
        storage: Some(folder.to_path_buf()),
        document: Some(preset.into()),
        threads,
        ..Options::default()
    };
    let mut window = Harness::builder().with_size(vec2(1_440.0, 900.0)).build_eframe(|cc| App::new(cc, options));
    let frames = |window: &mut Harness<'_, App>, count: usize| (0..count).for_each(|_| window.step());
    frames(&mut window, 5);
    window.get_by_label_contains(&format!("{layer}, Conv2D")).click();
    frames(&mut window, 3);
    window.get_by_role_and_label(egui::Role::Tab, "Feature maps").click();
    frames(&mut window, 3);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    let (mut clock, mut looks) = (Clock::new(), 0);
    let mut seen = None;
    loop {
        let begun = Instant::now();
        window.step();
        let (shapes, scale) = (window.output().shapes.clone(), window.ctx.pixels_per_point());
        std::hint::black_box(window.ctx.tessellate(shapes, scale));
        let run = window.state().run();
        let step = run.and_then(|run| run.steps.last()).map_or(0, |last| last.step);
        let look = window.state().look().probe.as_ref().map(|probe| probe.serial);
        if look.is_some() && look != seen {
            (seen, looks) = (look, looks + 1);
        }
        assert_eq!(window.state().bad_news(), None);
        if let Some(speed) = clock.tick(step) {
            assert!(looks >= 5, "the feature maps must be live: {looks} looks came");
            return speed;
        }
        std::thread::sleep(FRAME.saturating_sub(begun.elapsed()));
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let batch = |preset: &str| f64::from(striate::presets::find(preset).expect("a preset").training.batch);
    for (preset, layer) in [("lenet5", "c1"), ("mnist-cnn", "conv1")] {
        for threads in [Some(1), None] {
            let (mut without, mut with) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                let folder = tempfile::tempdir().expect("a scratch folder");
                without.push(alone(preset, threads, folder.path()));
                with.push(with_window(preset, layer, threads, folder.path()));
            }
            let (without, with) = (median(without) * batch(preset), median(with) * batch(preset));
            let engine = threads.map_or_else(|| "all threads".into(), |count| format!("{count} thread"));
            println!(
                "{preset}, {engine}: {without:.0} images/s alone, {with:.0} with the window and live maps, share {:.1} %",
                with / without * 100.0
            );
        }
    }
}
