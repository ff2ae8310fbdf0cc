//! What a run keeps of its inside while it trains: snapshots of one image at chosen steps, and how values are spread at the
//! end of an epoch. Both take little time; neither ever ends a run.

use super::super::host;
use super::super::protocol::{ImageRef, ProbeRequest, RunId, SpreadReport, SpreadRequest};
use super::super::run::RunFolder;
use super::super::run::snapshots::{Snapshot, Snapshots, Watched};
use super::answer::{self, Model};
use super::{WorkerError, looks};
use crate::data::{Batch, BatchTarget, Split};
use crate::op::{Op, Program};
use std::time::{Duration, Instant};

/// Most bytes of the maps of one snapshot.
const BUDGET: u64 = 192 << 10;
/// Longest side of a map in a snapshot.
const SIDE: u64 = 32;
/// Most maps of a layer in a snapshot.
const PLANES: u64 = 64;
/// At most this share of the time goes into histograms: one part of it.
const SPREAD_SHARE: u32 = 50;

/// Takes snapshots and histograms of one run.
pub(super) struct Watch {
    snapshots: Option<Snapshots>,
    asked: Option<ImageRef>,
    watched: Option<Watched>,
    spread_after: Instant,
}

impl Watch {
    /// Starts to watch an image, or goes on with the one that the run has; a folder that cannot be written is told and costs
    /// nothing else.
    pub(super) fn start(folder: &RunFolder, step: u64, asked: Option<ImageRef>) -> Self {
        let snapshots = Snapshots::open(folder, step);
        if let Err(error) = &snapshots {
            tracing::warn!("no snapshots are kept of this run: {error}");
        }
        Self { snapshots: snapshots.ok(), asked, watched: None, spread_after: Instant::now() }
    }

    /// The same image in a folder that had to be written anew.
    pub(super) fn start_again(&mut self, folder: &RunFolder, step: u64) {
        let watched = self.watched.take();
        *self = Self::start(folder, step, self.asked.take());
        if let (Some(watched), Some(snapshots)) = (&watched, &self.snapshots)
            && let Err(error) = snapshots.watch(watched)
        {
            tracing::warn!("the image of the snapshots is not kept: {error}");
        }
        self.watched = watched;
    }

    /// Takes a snapshot before the first step, after steps 1, 2, 4, 8 … and at the end of each epoch.
    pub(super) fn step(&mut self, model: Option<&mut Model>, step: u64, epoch: Option<u32>) {
        let is_time = step == 0 || step.is_power_of_two() || epoch.is_some();
        let (Some(model), true) = (model, is_time) else { return };
        if let Err(error) = self.keep(model, step, epoch) {
            tracing::warn!("no more snapshots are kept of this run: {error}");
            self.snapshots = None;
        }
    }

    fn keep(&mut self, model: &mut Model, step: u64, epoch: Option<u32>) -> Result<(), WorkerError> {
        let Some(snapshots) = &mut self.snapshots else { return Ok(()) };
        if self.watched.is_none() {
            self.watched = snapshots.watched().filter(|watched| fits(model.network().program(), watched));
            if self.watched.is_none() {
                self.watched = find(model, self.asked.as_ref())?;
                self.watched.as_ref().map_or(Ok(()), |watched| snapshots.watch(watched))?;
            }
        }
        let Some(watched) = &self.watched else { return Ok(()) };
        Ok(snapshots.keep(&take(model, watched, step, epoch)?)?)
    }

    /// Histograms at the end of an epoch, if their time has come.
    pub(super) fn spread(&mut self, model: Option<&mut Model>, run: RunId) -> Option<SpreadReport> {
        let model = model.filter(|_| Instant::now() >= self.spread_after)?;
        let start = Instant::now();
        let request =
            SpreadRequest { id: 0, network: super::super::protocol::NetworkRef::Live, images: SpreadRequest::IMAGES };
        let report = looks::spread_of(model, &request);
        self.spread_after = Instant::now() + Duration::from_secs(1).max(start.elapsed() * SPREAD_SHARE);
        match report {
            Ok(report) => Some(SpreadReport { run: Some(run), ..report }),
            Err(error) => {
                tracing::warn!("no histograms of this epoch: {error}");
                None
            }
        }
    }
}

/// The watched image through all layers.
fn take(model: &Model, watched: &Watched, step: u64, epoch: Option<u32>) -> Result<Snapshot, WorkerError> {
    let program = std::sync::Arc::clone(model.network().program());
    let layers = paths(&program);
    let (planes, side) = room(&program, &layers);
    let request = ProbeRequest {
        max_planes: u32::try_from(planes).unwrap_or(u32::MAX),
        max_side: u32::try_from(side).unwrap_or(u32::MAX),
        ..ProbeRequest::new(watched.image.clone(), layers)
    };
    let [channels, height, width] = watched.shape.map(host::size);
    let batch = Batch {
        images: watched.values.clone(),
        shape: [channels, height, width],
        target: BatchTarget::None,
        indices: vec![0],
    };
    let report = answer::probe_batch(model, &request, &batch, watched.label)?;
    let image = Some(watched.image.clone());
    Ok(Snapshot {
        step,
        epoch,
        input: report.input,
        label: report.label,
        top: report.top,
        layers: report.layers,
        image,
    })
}

