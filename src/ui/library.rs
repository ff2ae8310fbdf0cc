//! Reads stored runs and pictures of their images in a thread of its own, so that no frame waits for the disk.

use super::data_view::Thumb;
use super::loader::thumb;
use super::runs::{RunState, RunView};
use super::runs_view::{PictureKey, RunRow, RunSummary, RunsView, StoredRun};
use super::session_events::{epoch_point, mark, point};
use crate::data::{Dataset, Split};
use crate::engine::protocol::{EpochReport, FinishReason};
use crate::engine::run::{RunFolder, RunNote, RunRecord, RunStatus, epochs_only};
use crate::graph::Document;
use crate::plan::{Sketch, plan};
use crate::text::sentence;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::SystemTime;

/// Jobs and answers that may wait.
const WAITING: usize = 256;
/// Pictures that are kept.
const PICTURES: usize = 4_000;

/// What the thread is asked to do.
pub(super) enum Job {
    /// Read the list.
    List(PathBuf),
    /// Read all numbers of a run.
    Load(PathBuf),
    /// Write what a person wrote.
    Annotate(PathBuf, RunNote),
    /// Delete a run.
    Delete(PathBuf),
    /// Make pictures.
    Pictures(PathBuf, Vec<u64>),
    /// Write a file.
    Write(PathBuf, Box<dyn FnOnce() -> std::io::Result<Vec<u8>> + Send>),
}

/// What comes back.
enum Answer {
    List(Vec<RunRow>),
    Loaded(PathBuf, Result<Box<StoredRun>, String>),
    Pictures(Vec<(PictureKey, Result<Thumb, String>)>),
    /// A short message, or a failure that must be read.
    Said(Result<String, String>),
}

/// The thread and what it found.
#[derive(Default)]
pub(super) struct Library {
    jobs: Option<SyncSender<Job>>,
    answers: Option<Receiver<Answer>>,
    pending: usize,
    view: RunsView,
    said: Vec<Result<String, String>>,
}

impl Library {
    /// A library of a folder of runs; nothing is read yet.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { view: RunsView { folder, ..RunsView::default() }, ..Self::default() }
    }

    /// What is known.
    pub(super) fn view(&self) -> &RunsView {
        &self.view
    }

    /// What is known, to be changed by the app.
    pub(super) fn view_mut(&mut self) -> &mut RunsView {
        &mut self.view
    }

    /// Whether the thread is at work.
    pub(super) fn is_busy(&self) -> bool {
        self.pending > 0
    }

    /// Reads the list again.
    pub(super) fn refresh(&mut self, ctx: &egui::Context) {
        let folder = self.view.folder.clone();
        self.ask(Job::List(folder), ctx);
    }

    /// Reads a run, unless that is done or under way.
    pub(super) fn load(&mut self, folder: &Path, ctx: &egui::Context) {
        if !self.view.loaded.contains_key(folder) {
            self.ask(Job::Load(folder.to_path_buf()), ctx);
        }
    }

    /// Asks for pictures that are not there yet.
    pub(super) fn pictures(&mut self, folder: &Path, indices: Vec<u64>, ctx: &egui::Context) {
        if self.view.pictures.len() > PICTURES {
            self.view.pictures.clear();
        }
        let missing: Vec<u64> = indices
            .into_iter()
            .filter(|index| {
                let key = (folder.to_path_buf(), *index);
                // A place is taken at once, so that the next frame does not ask again.
                let is_new = !self.view.pictures.contains_key(&key);
                if is_new {
                    self.view.pictures.insert(key, Ok(Thumb::default()));
                }
                is_new
            })
            .collect();
        if !missing.is_empty() {
            self.ask(Job::Pictures(folder.to_path_buf(), missing), ctx);
        }
    }

    /// Gives the thread something to do.
    pub(super) fn ask(&mut self, job: Job, ctx: &egui::Context) {
        if self.jobs.is_none() {
            let (jobs, inbox) = sync_channel(WAITING);
            let (outbox, answers) = sync_channel(WAITING);
            let ctx = ctx.clone();
            let work = move || Thread::default().run(&inbox, &outbox, &ctx);
            match std::thread::Builder::new().name("striate-library".into()).spawn(work) {
                Ok(_) => (self.jobs, self.answers) = (Some(jobs), Some(answers)),
                Err(error) => {
                    self.said.push(Err(format!("Reading runs needs a thread. The system refused: {error}.")));
                    return;
                }
            }
        }
        if self.jobs.as_ref().is_some_and(|jobs| jobs.try_send(job).is_ok()) {
            self.pending += 1;
        }
        self.view.is_reading = self.pending > 0;
    }

    /// Takes what came back; gives what must be said.
    pub(super) fn drain(&mut self) -> Vec<Result<String, String>> {
        while let Some(answer) = self.answers.as_ref().and_then(|answers| answers.try_recv().ok()) {
            self.pending = self.pending.saturating_sub(1);
            match answer {
                Answer::List(rows) => {
                    self.view.shown.retain(|folder| rows.iter().any(|row| row.folder == *folder));
                    self.view.loaded.retain(|folder, _| rows.iter().any(|row| row.folder == *folder));
                    self.view.rows = rows;
                    self.view.is_read = true;
                }
                Answer::Loaded(folder, Ok(run)) => {
                    self.view.broken.remove(&folder);
                    self.view.loaded.insert(folder, Arc::from(run));
                }
                Answer::Loaded(folder, Err(why)) => {
                    self.view.broken.insert(folder, why);
                }
                Answer::Pictures(pictures) => self.view.pictures.extend(pictures),
                Answer::Said(said) => self.said.push(said),
            }
        }
        self.view.is_reading = self.pending > 0;
        std::mem::take(&mut self.said)
    }
}

