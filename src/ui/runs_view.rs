//! What the window knows of stored runs, of waiting ones, and of pictures of the validation images. Plain data, read by
//! panels; filled by a background thread.

use super::charts::Picture;
use super::data_view::Thumb;
use super::runs::RunView;
use super::search::SearchView;
use crate::engine::run::{RunNote, RunRecord, RunStatus};
use crate::graph::{Document, Schedule};
use crate::plan::Sketch;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a row of the list says of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunSummary {
    /// The run's own record.
    pub record: RunRecord,
    /// What a person wrote about it.
    pub note: RunNote,
    /// How it stands now.
    pub status: RunStatus,
    /// Epochs that are done.
    pub epochs_done: u32,
    /// Best epoch: number, validation accuracy, validation loss.
    pub best: Option<(u32, f64, f64)>,
    /// It can go on from a checkpoint.
    pub has_checkpoint: bool,
    /// It has weights to look at.
    pub has_weights: bool,
    /// What decides whose weights fit it; none if its document cannot be read.
    pub sketch: Option<Arc<Sketch>>,
}

/// A folder of the runs folder.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRow {
    /// Where it is.
    pub folder: PathBuf,
    /// What is known of it, or why it cannot be read.
    pub summary: Result<Box<RunSummary>, String>,
}

impl RunRow {
    /// Name of the folder.
    pub fn folder_name(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The name that a person gave it, else the folder's.
    pub fn name(&self) -> String {
        match &self.summary {
            Ok(summary) if !summary.note.name.is_empty() => summary.note.name.clone(),
            _ => self.folder_name(),
        }
    }
}

/// A stored run with all its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRun {
    /// Its history, as the window keeps that of a run under way.
    pub view: RunView,
    /// The document as it was trained.
    pub document: Arc<Document>,
}

/// A run that waits for its turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueuedRun {
    /// The document as it was when it was added.
    pub document: Arc<Document>,
    /// The tab it is of; 0 if it comes from an earlier session.
    pub serial: u64,
    /// The tab's revision then.
    pub revision: u64,
    /// Weights to start from.
    pub start_from: Option<PathBuf>,
    /// Whether it may start though it will probably not fit was asked, and answered with yes.
    pub is_asked: bool,
}

/// A picture of a validation image of a run.
pub type PictureKey = (PathBuf, u64);

/// Everything about runs that panels may look at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunsView {
    /// Where runs are kept.
    pub folder: PathBuf,
    /// All of them, newest first.
    pub rows: Vec<RunRow>,
    /// The list was read at least once.
    pub is_read: bool,
    /// Something is being read.
    pub is_reading: bool,
    /// Stored runs that were opened, by their folders.
    pub loaded: HashMap<PathBuf, Arc<StoredRun>>,
    /// Runs that were asked for and cannot be read: why.
    pub broken: HashMap<PathBuf, String>,
    /// Runs whose curves are shown beside the present one, in this order.
    pub shown: Vec<PathBuf>,
    /// Runs that wait.
    pub queue: Vec<QueuedRun>,
    /// The queue holds: nothing starts by itself.
    pub is_held: bool,
    /// It holds because what waits comes from an earlier session.
    pub is_restored: bool,
    /// Pictures of validation images; an error where one cannot be read.
    pub pictures: HashMap<PictureKey, Result<Thumb, String>>,
    /// The last search for a learning rate.
    pub search: Option<SearchView>,
    /// A run is under way, of whatever document.
    pub is_busy: bool,
    /// Name of the network that is being trained.
    pub training: Option<String>,
}

impl RunsView {
    /// The row of a folder.
    pub fn row(&self, folder: &Path) -> Option<&RunRow> {
        self.rows.iter().find(|row| row.folder == folder)
    }

    /// The name of a run.
    pub fn name(&self, folder: &Path) -> String {
        let fallback = || folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.row(folder).map_or_else(fallback, RunRow::name)
    }

    /// What a person wrote about a run.
    pub fn note(&self, folder: &Path) -> String {
        let summary = self.row(folder).and_then(|row| row.summary.as_ref().ok());
        summary.map_or_else(String::new, |summary| summary.note.note.clone())
    }

    /// The number of a run's colour: its own, else by its place.
    pub fn color(&self, folder: &Path) -> usize {
        let own = self.row(folder).and_then(|row| row.summary.as_ref().ok()?.note.color).map(usize::from);
        let place = || self.shown.iter().position(|shown| shown == folder).unwrap_or(0);
        own.unwrap_or_else(place)
    }
}

/// What panels ask about runs.
#[derive(Clone, Debug, PartialEq)]
pub enum RunsCommand {
    /// Read the list again.
    Refresh,
    /// Read all numbers of a run.
    Load(PathBuf),
    /// Show or hide a run's curves.
    Show(PathBuf, bool),
    /// Replace what a person wrote about a run.
    Annotate(PathBuf, RunNote),
    /// Open a run's network in a tab of its own.
    OpenNetwork(PathBuf),
    /// Go on with a run from its checkpoint.
    Continue(PathBuf),
    /// Go on with a run whose epochs are done, for so many more.
    Extend(PathBuf, u32),
    /// Go on with the run that the bad news are about, of whatever network.
    ResumePresent,
    /// Show the network that is being trained, and its run.
    ShowPresent,
    /// Train the network in front, starting with the weights of a run where they fit.
    StartFrom(PathBuf),
    /// Train the network in front from new weights, without asking.
    StartFresh,
    /// Delete a run; asks first.
    Delete(PathBuf),
    /// Show a run's folder in the system's file manager.
    Reveal(PathBuf),
    /// Add the network in front to the queue.
    Enqueue,
    /// Move a waiting run up (towards 0) or down.
    MoveQueued {
        /// From this place.
        from: usize,
        /// To that.
        to: usize,
    },
    /// Take a run out of the queue.
    RemoveQueued(usize),
    /// Hold the queue, or let it go on.
    HoldQueue(bool),
    /// Change the base learning rate of the run under way.
    SetRate(f64),
    /// Change the schedule of the run under way.
    SetSchedule(Schedule),
    /// Search for a learning rate for the network in front.
    FindRate,
    /// End the search.
    StopSearch,
    /// Put the search away.
    CloseSearch,
    /// Make pictures of validation images of a run.
    Pictures(PathBuf, Vec<u64>),
    /// Write the numbers of all shown runs as CSV; asks where.
    ExportCsv,
    /// Write the charts of all shown runs as PNG; asks where.
    ExportPng(Box<Picture>),
}
