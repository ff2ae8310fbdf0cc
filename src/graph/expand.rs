//! A group, or a block of several ops, is taken apart into plain layers that stand where it stood.
//!
//! Every parameter keeps its path: the layers are named `group.child`, of repeated groups `group.0.child`.

use super::{Content, EditError, Graph, Group, Link, MAX_NODES, Node, NodeId, Outcome, check_name, surgery};
use crate::layers::{Layer, LayerKind as _};
use crate::op::{Lowering, Program, Shape, ValueId};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// An output: a node and which of its outputs.
type Source = (NodeId, u16);

/// What stands in the place of the card.
#[derive(Default)]
struct Parts {
    nodes: Vec<Node>,
    links: Vec<Link>,
    /// What followed the card follows this.
    output: Option<Source>,
}

/// Takes a node apart. `inputs` are the shapes that enter it; a group does not need them.
pub(super) fn expand(graph: &mut Graph, id: NodeId, inputs: &[Shape]) -> Result<Outcome, EditError> {
    let node = graph.node(id).ok_or(EditError::NoNode)?.clone();
    if node.bypassed {
        let message = "A layer must be in force to be expanded. {} is bypassed. Use it again (Ctrl+B) first.";
        return refuse(message.replace("{}", &node.name));
    }
    let given: Vec<Source> = graph.links_into(id).iter().map(|link| (link.from, link.from_port)).collect();
    let next = graph.fresh_id().0;
    let parts = match &node.content {
        Content::Group(group) => of_group(&node, group, &given, next)?,
        Content::Layer(layer) => of_layer(&node, layer, &given, inputs, next)?,
        Content::Unknown { kind } => {
            return refuse(format!("The kind of a layer must be known to expand it. {} is {kind:?}.", node.name));
        }
    };
    for part in &parts.nodes {
        check_name(&part.name).map_err(|rule| EditError::Name { rule, found: part.name.clone() })?;
        if let Some(rival) = graph.name_rival(&part.name, &[id]) {
            let rule = format!("The names of expanded layers must be free. There is a layer {:?} already.", rival.name);
            return Err(EditError::Name { rule, found: part.name.clone() });
        }
    }
    let last = parts.output.and_then(|(output, _)| parts.nodes.iter().find(|part| part.id == output));
    let renamed = last.map(|last| (node.name.clone(), last.name.clone()));
    let select: Vec<NodeId> = parts.nodes.iter().map(|part| part.id).collect();

    let at = graph.nodes.iter().position(|other| other.id == id).ok_or(EditError::NoNode)?;
    graph.nodes.splice(at..=at, parts.nodes.into_iter().map(Arc::new));
    // In the old links' place, so that siblings keep their order.
    let mut links = Vec::with_capacity(graph.links.len() + parts.links.len());
    let mut inner = Some(parts.links);
    let mut shortened = Vec::new();
    for link in graph.links.drain(..) {
        if link.to == id || link.from == id {
            links.extend(inner.take().unwrap_or_default());
        }
        match (link.from == id, parts.output) {
            (true, Some((from, from_port))) if link.to != id => links.push(Link { from, from_port, ..link }),
            (true, _) => shortened.push(link.to),
            (false, _) if link.to != id => links.push(link),
            (false, _) => {}
        }
    }
    links.extend(inner.take().unwrap_or_default());
    graph.links = links;
    for to in select.iter().chain(&shortened) {
        surgery::close_gaps(graph, *to);
    }
    Ok(Outcome { renamed, ..Outcome::select(select) })
}

fn refuse<T>(message: String) -> Result<T, EditError> {
    Err(EditError::Regroup(message))
}

