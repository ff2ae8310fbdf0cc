//! One training run: steps, epochs, and the commands that come in between.
//!
//! `session/prepare.rs` has what comes before the first step, `session/keep.rs` what is written to the disk.

mod keep;
mod prepare;
mod rates;

use super::super::memory::Measurement;
use super::super::protocol::{
    Answer, Command, EpochReport, EpochResults, Event, FinishReason, RateChange, RunId, StepReport, TrainRequest,
};
use super::super::run::{MetricsWriter, RunFolder, RunLock, RunRecord, RunStatus};
use super::super::{EngineError, Trainer};
use super::answer::{self, Body};
use super::pace::Pace;
use super::progress::{Exact, Progress, Sums};
use super::watch::Watch;
use super::{Worker, WorkerError};
use crate::data::{Batch, BatchTarget, Dataset, Order, Split};
use crate::graph::{Document, EarlyStop};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Time between signs of life where no steps are told.
const ALIVE: Duration = Duration::from_secs(2);

/// Why the loop of steps ended.
enum End {
    /// For this reason; `true` makes the best weights the last ones.
    Done(FinishReason, bool),
    /// Nobody is there any more: checkpoint and go.
    Closed,
}

struct Session {
    run: RunId,
    folder: RunFolder,
    /// Held as long as this trains.
    lock: Option<RunLock>,
    record: RunRecord,
    metrics: MetricsWriter,
    progress: Progress,
    dataset: Dataset,
    document: Document,
    batch: usize,
    accumulate: usize,
    checkpoint_secs: u32,
    max_steps: Option<u64>,
    total_steps: u64,
    measurement: Measurement,
    last_checkpoint: Instant,
    steps_here: u64,
    speed: Option<f64>,
    looks: Pace,
    /// Changes of the learning rate that an interrupted run made after its last checkpoint.
    pending: VecDeque<RateChange>,
    watch: Watch,
}

/// What the validation images say at the end of an epoch.
#[derive(Default)]
struct Validation {
    loss: Option<f64>,
    metrics: Vec<(String, f64)>,
    answers: Vec<Answer>,
}

/// Trains, and tells how it went. The network stays in the worker for questions.
pub(super) fn train(worker: &mut Worker, run: RunId, request: &TrainRequest) {
    worker.live = None;
    worker.shelf.clear();
    let mut session = match prepare::prepare(worker, run, request) {
        Ok(session) => session,
        Err(error) if worker.is_fatal(&error) => return,
        Err(error) => return worker.fail(Some(run), &error),
    };
    if session.record.step == 0 {
        session.watch.step(worker.live.as_mut(), 0, None);
    }
    let result = session.epochs(worker).and_then(|end| session.finish(worker, &end));
    if let Err(error) = result {
        if worker.is_fatal(&error) {
            // As after a kill: the last checkpoint counts.
            session.record.status = RunStatus::Interrupted;
            session.record.message = Some(error.to_string());
            let _ = session.folder.write_record(&session.record);
            return;
        }
        session.record.status = RunStatus::Failed;
        session.record.message = Some(error.to_string());
        // The first failure is the one to tell.
        let _ = session.folder.write_record(&session.record);
        worker.fail(Some(run), &error);
    }
}

/// The trainer in the worker's live model.
fn trainer(worker: &mut Worker) -> Result<&mut Trainer, WorkerError> {
    match worker.live.as_mut().map(|model| &mut model.body) {
        Some(Body::Trainer(trainer)) => Ok(trainer),
        _ => Err(WorkerError::NothingTrained),
    }
}

impl Session {
    /// All epochs that are left.
    fn epochs(&mut self, worker: &mut Worker) -> Result<End, WorkerError> {
        while self.progress.epoch <= self.document.training.epochs {
            if let Some(end) = self.steps(worker)? {
                return Ok(end);
            }
            if let Some(end) = self.end_epoch(worker)? {
                return Ok(end);
            }
        }
        Ok(End::Done(FinishReason::Completed, false))
    }

