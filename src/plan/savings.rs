//! What would make training need less memory: changes of the document, each with the bytes that the planner gives it. Pure.

use super::{CostSettings, cost, plan};
use crate::graph::{Document, Edit, Node, NodeId, Optimizer, TrainSpec, apply};
use crate::layers::{Conv2d, Input, Layer, LayerKind};
use crate::op::DType;

/// A change that saves memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Saving {
    /// What it is.
    pub kind: SavingKind,
    /// The change, of the document's own graph.
    pub edit: Edit,
    /// Planned bytes of a training step as it is.
    pub before: u64,
    /// And with the change.
    pub after: u64,
}

/// What a saving changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SavingKind {
    /// Half the images at a time, gradients added up instead.
    HalveBatch {
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
        /// Its name.
        layer: String,
    },
    /// Only the last layers learn.
    Freeze {
        /// How many layers keep their weights.
        layers: usize,
        /// The first that still learns.
        from: String,
    },
}

/// Convolutions that are tried with a stride of two: the first ones work on the largest maps.
const STRIDES: usize = 3;

/// What the document was planned with, and its planned bytes.
struct Asked<'a> {
    document: &'a Document,
    settings: CostSettings,
    before: u64,
}

/// All changes that save memory and leave a network that can be trained, the one that saves most first.
pub fn savings(document: &Document, settings: CostSettings) -> Vec<Saving> {
    let asked = Asked { document, settings, before: 0 };
    let Some(before) = asked.bytes(document) else { return Vec::new() };
    let asked = Asked { before, ..asked };
    let spec = &document.training;
    let train = |kind, spec: TrainSpec| asked.saving(kind, Edit::SetTraining(Box::new(spec)));
    let halved = spec.halved(1);
    let kind = SavingKind::HalveBatch { batch: halved.batch, accumulate: halved.accumulate };
    let sgd = Optimizer::Sgd { momentum: 0.0, nesterov: false };
    let mut all: Vec<Saving> = [
        train(kind, halved),
        train(SavingKind::HalfPrecision, TrainSpec { dtype: DType::F16, ..spec.clone() }),
        train(SavingKind::PlainSgd, TrainSpec { optimizer: sgd, ..spec.clone() }),
        asked.smaller_images(),
        asked.stride(),
        asked.freeze(),
    ]
    .into_iter()
    .flatten()
    .collect();
    all.sort_by_key(|saving| saving.after);
    all
}

