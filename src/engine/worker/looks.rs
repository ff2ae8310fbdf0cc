//! Looks into a network: feature maps, how a cell came to be, what it sees, how values are spread. A look that cannot be
//! answered says so and changes nothing.

use super::super::protocol::{
    Cell, Command, Event, ExciteReport, ExciteRequest, ExplainReport, ExplainRequest, ImageRef, NetworkRef,
    SenseReport, SenseRequest, SpreadReport, SpreadRequest,
};
use super::super::{excite, explain, sense, spread};
use super::answer::{self, Body, Model};
use super::{Worker, WorkerError};
use crate::data::{Batch, BatchTarget, Order, Split};
use crate::op::Op;
use std::time::{Duration, Instant};

/// Most images that a look goes through.
const MOST_IMAGES: u32 = 1_024;
/// Time for looking through the usual number of images, and while the network trains.
const EXCITE: Duration = Duration::from_secs(2);
const EXCITE_LIVE: Duration = Duration::from_millis(150);

impl Worker {
    /// Answers a look.
    pub(super) fn look(&mut self, command: &Command) {
        let (id, answer) = match command {
            Command::Probe(request) => (
                request.id,
                self.model(&request.network)
                    .and_then(|model| answer::probe(model, request))
                    .map(|report| Event::Probed(Box::new(report))),
            ),
            Command::Explain(request) => (
                request.id,
                self.model(&request.network)
                    .and_then(|model| explained(model, request))
                    .map(|report| Event::Explained(Box::new(report))),
            ),
            Command::Sense(request) => (
                request.id,
                self.model(&request.network)
                    .and_then(|model| sensed(model, request))
                    .map(|report| Event::Sensed(Box::new(report))),
            ),
            Command::Spread(request) => (
                request.id,
                self.model(&request.network)
                    .and_then(|model| spread_of(model, request))
                    .map(|report| Event::Spread(Box::new(report))),
            ),
            Command::Excite(request) => {
                let inbox = std::sync::Arc::clone(&self.inbox);
                let found = self.model(&request.network).and_then(|model| {
                    // Maps that are shown live are asked for all the time while the network trains: they can wait a moment.
                    let is_live = model.is_live;
                    excited(model, request, || if is_live { inbox.is_urgent() } else { inbox.is_wanted() })
                });
                (request.id, found.map(|report| Event::Excited(Box::new(report))))
            }
            _ => return,
        };
        let event = answer.unwrap_or_else(|error| Event::Unanswered { id, message: error.to_string() });
        self.out.send(&event);
    }

    fn model(&mut self, of: &NetworkRef) -> Result<&mut Model, WorkerError> {
        if let (Some(fault), false) = (&mut self.fault, matches!(of, NetworkRef::Live)) {
            fault.look(&self.out);
        }
        let device = self.device()?;
        self.shelf.find(of, self.live.as_mut(), &device)
    }
}

fn explained(model: &mut Model, request: &ExplainRequest) -> Result<ExplainReport, WorkerError> {
    let start = Instant::now();
    let (batch, _) = answer::one_image(model, &request.image)?;
    let mut report = explain::explain(model.network(), &batch, request)?;
    report.step = model.step();
    report.secs = start.elapsed().as_secs_f64();
    Ok(report)
}

fn sensed(model: &mut Model, request: &SenseRequest) -> Result<SenseReport, WorkerError> {
    let images = request.images.clamp(1, MOST_IMAGES) as usize;
    let (value, cell) = explain::find(model.network().program(), &request.layer, request.cell)?;
    let batch = match &request.image {
        ImageRef::Item { split, index } => {
            let index = usize::try_from(*index).unwrap_or(usize::MAX);
            let dataset = model.dataset()?;
            let last = index.saturating_add(images).min(dataset.len(*split));
            let first = last.saturating_sub(images).min(index);
            let mut batch = Batch {
                images: Vec::new(),
                shape: dataset.preprocessor().shape(),
                target: BatchTarget::None,
                indices: Vec::new(),
            };
            // The asked image always counts; a broken one among the others is left out.
            let (own, _) = dataset.tensor(*split, index)?;
            batch.images.extend(own);
            batch.indices.push(0);
            for at in (first..last).filter(|&at| at != index) {
                if let Ok((numbers, _)) = dataset.tensor(*split, at) {
                    batch.images.extend(numbers);
                    batch.indices.push(0);
                }
            }
            batch
        }
        _ => answer::one_image(model, &request.image)?.0,
    };
    let found = sense::effective_field(model.network(), &batch, value, cell)?;
    Ok(sense::report(&found, request.id, &request.layer, cell, batch.len()))
}

pub(super) fn spread_of(model: &mut Model, request: &SpreadRequest) -> Result<SpreadReport, WorkerError> {
    let images = request.images.clamp(1, MOST_IMAGES) as usize;
    let dataset = model.dataset()?;
    let split = if dataset.is_empty(Split::Validation) { Split::Train } else { Split::Validation };
    let batches: Vec<_> = sample(dataset, split, images)?;
    let mut report = spread::spread(model.network(), &batches)?;
    if let (Body::Trainer(trainer), Some(batch)) = (&model.body, batches.first()) {
        spread::add_gradients(&mut report, trainer, batch)?;
    }
    report.id = request.id;
    report.step = model.step();
    Ok(report)
}

/// Looks through images until there are enough, the time is up, or something else is wanted.
fn excited(model: &mut Model, request: &ExciteRequest, stop: impl Fn() -> bool) -> Result<ExciteReport, WorkerError> {
    let start = Instant::now();
    let time = if model.is_live { EXCITE_LIVE } else { EXCITE };
    let wanted = request.images.max(1);
    let time = time.mul_f64(f64::from(wanted.max(ExciteRequest::IMAGES)) / f64::from(ExciteRequest::IMAGES));
    let dataset = model.dataset()?.clone();
    let split = if dataset.is_empty(Split::Validation) { Split::Train } else { Split::Validation };
    let mut search = excite::Search::new(model.network(), request)?;
    let mut left = wanted as usize;
    for batch in dataset.batches(split, search.at_once().min(left), Order::Sequential, 0) {
        let batch = batch?;
        search.add(&batch)?;
        left = left.saturating_sub(batch.len());
        if left == 0 || start.elapsed() >= time || stop() {
            break;
        }
    }
    let program = model.network().program();
    let (value, _) = explain::find(program, &request.layer, Cell::new(request.first, 0, 0))?;
    let shape = &program.value(value).shape;
    let (of, is_map) = (shape.channels(), shape.as_map().is_some());
    let (channels, images, activation) = search.finish();
    Ok(ExciteReport {
        id: request.id,
        step: model.step(),
        layer: request.layer.clone(),
        of,
        is_map,
        activation: activation.map(|function| Op::Activation(function).name().to_owned()),
        split,
        images,
        all: dataset.len(split) as u64,
        size: dataset.preprocessor().shape().get(1..).map_or([0; 2], |size| [size[0] as u64, size[1] as u64]),
        channels,
        secs: start.elapsed().as_secs_f64(),
    })
}

/// The first images of a split, in batches.
fn sample(dataset: &crate::data::Dataset, split: Split, images: usize) -> Result<Vec<Batch>, WorkerError> {
    let batch = images.min(16);
    let batches = dataset.batches(split, batch, Order::Sequential, 0).take(images.div_ceil(batch));
    Ok(batches.collect::<Result<Vec<_>, _>>()?)
}
