//! Changes of the learning rate during a run: made, written down, and made again when the run is resumed.

use super::{Session, trainer};
use crate::engine::protocol::{Event, RateChange};
use crate::engine::run::{RunError, RunFolder};
use crate::engine::worker::{Worker, WorkerError};
use std::collections::VecDeque;

/// Changes that are not part of a checkpoint at `step`: made at it (perhaps after it was written) or later.
pub(super) fn pending(folder: &RunFolder, step: u64) -> Result<VecDeque<RateChange>, RunError> {
    Ok(folder.changes()?.into_iter().filter(|change| change.step >= step).collect())
}

impl Session {
    pub(super) fn set_learning_rate(&mut self, worker: &mut Worker, rate: f64) -> Result<(), WorkerError> {
        if rate.is_finite() && rate >= 0.0 {
            trainer(worker)?.set_base_learning_rate(rate);
            return self.note_change(worker);
        }
        let message = format!("A learning rate must be a number of at least 0. Received {rate}.");
        worker.out.send(&Event::Failed { run: None, message });
        Ok(())
    }

    pub(super) fn set_schedule(&mut self, worker: &mut Worker, schedule: String) -> Result<(), WorkerError> {
        match trainer(worker)?.set_schedule(schedule) {
            Ok(()) => self.note_change(worker),
            Err(error) => {
                worker.out.send(&Event::Failed { run: None, message: error.to_string() });
                Ok(())
            }
        }
    }

    /// Makes the changes whose step has come again.
    pub(super) fn replay_changes(&mut self, worker: &mut Worker) -> Result<(), WorkerError> {
        let step = trainer(worker)?.step_index();
        while let Some(change) = self.pending.pop_front_if(|change| change.step <= step) {
            trainer(worker)?.change_rate(&change)?;
            worker.out.send(&Event::RateChanged { run: self.run, change });
        }
        Ok(())
    }

    /// Writes down what holds from now on. What an interrupted run would have changed later is overruled by it.
    fn note_change(&mut self, worker: &mut Worker) -> Result<(), WorkerError> {
        let change = trainer(worker)?.rate_change();
        if !self.pending.is_empty() {
            self.pending.clear();
            self.folder.cut_changes(change.step)?;
        }
        self.folder.add_change(&change)?;
        worker.out.send(&Event::RateChanged { run: self.run, change });
        Ok(())
    }
}
