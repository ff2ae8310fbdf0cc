//! Two networks side by side: settings and layers that differ, and which weights of one fit the other.
//!
//! Layers are matched by name, as their weights are. Pure functions of documents and programs.

use super::{Named, Plan, plan, regrouped};
use crate::graph::{Content, Document, Graph, NodeId};
use crate::op::Program;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// A setting that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingDiff {
    /// Which one, in words: "training, learning rate".
    pub name: String,
    /// In the first document.
    pub left: String,
    /// In the second.
    pub right: String,
}

/// A layer of one network, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerText {
    /// Its kind.
    pub kind: String,
    /// What it gives: height x width x channels.
    pub output: String,
    /// Its parameters.
    pub params: u64,
}

/// A layer of either network, or of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerDiff {
    /// Path of names.
    pub name: String,
    /// In the first network.
    pub left: Option<LayerText>,
    /// In the second.
    pub right: Option<LayerText>,
    /// Fields that differ, in words: "filters 6 › 12".
    pub changes: Vec<String>,
}

impl LayerDiff {
    /// Whether both have it and nothing differs.
    pub fn is_same(&self) -> bool {
        self.left.is_some() && self.left == self.right && self.changes.is_empty()
    }
}

/// What differs between two documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Settings of training, data and the rest that differ.
    pub settings: Vec<SettingDiff>,
    /// All layers in the order of the networks.
    pub layers: Vec<LayerDiff>,
    /// The layers are the same, but linked otherwise.
    pub is_rewired: bool,
}

/// Compares two documents.
pub fn compare(left: &Document, right: &Document) -> Comparison {
    let (a, b) = (layers(left), layers(right));
    let mut names: Vec<&String> = a.iter().map(|(name, _)| name).collect();
    // What only the second has stands behind the layer that it follows there.
    let mut at = 0;
    for (name, _) in &b {
        if let Some(found) = names.iter().position(|other| *other == name) {
            at = found + 1;
        } else {
            names.insert(at.min(names.len()), name);
            at += 1;
        }
    }
    let (of_a, of_b): (HashMap<_, _>, HashMap<_, _>) =
        (a.iter().map(|(name, layer)| (name, layer)).collect(), b.iter().map(|(name, layer)| (name, layer)).collect());
    let layers: Vec<LayerDiff> = names
        .into_iter()
        .map(|name| {
            let (left, right) = (of_a.get(name), of_b.get(name));
            let changes = match (left, right) {
                (Some(left), Some(right)) => {
                    let mut changes = Vec::new();
                    for diff in differences(&left.fields, &right.fields) {
                        changes.push(format!("{} {} › {}", diff.name, diff.left, diff.right));
                    }
                    changes
                }
                _ => Vec::new(),
            };
            let text = |layer: Option<&&Layer>| layer.map(|layer| layer.text.clone());
            LayerDiff { name: name.clone(), left: text(left), right: text(right), changes }
        })
        .collect();
    let is_rewired = layers.iter().all(LayerDiff::is_same) && wires(&left.graph) != wires(&right.graph);
    Comparison { settings: differences(&settings(left), &settings(right)), layers, is_rewired }
}

struct Layer {
    text: LayerText,
    fields: BTreeMap<String, String>,
}

fn layers(document: &Document) -> Vec<(String, Layer)> {
    fn walk(graph: &Graph, path: &mut Vec<NodeId>, prefix: &str, plan: &Plan, into: &mut Vec<(String, Layer)>) {
        let (order, rest) = graph.topological();
        for node in order.into_iter().chain(rest).filter_map(|at| graph.nodes.get(at)) {
            let name = format!("{prefix}{}", node.name);
            let mut fields = BTreeMap::new();
            if let Content::Layer(layer) = &node.content {
                flatten("", &layer.to_json(), &mut fields);
            }
            if let Content::Group(group) = &node.content {
                fields.insert("repeat".into(), group.repeat.to_string());
            }
            if !node.trainable {
                fields.insert("frozen".into(), "yes".into());
            }
            let output = plan.output_shape(path, node.id).map_or_else(|| "–".into(), ToString::to_string);
            let own = format!("{name}.");
            let params = plan.program.params.iter().filter(|spec| !spec.is_state() && spec.path.starts_with(&own));
            let text = LayerText {
                kind: node.content.kind_name().to_owned(),
                output,
                params: params.map(crate::op::ParamSpec::elements).sum(),
            };
            into.push((name.clone(), Layer { text, fields }));
            if let Content::Group(group) = &node.content {
                path.push(node.id);
                walk(&group.graph, path, &own, plan, into);
                path.pop();
            }
        }
    }
    let mut all = Vec::new();
    walk(&document.graph, &mut Vec::new(), "", &plan(document), &mut all);
    all
}

