//! Where a run stands inside its checkpoint, beside weights and optimizer: what a step does not follow from.

use crate::engine::EngineError;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// `progress.json` of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Epoch under way, the first is 1.
    pub(super) epoch: u32,
    /// Batches of it that are done.
    pub(super) position: u64,
    /// Images of such a batch; 0 in files that did not tell.
    #[serde(default)]
    pub(super) batch: u32,
    /// Sums over the epoch so far.
    pub(super) sums: Sums,
    /// Best judgement so far.
    pub(super) best: Option<Exact>,
    /// What early stopping compares with.
    pub(super) reference: Option<Exact>,
    /// Epochs since that became better.
    pub(super) stale: u32,
}

/// Sums over an epoch's images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Sums {
    pub(super) images: u64,
    pub(super) loss: Exact,
    pub(super) metrics: Vec<(String, Exact)>,
    pub(super) secs: Exact,
}

/// A number that is stored to the last bit: JSON's decimal form may lose it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub(super) struct Exact(pub(super) f64);

impl From<u64> for Exact {
    fn from(bits: u64) -> Self {
        Self(f64::from_bits(bits))
    }
}

impl From<Exact> for u64 {
    fn from(value: Exact) -> Self {
        value.0.to_bits()
    }
}

impl Sums {
    /// Adds a step.
    pub(super) fn add(&mut self, images: u64, loss: f64, metrics: &[(String, f64)], secs: f64) {
        let count = images as f64;
        self.images += images;
        self.loss.0 += loss * count;
        self.secs.0 += secs;
        for (name, value) in metrics {
            match self.metrics.iter_mut().find(|(own, _)| own == name) {
                Some((_, sum)) => sum.0 += value * count,
                None => self.metrics.push((name.clone(), Exact(value * count))),
            }
        }
    }

    /// Mean loss and metrics.
    pub(super) fn means(&self) -> (f64, Vec<(String, f64)>) {
        let count = (self.images as f64).max(1.0);
        (self.loss.0 / count, self.metrics.iter().map(|(name, sum)| (name.clone(), sum.0 / count)).collect())
    }
}

impl Progress {
    const FILE: &str = "progress.json";

    /// Before the first step.
    pub(super) fn start() -> Self {
        Self { epoch: 1, ..Self::default() }
    }

    /// Counts the position in batches of another size from now on: after memory ran out. What does not divide is seen twice,
    /// never left out.
    pub(super) fn count_in(&mut self, batch: u32) {
        if self.batch > 0 && batch > 0 {
            self.position = self.position.saturating_mul(u64::from(self.batch)) / u64::from(batch);
        }
        self.batch = batch;
    }

    /// Writes it into a checkpoint.
    pub(super) fn save(&self, folder: &Path) -> Result<(), EngineError> {
        let path = folder.join(Self::FILE);
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        std::fs::write(&path, text).map_err(|error| EngineError::File { path, message: error.to_string() })
    }

    /// Reads it from a checkpoint.
    pub(super) fn load(folder: &Path) -> Result<Self, EngineError> {
        let path = folder.join(Self::FILE);
        let error = |message: String| EngineError::File { path: path.clone(), message };
        let text = std::fs::read(&path).map_err(|failure| error(failure.to_string()))?;
        serde_json::from_slice(&text).map_err(|failure| error(failure.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_the_file_to_the_last_bit() {
        let scratch = tempfile::tempdir().unwrap();
        let mut progress = Progress::start();
        for n in 1..100_u32 {
            progress.sums.add(7, 1.0 / f64::from(n), &[("accuracy".into(), 1.0 / 3.0)], 0.1);
        }
        progress.best = Some(Exact(f64::INFINITY));
        progress.save(scratch.path()).unwrap();
        assert_eq!(Progress::load(scratch.path()).unwrap(), progress);
    }

    #[test]
    fn half_the_batch_goes_on_at_the_same_image() {
        // 10 batches of 64 are 640 images: 20 batches of 32.
        let mut progress = Progress { position: 10, batch: 64, ..Progress::start() };
        progress.count_in(32);
        assert_eq!((progress.position, progress.batch), (20, 32));
        // 3 batches of 5 are 15 images: 5 batches of 3.
        let mut progress = Progress { position: 3, batch: 5, ..Progress::start() };
        progress.count_in(3);
        assert_eq!(progress.position, 5);
    }

    #[test]
    fn means_weigh_steps_by_their_images() {
        let mut sums = Sums::default();
        // (3·2 + 1·6) / 4 = 3
        sums.add(3, 2.0, &[("accuracy".into(), 1.0)], 1.0);
        sums.add(1, 6.0, &[("accuracy".into(), 0.0)], 1.0);
        assert_eq!(sums.means(), (3.0, vec![("accuracy".to_owned(), 0.75)]));
    }
}
