//! What would make training need less memory: changes of the document, each with the bytes that the planner gives it. Pure.

mod saving;

pub use saving::{Saving, SavingKind};

use super::{Cost, CostSettings, Plan, Severity, cost, plan};
use crate::graph::{Content, Document, Edit, Graph, Node, NodeId, Optimizer, TrainSpec, apply};
use crate::layers::{Conv2d, Dense, Input, Layer, LayerKind};
use crate::op::{DType, Op};

/// Convolutions that are tried with a stride of two: the first ones work on the largest maps.
const STRIDES: usize = 3;
/// Batches that are offered: the largest that divide a step.
const BATCHES: usize = 3;
/// Share of all parameters from which on a dense layer is worth a change of its own.
const HEAVY: f64 = 0.5;
/// What a saving must save at least: less would be shown as 0 %.
const LEAST: f64 = 0.005;

/// What the document was planned with, and what was planned.
struct Asked<'a> {
    document: &'a Document,
    plan: Plan,
    cost: Cost,
    settings: CostSettings,
    before: u64,
}

/// All changes that save memory, the one that saves most first. Of a network that can be trained they leave one that can; a
/// network that cannot be trained yet keeps at least every part that fits. With a target, the largest batch that fits it is
/// among them.
pub fn savings(document: &Document, settings: CostSettings, target: Option<u64>) -> Vec<Saving> {
    let asked = Asked::new(document, settings);
    if asked.before == 0 {
        return Vec::new();
    }
    let spec = &document.training;
    let train = |kind, spec: TrainSpec| asked.saving(kind, &[], Edit::SetTraining(Box::new(spec)));
    let mut all: Vec<Saving> = [
        train(SavingKind::HalfPrecision, TrainSpec { dtype: DType::F16, ..spec.clone() }),
        train(SavingKind::PlainSgd, TrainSpec { optimizer: Optimizer::PLAIN_SGD, ..spec.clone() }),
        asked.smaller_images(),
        asked.stride(),
        asked.freeze(),
    ]
    .into_iter()
    .flatten()
    .collect();
    all.extend(asked.batches(target));
    all.extend(asked.heavy_dense());
    all.sort_by_key(|saving| saving.after);
    all
}

/// Takes a layer: its graph, the groups around it, itself, and its name behind theirs.
type Visit<'a, 'v> = dyn FnMut(&'a Graph, &[NodeId], &'a Node, &str) + 'v;

/// Calls for every layer, also of groups, in the order of the flow: with the groups around it, and its name behind theirs.
fn walk<'a>(graph: &'a Graph, path: &[NodeId], name: &str, visit: &mut Visit<'a, '_>) {
    let (order, _) = graph.topological();
    for node in order.iter().filter_map(|&at| graph.nodes.get(at)).filter(|node| !node.bypassed) {
        let name = if name.is_empty() { node.name.clone() } else { format!("{name} / {}", node.name) };
        if let Content::Group(group) = &node.content {
            let path: Vec<NodeId> = path.iter().copied().chain([node.id]).collect();
            walk(&group.graph, &path, &name, visit);
        } else {
            visit(graph, path, node, &name);
        }
    }
}

impl<'a> Asked<'a> {
    fn new(document: &'a Document, settings: CostSettings) -> Self {
        let plan = plan(document);
        let cost = Self::cost_of(&plan, document, settings);
        let before = if plan.program.ops.is_empty() { 0 } else { cost.memory.training_planned_bytes };
        Self { document, plan, cost, settings, before }
    }

    /// The figures of a document with the same engine.
    fn cost_of(plan: &Plan, document: &Document, settings: CostSettings) -> Cost {
        let spec = &document.training;
        let (batch, accumulate) = (u64::from(spec.batch), u64::from(spec.accumulate));
        let (dtype, optimizer) = (spec.dtype, spec.optimizer);
        cost(&plan.program, CostSettings { batch, accumulate, dtype, optimizer, ..settings })
    }

    /// The figures of a changed document; nothing if the change breaks something.
    fn figures(&self, changed: &Document) -> Option<(Plan, Cost)> {
        let plan = plan(changed);
        let is_sound = if self.plan.training_problem().is_none() {
            plan.training_problem().is_none()
        } else {
            let errors =
                |plan: &Plan| plan.diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
            errors(&plan) <= errors(&self.plan) && plan.program.ops.len() >= self.plan.program.ops.len()
        };
        let cost = is_sound.then(|| Self::cost_of(&plan, changed, self.settings))?;
        Some((plan, cost))
    }

