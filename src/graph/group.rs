//! Several layers become one group card.

use super::{Content, EditError, Graph, Group, Link, Node, NodeId, Outcome};
use crate::layers::{Arity, Input, Layer};
use std::collections::HashSet;
use std::sync::Arc;

/// Puts nodes into a group. What enters them from outside becomes an Input each; the one way out becomes the group's.
///
/// If all names share their beginning (`stage1.0.conv1`, `stage1.0.bn1`), that becomes the group's name, so that what
/// [`super::expand`] took apart is put together again with every parameter path as it was.
pub(super) fn group(graph: &mut Graph, nodes: &[NodeId]) -> Result<Outcome, EditError> {
    let chosen: HashSet<NodeId> = nodes.iter().copied().collect();
    let exit = check(graph, &chosen)?;
    let members: Vec<Arc<Node>> = graph.nodes.iter().filter(|node| chosen.contains(&node.id)).cloned().collect();
    let (name, cut) = names(graph, &members);
    let id = graph.fresh_id();

    let mut inner = Graph::default();
    for member in &members {
        let mut node = (**member).clone();
        node.name.drain(..cut.min(node.name.len()));
        inner.nodes.push(Arc::new(node));
    }
    let mut sources: Vec<(NodeId, u16)> = Vec::new();
    let mut incoming: Vec<Link> = Vec::new();
    let mut outer = Vec::with_capacity(graph.links.len());
    for link in &graph.links {
        match (chosen.contains(&link.from), chosen.contains(&link.to)) {
            (true, true) => inner.links.push(*link),
            (true, false) => outer.push(Link { from: id, from_port: 0, ..*link }),
            (false, false) => outer.push(*link),
            (false, true) => {
                let source = (link.from, link.from_port);
                if !sources.contains(&source) {
                    let to_port = u16::try_from(sources.len()).unwrap_or(u16::MAX);
                    outer.push(Link { from: link.from, from_port: link.from_port, to: id, to_port });
                    sources.push(source);
                }
                incoming.push(*link);
            }
        }
    }
    // A loose piece gets one way in, so that it can be linked like any card.
    let heads: Vec<NodeId> = if sources.is_empty() { loose_heads(graph, &members) } else { Vec::new() };
    let ports = sources.len().max(usize::from(!heads.is_empty()));
    let mut inputs = Vec::with_capacity(ports);
    for port in 0..ports {
        let entry = NodeId(id.0.saturating_add(1 + port as u64));
        let name = if inner.name_rival("input", &[]).is_none() { "input".into() } else { inner.fresh_name("input") };
        let layer = Layer::from(Input { height: 1, width: 1, channels: 1 });
        inner.nodes.insert(port, Arc::new(Node::new(entry, name, Content::Layer(layer))));
        inputs.push(entry);
    }
    for link in incoming {
        let port = sources.iter().position(|source| *source == (link.from, link.from_port));
        if let Some(&from) = port.and_then(|port| inputs.get(port)) {
            inner.links.push(Link { from, from_port: 0, ..link });
        }
    }
    if let Some(&from) = inputs.first() {
        inner.links.extend(heads.into_iter().map(|to| Link { from, from_port: 0, to, to_port: 0 }));
    }

    let renamed = graph.node(exit).map(|node| (node.name.clone(), name.clone()));
    let at = graph.nodes.iter().position(|node| chosen.contains(&node.id)).unwrap_or(0);
    graph.nodes.retain(|node| !chosen.contains(&node.id));
    let content = Content::Group(Box::new(Group { graph: inner, repeat: 1, first_index: 0 }));
    graph.nodes.insert(at.min(graph.nodes.len()), Arc::new(Node::new(id, name, content)));
    graph.links = outer;
    Ok(Outcome { renamed, ..Outcome::select(vec![id]) })
}

impl Graph {
    /// Whether the parameters of these nodes keep their paths when they become a group: their names share their beginning.
    pub fn keeps_paths_grouped(&self, nodes: &[NodeId]) -> bool {
        let members: Vec<Arc<Node>> = self.nodes.iter().filter(|node| nodes.contains(&node.id)).cloned().collect();
        names(self, &members).1 > 0
    }
}

