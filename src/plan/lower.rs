//! Lowers a document to a program. Never fails as a whole: the valid part keeps its numbers, the rest gets diagnostics.

use super::diagnostic::{Diagnostic, Fix, Gap, Severity, fixes};
use super::heads::{self, HeadFault};
use super::learning;
use crate::graph::{Content, Document, Edit, Graph, Group, Link, Node, NodeId, Place};
use crate::layers::{Arity, LayerKind as _};
use crate::op::{Lowering, Program, Shape, ShapeError, ValueId};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// What became of one node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodePlan {
    /// The ops it became: one range, or one for each copy of a repeated group around it.
    pub spans: Vec<Range<usize>>,
    /// What it reads (in the first copy).
    pub inputs: Vec<ValueId>,
    /// What it gives (in the first copy); `None` if it is not valid.
    pub output: Option<ValueId>,
}

/// Everything that follows from a graph without choosing a batch or an optimizer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The valid part as a program.
    pub program: Program,
    /// Every node, by its path of ids from the top.
    pub nodes: HashMap<Vec<NodeId>, NodePlan>,
    /// What is wrong, in order of the drawing.
    pub diagnostics: Vec<Diagnostic>,
    /// Why its heads cannot judge it: it can be counted, but not trained.
    pub head_fault: Option<HeadFault>,
    /// Why there is nothing for training to change.
    pub unteachable: Option<String>,
}

impl Plan {
    /// Whether the network can run: no errors, and at least one output.
    pub fn is_complete(&self) -> bool {
        !self.program.outputs.is_empty() && self.diagnostics.iter().all(|found| found.severity != Severity::Error)
    }

    /// What became of a node.
    pub fn node(&self, path: &[NodeId], id: NodeId) -> Option<&NodePlan> {
        let mut key = path.to_vec();
        key.push(id);
        self.nodes.get(&key)
    }

    /// The innermost node that an op belongs to, as a path of ids.
    pub fn node_of(&self, op: usize) -> Option<&[NodeId]> {
        let owns = |node: &NodePlan| node.spans.iter().any(|span| span.contains(&op));
        let owners = self.nodes.iter().filter(|(_, node)| owns(node)).map(|(path, _)| path.as_slice());
        owners.max_by_key(|path| path.len())
    }

    /// The shape that a node gives.
    pub fn output_shape(&self, path: &[NodeId], id: NodeId) -> Option<&Shape> {
        self.node(path, id)?.output.map(|value| &self.program.value(value).shape)
    }

    /// The findings about one node or anything inside it.
    pub fn diagnostics_of<'a>(&'a self, path: &'a [NodeId], id: NodeId) -> impl Iterator<Item = &'a Diagnostic> {
        self.diagnostics.iter().filter(move |found| {
            (found.path == path && found.node == Some(id))
                || (found.path.len() > path.len()
                    && found.path.starts_with(path)
                    && found.path.get(path.len()) == Some(&id))
        })
    }

    /// The first error as one sentence, for those who cannot show them all.
    pub fn first_error(&self) -> Option<String> {
        self.diagnostics.iter().find(|found| found.severity == Severity::Error).map(|found| {
            if found.name.is_empty() { found.message.clone() } else { format!("{}: {}", found.name, found.message) }
        })
    }

    /// Why it cannot be trained, as one sentence: an error, no output, a head that cannot judge, or nothing that can learn.
    pub fn training_problem(&self) -> Option<String> {
        let empty = || {
            let first = self.diagnostics.first().map(|found| found.message.clone());
            first.unwrap_or_else(|| "Training needs a layer that gives an output. There is none. Add layers.".into())
        };
        self.first_error()
            .or_else(|| self.program.outputs.is_empty().then(empty))
            .or_else(|| self.head_fault.as_ref().map(ToString::to_string))
            .or_else(|| self.unteachable.clone())
    }
}

/// Lowers a document.
pub fn plan(document: &Document) -> Plan {
    let mut plan = plan_graph(&document.graph);
    for head in &document.heads {
        let known = head.output.is_empty() || plan.program.outputs.iter().any(|output| output.name == head.output);
        if !known {
            plan.diagnostics.push(whole(
                Severity::Error,
                format!(
                    "A head must judge an output of the network. Received {:?}. Choose one that nothing follows.",
                    head.output
                ),
            ));
        }
    }
    heads::warn(&mut plan, document);
    learning::warn(&mut plan, document);
    plan
}

