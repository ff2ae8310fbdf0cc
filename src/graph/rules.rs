//! What must always hold of a graph, and how large it may become.

use super::{Content, EditError, Graph, MAX_DEPTH, MAX_NODES};
use std::collections::HashSet;

/// What must hold of every graph: unique ids and names, links between nodes that exist, no input port linked twice.
///
/// # Errors
/// The first rule that is broken.
pub fn check(graph: &Graph) -> Result<(), String> {
    let (mut ids, mut names) = (HashSet::new(), HashSet::new());
    for node in &graph.nodes {
        if !ids.insert(node.id) || !names.insert(node.name.as_str()) {
            return Err(format!("Ids and names must be unique. Received {} {:?} twice.", node.id.0, node.name));
        }
        if let Content::Group(group) = &node.content {
            check(&group.graph)?;
        }
    }
    for node in &graph.nodes {
        if let Some(outer) = super::node::prefixes(&node.name).find(|outer| names.contains(outer)) {
            return Err(format!("A name must not lie inside a sibling's. Received {outer:?} and {:?}.", node.name));
        }
    }
    let mut ports = HashSet::new();
    for link in &graph.links {
        if !ids.contains(&link.from) || !ids.contains(&link.to) {
            return Err(format!("Links must join layers that exist. Received {link:?}."));
        }
        if !ports.insert((link.to, link.to_port)) {
            return Err(format!("An input takes one link. Received a second to {link:?}."));
        }
    }
    Ok(())
}

/// What a reader would refuse must not be made by an edit.
pub(super) fn limits(graph: &Graph) -> Result<(), EditError> {
    let (nodes, depth) = (graph.count_all(), nesting(graph));
    if nodes > MAX_NODES {
        let message = format!("A network may have at most {MAX_NODES} layers. This would make {nodes}.");
        return Err(EditError::Limit(message));
    }
    if depth > MAX_DEPTH {
        let message = format!("Groups may be nested at most {MAX_DEPTH} deep. This would be {depth}.");
        return Err(EditError::Limit(message));
    }
    Ok(())
}

fn nesting(graph: &Graph) -> usize {
    let inside = |content: &Content| match content {
        Content::Group(group) => 1 + nesting(&group.graph),
        Content::Layer(_) | Content::Unknown { .. } => 0,
    };
    graph.nodes.iter().map(|node| inside(&node.content)).max().unwrap_or(0)
}
