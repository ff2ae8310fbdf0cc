//! One training run: preparation, steps, epochs, checkpoints, and the commands that come in between.

mod rates;

use super::super::memory::Measurement;
use super::super::protocol::{
    Answer, Command, EpochReport, EpochResults, Event, FinishReason, RateChange, RunId, Started, StepReport,
    TrainRequest, WeightsReport,
};
use super::super::run::{MetricsWriter, RunError, RunFolder, RunRecord, RunStatus, now_secs};
use super::super::weights::write_safetensors;
use super::super::{EngineError, LoadReport, TrainJob, Trainer};
use super::answer::{self, Body, CLASSES, DOCUMENT, Model};
use super::pace::Pace;
use super::progress::{Exact, Progress, Sums};
use super::watch::Watch;
use super::{Worker, WorkerError};
use crate::data::{Batch, BatchTarget, Dataset, Order, Split};
use crate::graph::{Document, EarlyStop, FileError};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
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
    let mut session = match prepare(worker, run, request) {
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

fn prepare(worker: &mut Worker, run: RunId, request: &TrainRequest) -> Result<Session, WorkerError> {
    let device = worker.device()?;
    let out = worker.out.clone();
    let preparing = |what: &str| out.send(&Event::Preparing { run, what: what.into() });
    let stored = if request.resume { Some(open_to_resume(request)?) } else { None };
    let mut document = match &stored {
        Some((folder, _)) => {
            let damaged =
                |error: FileError| RunError::NotARun { path: folder.document_path(), found: error.to_string() };
            Document::from_json(&folder.document()?).map_err(damaged)?
        }
        None => Document::from_json(&request.document)?,
    };
    if let Some(epochs) = request.epochs {
        document.training.epochs = epochs;
        document.training.check()?;
    }
    let program = answer::complete_program(&document)?;
    preparing("reading the data");
    let dataset = answer::open_data(&document.data, &program, document.seed)?;
    let halvings = stored.as_ref().map_or(0, |(_, record)| record.halvings).max(request.halvings);
    let spec = document.training.halved(halvings);
    let (batch, accumulate) = (spec.batch as usize, spec.accumulate as usize);
    let images = dataset.len(Split::Train);
    let steps_per_epoch = images.div_ceil(batch).div_ceil(accumulate).max(1) as u64;
    preparing("building the network");
    let measurement = Measurement::begin();
    let job = TrainJob {
        program,
        heads: document.heads_in_force(),
        spec: document.training.clone(),
        seed: document.seed,
        steps_per_epoch,
    };
    let mut trainer = Trainer::new(job, &device.device)?;
    let mut weights = None;
    if let Some(from) = request.start_from.as_ref().filter(|_| !request.resume) {
        weights = Some(report(answer::take_weights(trainer.network_mut(), from)?));
    }
    let checkpoint = stored.as_ref().and_then(|(folder, _)| folder.checkpoint());
    let mut progress = Progress::start();
    if let Some((_, path)) = &checkpoint {
        preparing("reading the checkpoint");
        trainer.load(path)?;
        progress = Progress::load(path)?;
    }
    progress.count_in(spec.batch);
    let mut record = RunRecord {
        id: format!("{:x}-{:x}", now_secs(), std::process::id()),
        name: document.name.clone(),
        created: now_secs(),
        striate: super::BUILD.into(),
        device: device.info.name.clone(),
        threads: worker.threads,
        seed: document.seed,
        status: RunStatus::Running,
        pid: std::process::id(),
        classes: dataset.classes().to_vec(),
        steps_per_epoch,
        epochs: document.training.epochs,
        step: trainer.step_index(),
        halvings,
        ..RunRecord::default()
    };
    let mut pending = VecDeque::new();
    let folder = match stored {
        Some((folder, old)) => {
            (record.id, record.created) = (old.id, old.created);
            if (old.threads, &old.device) != (record.threads, &record.device) {
                tracing::warn!(
                    "this run began on {} with {} threads and goes on on {} with {}: losses will differ in their last digits",
                    old.device,
                    old.threads,
                    record.device,
                    record.threads
                );
            }
            // Nothing is lost by cutting: the steps after the checkpoint are taken again.
            folder.cut_metrics(trainer.step_index())?;
            folder.cut_results(trainer.step_index())?;
            pending = rates::pending(&folder, trainer.step_index())?;
            if request.epochs.is_some() {
                document.save(&folder.document_path())?;
            }
            folder.write_record(&record)?;
            folder
        }
        None => RunFolder::create(&request.folder, &document.to_json(), &record)?,
    };
    let epochs = document.training.epochs;
    let total_steps = steps_per_epoch * u64::from(epochs);
    let started = Started {
        folder: folder.path().to_path_buf(),
        step: trainer.step_index(),
        steps_per_epoch,
        total_steps,
        epochs,
        train_images: images as u64,
        validation_images: dataset.len(Split::Validation) as u64,
        classes: dataset.classes().to_vec(),
        weights,
    };
    let session = Session {
        run,
        metrics: MetricsWriter::open(&folder)?,
        watch: Watch::start(&folder, trainer.step_index()),
        folder,
        record,
        progress,
        dataset: dataset.clone(),
        document: document.clone(),
        batch,
        accumulate,
        checkpoint_secs: request.checkpoint_secs,
        max_steps: request.max_steps,
        total_steps,
        measurement,
        last_checkpoint: Instant::now(),
        steps_here: 0,
        speed: None,
        looks: Pace::start(Instant::now()),
        pending,
    };
    if request.start_from.is_some() && checkpoint.is_none() {
        // Weights from elsewhere cannot be drawn again from the seed.
        session.write_checkpoint(&trainer)?;
    }
    let classes = dataset.classes().to_vec();
    let body = Body::Trainer(Box::new(trainer));
    worker.live = Some(Model { document, classes, body, dataset: Some(dataset), is_live: true });
    worker.out.send(&Event::Started { run, started: Box::new(started) });
    worker.out.send(&Event::Preparing { run, what: "taking the first step (a GPU tunes its kernels now)".into() });
    Ok(session)
}

fn open_to_resume(request: &TrainRequest) -> Result<(RunFolder, RunRecord), WorkerError> {
    let folder = RunFolder::open(&request.folder)?;
    let record = folder.record()?;
    if record.status_now() == RunStatus::Running && record.pid != std::process::id() {
        return Err(RunError::Busy { path: request.folder.clone(), pid: record.pid }.into());
    }
    Ok((folder, record))
}

fn report(found: LoadReport) -> WeightsReport {
    let mismatched =
        found.mismatched.into_iter().map(|m| format!("{}: {:?} here, {:?} there", m.path, m.expected, m.found));
    WeightsReport {
        matched: found.matched,
        missing: found.missing,
        mismatched: mismatched.collect(),
        unused: found.unused,
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
            let outcome = match trainer(worker)?.step(&micro) {
                Ok(outcome) => outcome,
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
            self.write_weights(worker, &self.folder.best_path())?;
        }
        self.metrics.epoch(&epoch)?;
        let (number, step) = (epoch.epoch, epoch.step);
        worker.out.send(&Event::Epoch { run: self.run, epoch });
        if !validation.answers.is_empty() {
            let classes = u32::try_from(self.dataset.classes().len()).unwrap_or(u32::MAX);
            let results = EpochResults::count(number, step, classes, validation.answers);
            self.folder.add_results(&results)?;
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
                look @ (Command::Probe(_) | Command::Explain(_) | Command::Sense(_) | Command::Spread(_)) => {
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

    fn checkpoint(&mut self, worker: &mut Worker) -> Result<(), WorkerError> {
        worker.out.flush();
        self.metrics.sync()?;
        let trainer = trainer(worker)?;
        let step = trainer.step_index();
        let path = self.write_checkpoint(trainer)?;
        self.last_checkpoint = Instant::now();
        self.record.step = step;
        self.folder.write_record(&self.record)?;
        worker.out.send(&Event::Saved { run: self.run, step, path });
        Ok(())
    }

    fn write_checkpoint(&self, trainer: &Trainer) -> Result<PathBuf, WorkerError> {
        self.folder.write_checkpoint(trainer.step_index(), |folder| {
            trainer.save(folder)?;
            self.progress.save(folder)?;
            Ok(())
        })
    }

    /// One file with weights, document, preprocessing (part of the document) and class names.
    fn write_weights(&self, worker: &mut Worker, path: &std::path::Path) -> Result<(), WorkerError> {
        let trainer = trainer(worker)?;
        let step = trainer.step_index();
        let text = |value: &dyn std::fmt::Display| value.to_string();
        let preprocess = serde_json::to_string(&self.document.data.preprocess).unwrap_or_default();
        let classes = serde_json::to_string(self.dataset.classes()).unwrap_or_default();
        let metadata = BTreeMap::from([
            // PyTorch's loaders look for this word.
            ("format".to_owned(), "pt".to_owned()),
            (DOCUMENT.to_owned(), self.document.to_json()),
            ("striate.preprocess".to_owned(), preprocess),
            (CLASSES.to_owned(), classes),
            ("striate.step".to_owned(), text(&step)),
            ("striate.version".to_owned(), super::BUILD.to_owned()),
        ]);
        write_safetensors(path, &trainer.network().weights()?, metadata).map_err(EngineError::from)?;
        worker.out.send(&Event::Saved { run: self.run, step, path: path.to_path_buf() });
        Ok(())
    }

    fn finish(&mut self, worker: &mut Worker, end: &End) -> Result<(), WorkerError> {
        self.checkpoint(worker)?;
        let step = trainer(worker)?.step_index();
        let (reason, keep_best) = match *end {
            End::Done(reason, keep_best) => (reason, keep_best),
            End::Closed => {
                self.record.status = RunStatus::Interrupted;
                return Ok(self.folder.write_record(&self.record)?);
            }
        };
        let (best, last) = (self.folder.best_path(), self.folder.last_path());
        if keep_best && best.is_file() {
            let aside = last.with_extension("new");
            let copy = std::fs::copy(&best, &aside).and_then(|_| std::fs::rename(&aside, &last));
            copy.map_err(|source| RunError::Io { path: last.clone(), source })?;
        } else {
            self.write_weights(worker, &last)?;
        }
        let weights = if best.is_file() { best } else { last };
        self.record.status = RunStatus::Finished;
        self.record.reason = Some(reason);
        self.folder.write_record(&self.record)?;
        tracing::info!("run in {} ended at step {step} of {}", self.folder.path().display(), self.total_steps);
        worker.out.send(&Event::Finished { run: self.run, reason, step, weights });
        Ok(())
    }
}