/// Lowers a graph.
pub fn plan_graph(graph: &Graph) -> Plan {
    let mut walk = Walk { lowering: Lowering::new(), nodes: HashMap::new(), diagnostics: Vec::new() };
    let sinks = walk.graph(graph, &mut Vec::new(), None);
    for (name, value) in sinks {
        walk.lowering.output(name, value);
    }
    if graph.nodes.is_empty() {
        walk.diagnostics.push(whole(Severity::Info, "The network is empty. Add an Input, or open a preset.".into()));
    } else if graph.inputs().next().is_none() {
        let input = Content::Layer(crate::layers::Layer::from(crate::layers::Input::default()));
        let mut found = whole(
            Severity::Error,
            "A network needs an Input layer, which says how large the images are. It has none. Add one.".into(),
        );
        found.fixes.push(Fix {
            label: "Add an Input".into(),
            edit: Edit::Insert { content: Box::new(input), place: Place::Loose },
        });
        walk.diagnostics.push(found);
    }
    Plan {
        program: walk.lowering.finish(),
        nodes: walk.nodes,
        diagnostics: walk.diagnostics,
        head_fault: None,
        unteachable: None,
    }
}

fn whole(severity: Severity, message: String) -> Diagnostic {
    let (path, name, fixes) = Default::default();
    Diagnostic { path, node: None, name, link: None, gap: None, severity, message, fixes }
}

/// The wire that a finding is about.
#[derive(Clone, Copy)]
enum At {
    /// None: the layer itself.
    Layer,
    /// This one.
    Wire(Link),
    /// One that is missing.
    Gap(Gap),
}

struct Walk {
    lowering: Lowering,
    nodes: HashMap<Vec<NodeId>, NodePlan>,
    diagnostics: Vec<Diagnostic>,
}

/// More ops than this are refused: a repeat of repeats of repeats would fill the memory.
const MAX_OPS: usize = 200_000;

impl Walk {
    /// Lowers one graph; inputs come from the outside (`given`) or, at the top, from its Input layers. Gives the named values
    /// of the nodes that nothing follows.
    fn graph(&mut self, graph: &Graph, path: &mut Vec<NodeId>, given: Option<&[ValueId]>) -> Vec<(String, ValueId)> {
        let (order, cyclic) = graph.topological();
        let mut values: HashMap<NodeId, ValueId> = HashMap::new();
        let mut into: HashMap<NodeId, Vec<Link>> = HashMap::new();
        let mut feeds: HashSet<NodeId> = HashSet::new();
        for link in &graph.links {
            into.entry(link.to).or_default().push(*link);
            feeds.insert(link.from);
        }
        into.values_mut().for_each(|links| links.sort_by_key(|link| link.to_port));
        self.report_cycles(graph, path, &cyclic);
        let mut ports = given.unwrap_or_default().iter();
        for index in order {
            let Some(node) = graph.nodes.get(index) else { continue };
            let links = into.get(&node.id).map_or(&[][..], Vec::as_slice);
            let lone = links.is_empty() && !feeds.contains(&node.id) && graph.nodes.len() > 1;
            if node.content.is_input() {
                let value = match given {
                    Some(_) => ports.next().copied(),
                    None => self.input(node, path),
                };
                if let Some(value) = value {
                    values.insert(node.id, value);
                }
                // The way into a group reads what comes in; where images enter nothing is read.
                let inputs = given.and(value).into_iter().collect();
                self.record(path, node.id, NodePlan { spans: Vec::new(), inputs, output: value });
                if lone {
                    self.loose(node, path);
                }
                continue;
            }
            if links.is_empty() && node.content.arity() != Arity::Zero {
                self.record(path, node.id, NodePlan::default());
                if lone {
                    self.loose(node, path);
                } else {
                    self.no_input(node, path);
                }
                continue;
            }
            let inputs: Option<Vec<ValueId>> = links.iter().map(|link| values.get(&link.from).copied()).collect();
            // A missing value has its own diagnostic further up.
            let Some(inputs) = inputs else {
                self.record(path, node.id, NodePlan::default());
                continue;
            };
            let output = match inputs.as_slice() {
                [one] if node.bypassed => Some(self.bypassed(node, *one, path)),
                _ => self.node(graph, node, links, &inputs, path),
            };
            if let Some(value) = output {
                values.insert(node.id, value);
            }
        }
        graph
            .nodes
            .iter()
            .filter(|node| !feeds.contains(&node.id) && (!node.content.is_input() || graph.nodes.len() == 1))
            .filter(|node| into.contains_key(&node.id) || node.content.is_input())
            .filter_map(|node| values.get(&node.id).map(|value| (node.name.clone(), *value)))
            .collect()
    }

    /// What would be if the node were not there: what enters leaves.
    fn bypassed(&mut self, node: &Node, value: ValueId, path: &[NodeId]) -> ValueId {
        let message = "Bypassed: what enters leaves unchanged, as if this layer were not there.".into();
        let edit = Edit::SetBypassed { nodes: vec![node.id], bypassed: false };
        let fix = Fix { label: "Use it again".into(), edit };
        self.report(node, path, Severity::Info, message, vec![fix], At::Layer);
        self.record(path, node.id, NodePlan { spans: Vec::new(), inputs: vec![value], output: Some(value) });
        value
    }

