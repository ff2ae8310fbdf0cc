//! Searches for a learning rate: trains a copy of a network for a few steps, and throws it away.

use super::super::protocol::{Event, RateSearch, RateSearchRequest};
use super::super::rate_search::Ramp;
use super::super::{EngineError, TrainJob, Trainer};
use super::{Worker, WorkerError, answer};
use crate::data::{Batch, Order, Split};
use crate::graph::{Document, Schedule};
use std::time::{Duration, Instant};

/// Time between two messages.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// Searches, telling how it goes. A stop ends it early; the advice is then of what was seen.
pub(super) fn find(worker: &mut Worker, request: &RateSearchRequest) -> Result<(), WorkerError> {
    let device = worker.device()?;
    let document = Document::from_json(&request.document)?;
    let program = answer::complete_program(&document)?;
    let dataset = answer::open_data(&document.data, &program, document.seed)?;
    let mut spec = document.training.clone();
    spec.schedule = Schedule::Constant;
    let batch = spec.batch.max(1) as usize;
    let accumulate = spec.accumulate.max(1) as usize;
    let job =
        TrainJob { program, heads: document.heads_in_force(), spec, seed: document.seed, steps_per_epoch: u64::MAX };
    let mut trainer = Trainer::new(job, &device.device)?;
    if let Some(from) = &request.start_from {
        answer::take_weights(trainer.network_mut(), from)?;
    }
    let mut ramp = Ramp::new(request.lowest, request.highest, request.steps);
    let tell = |worker: &Worker, ramp: &Ramp, is_done: bool| {
        let advice = if is_done { ramp.advice() } else { None };
        let search =
            RateSearch { id: request.id, points: ramp.points().to_vec(), steps: ramp.steps(), is_done, advice };
        worker.out.send(&Event::RateSearch(Box::new(search)));
    };
    let mut told = Instant::now();
    for epoch in 1_u32.. {
        let order = Order::Epoch { seed: document.seed, epoch, augment: true };
        let mut batches = dataset.batches(Split::Train, batch, order, 0);
        let mut any = false;
        loop {
            let Some(rate) = ramp.next_rate().filter(|_| !worker.inbox.is_stopping()) else {
                tell(worker, &ramp, true);
                return Ok(());
            };
            let micro = batches.by_ref().take(accumulate).collect::<Result<Vec<Batch>, _>>()?;
            if micro.is_empty() {
                break;
            }
            any = true;
            trainer.set_base_learning_rate(rate);
            match trainer.step(&micro) {
                Ok(outcome) => ramp.take(rate, outcome.loss),
                Err(EngineError::NotFinite { .. }) => ramp.take(rate, f64::NAN),
                Err(error) => return Err(error.into()),
            }
            if told.elapsed() >= TELL_EVERY {
                tell(worker, &ramp, false);
                told = Instant::now();
            }
        }
        if !any {
            return Err(WorkerError::EmptySplit(Split::Train));
        }
    }
    Ok(())
}