/// The thread's own memory: what it read before.
#[derive(Default)]
struct Thread {
    epochs: HashMap<PathBuf, (u64, Option<SystemTime>, Vec<EpochReport>)>,
    data: Option<(PathBuf, Result<Dataset, String>)>,
    sketches: HashMap<PathBuf, (Option<SystemTime>, Option<Arc<Sketch>>)>,
}

impl Thread {
    fn run(mut self, jobs: &Receiver<Job>, answers: &SyncSender<Answer>, ctx: &egui::Context) {
        while let Ok(job) = jobs.recv() {
            let answer = match job {
                Job::List(folder) => Answer::List(self.list(&folder)),
                Job::Load(folder) => {
                    let found = load(&folder).map(Box::new);
                    Answer::Loaded(folder, found)
                }
                Job::Annotate(folder, note) => Answer::Said(annotate(&folder, &note)),
                Job::Delete(folder) => Answer::Said(delete(&folder)),
                Job::Pictures(folder, indices) => Answer::Pictures(self.pictures(&folder, &indices)),
                Job::Write(path, bytes) => Answer::Said(write(&path, bytes)),
            };
            if answers.send(answer).is_err() {
                return;
            }
            ctx.request_repaint();
        }
    }

    /// Every folder that is or was meant to be a run, newest first.
    fn list(&mut self, parent: &Path) -> Vec<RunRow> {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        let mut rows: Vec<(u64, RunRow)> = entries
            .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.') && entry.path().is_dir())
            .map(|entry| {
                let folder = entry.path();
                let summary = self.summary(&folder);
                let created = summary.as_ref().map_or(0, |summary| summary.record.created);
                (created, RunRow { folder, summary: summary.map(Box::new) })
            })
            .collect();
        rows.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| y.folder.cmp(&x.folder)));
        rows.into_iter().map(|(_, row)| row).collect()
    }

    fn summary(&mut self, path: &Path) -> Result<RunSummary, String> {
        let folder = RunFolder::open(path).map_err(|error| error.to_string())?;
        let record = folder.record().map_err(|error| error.to_string())?;
        // A note that cannot be read must not hide the run it is about.
        let note = folder.note().unwrap_or_else(|error| RunNote { note: error.to_string(), ..RunNote::default() });
        let epochs = self.epochs(&folder)?;
        let best = epochs.iter().rev().find(|epoch| epoch.is_best).map(|epoch| {
            let point = epoch_point(epoch);
            (point.epoch, point.accuracy, point.loss)
        });
        Ok(RunSummary {
            status: folder.status_now(&record),
            epochs_done: epochs.last().map_or(0, |epoch| epoch.epoch),
            best,
            has_checkpoint: folder.checkpoint().is_some(),
            has_weights: folder.weights_path().is_some(),
            sketch: self.sketch(&folder),
            note,
            record,
        })
    }

    /// The epochs of a run, read again only when its file has changed.
    fn epochs(&mut self, folder: &RunFolder) -> Result<Vec<EpochReport>, String> {
        let path = folder.metrics_path();
        let meta = std::fs::metadata(&path).ok();
        let (len, time) = meta.map_or((0, None), |meta| (meta.len(), meta.modified().ok()));
        if let Some((_, _, epochs)) = self.epochs.get(&path).filter(|known| (known.0, known.1) == (len, time)) {
            return Ok(epochs.clone());
        }
        let epochs = epochs_only(folder).map_err(|error| error.to_string())?;
        self.epochs.insert(path, (len, time, epochs.clone()));
        Ok(epochs)
    }

    /// What decides whose weights fit a run's network, made again only when its document has changed.
    fn sketch(&mut self, folder: &RunFolder) -> Option<Arc<Sketch>> {
        let path = folder.document_path();
        let time = std::fs::metadata(&path).and_then(|meta| meta.modified()).ok();
        if let Some((_, sketch)) = self.sketches.get(&path).filter(|known| known.0 == time) {
            return sketch.clone();
        }
        let document = folder.document().ok().and_then(|json| Document::from_json(&json).ok());
        let sketch = document.map(|document| Arc::new(Sketch::of(&document)));
        self.sketches.insert(path, (time, sketch.clone()));
        sketch
    }

    fn pictures(&mut self, folder: &Path, indices: &[u64]) -> Vec<(PictureKey, Result<Thumb, String>)> {
        let data = match self.data.take().filter(|(known, _)| known == folder) {
            Some(known) => known,
            None => (folder.to_path_buf(), open_data(folder)),
        };
        let picture = |index: u64| -> Result<Thumb, String> {
            let data = data.1.as_ref().map_err(Clone::clone)?;
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            data.item(Split::Validation, index).map(|item| thumb(&item.picture)).map_err(|error| error.to_string())
        };
        let made = indices.iter().map(|&index| ((folder.to_path_buf(), index), picture(index))).collect();
        self.data = Some(data);
        made
    }
}