/// The image that was asked for; one that cannot be had is told, and the first validation image (the first training image if
/// there is none) stands in for it. None if there is no image at all.
fn find(model: &mut Model, asked: Option<&ImageRef>) -> Result<Option<Watched>, WorkerError> {
    if let Some(asked) = asked {
        match watched(model, asked) {
            Ok(found) => return Ok(Some(found)),
            Err(error) => {
                tracing::warn!("snapshots are of the first image of the data instead of the chosen one: {error}");
            }
        }
    }
    let dataset = model.dataset()?;
    let split = if dataset.is_empty(Split::Validation) { Split::Train } else { Split::Validation };
    if dataset.is_empty(split) {
        return Ok(None);
    }
    watched(model, &ImageRef::Item { split, index: 0 }).map(Some)
}

fn watched(model: &mut Model, image: &ImageRef) -> Result<Watched, WorkerError> {
    let (batch, label) = answer::one_image(model, image)?;
    let shape = batch.shape.map(|size| size as u64);
    Ok(Watched { image: image.without_pixels(), label, shape, values: batch.images })
}

/// Whether an image is of the size that a program reads.
fn fits(program: &Program, watched: &Watched) -> bool {
    let shape = answer::input_shape(program).ok().and_then(crate::op::Shape::as_map);
    let [channels, height, width] = watched.shape;
    shape == Some((channels, height, width))
        && watched.values.len() as u64 == channels.saturating_mul(height).saturating_mul(width)
}

/// Paths of all layers.
fn paths(program: &Program) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    for op in &program.ops {
        if !paths.contains(&op.path) {
            paths.push(op.path.clone());
        }
    }
    paths
}

/// How many maps of each layer, and of which side, fit the budget.
fn room(program: &Program, layers: &[String]) -> (u64, u64) {
    let (mut planes, mut side) = (PLANES, SIDE);
    let bytes = |planes: u64, side: u64| -> u64 {
        let of = |path: &String| {
            let shape = super::super::probe::output_of(program, path).map(|id| &program.value(id).shape);
            let maps = match shape.and_then(crate::op::Shape::as_map) {
                Some((c, h, w)) => c.min(planes) * (h.min(side) * w.min(side) + 40),
                None => 1_100,
            };
            // In colour three bytes a place; a kernel is seldom of three channels, and small.
            let kernels = program.kernels(path).map_or(0, |(_, op)| match op.op {
                Op::Conv2d { filters, kernel: [rows, columns], .. } => {
                    filters.min(planes) * (rows.min(side) * columns.min(side) * 3 + 40)
                }
                _ => 0,
            });
            maps + kernels
        };
        layers.iter().map(of).sum()
    };
    while bytes(planes, side) > BUDGET && (planes > 4 || side > 8) {
        // Fewer maps down to 16, then smaller ones down to 16 pixels, then fewer again.
        if planes > 16 || side <= 8 || (planes > 4 && side <= 16) {
            planes /= 2;
        } else {
            side /= 2;
        }
    }
    (planes.max(1), side)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;
    use crate::presets;

    #[test]
    fn every_layer_of_a_large_network_fits_the_budget() {
        for preset in presets::ALL.iter().filter_map(|preset| presets::find(preset.id)) {
            let program = plan(&preset).program;
            let layers = paths(&program);
            let (planes, side) = room(&program, &layers);
            assert!(planes >= 4 && side >= 8, "{planes} maps of {side}");
            let total: u64 = layers
                .iter()
                .filter_map(|path| program.value(super::super::super::probe::output_of(&program, path)?).shape.as_map())
                .map(|(c, h, w)| c.min(planes) * h.min(side) * w.min(side))
                .sum();
            // Kernels [out, in / groups, rows, columns]: one input channel of each, or three in colour.
            let kernels: u64 = program
                .params
                .iter()
                .filter(|param| layers.iter().any(|path| param.path == format!("{path}.weight")))
                .filter_map(|param| <[u64; 4]>::try_from(param.shape.as_slice()).ok())
                .map(|[out, inputs, rows, columns]| {
                    let depth = if inputs == 3 { 3 } else { 1 };
                    out.min(planes) * rows.min(side) * columns.min(side) * depth
                })
                .sum();
            assert!(total + kernels <= BUDGET, "{}: {total} + {kernels}", preset.name);
        }
    }
}