    fn saving(&self, kind: SavingKind, path: &[NodeId], edit: Edit) -> Option<Saving> {
        let changed = apply(self.document, path, &edit).ok()?.0;
        let after = self.figures(&changed)?.1.memory.training_planned_bytes;
        let is_worth_it = (after as f64) < self.before as f64 * (1.0 - LEAST);
        let has_batch_norm = || self.plan.program.ops.iter().any(|op| matches!(op.op, Op::BatchNorm { .. }));
        let learns_the_same = match &kind {
            SavingKind::SmallerBatch { .. } => !has_batch_norm(),
            SavingKind::HalfPrecision => true,
            _ => false,
        };
        let (path, before) = (path.to_vec(), self.before);
        is_worth_it.then_some(Saving { kind, path, edit, before, after, learns_the_same })
    }

    /// Batches that divide a step without a rest, so that a step stays what it is.
    fn batches(&self, target: Option<u64>) -> Vec<Saving> {
        let spec = &self.document.training;
        let step = spec.images_of_a_step();
        let of = |batch: u32| -> Option<Saving> {
            let accumulate = u32::try_from(step / u64::from(batch)).ok()?;
            let edit = Edit::SetTraining(Box::new(TrainSpec { batch, accumulate, ..spec.clone() }));
            self.saving(SavingKind::SmallerBatch { batch, accumulate }, &[], edit)
        };
        let mut rest = (1..spec.batch).rev().filter(|batch| step.is_multiple_of(u64::from(*batch)));
        let mut all: Vec<Saving> = rest.by_ref().take(BATCHES).filter_map(of).collect();
        if let Some(target) = target.filter(|target| all.iter().all(|saving| saving.after > *target)) {
            all.extend(rest.filter_map(of).find(|saving| saving.after <= target));
        }
        all
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
            self.saving(SavingKind::SmallerImages { height, width }, &[], Edit::SetLayer { node, layer })
        })
    }

    /// Stride two in that convolution, among the first, where it saves most.
    fn stride(&self) -> Option<Saving> {
        let mut convolutions: Vec<(Vec<NodeId>, NodeId, String, &Conv2d)> = Vec::new();
        walk(&self.document.graph, &[], "", &mut |_, path, node, name| match node.layer() {
            Some(Layer::Conv2d(conv)) if conv.stride == [1, 1] => {
                convolutions.push((path.to_vec(), node.id, name.to_owned(), conv));
            }
            _ => {}
        });
        convolutions
            .into_iter()
            .take(STRIDES)
            .filter_map(|(path, node, layer, conv)| {
                let changed = Box::new(Conv2d { stride: [2, 2], ..conv.clone() }.into());
                self.saving(SavingKind::Stride { layer }, &path, Edit::SetLayer { node, layer: changed })
            })
            .min_by_key(|saving| saving.after)
    }

    /// What helps where one dense layer holds most of the parameters: a pooling before it, and fewer features.
    fn heavy_dense(&self) -> Vec<Saving> {
        let of = self.cost.totals.params();
        let params = |(plan, cost): (&Plan, &Cost), path: &[NodeId], id| {
            plan.node(path, id).map_or(0, |node| cost.node(node).params())
        };
        let own = (&self.plan, &self.cost);
        let mut heavy: Option<(&Graph, Vec<NodeId>, &Node, String, u64)> = None;
        walk(&self.document.graph, &[], "", &mut |graph, path, node, name| {
            let count = params(own, path, node.id);
            let is_dense = matches!(node.layer(), Some(Layer::Dense(_)));
            if is_dense && heavy.as_ref().is_none_or(|(.., most)| count > *most) {
                heavy = Some((graph, path.to_vec(), node, name.to_owned(), count));
            }
        });
        let Some((graph, path, node, layer, count)) = heavy else { return Vec::new() };
        let Some(Layer::Dense(dense)) = node.layer() else { return Vec::new() };
        if (count as f64) < of as f64 * HEAVY {
            return Vec::new();
        }
        let changed = |edit: &Edit| {
            let changed = apply(self.document, &path, edit).ok()?.0;
            self.figures(&changed)
        };
        let pool = self.pooling(graph, &path, node.id).and_then(|edit| {
            let (plan, cost) = changed(&edit)?;
            let params_after = params((&plan, &cost), &path, node.id);
            let layer = layer.clone();
            self.saving(SavingKind::PoolFirst { layer, params: count, params_after, of }, &path, edit)
        });
        let is_last = graph.links_from(node.id).is_empty();
        let smaller = (!is_last && dense.features > 1).then_some(dense.features / 2).and_then(|features| {
            let smaller = Box::new(Dense { features, ..dense.clone() }.into());
            let edit = Edit::SetLayer { node: node.id, layer: smaller };
            let params_after = changed(&edit)?.1.totals.params();
            self.saving(SavingKind::SmallerDense { layer, features, params: of, params_after }, &path, edit)
        });
        pool.into_iter().chain(smaller).collect()
    }

    /// Global average pooling in place of the Flatten that feeds a dense layer, if that lays out more than one pixel.
    fn pooling(&self, graph: &Graph, path: &[NodeId], dense: NodeId) -> Option<Edit> {
        let mut at = dense;
        // Dropout and the like may stand between.
        for _ in 0..graph.nodes.len() {
            let node = graph.node(graph.links_into(at).first()?.from)?;
            at = node.id;
            if !matches!(node.layer(), Some(Layer::Flatten(_))) {
                continue;
            }
            let map = *self.plan.node(path, at)?.inputs.first()?;
            let (_, height, width) = self.plan.program.value(map).shape.as_map()?;
            let pool = Layer::from_id("global_avg_pool").filter(|_| height * width > 1)?;
            let name = graph.fresh_name(pool.about().stem);
            return Some(Edit::All(vec![
                Edit::SetLayer { node: at, layer: Box::new(pool) },
                Edit::Rename { node: at, name },
            ]));
        }
        None
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
        (!nodes.is_empty()).then(|| self.saving(kind, &[], Edit::SetTrainable { nodes, trainable: false })).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Place;

    fn of(preset: &str) -> (Document, Vec<Saving>) {
        let document = crate::presets::find(preset).unwrap();
        let found = savings(&document, CostSettings::default(), None);
        (document, found)
    }

    fn with_batch(preset: &str, batch: u32, accumulate: u32) -> Document {
        let mut document = crate::presets::find(preset).unwrap();
        (document.training.batch, document.training.accumulate) = (batch, accumulate);
        document
    }

    fn batches(found: &[Saving]) -> Vec<(u32, u32)> {
        let mut list: Vec<_> = found
            .iter()
            .filter_map(|saving| match saving.kind {
                SavingKind::SmallerBatch { batch, accumulate } => Some((batch, accumulate)),
                _ => None,
            })
            .collect();
        list.sort_unstable_by(|a, b| b.cmp(a));
        list
    }

    #[test]
    fn every_saving_plans_what_the_document_plans_after_its_edit() {
        for preset in crate::presets::ALL {
            let (document, found) = of(preset.id);
            assert!(found.len() >= 4, "{}: {found:?}", preset.id);
            for saving in found {
                assert!(!saving.is_made(&document), "{} {:?}", preset.id, saving.kind);
                let changed = apply(&document, &saving.path, &saving.edit).unwrap().0;
                let after = Asked::new(&changed, CostSettings::default()).before;
                assert_eq!(after, saving.after, "{} {:?}", preset.id, saving.kind);
                assert!(saving.is_made(&changed), "{} {:?}", preset.id, saving.kind);
                // Nothing is offered that would be shown as −0 %.
                let percent = (1.0 - saving.after as f64 / saving.before as f64) * 100.0;
                assert_ne!(format!("{percent:.0}"), "0", "{} {:?}", preset.id, saving.kind);
            }
        }
    }

    #[test]
    fn a_smaller_batch_keeps_the_images_of_a_step() {
        // 50 = 25 · 2 = 10 · 5 = 5 · 10: the largest divisors.
        let of = |batch, accumulate| {
            batches(&savings(&with_batch("lenet5", batch, accumulate), CostSettings::default(), None))
        };
        assert_eq!(of(50, 1), [(25, 2), (10, 5), (5, 10)]);
        // What was halved already goes on with the divisors of its 50 images, where half of 25 is not one.
        assert_eq!(of(25, 2), [(10, 5), (5, 10), (2, 25)]);
        // A prime number of images divides only into single ones.
        assert_eq!(of(17, 1), [(1, 17)]);
        assert_eq!(of(1, 17), []);
    }

    #[test]
    fn a_target_brings_the_largest_batch_that_fits_it() {
        let document = with_batch("lenet5", 1_024, 1);
        let free = savings(&document, CostSettings::default(), None);
        assert_eq!(batches(&free), [(512, 2), (256, 4), (128, 8)]);
        let least = free.iter().filter(|saving| matches!(saving.kind, SavingKind::SmallerBatch { .. }));
        let least = least.map(|saving| saving.after).min().unwrap();
        // Less than 128 images need, and more than 64: activations grow with the batch.
        let found = savings(&document, CostSettings::default(), Some(least * 3 / 4));
        assert_eq!(batches(&found), [(512, 2), (256, 4), (128, 8), (64, 16)]);
    }

    #[test]
    fn sgd_saves_adams_two_numbers_for_each_parameter_of_lenet() {
        let (_, found) = of("lenet5");
        let sgd = found.iter().find(|saving| saving.kind == SavingKind::PlainSgd).unwrap();
        // Two numbers of 4 bytes for each of 61,706 parameters.
        assert_eq!(sgd.before - sgd.after, 2 * 4 * 61_706);
        // Half the batch needs more than half the memory, as parameters stay, and less than all of it.
        let is_half = |saving: &&Saving| matches!(saving.kind, SavingKind::SmallerBatch { batch: 32, .. });
        let half = found.iter().find(is_half).unwrap();
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

    /// The exercise network has no classifier, and its planned bytes are what its exercise is about.
    #[test]
    fn a_network_that_cannot_be_trained_yet_is_told_what_would_need_less_too() {
        let (document, found) = of("exercise-net");
        assert!(plan(&document).training_problem().is_some());
        assert_eq!(batches(&found), [(25, 2), (10, 5), (5, 10)]);
        assert!(found.iter().any(|saving| matches!(saving.kind, SavingKind::SmallerImages { .. })), "{found:?}");
    }

    #[test]
    fn layers_in_a_group_are_found_as_well() {
        let (document, found) = of("mnist-cnn");
        let ids: Vec<NodeId> = document.graph.nodes.iter().skip(1).take(3).map(|node| node.id).collect();
        let grouped = apply(&document, &[], &Edit::Group { nodes: ids }).unwrap().0;
        let inside = savings(&grouped, CostSettings::default(), None);
        let stride =
            |list: &[Saving]| list.iter().find(|found| matches!(found.kind, SavingKind::Stride { .. })).cloned();
        let (plain, grouped) = (stride(&found).unwrap(), stride(&inside).unwrap());
        assert_eq!((plain.before, plain.after), (grouped.before, grouped.after));
        let name = |saving: &Saving| match &saving.kind {
            SavingKind::Stride { layer } => layer.clone(),
            _ => String::new(),
        };
        assert!(name(&grouped).ends_with(&format!(" / {}", name(&plain))), "{grouped:?}");
        assert_eq!(grouped.path.len(), 1);
    }

    /// The end of VGG-16: 7 × 7 × 512, flattened, 4,096 features, and 1,000 classes.
    fn end_of_vgg() -> Document {
        let layers: [Layer; 4] = [
            Input { channels: 512, height: 7, width: 7 }.into(),
            Layer::from_id("flatten").unwrap(),
            Dense { features: 4_096, ..Dense::default() }.into(),
            Dense { features: 1_000, ..Dense::default() }.into(),
        ];
        layers.into_iter().fold(Document::default(), |document, layer| {
            let place = document.graph.nodes.last().map_or(Place::Loose, |node| Place::After(node.id));
            apply(&document, &[], &Edit::Insert { content: Box::new(Content::Layer(layer)), place }).unwrap().0
        })
    }

    #[test]
    fn a_dense_layer_with_most_parameters_is_pooled_before_or_made_smaller() {
        let document = end_of_vgg();
        let found = savings(&document, CostSettings::default(), None);
        // It reads 7 · 7 · 512 = 25,088 numbers: (25,088 + 1) · 4,096 = 102,764,544 parameters, of 106,861,544 with the
        // (4,096 + 1) · 1,000 behind it. Behind a global pooling it reads 512: (512 + 1) · 4,096 = 2,101,248.
        let pool = found.iter().find(|saving| matches!(saving.kind, SavingKind::PoolFirst { .. })).unwrap();
        let SavingKind::PoolFirst { params, params_after, of: whole, .. } = &pool.kind else { panic!("{pool:?}") };
        assert_eq!((*params, *params_after, *whole), (102_764_544, 2_101_248, 106_861_544));
        let changed = apply(&document, &pool.path, &pool.edit).unwrap().0;
        assert_eq!(plan(&changed).training_problem(), None);
        assert!(pool.is_made(&changed) && changed.graph.nodes.iter().all(|node| !node.name.contains("flatten")));
        // Half the features: 25,089 · 2,048 + 2,049 · 1,000 = 53,431,272.
        let smaller = found.iter().find(|saving| matches!(saving.kind, SavingKind::SmallerDense { .. })).unwrap();
        let SavingKind::SmallerDense { features, params_after, .. } = &smaller.kind else { panic!("{smaller:?}") };
        assert_eq!((*features, *params_after), (2_048, 53_431_272));
        // A network of convolutions has no such layer.
        let (_, found) = of("exercise-net");
        assert!(!found.iter().any(|saving| matches!(saving.kind, SavingKind::PoolFirst { .. })));
    }
}