fn wires(graph: &Graph) -> Vec<(&str, u16, &str, u16)> {
    let name = |id| graph.node(id).map_or("", |node| node.name.as_str());
    let mut wires: Vec<_> =
        graph.links.iter().map(|link| (name(link.from), link.from_port, name(link.to), link.to_port)).collect();
    wires.sort_unstable();
    wires
}

fn settings(document: &Document) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let parts = [
        ("training", serde_json::to_value(&document.training)),
        ("data", serde_json::to_value(&document.data)),
        ("heads", serde_json::to_value(document.heads_in_force())),
        ("seed", serde_json::to_value(document.seed)),
    ];
    for (name, value) in parts {
        flatten(name, &value.unwrap_or_default(), &mut all);
    }
    all
}

/// Leaves of a JSON value by their path in words; short lists stay whole.
fn flatten(name: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = key.replace('_', " ");
                // "optimizer, kind" is the optimizer.
                let name = match (name.is_empty(), key.as_str()) {
                    (true, _) => key,
                    (false, "kind") => name.to_owned(),
                    (false, _) => format!("{name}, {key}"),
                };
                flatten(&name, value, into);
            }
        }
        Value::Array(list) if list.iter().any(Value::is_object) => {
            for (index, value) in list.iter().enumerate() {
                flatten(&format!("{name} {}", index + 1), value, into);
            }
        }
        Value::Array(list) => {
            let parts: Vec<String> = list.iter().map(leaf).collect();
            into.insert(name.to_owned(), parts.join(" × "));
        }
        other => {
            into.insert(name.to_owned(), leaf(other));
        }
    }
}

fn leaf(value: &Value) -> String {
    match value {
        Value::String(text) => text.replace('_', " "),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Null => "none".into(),
        other => other.to_string(),
    }
}

fn differences(left: &BTreeMap<String, String>, right: &BTreeMap<String, String>) -> Vec<SettingDiff> {
    let names: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let text = |map: &BTreeMap<String, String>, name: &String| map.get(name).cloned().unwrap_or_else(|| "–".into());
    names
        .into_iter()
        .map(|name| SettingDiff { name: name.clone(), left: text(left, name), right: text(right, name) })
        .filter(|diff| diff.left != diff.right)
        .collect()
}

/// What becomes of a layer's weights in another network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// All of them fit.
    Kept,
    /// Shapes differ: then, and now.
    Reshaped(Vec<u64>, Vec<u64>),
    /// The old network has no such layer.
    New,
}

/// Weights of an old network in a new one, layer by layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Layers with parameters, in the order of the new network.
    pub layers: Vec<(String, Fate)>,
}

impl Kept {
    /// Layers whose weights are kept.
    pub fn count(&self) -> usize {
        self.layers.iter().filter(|(_, fate)| *fate == Fate::Kept).count()
    }
}

/// Which layers of a program can start with the weights of another: those whose parameters all have path and shape in
/// common, whatever groups are around them.
pub fn kept_weights(old: &Program, new: &Program) -> Kept {
    fates(&shapes(old), &shapes(new))
}

/// Path and shape of every parameter of a program.
pub(super) fn shapes(program: &Program) -> Vec<(String, Vec<u64>)> {
    program.params.iter().map(|spec| (spec.path.clone(), spec.shape.clone())).collect()
}

/// The same as [`kept_weights`] for paths and shapes.
pub(super) fn fates(old: &[(String, Vec<u64>)], new: &[(String, Vec<u64>)]) -> Kept {
    let moved = regrouped(&named(old), &named(new));
    let offered: HashMap<&str, &[u64]> = old.iter().map(|(path, shape)| (path.as_str(), shape.as_slice())).collect();
    let mut kept = Kept::default();
    for (path, shape) in new {
        let layer = path.rsplit_once('.').map_or(path.as_str(), |(layer, _)| layer);
        let fate = match offered.get(moved.get(path).unwrap_or(path).as_str()) {
            Some(found) if *found == shape => Fate::Kept,
            Some(found) => Fate::Reshaped(found.to_vec(), shape.clone()),
            None => Fate::New,
        };
        match kept.layers.iter_mut().find(|(name, _)| name == layer) {
            Some((_, known)) if *known == Fate::Kept => *known = fate,
            Some(_) => {}
            None => kept.layers.push((layer.to_owned(), fate)),
        }
    }
    kept
}