/// What a group must be; gives the node whose output is the group's.
fn check(graph: &Graph, chosen: &HashSet<NodeId>) -> Result<NodeId, EditError> {
    let refuse = |message: String| Err(EditError::Regroup(message));
    let name = |id: NodeId| graph.node(id).map_or("", |node| node.name.as_str());
    if chosen.is_empty() {
        return refuse("A group needs at least one layer. Nothing is selected. Select layers first.".into());
    }
    if chosen.iter().any(|id| graph.node(*id).is_none()) {
        return Err(EditError::NoNode);
    }
    if let Some(input) = graph.inputs().find(|node| chosen.contains(&node.id)) {
        return refuse(format!(
            "A group must lie behind the inputs, where data enter. {} is selected too. Leave it out.",
            input.name
        ));
    }
    if let Some((left, through, back)) = detour(graph, chosen) {
        return refuse(format!(
            "A group must have nothing between its layers that is not in it. {} lies between {} and {}. Select it too.",
            name(through),
            name(left),
            name(back)
        ));
    }
    let apart = unlinked(graph, chosen);
    if let Some((one, other)) = apart {
        return refuse(format!(
            "A group must be one connected piece. {} and {} are not linked within the selection. Select what joins them, or group each alone.",
            name(one),
            name(other)
        ));
    }
    let leads_out = |id: NodeId| {
        let mut links = graph.links.iter().filter(|link| link.from == id).peekable();
        links.peek().is_none() || links.any(|link| !chosen.contains(&link.to))
    };
    let exits: Vec<NodeId> =
        graph.nodes.iter().map(|node| node.id).filter(|id| chosen.contains(id) && leads_out(*id)).collect();
    match exits.as_slice() {
        [exit] => Ok(*exit),
        several => {
            let names: Vec<&str> = several.iter().map(|id| name(*id)).collect();
            refuse(format!(
                "A group needs exactly one way out. Of the selection {} lead on. Select the layer that joins them too, or fewer layers.",
                names.join(" and ")
            ))
        }
    }
}

/// A way that leaves the selection and comes back: where it leaves, a node it passes, where it enters.
fn detour(graph: &Graph, chosen: &HashSet<NodeId>) -> Option<(NodeId, NodeId, NodeId)> {
    let mut seen = HashSet::new();
    // By the node outside at which the way left the selection.
    let mut stack: Vec<(NodeId, NodeId, NodeId)> = graph
        .links
        .iter()
        .filter(|link| chosen.contains(&link.from) && !chosen.contains(&link.to))
        .map(|link| (link.from, link.to, link.to))
        .collect();
    while let Some((left, first, at)) = stack.pop() {
        if !seen.insert(at) {
            continue;
        }
        for link in graph.links.iter().filter(|link| link.from == at) {
            if chosen.contains(&link.to) {
                return Some((left, first, link.to));
            }
            stack.push((left, first, link.to));
        }
    }
    None
}

/// Two nodes of the selection that no chain of links within it joins.
fn unlinked(graph: &Graph, chosen: &HashSet<NodeId>) -> Option<(NodeId, NodeId)> {
    let first = graph.nodes.iter().map(|node| node.id).find(|id| chosen.contains(id))?;
    let mut seen = HashSet::from([first]);
    let mut stack = vec![first];
    while let Some(at) = stack.pop() {
        for link in graph.links.iter().filter(|link| link.from == at || link.to == at) {
            let other = if link.from == at { link.to } else { link.from };
            if chosen.contains(&other) && seen.insert(other) {
                stack.push(other);
            }
        }
    }
    let far = graph.nodes.iter().map(|node| node.id).find(|id| chosen.contains(id) && !seen.contains(id))?;
    Some((first, far))
}

/// Members without any link in, that take one.
fn loose_heads(graph: &Graph, members: &[Arc<Node>]) -> Vec<NodeId> {
    members
        .iter()
        .filter(|node| node.content.arity() != Arity::Zero && graph.links_into(node.id).is_empty())
        .map(|node| node.id)
        .collect()
}

/// The group's name, and how many bytes of its members' names it takes over.
fn names(graph: &Graph, members: &[Arc<Node>]) -> (String, usize) {
    let parts: Vec<Vec<&str>> = members.iter().map(|node| node.name.split('.').collect()).collect();
    let shortest = parts.iter().map(Vec::len).min().unwrap_or(0);
    let first = parts.first().map_or(&[][..], Vec::as_slice);
    let shared = (0..shortest.saturating_sub(1))
        .take_while(|&at| parts.iter().all(|part| part.get(at) == first.get(at)))
        .count();
    let prefix = first.get(..shared).unwrap_or_default().join(".");
    let ids: Vec<NodeId> = members.iter().map(|node| node.id).collect();
    if shared > 0 && graph.name_rival(&prefix, &ids).is_none() {
        let cut = prefix.len() + 1;
        return (prefix, cut);
    }
    (graph.fresh_name("block"), 0)
}
