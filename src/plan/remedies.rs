//! What makes a training step fit a device: each way with the bytes it would then plan. Pure arithmetic over the plan.

use super::{Cost, CostSettings, TOLERANCE, cost};
use crate::graph::{Optimizer, TrainSpec};
use crate::op::Program;

/// Share of the free memory that a plan may fill before it is called tight.
const MARGIN: f64 = 1.0 - TOLERANCE;

/// A way to need less.
#[derive(Clone, Debug, PartialEq)]
pub struct Remedy {
    /// The settings to train with.
    pub spec: TrainSpec,
    /// What it is.
    pub kind: RemedyKind,
    /// Planned bytes of a step with them.
    pub bytes: u64,
    /// Whether that fits.
    pub fits: bool,
}

/// What a remedy changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemedyKind {
    /// Half the images at a time, so many times over, gradients added up instead.
    Halve(u32),
    /// An optimizer without state.
    PlainSgd,
}

/// Whether a planned step is likely to run out of memory.
pub fn is_tight(planned: u64, available: u64) -> bool {
    planned as f64 > available as f64 * MARGIN
}

/// Ways to make a step fit, the gentlest first: half the batch once, as often as needed, and an optimizer without state.
pub fn remedies(program: &Program, now: &Cost, spec: &TrainSpec, available: u64) -> Vec<Remedy> {
    let plan = |spec: &TrainSpec| {
        let settings = CostSettings {
            batch: u64::from(spec.batch),
            accumulate: u64::from(spec.accumulate),
            optimizer: spec.optimizer,
            ..now.settings
        };
        cost(program, settings).memory.training_planned_bytes
    };
    let remedy = |kind, spec: TrainSpec| {
        let bytes = plan(&spec);
        Remedy { spec, kind, bytes, fits: !is_tight(bytes, available) }
    };
    let mut all = Vec::new();
    if spec.batch > 1 {
        let once = remedy(RemedyKind::Halve(1), spec.halved(1));
        let enough = once.fits;
        all.push(once);
        // 31 halvings bring every batch to one image.
        let often = (2..=31).map(|times| (times, spec.halved(times)));
        let mut last = spec.halved(1).batch;
        for (times, halved) in often {
            if enough || halved.batch == last {
                break;
            }
            last = halved.batch;
            let more = remedy(RemedyKind::Halve(times), halved);
            let is_last = more.fits || last == 1;
            if is_last {
                all.push(more);
                break;
            }
        }
    }
    let sgd = Optimizer::PLAIN_SGD;
    if spec.optimizer != sgd {
        let plain = remedy(RemedyKind::PlainSgd, TrainSpec { optimizer: sgd, ..spec.clone() });
        if plain.bytes < now.memory.training_planned_bytes {
            all.push(plain);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;

    #[test]
    fn half_the_batch_is_offered_first_and_then_as_often_as_it_takes() {
        let document = crate::presets::find("lenet5").unwrap();
        let program = plan(&document).program;
        let spec = TrainSpec { batch: 1_024, ..document.training };
        let now = cost(&program, CostSettings { batch: 1_024, ..CostSettings::default() });
        let planned = now.memory.training_planned_bytes;
        // Room for a fifth: activations grow with the batch, so 1,024 / 8 = 128 images need about an eighth.
        let ways = remedies(&program, &now, &spec, planned / 5);
        let kinds: Vec<_> = ways.iter().map(|way| (way.kind, way.spec.batch, way.spec.accumulate, way.fits)).collect();
        assert_eq!(kinds[0], (RemedyKind::Halve(1), 512, spec.accumulate * 2, false));
        assert_eq!(kinds[1], (RemedyKind::Halve(3), 128, spec.accumulate * 8, true));
        assert!(ways[1].bytes < ways[0].bytes && ways[0].bytes < planned);
        // Adam keeps two numbers of 4 bytes for each of LeNet-5's 61,706 parameters.
        assert_eq!((ways[2].kind, planned - ways[2].bytes), (RemedyKind::PlainSgd, 2 * 4 * 61_706));
    }

    #[test]
    fn halving_keeps_the_images_of_a_step_where_a_number_divides_them() {
        let halved = |batch, times| {
            let spec = TrainSpec { batch, ..TrainSpec::default() }.halved(times);
            (spec.batch, spec.accumulate)
        };
        assert_eq!([1, 2, 6].map(|times| halved(64, times)), [(32, 2), (16, 4), (1, 64)]);
        // 50 = 25 · 2 = 10 · 5 = 5 · 10, and 25 = 5 · 5.
        assert_eq!([1, 2, 3].map(|times| halved(50, times)), [(25, 2), (10, 5), (5, 10)]);
        assert_eq!(halved(25, 1), (5, 5));
        // Nothing divides 97 but 1, which is far too little: 2 · 49 = 98 images.
        assert_eq!(halved(97, 1), (49, 2));
    }

    #[test]
    fn a_single_image_cannot_be_halved() {
        let document = crate::presets::find("lenet5").unwrap();
        let program = plan(&document).program;
        let spec = TrainSpec { batch: 1, ..document.training };
        let now = cost(&program, CostSettings { batch: 1, ..CostSettings::default() });
        let ways = remedies(&program, &now, &spec, 1_000);
        assert!(ways.iter().all(|way| way.kind == RemedyKind::PlainSgd && !way.fits));
    }
}
