//! Turns the engine's events into what panels read. Plain bookkeeping.

use super::runs::{EpochPoint, Plane, ProbeView, RunState, RunView, StepPoint};
use super::session::Session;
use super::times::Times;
use crate::engine::protocol::{self, Event, FinishReason, LayerTimesReport, LogLevel, ProbeReport};
use std::time::Instant;

/// The clock of a run; pauses do not count.
#[derive(Debug, Default)]
pub(super) struct Progress {
    since: Option<Instant>,
    before: f64,
    first_step: Option<(f64, u64)>,
}

impl Progress {
    /// Starts the clock after earlier parts of the run.
    pub(super) fn start(before: f64) -> Self {
        Self { since: Some(Instant::now()), before, first_step: None }
    }

    fn hold(&mut self) {
        self.before = self.elapsed();
        self.since = None;
    }

    fn go_on(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    fn elapsed(&self) -> f64 {
        self.before + self.since.map_or(0.0, |since| since.elapsed().as_secs_f64())
    }

    /// Writes elapsed and left into the run.
    pub(super) fn update(&mut self, run: &mut RunView) {
        run.elapsed_secs = self.elapsed();
        let Some(step) = run.steps.last().map(|step| step.step) else { return };
        let (start, first) = *self.first_step.get_or_insert((run.elapsed_secs, step));
        run.left_secs = (step > first).then(|| {
            let per_step = (run.elapsed_secs - start) / (step - first) as f64;
            per_step * run.total_steps.saturating_sub(step) as f64
        });
    }
}

impl Session {
    /// Takes in one event.
    pub(super) fn handle(&mut self, event: Event) {
        let of_run = event_run(&event).is_none_or(|run| run == self.run_id);
        if !of_run {
            return;
        }
        match event {
            Event::Hello { build, pid, .. } => self.note(format!("Engine {build} started (process {pid}).")),
            Event::Ready { device, threads } => {
                self.note(format!("Device {} ({}) is open, {threads} CPU threads.", device.name, device.backend));
            }
            Event::Devices(devices) => self.set_devices(devices),
            Event::Log { level, text } => {
                let level = match level {
                    LogLevel::Debug => "Debug",
                    LogLevel::Info => "Info",
                    LogLevel::Warn => "Warning",
                    LogLevel::Error => "Error",
                };
                self.note(format!("{level}: {text}"));
            }
            Event::Failed { run, message } => {
                if run.is_some()
                    && let Some(view) = &mut self.run
                {
                    view.state = RunState::Failed(message.clone());
                    self.progress.hold();
                }
                self.in_flight = false;
                self.times.is_busy = false;
                self.warn(message, false);
            }
            Event::Probed(report) => self.probed(*report),
            Event::Preparing { what, .. } => {
                self.note(what.clone());
                self.with_run(|run| run.activity = what);
            }
            Event::Started { started, .. } => self.with_run(|run| {
                run.total_steps = started.total_steps;
                run.steps_per_epoch = started.steps_per_epoch;
                run.classes.clone_from(&started.classes);
                run.activity = "preparing kernels".into();
                run.steps.retain(|step| step.step <= started.step);
                run.epochs.retain(|epoch| epoch.step <= started.step);
            }),
            Event::Steps { steps, .. } => {
                self.with_run(|run| {
                    if run.state == RunState::Preparing {
                        run.state = RunState::Training;
                    }
                    run.activity = "training".into();
                    for step in &steps {
                        run.images_per_sec = step.images_per_sec;
                        run.steps.push(point(step, run.steps_per_epoch));
                    }
                });
            }
            Event::Epoch { epoch, .. } => self.with_run(|run| run.epochs.push(epoch_point(&epoch))),
            Event::Memory { memory, .. } => self.with_run(|run| {
                let bytes = memory.peak_bytes.or(memory.gpu_in_use_bytes);
                run.measured_bytes = bytes.max(run.measured_bytes);
            }),
            Event::Paused { .. } => {
                self.progress.hold();
                self.with_run(|run| run.state = RunState::Paused);
            }
            Event::Resumed { .. } => {
                self.progress.go_on();
                self.with_run(|run| run.state = RunState::Training);
            }
            Event::Finished { reason, weights, .. } => {
                self.progress.hold();
                self.note(format!("Run ended: {}. Weights: {}", reason.label(), weights.display()));
                self.with_run(|run| {
                    run.state = match reason {
                        FinishReason::Diverged => RunState::Failed(sentence(reason.label())),
                        _ => RunState::Finished(sentence(reason.label())),
                    };
                    run.left_secs = None;
                });
            }
            Event::Saved { path, step, .. } => self.note(format!("Step {step} saved to {}", path.display())),
            Event::LayerTimes(report) => self.timed(*report),
            Event::LearningRate { rate, .. } => self.note(format!("Base learning rate is now {rate}.")),
            Event::Evaluated(_) | Event::Predicted { .. } | Event::Checked { .. } | Event::Exited(_) => {}
        }
    }