impl Asked<'_> {
    /// Planned bytes of a document with the same engine; nothing if it cannot be trained.
    fn bytes(&self, document: &Document) -> Option<u64> {
        let plan = plan(document);
        if plan.training_problem().is_some() {
            return None;
        }
        let training = &document.training;
        let settings = CostSettings {
            batch: u64::from(training.batch),
            accumulate: u64::from(training.accumulate),
            dtype: training.dtype,
            optimizer: training.optimizer,
            ..self.settings
        };
        Some(cost(&plan.program, settings).memory.training_planned_bytes)
    }

    fn saving(&self, kind: SavingKind, edit: Edit) -> Option<Saving> {
        let changed = apply(self.document, &[], &edit).ok()?.0;
        let after = self.bytes(&changed).filter(|after| *after < self.before)?;
        Some(Saving { kind, edit, before: self.before, after })
    }

    /// Images of half the size, or of three quarters where the network needs more.
    fn smaller_images(&self) -> Option<Saving> {
        let mut inputs = self.document.graph.nodes.iter().filter_map(|node| match node.layer() {
            Some(Layer::Input(input)) => Some((node.id, input)),
            _ => None,
        });
        let (node, input) = inputs.next()?;
        if inputs.next().is_some() {
            return None;
        }
        [(1, 2), (3, 4)].into_iter().find_map(|(part, of)| {
            let [height, width] = [input.height, input.width].map(|side| (side * part / of).max(1));
            let layer = Box::new(Input { height, width, ..*input }.into());
            self.saving(SavingKind::SmallerImages { height, width }, Edit::SetLayer { node, layer })
        })
    }

    /// Stride two in that convolution, among the first, where it saves most.
    fn stride(&self) -> Option<Saving> {
        let graph = &self.document.graph;
        let (order, _) = graph.topological();
        let nodes = order.iter().filter_map(|&at| graph.nodes.get(at)).filter(|node| !node.bypassed);
        let convolutions = nodes.filter_map(|node| match node.layer() {
            Some(Layer::Conv2d(conv)) if conv.stride == [1, 1] => Some((node, conv)),
            _ => None,
        });
        convolutions
            .take(STRIDES)
            .filter_map(|(node, conv)| {
                let layer = Box::new(Conv2d { stride: [2, 2], ..conv.clone() }.into());
                self.saving(SavingKind::Stride { layer: node.name.clone() }, Edit::SetLayer { node: node.id, layer })
            })
            .min_by_key(|saving| saving.after)
    }

    /// All but the last layer with weights frozen, as one fine-tunes: what lies before it keeps nothing for the way back.
    fn freeze(&self) -> Option<Saving> {
        let graph = &self.document.graph;
        let (order, _) = graph.topological();
        let has_weights = |node: &&Node| node.layer().is_none_or(LayerKind::has_weights);
        let nodes = order.iter().filter_map(|&at| graph.nodes.get(at)).map(AsRef::as_ref);
        let learning: Vec<&Node> = nodes.filter(has_weights).filter(|node| node.trainable).collect();
        let (last, before) = learning.split_last()?;
        let nodes: Vec<NodeId> = before.iter().map(|node| node.id).collect();
        let kind = SavingKind::Freeze { layers: nodes.len(), from: last.name.clone() };
        (!nodes.is_empty()).then(|| self.saving(kind, Edit::SetTrainable { nodes, trainable: false })).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(preset: &str) -> (Document, Vec<Saving>) {
        let document = crate::presets::find(preset).unwrap();
        let found = savings(&document, CostSettings::default());
        (document, found)
    }

    #[test]
    fn every_saving_plans_what_the_document_plans_after_its_edit() {
        for preset in crate::presets::ALL {
            let (document, found) = of(preset.id);
            let asked = Asked { document: &document, settings: CostSettings::default(), before: 0 };
            if asked.bytes(&document).is_none() {
                continue;
            }
            assert!(found.len() >= 4, "{}: {found:?}", preset.id);
            for saving in found {
                let changed = apply(&document, &[], &saving.edit).unwrap().0;
                assert_eq!(asked.bytes(&changed), Some(saving.after), "{} {:?}", preset.id, saving.kind);
                assert!(saving.after < saving.before);
            }
        }
    }

    #[test]
    fn sgd_saves_adams_two_numbers_for_each_parameter_of_lenet() {
        let (_, found) = of("lenet5");
        let sgd = found.iter().find(|saving| saving.kind == SavingKind::PlainSgd).unwrap();
        // Two numbers of 4 bytes for each of 61,706 parameters.
        assert_eq!(sgd.before - sgd.after, 2 * 4 * 61_706);
        // Half the batch needs more than half the memory, as parameters stay, and less than all of it.
        let half = found.iter().find(|saving| matches!(saving.kind, SavingKind::HalveBatch { .. })).unwrap();
        assert!(half.after > half.before / 2 && half.after < half.before);
    }

    #[test]
    fn what_does_not_help_or_does_not_fit_is_not_offered() {
        let (_, found) = of("lenet5");
        // LeNet-5's last convolution sees 5 × 5 of its 32 × 32 images: smaller ones leave it nothing, and so does a stride.
        let has = |kind: fn(&SavingKind) -> bool| found.iter().any(|saving| kind(&saving.kind));
        assert!(!has(|kind| matches!(kind, SavingKind::SmallerImages { .. })), "{found:?}");
        assert!(found.windows(2).all(|pair| pair[0].after <= pair[1].after));
    }
}
