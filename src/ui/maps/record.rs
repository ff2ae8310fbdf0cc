//! What a run kept of its past: snapshots, and the confusion at the end of each epoch. Read in a thread, again while it grows.

use crate::engine::protocol::EpochResults;
use crate::engine::run::RunFolder;
use crate::engine::run::snapshots::{self, Snapshot};
use egui::Ui;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

/// Time between looks for what is new.
const RELOAD: Duration = Duration::from_secs(1);

/// What is known of one run's past.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    /// In the order of steps.
    pub(super) snapshots: Vec<Arc<Snapshot>>,
    /// In the order of epochs.
    pub(super) results: Vec<Arc<EpochResults>>,
    /// Names of its classes.
    pub(super) classes: Vec<String>,
    /// What could not be read.
    pub(super) problem: Option<String>,
}

impl Past {
    /// The confusion that was known at a step: of the last epoch that had ended by then.
    pub(super) fn results_at(&self, step: u64) -> Option<&Arc<EpochResults>> {
        self.results.iter().rev().find(|results| results.step <= step)
    }

    fn read(folder: &Path, known: &Self) -> Self {
        let mut past = Self { problem: None, ..known.clone() };
        let mut read = |step: u64, path: &Path| {
            let old = known.snapshots.iter().find(|snapshot| snapshot.step == step);
            old.cloned().or_else(|| match snapshots::read(path) {
                Ok(snapshot) => Some(Arc::new(snapshot)),
                Err(error) => {
                    past.problem = Some(error.to_string());
                    None
                }
            })
        };
        let found = snapshots::list(folder).iter().filter_map(|(step, path)| read(*step, path)).collect();
        past.snapshots = found;
        let steps = |past: &Self| past.snapshots.iter().map(|snapshot| snapshot.step).collect::<Vec<_>>();
        // Results are written before the snapshot of their epoch: without a new one there are no new results.
        if steps(&past) != steps(known)
            && let Ok(run) = RunFolder::open(folder)
        {
            past.results = run.results().unwrap_or_default().into_iter().map(Arc::new).collect();
            past.classes = run.record().map(|record| record.classes).unwrap_or_default();
        }
        past
    }
}

/// Reads the past of the run that is looked at.
#[derive(Default)]
pub(super) struct Record {
    folder: Option<PathBuf>,
    past: Past,
    loading: Option<Receiver<(PathBuf, Past)>>,
    loaded_at: Option<Instant>,
}

impl Record {
    /// What is known of the run in this folder; `true` with it if that is new since the last call.
    pub(super) fn of(&mut self, folder: &Path, ui: &Ui) -> (&Past, bool) {
        if self.folder.as_deref() != Some(folder) {
            *self = Self { folder: Some(folder.to_path_buf()), ..Self::default() };
        }
        let is_new = self.load(folder, ui);
        (&self.past, is_new)
    }

    /// What was read last.
    pub(super) fn past(&self) -> &Past {
        &self.past
    }

    fn load(&mut self, folder: &Path, ui: &Ui) -> bool {
        let mut is_new = false;
        if let Some(inbox) = &self.loading {
            match inbox.try_recv() {
                Ok((of, past)) => {
                    if of == folder {
                        is_new = past.snapshots.len() != self.past.snapshots.len();
                        self.past = past;
                    }
                    self.loading = None;
                }
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => self.loading = None,
            }
        }
        if self.loaded_at.is_some_and(|at| at.elapsed() < RELOAD) {
            return is_new;
        }
        self.loaded_at = Some(Instant::now());
        let (sender, inbox) = sync_channel(1);
        let (folder, known, ctx) = (folder.to_path_buf(), self.past.clone(), ui.ctx().clone());
        let work = move || {
            let past = Past::read(&folder, &known);
            let has_changed = past.snapshots.len() != known.snapshots.len();
            // The window may have closed meanwhile.
            let _ = sender.send((folder, past));
            if has_changed {
                ctx.request_repaint();
            }
        };
        // Without a thread nothing is read; the next second tries again.
        if std::thread::Builder::new().name("striate-snapshots".into()).spawn(work).is_ok() {
            self.loading = Some(inbox);
        }
        ui.ctx().request_repaint_after(RELOAD);
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::run::RunRecord;
    use crate::engine::run::snapshots::Snapshots;

    #[test]
    fn the_confusion_beside_a_step_is_of_the_last_epoch_that_had_ended() {
        let scratch = tempfile::tempdir().unwrap();
        let record = RunRecord { classes: vec!["cat".into(), "dog".into()], ..RunRecord::default() };
        let run = RunFolder::create(scratch.path().join("run"), "{}", &record).unwrap();
        let mut taker = Snapshots::open(&run, 0).unwrap();
        taker.keep(&Snapshot { step: 4, ..Snapshot::default() }).unwrap();
        let early = Past::read(run.path(), &Past::default());
        assert_eq!((early.results.len(), early.classes.len()), (0, 2));
        for (epoch, step) in [(1, 10), (2, 20)] {
            run.add_results(&EpochResults { epoch, step, ..EpochResults::default() }).unwrap();
            taker.keep(&Snapshot { step, epoch: Some(epoch), ..Snapshot::default() }).unwrap();
        }
        let past = Past::read(run.path(), &early);
        let epoch = |step| past.results_at(step).map(|results| results.epoch);
        assert_eq!([0, 9, 10, 19, 20, 99].map(epoch), [None, None, Some(1), Some(1), Some(2), Some(2)]);
        assert_eq!(past.snapshots.iter().map(|snapshot| snapshot.step).collect::<Vec<_>>(), [4, 10, 20]);
    }
}