    fn node(
        &mut self,
        graph: &Graph,
        node: &Node,
        links: &[Link],
        inputs: &[ValueId],
        path: &mut Vec<NodeId>,
    ) -> Option<ValueId> {
        let start = self.lowering.op_count();
        let mark = self.lowering.checkpoint();
        let frozen_before = self.lowering.is_frozen();
        self.lowering.set_frozen(frozen_before || !node.trainable);
        self.lowering.set_init(node.init);
        let result = match &node.content {
            Content::Layer(layer) => match arity_error(layer.arity(), layer.about().name, inputs.len()) {
                Some(error) => Err(Some(error)),
                None => self.lowering.within(node.name.clone(), |lowering| layer.lower(lowering, inputs)).map_err(Some),
            },
            Content::Group(group) => {
                let before = self.diagnostics.len();
                let output = self.group(group, node, links, inputs, path);
                if output.is_none() && self.diagnostics.len() == before {
                    self.report(
                        node,
                        path,
                        Severity::Error,
                        "A group needs a layer inside that gives its output. It has none. Open it and add one.".into(),
                        Vec::new(),
                        At::Layer,
                    );
                }
                output.ok_or(None)
            }
            Content::Unknown { kind } => {
                let message = format!(
                    "This version must know every kind of layer it runs. Received {kind:?}. Open the document with a newer Striate, or replace the layer."
                );
                self.report(node, path, Severity::Error, message, Vec::new(), At::Layer);
                Err(None)
            }
        };
        self.lowering.set_frozen(frozen_before);
        let output = match result {
            Ok(value) => Some(value),
            Err(error) => {
                if let Some(error) = error {
                    self.lowering.rollback(mark);
                    let shapes: Vec<Shape> = inputs.iter().map(|&id| self.lowering.shape(id).clone()).collect();
                    let ways = fixes(&error, graph, node, &shapes);
                    let at = Self::blamed(&error, links, &shapes);
                    self.report(node, path, Severity::Error, error.to_string(), ways, at);
                }
                None
            }
        };
        let end = self.lowering.op_count();
        let span = (start != end).then_some(start..end).into_iter().collect();
        self.record(path, node.id, NodePlan { spans: span, inputs: inputs.to_vec(), output });
        output
    }

    fn group(
        &mut self,
        group: &Group,
        node: &Node,
        links: &[Link],
        inputs: &[ValueId],
        path: &mut Vec<NodeId>,
    ) -> Option<ValueId> {
        let ports = group.graph.inputs().count();
        if inputs.len() != ports {
            let message =
                format!("A group needs a link for each Input inside. It has {ports}, linked are {}.", inputs.len());
            let at = links.get(ports).map_or(At::Gap(Gap::Input), |link| At::Wire(*link));
            self.report(node, path, Severity::Error, message, Vec::new(), at);
            return None;
        }
        if group.repeat > 1 && ports != 1 {
            let message = format!(
                "A repeated group needs exactly one Input inside. It has {ports}. Remove the others or set repeat to 1."
            );
            self.report(node, path, Severity::Error, message, Vec::new(), At::Layer);
            return None;
        }
        let mut given = inputs.to_vec();
        let mut output = None;
        let found_before = self.diagnostics.len();
        for copy in 0..group.repeat {
            if self.lowering.op_count() > MAX_OPS {
                let message = format!(
                    "A network may have at most {MAX_OPS} operations. This group's copies pass that. Repeat it less."
                );
                self.report(node, path, Severity::Error, message, Vec::new(), At::Layer);
                return None;
            }
            let frozen = self.lowering.is_frozen();
            path.push(node.id);
            let sinks = self.named(&node.name, (group.repeat > 1).then_some(group.first_index + copy), |walk| {
                walk.graph(&group.graph, path, Some(&given))
            });
            path.pop();
            self.lowering.set_frozen(frozen);
            // Later copies repeat the first one's findings.
            if self.diagnostics.len() > found_before {
                return None;
            }
            match sinks.as_slice() {
                [(_, value)] => {
                    given = vec![*value];
                    output = Some(*value);
                }
                [] => return None,
                several => {
                    let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
                    let message = format!(
                        "A group needs exactly one output inside. Nothing follows {}. Join them with Add or Concat.",
                        names.join(", ")
                    );
                    self.report(node, path, Severity::Error, message, Vec::new(), At::Layer);
                    return None;
                }
            }
        }
        output
    }

    fn named<R>(&mut self, name: &str, copy: Option<u32>, body: impl FnOnce(&mut Self) -> R) -> R {
        self.lowering.enter(name);
        if let Some(copy) = copy {
            self.lowering.enter(copy.to_string());
        }
        let result = body(self);
        if copy.is_some() {
            self.lowering.leave();
        }
        self.lowering.leave();
        result
    }

