//! What a run writes to the disk: checkpoints and weights, and its folder once more if somebody took it away.

use super::super::super::EngineError;
use super::super::super::Trainer;
use super::super::super::protocol::Event;
use super::super::super::run::{RunError, RunStatus};
use super::super::super::weights::write_safetensors;
use super::super::answer::{CLASSES, DOCUMENT};
use super::super::{BUILD, Worker, WorkerError};
use super::{End, Session, trainer};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often something is written that somebody deletes meanwhile, and the time between.
const TRIES: u32 = 40;
const BETWEEN: Duration = Duration::from_millis(50);

impl Session {
    /// Writes something into the run's folder. Somebody may delete or move that while it trains, and take a while for it:
    /// it is written again then.
    pub(super) fn keep<T>(
        &mut self,
        worker: &mut Worker,
        write: impl Fn(&mut Self, &mut Worker) -> Result<T, WorkerError>,
    ) -> Result<T, WorkerError> {
        let mut tries = 0;
        loop {
            let is_whole = if self.folder.is_whole() { Ok(()) } else { self.restore_folder(worker) };
            let result = is_whole.and_then(|()| write(self, worker));
            tries += 1;
            if result.is_ok() || self.folder.is_whole() || tries == TRIES {
                return result;
            }
            std::thread::sleep(BETWEEN);
        }
    }

    /// The folder again, with every step, which is said; what earlier epochs left there is not held here.
    fn restore_folder(&mut self, worker: &mut Worker) -> Result<(), WorkerError> {
        self.folder.restore(&self.document.to_json(), &self.record)?;
        self.metrics.restore(&self.folder)?;
        // Its own lock would be in the way of the new one.
        self.lock = None;
        self.lock = Some(self.folder.lock()?);
        self.watch.start_again(&self.folder, trainer(worker)?.step_index());
        if !self.folder.best_path().is_file() {
            // The next epoch is the best of those that there are.
            self.progress.best = None;
        }
        let message = format!(
            "The folder of a run must stay in its place while it trains. {} was deleted or moved, as a whole or in part. It \
             was written again with the network and all steps; results, snapshots and best weights of earlier epochs are not \
             in it.",
            self.folder.path().display()
        );
        worker.out.send(&Event::Mended { run: self.run, message });
        Ok(())
    }

    /// Writes a checkpoint, and everything that counts with it.
    pub(super) fn checkpoint(&mut self, worker: &mut Worker) -> Result<(), WorkerError> {
        worker.out.flush();
        let (step, path) = self.keep(worker, |session, worker| {
            session.metrics.sync()?;
            let trainer = trainer(worker)?;
            let step = trainer.step_index();
            let path = session.write_checkpoint(trainer)?;
            session.record.step = step;
            session.folder.write_record(&session.record)?;
            Ok((step, path))
        })?;
        self.last_checkpoint = Instant::now();
        worker.out.send(&Event::Saved { run: self.run, step, path });
        Ok(())
    }

    /// The state of the training alone.
    pub(super) fn write_checkpoint(&self, trainer: &Trainer) -> Result<PathBuf, WorkerError> {
        self.folder.write_checkpoint(trainer.step_index(), |folder| {
            trainer.save(folder)?;
            self.progress.save(folder)?;
            Ok(())
        })
    }

    /// One file with weights, document, preprocessing (part of the document) and class names.
    pub(super) fn write_weights(&self, worker: &mut Worker, path: &std::path::Path) -> Result<(), WorkerError> {
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
            ("striate.version".to_owned(), BUILD.to_owned()),
        ]);
        write_safetensors(path, &trainer.network().weights()?, metadata).map_err(EngineError::from)?;
        worker.out.send(&Event::Saved { run: self.run, step, path: path.to_path_buf() });
        Ok(())
    }

    /// The last checkpoint and the last weights.
    pub(super) fn finish(&mut self, worker: &mut Worker, end: &End) -> Result<(), WorkerError> {
        self.checkpoint(worker)?;
        let step = trainer(worker)?.step_index();
        let (reason, keep_best) = match *end {
            End::Done(reason, keep_best) => (reason, keep_best),
            End::Closed => {
                self.record.status = RunStatus::Interrupted;
                return self.keep(worker, |session, _| Ok(session.folder.write_record(&session.record)?));
            }
        };
        let (best, last) = (self.folder.best_path(), self.folder.last_path());
        if keep_best && best.is_file() {
            let aside = last.with_extension("new");
            let copy = std::fs::copy(&best, &aside).and_then(|_| std::fs::rename(&aside, &last));
            copy.map_err(|source| RunError::Io { path: last.clone(), source })?;
        } else {
            self.keep(worker, |session, worker| session.write_weights(worker, &session.folder.last_path()))?;
        }
        let weights = if best.is_file() { best } else { last };
        self.record.status = RunStatus::Finished;
        self.record.reason = Some(reason);
        self.keep(worker, |session, _| Ok(session.folder.write_record(&session.record)?))?;
        tracing::info!("run in {} ended at step {step} of {}", self.folder.path().display(), self.total_steps);
        worker.out.send(&Event::Finished { run: self.run, reason, step, weights });
        Ok(())
    }
}
