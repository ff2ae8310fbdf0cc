//! What a run writes to the disk: checkpoints and weights, and its folder once more if somebody took it away.

use super::super::super::EngineError;
use super::super::super::Trainer;
use super::super::super::protocol::Event;
use super::super::super::run::{RunError, RunStatus};
use super::super::super::weights::write_safetensors;
use super::super::answer::{CLASSES, DOCUMENT};
use super::super::watch::Watch;
use super::super::{BUILD, Worker, WorkerError};
use super::{End, Session, trainer};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

impl Session {
    /// Somebody may delete or move the run's folder while it trains. It is written again then, with every step, and that is
    /// said; results and pictures of earlier epochs are not held here.
    pub(super) fn restore_folder(&mut self, worker: &mut Worker) -> Result<(), WorkerError> {
        if self.folder.is_whole() {
            return Ok(());
        }
        self.folder.restore(&self.document.to_json(), &self.record)?;
        self.metrics.restore(&self.folder)?;
        // Its own lock would be in the way of the new one.
        self.lock = None;
        self.lock = Some(self.folder.lock()?);
        self.watch = Watch::start(&self.folder, trainer(worker)?.step_index());
        let message = format!(
            "The folder of a run must stay in its place while it trains. {} was deleted or moved, as a whole or in part. It \
             was written again with the network and all steps; results and snapshots of earlier epochs are not in it.",
            self.folder.path().display()
        );
        worker.out.send(&Event::Failed { run: None, message });
        Ok(())
    }

    /// Writes a checkpoint, and everything that counts with it.
    pub(super) fn checkpoint(&mut self, worker: &mut Worker) -> Result<(), WorkerError> {
        worker.out.flush();
        self.restore_folder(worker)?;
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