    fn input(&mut self, node: &Node, path: &[NodeId]) -> Option<ValueId> {
        let shape = node.layer().and_then(crate::layers::LayerKind::input_shape)?;
        match self.lowering.input(node.name.clone(), shape) {
            Ok(value) => Some(value),
            Err(error) => {
                self.report(node, path, Severity::Error, error.to_string(), Vec::new(), At::Layer);
                None
            }
        }
    }

    fn record(&mut self, path: &[NodeId], id: NodeId, found: NodePlan) {
        let mut key = path.to_vec();
        key.push(id);
        match self.nodes.entry(key) {
            std::collections::hash_map::Entry::Occupied(mut entry) => entry.get_mut().spans.extend(found.spans),
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(found);
            }
        }
    }

    /// The wire to mark: the one whose shape differs, the one too many, or the only one; none where a setting is wrong.
    fn blamed(error: &ShapeError, links: &[Link], shapes: &[Shape]) -> At {
        let wire = |at: Option<&Link>| at.map_or(At::Layer, |link| At::Wire(*link));
        match error {
            ShapeError::Mismatch { .. } => {
                let odd = shapes.iter().position(|shape| Some(shape) != shapes.first());
                wire(odd.and_then(|index| links.get(index)))
            }
            ShapeError::Inputs { .. } if links.len() < 2 => At::Gap(Gap::Input),
            ShapeError::Inputs { .. } => wire(links.get(1)),
            ShapeError::NeedsMap { .. }
            | ShapeError::NeedsVector { .. }
            | ShapeError::WindowTooLarge { .. }
            | ShapeError::Empty { .. }
            | ShapeError::Groups { .. } => wire(links.first()),
            ShapeError::Zero { .. }
            | ShapeError::PoolPadding { .. }
            | ShapeError::OutputPadding { .. }
            | ShapeError::Range { .. }
            | ShapeError::Overflow { .. } => At::Layer,
        }
    }

    fn report_cycles(&mut self, graph: &Graph, path: &[NodeId], cyclic: &[usize]) {
        if cyclic.is_empty() {
            return;
        }
        let circles = graph.circles();
        let at = graph.index();
        let circle = |id: NodeId| at.get(&id).and_then(|&index| circles.get(index));
        let mut back: HashMap<NodeId, Link> = HashMap::new();
        for link in graph.links.iter().filter(|link| circle(link.from) == circle(link.to)) {
            let first = back.entry(link.to).or_insert(*link);
            if link.to_port < first.to_port {
                *first = *link;
            }
        }
        for &index in cyclic {
            let Some(node) = graph.nodes.get(index) else { continue };
            self.record(path, node.id, NodePlan::default());
            let Some(&link) = back.get(&node.id) else { continue };
            let fix = Fix { label: "Remove the link back".into(), edit: Edit::Disconnect { link } };
            let message = "A network must not feed back into itself. This layer follows its own output. Remove one link of the circle.".into();
            self.report(node, path, Severity::Error, message, vec![fix], At::Wire(link));
        }
    }

    fn loose(&mut self, node: &Node, path: &[NodeId]) {
        let message = "Not linked: it is not part of the network. Drag it onto a wire, link it, or delete it.".into();
        let fix = Fix { label: "Delete it".into(), edit: Edit::Remove { nodes: vec![node.id] } };
        let gap = if node.content.is_input() { Gap::Output } else { Gap::Input };
        self.report(node, path, Severity::Warning, message, vec![fix], At::Gap(gap));
    }

    fn no_input(&mut self, node: &Node, path: &[NodeId]) {
        let message = "Every layer needs an input. This one has none. Drag a link to it from the layer before.".into();
        self.report(node, path, Severity::Error, message, Vec::new(), At::Gap(Gap::Input));
    }

    fn report(&mut self, node: &Node, path: &[NodeId], severity: Severity, message: String, fixes: Vec<Fix>, at: At) {
        let (link, gap) = match at {
            At::Layer => (None, None),
            At::Wire(link) => (Some(link), None),
            At::Gap(gap) => (None, Some(gap)),
        };
        self.diagnostics.push(Diagnostic {
            path: path.to_vec(),
            node: Some(node.id),
            name: node.name.clone(),
            link,
            gap,
            severity,
            message,
            fixes,
        });
    }
}

fn arity_error(arity: Arity, op: &'static str, found: usize) -> Option<ShapeError> {
    match arity {
        Arity::Zero if found != 0 => Some(ShapeError::Inputs { op, expected: "no input", found }),
        Arity::One if found != 1 => Some(ShapeError::Inputs { op, expected: "one input", found }),
        Arity::Many if found < 2 => Some(ShapeError::Inputs { op, expected: "at least two inputs", found }),
        _ => None,
    }
}