    fn timed(&mut self, report: LayerTimesReport) {
        let (id, revision) = self.timing;
        if report.id != id {
            return;
        }
        self.times.is_busy = false;
        match &report.problem {
            Some(problem) => self.warn(problem.clone(), false),
            None => self.times.result = Some(Times { revision, report }),
        }
    }

    fn with_run(&mut self, change: impl FnOnce(&mut RunView)) {
        if let Some(run) = &mut self.run {
            change(run);
        }
    }

    fn probed(&mut self, report: ProbeReport) {
        if report.id != self.newest_look() {
            return;
        }
        self.in_flight = false;
        let number = self.looked_image();
        let mut layers = report.layers.into_iter();
        let (Some(layer), input) = (layers.next(), layers.next()) else { return };
        if let Some(problem) = &layer.problem {
            self.note(format!("Feature maps of {}: {problem}", layer.path));
        }
        self.with_run(|run| {
            let class = report.label.and_then(|label| run.classes.get(label as usize)).cloned();
            let label =
                class.map_or_else(|| format!("image {}", number + 1), |class| format!("{class}, image {}", number + 1));
            let stats = layer.channels.clone();
            run.probe = Some(ProbeView {
                layer: layer.path,
                planes: layer.planes.iter().enumerate().map(|(i, p)| plane(p, stats.get(i))).collect(),
                filters: layer.filters.iter().map(|p| plane(p, None)).collect(),
                top: report.top.into_iter().map(|score| (score.name, score.probability)).collect(),
                image: input.and_then(|input| picture(&input.planes)),
                label,
                step: report.step.unwrap_or(0),
            });
        });
    }
}

fn event_run(event: &Event) -> Option<protocol::RunId> {
    match event {
        Event::Preparing { run, .. }
        | Event::Started { run, .. }
        | Event::Steps { run, .. }
        | Event::Epoch { run, .. }
        | Event::Memory { run, .. }
        | Event::Saved { run, .. }
        | Event::Paused { run, .. }
        | Event::Resumed { run }
        | Event::LearningRate { run, .. }
        | Event::Finished { run, .. } => Some(*run),
        Event::Failed { run, .. } => *run,
        _ => None,
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn accuracy(metrics: &[(String, f64)]) -> f64 {
    metrics.iter().find(|(name, _)| name.contains("accuracy")).map_or(f64::NAN, |(_, value)| *value)
}

fn point(step: &protocol::StepReport, per_epoch: u64) -> StepPoint {
    StepPoint {
        step: step.step,
        epoch: step.step as f64 / per_epoch.max(1) as f64,
        loss: step.loss,
        accuracy: accuracy(&step.metrics),
        learning_rate: step.learning_rate,
    }
}

fn epoch_point(epoch: &protocol::EpochReport) -> EpochPoint {
    EpochPoint {
        epoch: epoch.epoch,
        step: epoch.step,
        train_loss: epoch.train_loss,
        train_accuracy: accuracy(&epoch.train_metrics),
        loss: epoch.validation_loss.unwrap_or(f64::NAN),
        accuracy: accuracy(&epoch.validation_metrics),
        is_best: epoch.is_best,
        secs: epoch.secs,
    }
}

/// A plane as panels draw it: one byte a pixel; coloured filters become their brightness.
fn plane(from: &protocol::Plane, stats: Option<&protocol::ChannelStats>) -> Plane {
    let depth = from.depth.max(1) as usize;
    let brightness = |bytes: &[u8]| {
        let sum: usize = bytes.iter().map(|byte| usize::from(*byte)).sum();
        u8::try_from(sum / bytes.len().max(1)).unwrap_or(u8::MAX)
    };
    Plane {
        width: from.width as usize,
        height: from.height as usize,
        pixels: from.pixels.chunks(depth).map(brightness).collect(),
        min: from.min,
        max: from.max,
        mean: stats.map_or(f32::NAN, |stats| stats.mean),
        zeros: stats.map_or(f32::NAN, |stats| stats.zeros),
    }
}

/// The input image from its channels: brightness over all of them.
fn picture(planes: &[protocol::Plane]) -> Option<Plane> {
    let mut first = plane(planes.first()?, None);
    if let [r, g, b, ..] = planes {
        let channels = [r, g, b].map(|p| &p.pixels);
        for (at, pixel) in first.pixels.iter_mut().enumerate() {
            let sum: u32 = channels.iter().map(|c| u32::from(c.get(at).copied().unwrap_or(0))).sum();
            *pixel = u8::try_from(sum / 3).unwrap_or(u8::MAX);
        }
    }
    Some(first)
}
