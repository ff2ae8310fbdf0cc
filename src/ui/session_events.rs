//! Turns the engine's events into what panels read. Plain bookkeeping.

use super::device_check::{CheckState, DeviceCheck};
use super::runs::{EpochPoint, RateMark, RunState, RunView, StepPoint};
use super::session::Session;
use super::times::Times;
use super::trouble::safe_words;
use crate::engine::protocol::{self, Event, FinishReason, LayerTimesReport, LogLevel};
use crate::text::sentence;
use std::sync::Arc;
use std::time::Instant;

/// Stretches whose speeds give the range of the time left.
const STRETCHES: usize = 12;
/// Least seconds of a stretch.
const STRETCH_SECS: f64 = 1.0;

/// The clock of a run; pauses do not count.
#[derive(Debug, Default)]
pub(super) struct Progress {
    since: Option<Instant>,
    before: f64,
    first_step: Option<(f64, u64)>,
    /// Start of the present stretch: seconds, step.
    stretch: Option<(f64, u64)>,
    /// Seconds a step of the last stretches, validation at the end of epochs included.
    speeds: std::collections::VecDeque<f64>,
}

impl Progress {
    /// Starts the clock after earlier parts of the run.
    pub(super) fn start(before: f64) -> Self {
        Self { since: Some(Instant::now()), before, ..Self::default() }
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
        self.stretch(run.elapsed_secs, step);
        let left = run.total_steps.saturating_sub(step) as f64;
        // A fifth at either end is left out: a machine that was busy for a moment says little about the rest.
        let mut speeds: Vec<f64> = self.speeds.iter().copied().collect();
        speeds.sort_by(f64::total_cmp);
        let edge = speeds.len() / 5;
        let (fast, slow) = (speeds.get(edge), speeds.iter().rev().nth(edge));
        run.left_range = match (fast, slow) {
            (Some(fast), Some(slow)) if speeds.len() >= 3 => Some((fast * left, slow * left)),
            _ => None,
        };
    }

    /// Measures the speed stretch by stretch.
    fn stretch(&mut self, now: f64, step: u64) {
        let (start, first) = *self.stretch.get_or_insert((now, step));
        if now - start >= STRETCH_SECS && step > first {
            if self.speeds.len() == STRETCHES {
                self.speeds.pop_front();
            }
            self.speeds.push_back((now - start) / (step - first) as f64);
            self.stretch = Some((now, step));
        }
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
                let mut had_begun = false;
                if run.is_some()
                    && let Some(view) = &mut self.run
                {
                    had_begun = view.state != RunState::Preparing;
                    view.state = RunState::Failed(message.clone());
                    self.progress.hold();
                }
                self.times.is_busy = false;
                if let (None, Some(search)) = (run, self.search.as_mut().filter(|search| search.is_running)) {
                    search.is_running = false;
                    search.problem = Some(message.clone());
                }
                if run.is_none() && self.fail_check(&message) {
                    self.note(format!("Error: {message}"));
                    return;
                }
                let step = self.checkpoint_step().filter(|_| run.is_some());
                // What fails while a checkpoint is read says nothing good about it.
                let safe = step.filter(|_| had_begun).map_or_else(String::new, |step| safe_words(true, Some(step)));
                self.warn(format!("{message}{safe}"), step.is_some());
            }
            Event::Mended { message, .. } => self.mended(message),
            Event::Spread(report) if report.id == 0 => {
                let report = Arc::new(*report);
                self.with_run(|run| {
                    run.dead = report.dead().map(|(path, channels, of)| (path.into(), channels.to_vec(), of)).collect();
                    run.spread = Some(report);
                });
            }
            Event::Probed(_)
            | Event::Explained(_)
            | Event::Sensed(_)
            | Event::Spread(_)
            | Event::Excited(_)
            | Event::Unanswered { .. } => {
                self.answers.push(event);
            }
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
                run.results.retain(|results| results.step <= started.step);
                run.changes.retain(|change| change.step < started.step);
                if started.weights.is_some() {
                    run.weights.clone_from(&started.weights);
                }
            }),
            Event::Steps { steps, .. } => {
                self.with_run(|run| {
                    if run.state == RunState::Preparing {
                        run.state = RunState::Training;
                    }
                    run.activity = "training".into();
                    for step in &steps {
                        run.images_per_sec = step.images_per_sec;
                        let before = run.steps.last().map_or(0.0, |step| step.secs);
                        run.steps.push(point(step, run.steps_per_epoch, before));
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
                    run.left_range = None;
                });
            }
            Event::Saved { path, step, .. } => self.note(format!("Step {step} saved to {}", path.display())),
            Event::LayerTimes(report) => self.timed(*report),
            Event::Results { results, .. } => self.with_run(|run| run.results.push(Arc::from(results))),
            Event::RateChanged { change, .. } => {
                self.note(format!("From step {} on the base learning rate is {}.", change.step + 1, change.base_rate));
                self.with_run(|run| run.changes.push(mark(change)));
            }
            Event::RateSearch(search) => self.searched(*search),
            Event::CheckedCase { row, cases } => {
                if let Some(check) = &mut self.check {
                    check.rows.push(row);
                    check.cases = cases;
                }
            }
            Event::Checked { device, rows } => {
                if let Some(check) = &mut self.check {
                    *check = DeviceCheck { device, cases: check.cases, rows, state: CheckState::Done };
                }
            }
            Event::Evaluated(_) | Event::Predicted { .. } | Event::Alive { .. } | Event::Exited(_) => {}
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
        | Event::Results { run, .. }
        | Event::RateChanged { run, .. }
        | Event::Alive { run }
        | Event::Mended { run, .. }
        | Event::Finished { run, .. } => Some(*run),
        Event::Failed { run, .. } => *run,
        _ => None,
    }
}

fn accuracy(metrics: &[(String, f64)]) -> f64 {
    metrics.iter().find(|(name, _)| name.contains("accuracy")).map_or(f64::NAN, |(_, value)| *value)
}

/// A stored change as charts mark it.
pub(super) fn mark(change: protocol::RateChange) -> RateMark {
    RateMark { step: change.step, base_rate: change.base_rate, schedule: change.schedule }
}

/// A step as charts need it; `before` are the seconds of all steps before it.
pub(super) fn point(step: &protocol::StepReport, per_epoch: u64, before: f64) -> StepPoint {
    StepPoint {
        step: step.step,
        epoch: step.step as f64 / per_epoch.max(1) as f64,
        loss: step.loss,
        accuracy: accuracy(&step.metrics),
        learning_rate: step.learning_rate,
        grad_norm: step.grad_norm,
        secs: before + step.secs,
    }
}

/// An epoch as charts need it.
pub(super) fn epoch_point(epoch: &protocol::EpochReport) -> EpochPoint {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_ranges_from_the_fastest_to_the_slowest_stretch() {
        let mut progress = Progress::default();
        for (now, step) in [(0.0, 0), (0.4, 2), (1.0, 10), (2.0, 30), (4.0, 40)] {
            progress.stretch(now, step);
        }
        progress.before = 4.0;
        let steps = vec![StepPoint { step: 40, ..StepPoint::default() }];
        let mut run = RunView { steps, total_steps: 140, ..RunView::default() };
        progress.update(&mut run);
        // Stretches of at least a second: 1/10, 1/20 and 2/10 seconds a step; 100 steps are left.
        let (least, most) = run.left_range.unwrap();
        assert!((least - 5.0).abs() < 1e-9 && (most - 20.0).abs() < 1e-9, "{least} {most}");
    }
}
