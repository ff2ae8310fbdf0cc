//! Whether training has anything to change: what the window says before a run, and the engine at its start.

use super::diagnostic::{Diagnostic, Fix, Severity};
use super::lower::Plan;
use crate::graph::{Content, Document, Edit, Graph, NodeId};

/// Names that a message lists at most.
const NAMES: usize = 4;

/// A layer or group whose weights are kept as they are.
struct Frozen {
    path: Vec<NodeId>,
    node: NodeId,
    name: String,
}

/// A warning if every weight is frozen: such a network can be counted, but not trained.
pub(super) fn warn(plan: &mut Plan, document: &Document) {
    if !plan.is_complete() || plan.program.params.iter().any(|spec| spec.trainable) {
        return;
    }
    if plan.program.params.iter().all(|spec| !spec.role.is_trained()) {
        let message =
            "Training needs weights that can change. The network has none. Add a convolution or a dense layer.";
        plan.unteachable = Some(message.into());
        return;
    }
    let mut frozen = Vec::new();
    collect(plan, &document.graph, &mut Vec::new(), &mut frozen);
    let Some(last) = frozen.last() else { return };
    let names: Vec<&str> = frozen.iter().take(NAMES).map(|frozen| frozen.name.as_str()).collect();
    let more = frozen.len().saturating_sub(NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let message = format!(
        "Training needs a layer that can learn. Every layer with weights is frozen: {}{more}. Unfreeze at least one.",
        names.join(", ")
    );
    let unfreeze =
        |nodes: Vec<NodeId>, label: String| Fix { label, edit: Edit::SetTrainable { nodes, trainable: true } };
    let mut fixes = vec![unfreeze(vec![last.node], format!("Unfreeze {}", last.name))];
    let here: Vec<NodeId> = frozen.iter().filter(|other| other.path == last.path).map(|other| other.node).collect();
    if here.len() > 1 {
        fixes.push(unfreeze(here, "Unfreeze all".into()));
    }
    let found = Diagnostic {
        path: last.path.clone(),
        node: Some(last.node),
        name: last.name.clone(),
        link: None,
        gap: None,
        severity: Severity::Warning,
        message: message.clone(),
        fixes,
    };
    plan.diagnostics.push(found);
    plan.unteachable = Some(message);
}

/// The outermost frozen layers and groups with weights, in the order of the flow.
fn collect(plan: &Plan, graph: &Graph, path: &mut Vec<NodeId>, into: &mut Vec<Frozen>) {
    let (order, _) = graph.topological();
    for node in order.into_iter().filter_map(|at| graph.nodes.get(at)) {
        let spans = plan.node(path, node.id).map(|found| found.spans.as_slice()).unwrap_or_default();
        let has_weights = plan
            .program
            .params
            .iter()
            .any(|spec| spec.role.is_trained() && spans.iter().any(|span| span.contains(&(spec.op as usize))));
        if !has_weights {
            continue;
        }
        if !node.trainable {
            into.push(Frozen { path: path.clone(), node: node.id, name: node.name.clone() });
        } else if let Content::Group(group) = &node.content {
            path.push(node.id);
            collect(plan, &group.graph, path, into);
            path.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::apply;
    use crate::plan::plan;

    fn freeze(document: &Document, names: &[&str]) -> Document {
        let of = |name: &&str| document.graph.nodes.iter().find(|node| node.name == **name).unwrap().id;
        let nodes = names.iter().map(of).collect();
        apply(document, &[], &Edit::SetTrainable { nodes, trainable: false }).unwrap().0
    }

    #[test]
    fn a_network_whose_every_layer_is_frozen_says_so_and_each_fix_lets_it_learn() {
        let lenet = crate::presets::find("lenet5").unwrap();
        let weights = ["c1", "c3", "c5", "f6", "output"];
        let most = freeze(&lenet, &weights[..4]);
        assert_eq!(plan(&most).training_problem(), None);
        let all = freeze(&lenet, &weights);
        let found = plan(&all);
        let problem = found.training_problem().unwrap();
        assert!(problem.contains("c1, c3, c5, f6 and 1 more"), "{problem}");
        let [warning] = &found.diagnostics[..] else { panic!("{:?}", found.diagnostics) };
        assert_eq!((warning.severity, warning.name.as_str()), (Severity::Warning, "output"));
        assert_eq!(
            warning.fixes.iter().map(|fix| fix.label.as_str()).collect::<Vec<_>>(),
            ["Unfreeze output", "Unfreeze all"]
        );
        // LeNet-5 has 61,706 parameters; its last layer 84 · 10 + 10 = 850.
        for (fix, learning) in warning.fixes.iter().zip([850, 61_706]) {
            let mended = plan(&apply(&all, &warning.path, &fix.edit).unwrap().0);
            assert_eq!(mended.training_problem(), None);
            let trained: u64 =
                mended.program.params.iter().filter(|spec| spec.trainable).map(crate::op::ParamSpec::elements).sum();
            assert_eq!(trained, learning);
        }
    }

    #[test]
    fn a_frozen_group_is_what_is_unfrozen_and_not_the_layers_in_it() {
        let lenet = crate::presets::find("lenet5").unwrap();
        let ids = |names: &[&str]| -> Vec<NodeId> {
            names.iter().map(|name| lenet.graph.nodes.iter().find(|node| node.name == *name).unwrap().id).collect()
        };
        let grouped = apply(&lenet, &[], &Edit::Group { nodes: ids(&["c1", "s2", "c3"]) }).unwrap().0;
        let group = grouped.graph.nodes.iter().find(|node| matches!(node.content, Content::Group(_))).unwrap();
        let name = group.name.clone();
        let frozen = freeze(&grouped, &[&name, "c5", "f6", "output"]);
        let found = plan(&frozen);
        assert!(found.training_problem().unwrap().contains(&format!("frozen: {name}, c5, f6, output.")));
    }

    #[test]
    fn a_network_without_weights_says_what_to_add() {
        let mut document = crate::presets::find("lenet5").unwrap();
        document.graph.nodes.retain(|node| ["input", "flatten"].contains(&node.name.as_str()));
        let ids: Vec<NodeId> = document.graph.nodes.iter().map(|node| node.id).collect();
        document.graph.links = vec![crate::graph::Link { from: ids[0], from_port: 0, to: ids[1], to_port: 0 }];
        let found = plan(&document);
        assert!(found.training_problem().unwrap().contains("The network has none"), "{found:?}");
        assert!(found.diagnostics.is_empty(), "{:?}", found.diagnostics);
    }
}