    /// The steps of one epoch that are left.
    fn steps(&mut self, worker: &mut Worker) -> Result<Option<End>, WorkerError> {
        let order = Order::Epoch { seed: self.document.seed, epoch: self.progress.epoch, augment: true };
        let first = usize::try_from(self.progress.position).unwrap_or(usize::MAX);
        let mut batches = self.dataset.batches(Split::Train, self.batch, order, first);
        loop {
            if let Some(end) = self.control(worker)? {
                return Ok(Some(end));
            }
            self.replay_changes(worker)?;
            let start = Instant::now();
            let micro = batches.by_ref().take(self.accumulate).collect::<Result<Vec<Batch>, _>>()?;
            if micro.is_empty() {
                return Ok(None);
            }
            let (inbox, out, run) = (std::sync::Arc::clone(&worker.inbox), worker.out.clone(), self.run);
            let mut told = Instant::now();
            let mut go_on = || {
                if told.elapsed() >= ALIVE {
                    told = Instant::now();
                    out.send(&Event::Alive { run });
                }
                !inbox.is_stopping()
            };
            let outcome = match trainer(worker)?.step_while(&micro, &mut go_on) {
                Ok(Some(outcome)) => outcome,
                // Left halfway for a stop: control takes it, and the step is done anew when the run is resumed.
                Ok(None) => match self.control(worker)? {
                    Some(end) => return Ok(Some(end)),
                    None => return Ok(Some(End::Closed)),
                },
                Err(error @ EngineError::NotFinite { .. }) => {
                    tracing::error!("{error}");
                    return Ok(Some(End::Done(FinishReason::Diverged, true)));
                }
                Err(error) => return Err(error.into()),
            };
            let secs = start.elapsed().as_secs_f64();
            self.progress.position = batches.position() as u64;
            self.progress.sums.add(outcome.images, outcome.loss, &outcome.metrics, secs);
            let now = outcome.images as f64 / secs.max(1e-9);
            // The first steps tune kernels and say little: the mean forgets them within ten steps.
            let speed = self.speed.map_or(now, |old| old + 0.2 * (now - old));
            self.speed = Some(speed);
            let step = StepReport {
                step: outcome.step,
                epoch: self.progress.epoch,
                loss: outcome.loss,
                metrics: outcome.metrics,
                learning_rate: outcome.learning_rate,
                grad_norm: outcome.grad_norm,
                images: outcome.images,
                secs,
                images_per_sec: speed,
            };
            self.metrics.step(&step)?;
            worker.out.step(self.run, step);
            if let Some(fault) = &worker.fault {
                fault.strike(outcome.step, &worker.out)?;
            }
            self.steps_here += 1;
            self.watch.step(worker.live.as_mut(), outcome.step, None);
            if self.steps_here == 2 {
                self.measurement.settle();
                self.tell_memory(worker);
            }
            if self.last_checkpoint.elapsed().as_secs() >= u64::from(self.checkpoint_secs) {
                self.checkpoint(worker)?;
            }
            if self.max_steps.is_some_and(|most| outcome.step >= most) {
                return Ok(Some(End::Done(FinishReason::StepLimit, false)));
            }
        }
    }

    /// Judges the epoch, keeps the best weights, writes a checkpoint, and says whether to stop early.
    fn end_epoch(&mut self, worker: &mut Worker) -> Result<Option<End>, WorkerError> {
        worker.out.flush();
        let start = Instant::now();
        let Some(validation) = self.validate(worker)? else {
            // Cut short by a stop: the epoch is judged when the run is resumed.
            return Ok(Some(match self.control(worker)? {
                Some(end) => end,
                None => End::Closed,
            }));
        };
        let (train_loss, train_metrics) = self.progress.sums.means();
        let judged = validation.loss.unwrap_or(train_loss);
        let is_best = judged.is_finite() && self.progress.best.is_none_or(|best| judged < best.0);
        let epoch = EpochReport {
            epoch: self.progress.epoch,
            step: trainer(worker)?.step_index(),
            train_loss,
            train_metrics,
            validation_loss: validation.loss,
            validation_metrics: validation.metrics,
            secs: self.progress.sums.secs.0 + start.elapsed().as_secs_f64(),
            is_best,
        };
        if is_best {
            self.progress.best = Some(Exact(judged));
            self.keep(worker, |session, worker| session.write_weights(worker, &session.folder.best_path()))?;
        }
        self.metrics.epoch(&epoch)?;
        let (number, step) = (epoch.epoch, epoch.step);
        worker.out.send(&Event::Epoch { run: self.run, epoch });
        if !validation.answers.is_empty() {
            let classes = u32::try_from(self.dataset.classes().len()).unwrap_or(u32::MAX);
            let results = EpochResults::count(number, step, classes, validation.answers);
            self.keep(worker, |session, _| Ok(session.folder.add_results(&results)?))?;
            worker.out.send(&Event::Results { run: self.run, results: Box::new(results) });
        }
        self.watch.step(worker.live.as_mut(), step, Some(number));
        if let Some(report) = self.watch.spread(worker.live.as_mut(), self.run) {
            worker.out.send(&Event::Spread(Box::new(report)));
        }
        self.tell_memory(worker);
        let stop = self.document.training.early_stop.is_some_and(|rule| self.is_stale(rule, judged));
        self.progress.epoch += 1;
        self.progress.position = 0;
        self.progress.sums = Sums::default();
        self.checkpoint(worker)?;
        Ok(stop.then_some(End::Done(FinishReason::EarlyStop, true)))
    }

