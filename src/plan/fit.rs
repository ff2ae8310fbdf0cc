//! Whether the weights of one network fit another, from a sketch of each that is small enough to keep for every stored run.

use super::compare::{fates, shapes};
use super::plan;
use crate::graph::{Content, Document, Graph};
use crate::op::Program;

/// What of a network decides whose weights fit it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    /// Layers, those of groups among them, inputs not.
    pub layers: usize,
    /// Paths of all that computes, and names of the inputs.
    paths: Vec<String>,
    /// Path and shape of every parameter and statistic.
    params: Vec<(String, Vec<u64>)>,
}

/// How far weights fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Every layer's, and nothing is left over.
    Whole,
    /// Those of some layers.
    Part {
        /// Layers with weights that fit.
        kept: usize,
        /// Layers with weights.
        of: usize,
    },
    /// None.
    Nothing,
}

impl Sketch {
    /// The sketch of a document.
    pub fn of(document: &Document) -> Self {
        Self::of_program(document, &plan(document).program)
    }

    /// The same for one whose program is at hand.
    pub fn of_program(document: &Document, program: &Program) -> Self {
        let ops = program.ops.iter().map(|op| op.path.clone());
        let mut paths: Vec<String> = program.inputs.iter().map(|input| input.name.clone()).chain(ops).collect();
        paths.dedup();
        Self { layers: count(&document.graph), paths, params: shapes(program) }
    }

    /// Whether it has a layer of this path, or one with steps inside.
    pub fn has_layer(&self, path: &str) -> bool {
        let is_it = |own: &str| own.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        self.paths.iter().any(|own| is_it(own))
    }

    /// How far the weights of a stored network fit this one.
    pub fn fit(&self, stored: &Self) -> Fit {
        let kept = fates(&stored.params, &self.params);
        match (kept.count(), kept.layers.len()) {
            (0, _) => Fit::Nothing,
            (count, of) if count == of && stored.params.len() == self.params.len() => Fit::Whole,
            (kept, of) => Fit::Part { kept, of },
        }
    }
}

fn count(graph: &Graph) -> usize {
    let layers = graph.nodes.iter().map(|node| match &node.content {
        Content::Group(group) => count(&group.graph),
        _ if node.content.kind_id() == "input" => 0,
        _ => 1,
    });
    layers.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets::find;

    #[test]
    fn weights_fit_wholly_partly_or_not_at_all() {
        let lenet = Sketch::of(&find("lenet5").unwrap());
        // LeNet-5: c1, s2, c3, s4, c5, f6, output, of which five have weights; flattening is a layer of its own here.
        assert_eq!(lenet.fit(&lenet), Fit::Whole);
        let mut wider = lenet.clone();
        wider.params.iter_mut().find(|(path, _)| path == "c1.weight").unwrap().1[0] = 12;
        assert_eq!(lenet.fit(&wider), Fit::Part { kept: 4, of: 5 });
        // What the stored network has beyond ours is left over.
        let mut longer = lenet.clone();
        longer.params.push(("f7.weight".into(), vec![10, 10]));
        assert_eq!(lenet.fit(&longer), Fit::Part { kept: 5, of: 5 });
        assert_eq!(lenet.fit(&Sketch::of(&find("mnist-cnn").unwrap())), Fit::Nothing);
        assert!(Fit::Whole < Fit::Part { kept: 4, of: 5 } && Fit::Part { kept: 4, of: 5 } < Fit::Nothing);
    }

    #[test]
    fn a_layer_is_found_by_its_path_and_not_by_the_start_of_its_name() {
        let lenet = Sketch::of(&find("lenet5").unwrap());
        assert!(lenet.has_layer("c1") && lenet.has_layer("input"));
        assert!(!lenet.has_layer("c") && !lenet.has_layer("conv1"));
    }
}
