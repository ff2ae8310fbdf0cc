//! Cutting and joining: the graph operations behind the edits.

use super::node::prefixes;
use super::{EditError, Graph, Link, Node, NodeId, Place};
use crate::layers::Arity;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Adds a node at a place and gives its id.
pub(super) fn insert(graph: &mut Graph, node: Node, place: &Place) -> Result<NodeId, EditError> {
    let id = node.id;
    let takes_input = node.content.arity() != Arity::Zero;
    match place {
        Place::Loose => graph.nodes.push(Arc::new(node)),
        Place::After(before) | Place::Branch(before) => {
            let index = graph.nodes.iter().position(|n| n.id == *before).ok_or(EditError::NoNode)?;
            // A branch stands to the right of what is there, so behind it in the stored order.
            let fed = |n: &Node| graph.links.iter().any(|link| link.from == *before && link.to == n.id);
            let beside = matches!(place, Place::Branch(_)).then(|| graph.nodes.iter().rposition(|n| fed(n))).flatten();
            graph.nodes.insert(beside.map_or(index, |at| at.max(index)) + 1, Arc::new(node));
            if takes_input {
                if matches!(place, Place::After(_)) {
                    for link in graph.links.iter_mut().filter(|link| link.from == *before) {
                        link.from = id;
                    }
                }
                graph.links.push(Link { from: *before, from_port: 0, to: id, to_port: 0 });
            }
        }
        Place::OnLink(link) => {
            let at = graph.links.iter().position(|other| other == link).ok_or(EditError::NoLink)?;
            if !takes_input {
                return Err(EditError::NoInput { name: node.name });
            }
            let index = graph.nodes.iter().position(|n| n.id == link.from).ok_or(EditError::NoNode)?;
            graph.nodes.insert(index + 1, Arc::new(node));
            // In the old link's place, so that siblings keep their order.
            graph.links[at] = Link { from: id, from_port: 0, to: link.to, to_port: link.to_port };
            graph.links.insert(at, Link { from: link.from, from_port: link.from_port, to: id, to_port: 0 });
        }
    }
    Ok(id)
}

/// Removes a node; its first source then feeds what it fed.
pub(super) fn remove(graph: &mut Graph, id: NodeId) -> Result<(), EditError> {
    detach(graph, id);
    let index = graph.nodes.iter().position(|node| node.id == id).ok_or(EditError::NoNode)?;
    graph.nodes.remove(index);
    Ok(())
}

/// Takes all links off a node and joins what it joined.
fn detach(graph: &mut Graph, id: NodeId) {
    let source = graph.links_into(id).first().map(|link| (link.from, link.from_port));
    graph.links.retain(|link| link.to != id);
    let Some((from, from_port)) = source else {
        let targets: Vec<NodeId> = graph.links_from(id).iter().map(|link| link.to).collect();
        graph.links.retain(|link| link.from != id);
        targets.into_iter().for_each(|to| close_gaps(graph, to));
        return;
    };
    let fed: Vec<NodeId> = graph.links.iter().filter(|link| link.from == from).map(|link| link.to).collect();
    let mut doubled = Vec::new();
    for link in graph.links.iter_mut().filter(|link| link.from == id) {
        // A skip link that would double an existing one goes away with the layer.
        if fed.contains(&link.to) {
            doubled.push(*link);
        } else {
            (link.from, link.from_port) = (from, from_port);
        }
    }
    graph.links.retain(|link| !doubled.contains(link));
    doubled.into_iter().for_each(|link| close_gaps(graph, link.to));
}

/// Renumbers the input ports of a node 0, 1, 2 … in their order.
pub(super) fn close_gaps(graph: &mut Graph, to: NodeId) {
    let ports: HashMap<u16, u16> =
        graph.links_into(to).iter().zip(0..).map(|(link, port)| (link.to_port, port)).collect();
    for link in graph.links.iter_mut().filter(|link| link.to == to) {
        link.to_port = ports.get(&link.to_port).copied().unwrap_or(link.to_port);
    }
}

/// Adds a link.
pub(super) fn connect(graph: &mut Graph, from: NodeId, to: NodeId, port: Option<u16>) -> Result<(), EditError> {
    let source = graph.node(from).ok_or(EditError::NoNode)?.clone();
    let target = graph.node(to).ok_or(EditError::NoNode)?.clone();
    if graph.reaches(to, from) {
        return Err(EditError::Cycle { from: source.name.clone(), to: target.name.clone() });
    }
    let present = graph.links_into(to);
    let port = match target.content.arity() {
        Arity::Zero => return Err(EditError::NoInput { name: target.name.clone() }),
        Arity::One => 0,
        Arity::Many => {
            let next = present.last().map_or(0, |link| link.to_port.saturating_add(1));
            port.filter(|port| *port < next).unwrap_or(next)
        }
    };
    if present.iter().any(|link| link.from == from && link.to_port == port) {
        return Err(EditError::Linked { from: source.name.clone(), to: target.name.clone() });
    }
    graph.links.retain(|link| !(link.to == to && link.to_port == port));
    graph.links.push(Link { from, from_port: 0, to, to_port: port });
    Ok(())
}

/// Adds copies of nodes with the links among them; gives the new ids. A free name is kept.
pub(super) fn paste(graph: &mut Graph, fragment: &Graph) -> Vec<NodeId> {
    let mut ids = HashMap::new();
    let mut added = Vec::new();
    let mut names = Names::of(graph);
    let mut next = graph.fresh_id().0;
    for node in &fragment.nodes {
        let mut copy = (**node).clone();
        copy.id = NodeId(next);
        next = next.saturating_add(1);
        if !names.is_free(&copy.name) {
            copy.name = names.fresh(copy.content.stem());
        }
        names.add(&copy.name);
        ids.insert(node.id, copy.id);
        added.push(copy.id);
        graph.nodes.push(Arc::new(copy));
    }
    for link in &fragment.links {
        if let (Some(&from), Some(&to)) = (ids.get(&link.from), ids.get(&link.to)) {
            graph.links.push(Link { from, to, ..*link });
        }
    }
    // Ports of links that were not copied leave gaps.
    let fed: HashSet<NodeId> = fragment.links.iter().filter_map(|link| ids.get(&link.to).copied()).collect();
    added.iter().filter(|id| fed.contains(id)).for_each(|&id| close_gaps(graph, id));
    added
}

/// The names of a graph, for giving many new ones.
struct Names {
    own: HashSet<String>,
    /// Names and the dotted names they lie inside.
    taken: HashSet<String>,
    counters: HashMap<String, u64>,
}

impl Names {
    fn of(graph: &Graph) -> Self {
        let mut names = Self { own: HashSet::new(), taken: HashSet::new(), counters: HashMap::new() };
        graph.nodes.iter().for_each(|node| names.add(&node.name));
        names
    }

    fn add(&mut self, name: &str) {
        self.own.insert(name.to_owned());
        self.taken.extend(prefixes(name).chain([name]).map(str::to_owned));
    }

    fn is_free(&self, name: &str) -> bool {
        !self.taken.contains(name) && !prefixes(name).any(|outer| self.own.contains(outer))
    }

    fn fresh(&mut self, stem: &str) -> String {
        let counter = self.counters.entry(stem.to_owned()).or_insert(1);
        while self.taken.contains(&format!("{stem}{counter}")) {
            *counter += 1;
        }
        format!("{stem}{counter}")
    }
}