fn named(params: &[(String, Vec<u64>)]) -> Vec<Named<'_>> {
    params.iter().map(|(path, shape)| (path.as_str(), shape.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Edit, apply};
    use crate::layers::Layer;

    fn lenet() -> Document {
        crate::presets::find("lenet5").unwrap()
    }

    /// LeNet-5 whose first convolution has another number of filters.
    fn wider(filters: u64) -> Document {
        let document = lenet();
        let node = document.graph.by_name("c1").unwrap();
        let mut settings = node.layer().unwrap().to_json();
        settings["filters"] = filters.into();
        let layer = Layer::from_json(node.content.kind_id(), settings).unwrap().unwrap();
        let edit = Edit::SetLayer { node: node.id, layer: Box::new(layer) };
        apply(&document, &[], &edit).unwrap().0
    }

    #[test]
    fn a_document_does_not_differ_from_itself() {
        let comparison = compare(&lenet(), &lenet());
        assert!(comparison.settings.is_empty() && !comparison.is_rewired);
        assert!(comparison.layers.iter().all(LayerDiff::is_same), "{comparison:?}");
    }

    #[test]
    fn changed_fields_and_settings_are_named_with_both_values() {
        let (left, mut right) = (lenet(), wider(12));
        right.training.learning_rate = 0.01;
        right.training.batch = left.training.batch * 2;
        let comparison = compare(&left, &right);
        let names: Vec<&str> = comparison.settings.iter().map(|diff| diff.name.as_str()).collect();
        assert_eq!(names, ["training, batch", "training, learning rate"]);
        let c1 = comparison.layers.iter().find(|layer| layer.name == "c1").unwrap();
        assert_eq!(c1.changes, ["filters 6 › 12"]);
        // (5 · 5 · 1 + 1) · 6 = 156, twice as many filters: 312.
        assert_eq!((c1.left.as_ref().unwrap().params, c1.right.as_ref().unwrap().params), (156, 312));
        // What follows keeps its fields, but its input and so its weights differ.
        let c3 = comparison.layers.iter().find(|layer| layer.name == "c3").unwrap();
        assert!(c3.changes.is_empty() && !c3.is_same());
    }

    #[test]
    fn layers_that_only_one_network_has_stand_where_they_belong() {
        let left = lenet();
        let s2 = left.graph.by_name("s2").unwrap().id;
        let right = apply(&left, &[], &Edit::Remove { nodes: vec![s2] }).unwrap().0;
        let order =
            |comparison: Comparison| -> Vec<String> { comparison.layers.into_iter().map(|layer| layer.name).collect() };
        // Whichever side lacks it, it stands between its neighbours.
        assert_eq!(order(compare(&left, &right)), order(compare(&right, &left)));
        assert!(compare(&right, &left).layers.iter().any(|layer| layer.name == "s2" && layer.left.is_none()));
    }

    #[test]
    fn weights_are_kept_where_path_and_shape_match() {
        let (old, new) = (plan(&lenet()).program, plan(&wider(8)).program);
        let kept = kept_weights(&old, &new);
        // c1 has 8 filters now, so c3 sees 8 channels; the three dense layers behind are as before.
        assert_eq!((kept.count(), kept.layers.len()), (3, 5));
        assert_eq!(kept.layers[0], ("c1".into(), Fate::Reshaped(vec![6, 1, 5, 5], vec![8, 1, 5, 5])));
        assert_eq!(kept_weights(&old, &old).count(), 5);
        assert_eq!(kept_weights(&Program::default(), &new).count(), 0);
        // A group around c3 and s4 changes the path of c3, and nothing else.
        let document = lenet();
        let nodes = ["c3", "s4"].map(|name| document.graph.by_name(name).unwrap().id).to_vec();
        let grouped = plan(&apply(&document, &[], &Edit::Group { nodes }).unwrap().0).program;
        assert!(grouped.params.iter().any(|spec| spec.path == "block1.c3.weight"));
        assert_eq!([kept_weights(&old, &grouped), kept_weights(&grouped, &old)].map(|kept| kept.count()), [5, 5]);
    }
}