    /// Counts epochs without a loss that is lower by `min_delta`.
    fn is_stale(&mut self, rule: EarlyStop, judged: f64) -> bool {
        if self.progress.reference.is_none_or(|reference| judged < reference.0 - rule.min_delta) {
            self.progress.reference = Some(Exact(judged));
            self.progress.stale = 0;
        } else {
            self.progress.stale += 1;
        }
        self.progress.stale >= rule.patience.max(1)
    }

    /// Loss, metrics and every answer to the validation images; `None` if cut short.
    fn validate(&self, worker: &mut Worker) -> Result<Option<Validation>, WorkerError> {
        let mut found = Validation::default();
        if self.dataset.is_empty(Split::Validation) {
            return Ok(Some(found));
        }
        let (inbox, out) = (std::sync::Arc::clone(&worker.inbox), worker.out.clone());
        let trainer = trainer(worker)?;
        let mut told = Instant::now();
        let (mut loss, mut count, mut correct, mut judged) = (0.0, 0, 0, 0);
        for batch in self.dataset.batches(Split::Validation, self.batch, Order::Sequential, 0) {
            if inbox.is_stopping() {
                return Ok(None);
            }
            if told.elapsed() >= ALIVE {
                told = Instant::now();
                out.send(&Event::Alive { run: self.run });
            }
            let batch = batch?;
            let outcome = trainer.evaluate(&batch)?;
            loss += outcome.loss_sum;
            count += outcome.count;
            correct += outcome.correct;
            judged += outcome.judged;
            if let BatchTarget::Class(truths) = &batch.target {
                found.answers.extend(answer::answers(truths, &batch.indices, &outcome.probabilities));
            }
        }
        if judged > 0 {
            found.metrics.push(("accuracy".into(), correct as f64 / judged as f64));
        }
        found.loss = (count > 0).then(|| loss / count as f64);
        Ok(Some(found))
    }

    /// Handles what came in; holds while paused. `Some` ends the run.
    fn control(&mut self, worker: &mut Worker) -> Result<Option<End>, WorkerError> {
        let mut is_paused = false;
        loop {
            if worker.inbox.is_closed() || worker.out.is_broken() {
                return Ok(Some(End::Closed));
            }
            let probes = is_paused || self.looks.allows(Instant::now());
            let command = if is_paused { worker.inbox.wait() } else { worker.inbox.take(probes) };
            let Some(command) = command else {
                if is_paused {
                    continue;
                }
                return Ok(None);
            };
            match command {
                Command::Pause if !is_paused => {
                    is_paused = true;
                    let step = trainer(worker)?.step_index();
                    worker.out.send(&Event::Paused { run: self.run, step });
                }
                Command::Resume if is_paused => {
                    is_paused = false;
                    worker.out.send(&Event::Resumed { run: self.run });
                }
                Command::Pause | Command::Resume => {}
                Command::Stop { keep_best } => return Ok(Some(End::Done(FinishReason::Stopped, keep_best))),
                Command::Checkpoint => self.checkpoint(worker)?,
                Command::SetLearningRate(rate) => self.set_learning_rate(worker, rate)?,
                Command::SetSchedule(schedule) => self.set_schedule(worker, schedule)?,
                Command::Shutdown => return Ok(Some(End::Closed)),
                Command::Train { run, .. } => {
                    let busy = "A worker trains one run at a time. Another one is training. Stop it first.";
                    worker.out.send(&Event::Failed { run: Some(run), message: busy.into() });
                }
                Command::Open { .. } | Command::CheckDevice | Command::FindRate(_) => {
                    let busy = "The device can be changed or tested, and rates be searched, while nothing trains. A run is training. Stop it first.";
                    worker.out.send(&Event::Failed { run: None, message: busy.into() });
                }
                Command::TimeLayers(request) => {
                    let busy = "Layers can be timed while nothing trains. A run is training. Stop it first.";
                    worker.out.send(&Event::LayerTimes(Box::new(answer::no_times(&request, busy.into()))));
                }
                look @ (Command::Probe(_)
                | Command::Explain(_)
                | Command::Sense(_)
                | Command::Spread(_)
                | Command::Excite(_)) => {
                    let (kind, start) = (std::mem::discriminant(&look), Instant::now());
                    worker.answer(look);
                    self.looks.answered(kind, start.elapsed(), Instant::now());
                }
                other @ (Command::Evaluate(_) | Command::Predict(_) | Command::ListDevices) => worker.answer(other),
            }
        }
    }

    fn tell_memory(&self, worker: &Worker) {
        let pool = worker.opened.as_ref().and_then(super::Opened::pool_bytes);
        let memory = self.measurement.report(self.steps_here, pool);
        worker.out.send(&Event::Memory { run: self.run, memory });
    }
}
