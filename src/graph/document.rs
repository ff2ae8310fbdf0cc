//! One document: a graph with its heads, training settings, data and seed.

use super::{DataSpec, Graph, Head, Preprocess, Schedule, TrainSpec};
use serde_json::{Map, Value};

/// Everything that is saved. A run stores a copy; nothing that matters lives in the window's state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// Name of the network.
    pub name: String,
    /// What it is, where it comes from and where it departs from that (Markdown).
    pub description: String,
    /// The network.
    pub graph: Graph,
    /// What is trained against what; empty trains the last output as a classifier.
    pub heads: Vec<Head>,
    /// How it is trained.
    pub training: TrainSpec,
    /// On what.
    pub data: DataSpec,
    /// Seed of initial weights, split, order, augmentation and dropout.
    pub seed: u64,
    /// The document as it stood in the file, so that what this version does not know survives.
    pub raw: Map<String, Value>,
}

impl Document {
    /// An empty network that trains as the presets do: the digits' own mean and deviation, a rate that falls to nothing in
    /// half a cosine, seed 1. [`Document::default`] is what a file means that says nothing.
    pub fn fresh() -> Self {
        // MNIST's figures, which every preset has too (LeCun 1998 brings pixels to mean 0 and deviation 1 as well).
        let preprocess = Preprocess { mean: vec![0.1307], std: vec![0.3081], ..Preprocess::default() };
        Self {
            training: TrainSpec { schedule: Schedule::Cosine { floor: 0.0 }, ..TrainSpec::default() },
            data: DataSpec { preprocess, ..DataSpec::default() },
            seed: 1,
            ..Self::default()
        }
    }

    /// The heads in force: those of the document, or one classifier on the last output.
    pub fn heads_in_force(&self) -> Vec<Head> {
        if self.heads.is_empty() { vec![Head::default()] } else { self.heads.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_network_trains_with_the_settings_of_the_presets() {
        let (new, preset) = (Document::fresh(), crate::presets::find("lenet5").unwrap());
        assert_eq!(new.data, preset.data);
        assert_eq!(new.seed, preset.seed);
        // How long is up to the network; everything else is the same.
        let training = TrainSpec { epochs: preset.training.epochs, ..new.training };
        assert_eq!(training, preset.training);
    }
}
