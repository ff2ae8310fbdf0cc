//! One document: a graph with its heads, training settings, data and seed.

use super::{DataSpec, Graph, Head, TrainSpec};
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
    /// The heads in force: those of the document, or one classifier on the last output.
    pub fn heads_in_force(&self) -> Vec<Head> {
        if self.heads.is_empty() { vec![Head::default()] } else { self.heads.clone() }
    }
}