/// The data that a run was trained on.
fn open_data(folder: &Path) -> Result<Dataset, String> {
    let document = RunFolder::open(folder).and_then(|folder| folder.document()).map_err(|error| error.to_string())?;
    let document = Document::from_json(&document).map_err(|error| error.to_string())?;
    let program = plan(&document).program;
    let input = program.inputs.first().ok_or("The run's network has no input, so its images have no size.")?;
    let input = program.value(input.value).shape.clone();
    Dataset::open(&document.data, &input, document.seed).map_err(|error| error.to_string())
}

/// A stored run as the window keeps one under way.
pub(super) fn load(path: &Path) -> Result<StoredRun, String> {
    let read = || -> Result<_, crate::engine::run::RunError> {
        let folder = RunFolder::open(path)?;
        let (record, json, metrics) = (folder.record()?, folder.document()?, folder.metrics()?);
        let status = folder.status_now(&record);
        Ok((record, status, json, metrics, folder.results()?, folder.changes()?))
    };
    let (record, status, json, metrics, results, changes) = read().map_err(|error| error.to_string())?;
    let document = Document::from_json(&json).map_err(|error| error.to_string())?;
    let per_epoch = record.steps_per_epoch;
    let mut steps = Vec::with_capacity(metrics.steps.len());
    let mut secs = 0.0;
    for step in &metrics.steps {
        let point = point(step, per_epoch, secs);
        secs = point.secs;
        steps.push(point);
    }
    let view = RunView {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        folder: path.to_path_buf(),
        state: state(&record, status),
        images_per_sec: metrics.steps.last().map_or(0.0, |step| step.images_per_sec),
        elapsed_secs: secs,
        steps,
        epochs: metrics.epochs.iter().map(epoch_point).collect(),
        total_steps: per_epoch * u64::from(record.epochs),
        steps_per_epoch: per_epoch,
        classes: record.classes,
        results: results.into_iter().map(Arc::new).collect(),
        changes: changes.into_iter().map(mark).collect(),
        ..RunView::default()
    };
    Ok(StoredRun { view, document: Arc::new(document) })
}

/// How a stored run stands, in the words of one under way.
fn state(record: &RunRecord, status: RunStatus) -> RunState {
    let reason = || record.reason.map_or("Stopped", FinishReason::label);
    match status {
        RunStatus::Running => RunState::Training,
        RunStatus::Finished if record.reason == Some(FinishReason::Diverged) => RunState::Failed(sentence(reason())),
        RunStatus::Finished => RunState::Finished(sentence(reason())),
        RunStatus::Interrupted => RunState::Failed("Interrupted. It can go on from its last checkpoint".into()),
        RunStatus::Failed => RunState::Failed(record.message.clone().unwrap_or_default()),
    }
}

fn annotate(path: &Path, note: &RunNote) -> Result<String, String> {
    let written = RunFolder::open(path).and_then(|folder| folder.write_note(note));
    written.map(|()| String::new()).map_err(|error| error.to_string())
}

fn delete(path: &Path) -> Result<String, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let aside = RunFolder::open(path).and_then(RunFolder::set_aside).map_err(|error| error.to_string())?;
    match std::fs::remove_dir_all(&aside) {
        Ok(()) => Ok(format!("{name} is deleted.")),
        Err(error) => Err(format!(
            "{name} is off the list, but its files could not be removed: {error}. They are in {}.",
            aside.display()
        )),
    }
}

fn write(path: &Path, bytes: Box<dyn FnOnce() -> std::io::Result<Vec<u8>> + Send>) -> Result<String, String> {
    let written = bytes().and_then(|bytes| crate::graph::write_atomically(path, &bytes));
    match written {
        Ok(()) => Ok(format!("Saved as {}.", path.display())),
        Err(error) => Err(format!("{} was not written: {error}.", path.display())),
    }
}
