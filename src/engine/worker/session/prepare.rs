//! Before the first step: data, network, checkpoint, run folder. Nothing of an older run is changed before all of it has
//! been read.

use super::super::super::memory::Measurement;
use super::super::super::protocol::{DeviceKind, Event, RunId, Started, TrainRequest, WeightsReport};
use super::super::super::run::{MetricsWriter, RunError, RunFolder, RunLock, RunRecord, RunStatus, now_secs};
use super::super::super::{EngineError, LoadReport, TrainJob, Trainer};
use super::super::answer::{self, Body, Model};
use super::super::pace::Pace;
use super::super::progress::Progress;
use super::super::watch::Watch;
use super::super::{BUILD, Worker, WorkerError};
use super::{Session, rates};
use crate::data::Split;
use crate::graph::{Document, FileError};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Reads data and checkpoint, builds the network, and takes the run folder.
pub(super) fn prepare(worker: &mut Worker, run: RunId, request: &TrainRequest) -> Result<Session, WorkerError> {
    let device = worker.device()?;
    let tunes = device.info.kind != DeviceKind::Cpu;
    let out = worker.out.clone();
    let preparing = |what: &str| out.send(&Event::Preparing { run, what: what.into() });
    let stored = if request.resume { Some(open_to_resume(request)?) } else { None };
    let mut document = match &stored {
        Some((folder, ..)) => {
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
    let halvings = stored.as_ref().map_or(0, |(_, record, _)| record.halvings).max(request.halvings);
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
    preparing("reading the checkpoint");
    let checkpoint = match &stored {
        Some((folder, ..)) => load_checkpoint(folder, &mut trainer)?,
        None => None,
    };
    let has_checkpoint = checkpoint.is_some();
    let (mut progress, skipped) = checkpoint.unwrap_or_else(|| (Progress::start(), Vec::new()));
    progress.count_in(spec.batch);
    let mut record = RunRecord {
        id: format!("{:x}-{:x}", now_secs(), std::process::id()),
        name: document.name.clone(),
        created: now_secs(),
        striate: BUILD.into(),
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
    let (folder, lock) = if let Some((folder, old, lock)) = stored {
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
        for (path, error) in &skipped {
            folder.set_checkpoint_aside(path)?;
            out.send(&Event::Mended { run, message: skipped_words(path, error, trainer.step_index()) });
        }
        (folder, lock)
    } else {
        let folder = RunFolder::create(&request.folder, &document.to_json(), &record)?;
        let lock = folder.lock()?;
        (folder, lock)
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
        watch: Watch::start(&folder, trainer.step_index(), request.watched.clone()),
        folder,
        lock: Some(lock),
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
    if request.start_from.is_some() && !has_checkpoint {
        // Weights from elsewhere cannot be drawn again from the seed.
        session.write_checkpoint(&trainer)?;
    }
    let classes = dataset.classes().to_vec();
    let body = Body::Trainer(Box::new(trainer));
    worker.live = Some(Model { document, classes, body, dataset: Some(dataset), is_live: true });
    worker.out.send(&Event::Started { run, started: Box::new(started) });
    preparing(if tunes { "taking the first step; the GPU tunes its kernels for it" } else { "taking the first step" });
    Ok(session)
}

fn open_to_resume(request: &TrainRequest) -> Result<(RunFolder, RunRecord, RunLock), WorkerError> {
    let folder = RunFolder::open(&request.folder)?;
    let record = folder.record()?;
    if folder.status_now(&record) == RunStatus::Running && record.pid != std::process::id() {
        return Err(RunError::Busy { path: request.folder.clone(), pid: record.pid }.into());
    }
    let lock = folder.lock()?;
    Ok((folder, record, lock))
}

/// Progress, and the newer checkpoints that could not be read.
type Found = (Progress, Vec<(PathBuf, EngineError)>);

/// Loads the newest checkpoint that can be read; none if there are none.
fn load_checkpoint(folder: &RunFolder, trainer: &mut Trainer) -> Result<Option<Found>, WorkerError> {
    let mut skipped = Vec::new();
    for (_, path) in folder.checkpoints() {
        match Progress::load(&path).and_then(|progress| trainer.load(&path).map(|()| progress)) {
            Ok(progress) => return Ok(Some((progress, skipped))),
            // Another checkpoint of the same run would say the same.
            Err(error @ (EngineError::Backend { .. } | EngineError::Checkpoint { .. })) => return Err(error.into()),
            Err(error) => skipped.push((path, error)),
        }
    }
    match skipped.into_iter().next() {
        Some((path, error)) => Err(RunError::Damaged { path, found: finding(&error) }.into()),
        None => Ok(None),
    }
}

fn skipped_words(path: &Path, error: &EngineError, step: u64) -> String {
    format!(
        "A checkpoint must be whole to go on from it. {}: {}. The run goes on from the one before, of step {}.",
        path.display(),
        finding(error),
        crate::text::count(step)
    )
}

/// What was found in which file of a checkpoint, without the rule.
fn finding(error: &EngineError) -> String {
    use super::super::super::weights::WeightsError::{Format, Io};
    let (path, message) = match error {
        EngineError::File { path, message } | EngineError::Weights(Io { path, message } | Format { path, message }) => {
            (path, message)
        }
        other => return other.to_string().trim_end_matches('.').to_owned(),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{name} cannot be read ({})", message.trim_end_matches('.'))
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
