//! A change of the document that saves memory: what it is, and whether it is made.

use crate::graph::{Document, Edit, Graph, Node, NodeId, Optimizer};
use crate::op::DType;

/// A change that saves memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Saving {
    /// What it is.
    pub kind: SavingKind,
    /// The groups around the graph that it changes, from the outside in.
    pub path: Vec<NodeId>,
    /// The change.
    pub edit: Edit,
    /// Planned bytes of a training step as it is.
    pub before: u64,
    /// And with the change.
    pub after: u64,
    /// Whether the same steps are taken by the same network, but for rounding.
    pub learns_the_same: bool,
}

/// What a saving changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SavingKind {
    /// Fewer images at a time, and their gradients added up to the same step.
    SmallerBatch {
        /// Images at a time.
        batch: u32,
        /// Gradients added up.
        accumulate: u32,
    },
    /// Values in 16 bits.
    HalfPrecision,
    /// An optimizer that remembers nothing.
    PlainSgd,
    /// Smaller images.
    SmallerImages {
        /// New height.
        height: u64,
        /// New width.
        width: u64,
    },
    /// A convolution that moves by two pixels.
    Stride {
        /// Its name, behind those of the groups around it.
        layer: String,
    },
    /// Global average pooling instead of Flatten before the dense layer that holds most parameters.
    PoolFirst {
        /// The dense layer.
        layer: String,
        /// Its parameters.
        params: u64,
        /// Its parameters with the change.
        params_after: u64,
        /// Parameters of the whole network.
        of: u64,
    },
    /// Half the features in the dense layer that holds most parameters.
    SmallerDense {
        /// The dense layer.
        layer: String,
        /// Its features with the change.
        features: u64,
        /// Parameters of the whole network.
        params: u64,
        /// Parameters of the whole network with the change.
        params_after: u64,
    },
    /// Only the last layers learn.
    Freeze {
        /// How many layers keep their weights.
        layers: usize,
        /// The first that still learns.
        from: String,
    },
}

impl Saving {
    /// Whether the document is as this change makes it.
    pub fn is_made(&self, document: &Document) -> bool {
        let spec = &document.training;
        match &self.kind {
            SavingKind::SmallerBatch { batch, accumulate } => (spec.batch, spec.accumulate) == (*batch, *accumulate),
            SavingKind::HalfPrecision => spec.dtype == DType::F16,
            SavingKind::PlainSgd => spec.optimizer == Optimizer::PLAIN_SGD,
            _ => document.graph.at(&self.path).is_some_and(|graph| holds(graph, &self.edit)),
        }
    }

    /// Whether both are the same change, made to documents that may differ otherwise.
    pub fn is_like(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (SavingKind::SmallerBatch { batch, .. }, SavingKind::SmallerBatch { batch: other, .. }) => batch == other,
            (kind, other_kind) => {
                std::mem::discriminant(kind) == std::mem::discriminant(other_kind)
                    && self.path == other.path
                    && subject(&self.edit) == subject(&other.edit)
            }
        }
    }
}

/// Whether a graph is as an edit of a layer makes it.
fn holds(graph: &Graph, edit: &Edit) -> bool {
    let is = |id: &NodeId, wanted: &dyn Fn(&Node) -> bool| graph.node(*id).is_some_and(|node| wanted(node));
    match edit {
        Edit::SetLayer { node, layer } => is(node, &|node| node.layer() == Some(layer)),
        Edit::SetTrainable { nodes, trainable } => nodes.iter().all(|id| is(id, &|node| node.trainable == *trainable)),
        Edit::All(edits) => edits.first().is_some_and(|edit| holds(graph, edit)),
        _ => false,
    }
}

/// The layer that an edit changes; none of settings and of many layers.
fn subject(edit: &Edit) -> Option<NodeId> {
    match edit {
        Edit::SetLayer { node, .. } => Some(*node),
        Edit::All(edits) => edits.first().and_then(subject),
        _ => None,
    }
}
