//! What a run keeps of its inside while it trains: snapshots of one image at chosen steps, and how values are spread at the
//! end of an epoch. Both take little time; neither ever ends a run.

use super::super::protocol::{ImageRef, ProbeRequest, RunId, SpreadReport, SpreadRequest};
use super::super::run::RunFolder;
use super::super::run::snapshots::{Snapshot, Snapshots};
use super::answer::{self, Model};
use super::{WorkerError, looks};
use crate::data::Split;
use crate::op::Program;
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
    spread_after: Instant,
}

impl Watch {
    /// Starts to watch; a folder that cannot be written is told and costs nothing else.
    pub(super) fn start(folder: &RunFolder, step: u64) -> Self {
        let snapshots = Snapshots::open(folder, step);
        if let Err(error) = &snapshots {
            tracing::warn!("no snapshots are kept of this run: {error}");
        }
        Self { snapshots: snapshots.ok(), spread_after: Instant::now() }
    }

    /// Takes a snapshot before the first step, after steps 1, 2, 4, 8 … and at the end of each epoch.
    pub(super) fn step(&mut self, model: Option<&mut Model>, step: u64, epoch: Option<u32>) {
        let is_time = step == 0 || step.is_power_of_two() || epoch.is_some();
        let (Some(model), true) = (model, is_time) else { return };
        let Some(snapshots) = &mut self.snapshots else { return };
        let taken = take(model, step, epoch)
            .and_then(|snapshot| snapshot.map_or(Ok(()), |snapshot| Ok(snapshots.keep(&snapshot)?)));
        if let Err(error) = taken {
            tracing::warn!("no more snapshots are kept of this run: {error}");
            self.snapshots = None;
        }
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

/// The first validation image (the first training image if there is none) through all layers.
fn take(model: &mut Model, step: u64, epoch: Option<u32>) -> Result<Option<Snapshot>, WorkerError> {
    let program = std::sync::Arc::clone(model.network().program());
    let dataset = model.dataset()?;
    let split = if dataset.is_empty(Split::Validation) { Split::Train } else { Split::Validation };
    if dataset.is_empty(split) {
        return Ok(None);
    }
    let layers = paths(&program);
    let (planes, side) = room(&program, &layers);
    let request = ProbeRequest {
        max_planes: u32::try_from(planes).unwrap_or(u32::MAX),
        max_side: u32::try_from(side).unwrap_or(u32::MAX),
        ..ProbeRequest::new(ImageRef::Item { split, index: 0 }, layers)
    };
    let mut report = answer::probe(model, &request)?;
    // Filters of the first convolution only: the others are seldom looked at and take the most room.
    let with_filters = report.layers.iter_mut().filter(|layer| !layer.filters.is_empty());
    with_filters.skip(1).for_each(|layer| layer.filters.clear());
    Ok(Some(Snapshot { step, epoch, input: report.input, label: report.label, top: report.top, layers: report.layers }))
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
            match shape.and_then(crate::op::Shape::as_map) {
                Some((c, h, w)) => c.min(planes) * (h.min(side) * w.min(side) + 40),
                None => 1_100,
            }
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
            assert!(total <= BUDGET, "{}: {total}", preset.name);
        }
    }
}