/// The layers of a group, once for each copy, each copy fed by the one before.
fn of_group(node: &Node, group: &Group, given: &[Source], mut next: u64) -> Result<Parts, EditError> {
    let entries: Vec<NodeId> = group.graph.inputs().map(|input| input.id).collect();
    if group.repeat > 1 && entries.len() != 1 {
        return refuse(format!(
            "A repeated group needs exactly one Input inside. {} has {}. Remove the others, or set its copies to 1.",
            node.name,
            entries.len()
        ));
    }
    let feeds: HashSet<NodeId> = group.graph.links.iter().map(|link| link.from).collect();
    let fed: HashSet<NodeId> = group.graph.links.iter().map(|link| link.to).collect();
    let is_sink = |inner: &Node| !feeds.contains(&inner.id) && fed.contains(&inner.id) && !inner.content.is_input();
    let sinks: Vec<&Arc<Node>> = group.graph.nodes.iter().filter(|inner| is_sink(inner)).collect();
    let [sink] = sinks.as_slice() else {
        return refuse(format!(
            "A group needs exactly one output to be expanded. Inside {} nothing follows {} layers. Open it and join them.",
            node.name,
            sinks.len()
        ));
    };
    let copies = group.repeat as usize;
    let total = group.graph.count_all().saturating_mul(copies);
    if total > MAX_NODES {
        return Err(EditError::Limit(format!(
            "A network may have at most {MAX_NODES} layers. Expanding {} would make {total}.",
            node.name
        )));
    }
    let mut parts = Parts::default();
    let mut given: Vec<Option<Source>> = given.iter().copied().map(Some).collect();
    for copy in 0..group.repeat {
        let prefix = if group.repeat > 1 {
            format!("{}.{}", node.name, group.first_index.saturating_add(copy))
        } else {
            node.name.clone()
        };
        let mut ids: HashMap<NodeId, NodeId> = HashMap::new();
        for inner in group.graph.nodes.iter().filter(|inner| !inner.content.is_input()) {
            let mut part = (**inner).clone();
            part.id = NodeId(next);
            next = next.saturating_add(1);
            part.name = format!("{prefix}.{}", inner.name);
            part.trainable &= node.trainable;
            ids.insert(inner.id, part.id);
            parts.nodes.push(part);
        }
        let source = |id: NodeId, port: u16| match entries.iter().position(|entry| *entry == id) {
            Some(entry) => given.get(entry).copied().flatten(),
            None => ids.get(&id).map(|&id| (id, port)),
        };
        for link in &group.graph.links {
            if let (Some((from, from_port)), Some(&to)) = (source(link.from, link.from_port), ids.get(&link.to)) {
                parts.links.push(Link { from, from_port, to, to_port: link.to_port });
            }
        }
        parts.output = source(sink.id, 0);
        given = vec![parts.output];
    }
    Ok(parts)
}

/// The ops of a layer, each as a layer of its own.
fn of_layer(node: &Node, layer: &Layer, given: &[Source], inputs: &[Shape], mut next: u64) -> Result<Parts, EditError> {
    let unknown = || {
        format!(
            "A block can be expanded once it is known what enters it. {} is not linked or has an error. Mend that first.",
            node.name
        )
    };
    if inputs.len() != given.len() || given.is_empty() {
        return refuse(unknown());
    }
    let Some((program, entries, output)) = lowered(layer, inputs) else { return refuse(unknown()) };
    if program.ops.len() < 2 {
        let kind = layer.about().name;
        return refuse(format!(
            "Only what is made of several layers can be expanded. {} is a single {kind}.",
            node.name
        ));
    }
    let mut parts = Parts::default();
    let mut sources: HashMap<ValueId, Source> = entries.into_iter().zip(given.iter().copied()).collect();
    let mut taken = HashSet::new();
    for op in &program.ops {
        let Some(layer) = Layer::from_op(&op.op) else {
            return refuse(format!("{} has a {} inside, which is no layer of its own.", node.name, op.op.name()));
        };
        let path = if op.path.is_empty() { node.name.clone() } else { format!("{}.{}", node.name, op.path) };
        // Two ops of one path: the second, which has no parameters, is named after its kind.
        let name = if taken.contains(&path) { format!("{path}_{}", layer.about().stem) } else { path };
        if !taken.insert(name.clone()) || super::node::prefixes(&name).any(|outer| taken.contains(outer)) {
            let found = &node.name;
            return refuse(format!(
                "Parameters must keep their names. Those inside {found} could not as single layers."
            ));
        }
        let id = NodeId(next);
        next = next.saturating_add(1);
        for (to_port, value) in (0..).zip(&op.inputs) {
            if let Some(&(from, from_port)) = sources.get(value) {
                parts.links.push(Link { from, from_port, to: id, to_port });
            }
        }
        sources.extend(op.outputs.iter().zip(0..).map(|(value, port)| (*value, (id, port))));
        let init = if layer.has_weights() { node.init } else { crate::op::Init::default() };
        let trainable = node.trainable;
        parts.nodes.push(Node { trainable, init, ..Node::new(id, name, Content::Layer(layer)) });
    }
    parts.output = sources.get(&output).copied();
    Ok(parts)
}

/// A layer lowered alone, with the values that enter it and the one that leaves.
fn lowered(layer: &Layer, inputs: &[Shape]) -> Option<(Program, Vec<ValueId>, ValueId)> {
    let mut lowering = Lowering::new();
    let entries: Option<Vec<ValueId>> =
        inputs.iter().map(|shape| lowering.input("input", shape.clone()).ok()).collect();
    let entries = entries?;
    let output = layer.lower(&mut lowering, &entries).ok()?;
    Some((lowering.finish(), entries, output))
}
