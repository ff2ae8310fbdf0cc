//! Whether the outputs of a network can be judged by its heads: what the window says before a run, and the engine at its start.

use super::diagnostic::{Diagnostic, Fix, Gap, Severity};
use super::lower::Plan;
use crate::graph::{Content, Document, Edit, Head, NodeId, Place, Target};
use crate::layers::{Dense, Flatten, Layer};
use crate::op::{Named, Program};

/// Why a head cannot judge its output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule} {layer} gives {found}. {way}")]
pub struct HeadFault {
    /// The layer it judges.
    pub layer: String,
    /// What must hold.
    pub rule: &'static str,
    /// What was found.
    pub found: String,
    /// A way out.
    pub way: &'static str,
}

/// The output that a head judges; the first one if it names none.
pub fn judged<'a>(program: &'a Program, head: &Head) -> Option<&'a Named> {
    let named = program.outputs.iter().find(|output| output.name == head.output);
    named.or_else(|| program.outputs.first().filter(|_| head.output.is_empty()))
}

/// The output that a head judges, if it can.
///
/// # Errors
/// A head without an output or a target, of a weight that is not a positive number, or of a target that the output's shape
/// does not answer.
pub fn check_head<'a>(program: &'a Program, head: &Head) -> Result<&'a Named, HeadFault> {
    let fault = |layer: &str, rule, found: String, way| {
        let layer = if layer.is_empty() { "The network" } else { layer };
        Err(HeadFault { layer: layer.to_owned(), rule, found, way })
    };
    let Some(output) = judged(program, head) else {
        let rule = "A head must judge an output of the network.";
        return fault(&head.output, rule, "no output".into(), "Choose a layer that nothing follows.");
    };
    if head.target == Target::None {
        let rule = "A head must have a target to be trained.";
        return fault(&output.name, rule, "an answer that nothing is held against".into(), "Choose a target.");
    }
    if !(head.weight.is_finite() && head.weight > 0.0) {
        let found = format!("a loss of weight {}", head.weight);
        return fault(&output.name, "The weight of a head must be a positive number.", found, "Set it to 1.");
    }
    let shape = &program.value(output.value).shape;
    match (head.target, shape.as_map()) {
        (Target::Class, Some((_, height, width))) if (height, width) != (1, 1) => fault(
            &output.name,
            "Training for classes of images needs a vector of scores at the end.",
            format!("a map of {shape}"),
            "Add a global pooling or Flatten, and a dense layer.",
        ),
        (Target::Map, None) => fault(
            &output.name,
            "Training for classes of pixels needs a map of scores at the end.",
            format!("a vector of {shape}"),
            "Choose another target, or end with a convolution.",
        ),
        _ => Ok(output),
    }
}

/// A warning for each head that cannot judge its output: such a network can be counted, but not trained.
pub(super) fn warn(plan: &mut Plan, document: &Document) {
    if !plan.is_complete() {
        return;
    }
    for head in document.heads_in_force() {
        let Err(fault) = check_head(&plan.program, &head) else { continue };
        let node = sink(plan, document, &head);
        let fixes = node.map(|node| fixes(&head, node)).unwrap_or_default();
        // A drawing that has just begun needs no warning yet.
        if !plan.program.params.is_empty() {
            plan.diagnostics.push(Diagnostic {
                path: Vec::new(),
                node,
                name: node.map(|_| fault.layer.clone()).unwrap_or_default(),
                link: None,
                gap: node.map(|_| Gap::Output),
                severity: Severity::Warning,
                message: fault.to_string(),
                fixes,
            });
        }
        plan.head_fault.get_or_insert(fault);
    }
}

/// The layer at the top whose output a head judges.
fn sink(plan: &Plan, document: &Document, head: &Head) -> Option<NodeId> {
    let output = judged(&plan.program, head)?;
    let nodes = &document.graph.nodes;
    let gives = |id| plan.node(&[], id).and_then(|node| node.output) == Some(output.value);
    let found = nodes.iter().find(|node| node.name == output.name).or_else(|| nodes.iter().find(|node| gives(node.id)));
    found.map(|node| node.id)
}

/// Ends for a map that is judged as classes. A head that names its layer would no longer find it at the end.
fn fixes(head: &Head, node: NodeId) -> Vec<Fix> {
    if head.target != Target::Class || !head.output.is_empty() {
        return Vec::new();
    }
    let insert = |layer: Layer| Edit::Insert { content: Box::new(Content::Layer(layer)), place: Place::After(node) };
    let mut list = Vec::new();
    // Each goes right behind the same layer: the last comes first.
    if let Some(pool) = Layer::from_id("global_avg_pool") {
        // Alone it would give a score for every channel, however many classes there are.
        let edit = Edit::All(vec![insert(Dense::default().into()), insert(pool)]);
        list.push(Fix { label: "Add global average pooling and a dense layer".into(), edit });
    }
    let dense = Edit::All(vec![insert(Dense::default().into()), insert(Flatten::default().into())]);
    list.push(Fix { label: "Add Flatten and a dense layer".into(), edit: dense });
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::apply;
    use crate::plan::plan;

    /// The exercise network ends in a map of 25 × 38 × 400 and has no classifier.
    #[test]
    fn a_map_at_the_end_is_counted_but_not_trained_and_each_fix_makes_it_trainable() {
        let document = crate::presets::find("exercise-net").unwrap();
        let found = plan(&document);
        assert!(found.is_complete() && found.first_error().is_none());
        let [warning] = &found.diagnostics[..] else { panic!("{:?}", found.diagnostics) };
        assert_eq!((warning.severity, warning.name.as_str()), (Severity::Warning, "conv3"));
        assert_eq!(warning.gap, Some(Gap::Output), "something must follow");
        let problem = found.training_problem().unwrap();
        assert!(problem.contains("conv3 gives a map of") && problem.contains("vector of scores"), "{problem}");
        assert_eq!(warning.fixes.len(), 2);
        for fix in &warning.fixes {
            let mended = plan(&apply(&document, &warning.path, &fix.edit).unwrap().0);
            assert!(mended.diagnostics.is_empty(), "{}: {:?}", fix.label, mended.diagnostics);
            assert_eq!(mended.training_problem(), None, "{}", fix.label);
        }
    }

    #[test]
    fn the_target_of_a_head_decides_what_its_output_must_be() {
        let mut document = crate::presets::find("exercise-net").unwrap();
        document.heads = vec![Head { target: Target::Map, ..Head::default() }];
        assert_eq!(plan(&document).training_problem(), None);
        let mut digits = crate::presets::find("lenet5").unwrap();
        assert_eq!(plan(&digits).training_problem(), None);
        digits.heads = document.heads;
        assert!(plan(&digits).training_problem().unwrap().contains("classes of pixels"));
        digits.heads[0] = Head { weight: f64::NAN, ..Head::default() };
        assert!(plan(&digits).training_problem().unwrap().contains("positive number"));
    }

    #[test]
    fn a_network_without_layers_says_what_training_needs() {
        assert!(plan(&Document::default()).training_problem().unwrap().contains("empty"));
    }
}
