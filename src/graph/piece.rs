//! A card that is moved takes its branch along: the least piece of the network around it with one way in and one way out.

use super::{EditError, Graph, Link, NodeId, Place, surgery};
use std::collections::{HashMap, HashSet};

impl Graph {
    /// The layers that move when this one is dragged: itself, or with several links all between the split that feeds it and
    /// the merge that it feeds, in stored order.
    ///
    /// # Errors
    /// [`EditError::NoBranch`] if there is no such piece without an input of the network, or with one way out.
    pub fn branch_of(&self, id: NodeId) -> Result<Vec<NodeId>, EditError> {
        let name = |id: NodeId| self.node(id).map_or_else(String::new, |node| node.name.clone());
        let refuse = |finding: String| EditError::NoBranch { name: name(id), finding };
        self.node(id).ok_or(EditError::NoNode)?;
        let order: HashMap<NodeId, usize> = {
            let (order, rest) = self.topological();
            let ids = order.into_iter().chain(rest).filter_map(|at| self.nodes.get(at).map(|node| node.id));
            ids.zip(0..).collect()
        };
        let mut piece = HashSet::from([id]);
        // A split goes on to where its ways are joined again.
        let next: Vec<NodeId> = self.links.iter().filter(|link| link.from == id).map(|link| link.to).collect();
        if next.len() > 1 {
            piece.extend(next.into_iter().min_by_key(|target| order.get(target)));
        }
        loop {
            let ways = Ways::of(self, &piece);
            if ways.sources.len() > 1 {
                // The latest of them: going back this way ends at the split that all come from.
                let latest = ways.sources.iter().map(|(source, _)| *source).max_by_key(|source| order.get(source));
                let Some(latest) = latest else { break };
                if self.node(latest).is_none_or(|node| node.content.is_input()) {
                    return Err(refuse(format!("{} would have to come along", name(latest))));
                }
                piece.insert(latest);
            } else if ways.exits.len() > 1 {
                if let Some(end) = ways.exits.iter().find(|exit| !self.links.iter().any(|link| link.from == **exit)) {
                    return Err(refuse(format!("{} ends without being joined", name(*end))));
                }
                let next = ways.targets.iter().copied().min_by_key(|target| order.get(target));
                let Some(next) = next else { break };
                piece.insert(next);
            } else {
                break;
            }
        }
        Ok(self.nodes.iter().map(|node| node.id).filter(|id| piece.contains(id)).collect())
    }
}

/// How a piece is joined to the rest.
#[derive(Default)]
struct Ways {
    /// Outputs outside that feed it.
    sources: Vec<(NodeId, u16)>,
    /// Nodes of it that feed the outside, or nothing.
    exits: Vec<NodeId>,
    /// Nodes outside that it feeds.
    targets: Vec<NodeId>,
    /// Links into it.
    entries: Vec<Link>,
}

impl Ways {
    fn of(graph: &Graph, piece: &HashSet<NodeId>) -> Self {
        let mut ways = Self::default();
        let mut feeding = HashSet::new();
        for link in &graph.links {
            feeding.insert(link.from);
            match (piece.contains(&link.from), piece.contains(&link.to)) {
                (false, true) => {
                    ways.entries.push(*link);
                    if !ways.sources.contains(&(link.from, link.from_port)) {
                        ways.sources.push((link.from, link.from_port));
                    }
                }
                (true, false) => {
                    ways.targets.push(link.to);
                    if !ways.exits.contains(&link.from) {
                        ways.exits.push(link.from);
                    }
                }
                _ => {}
            }
        }
        let dead = graph.nodes.iter().map(|node| node.id).filter(|id| piece.contains(id) && !feeding.contains(id));
        ways.exits.extend(dead);
        ways
    }
}

/// Moves a piece of several layers to another place; where it was, what fed it feeds what followed it.
pub(super) fn relocate(graph: &mut Graph, piece: &[NodeId], place: &Place) -> Result<(), EditError> {
    let inside: HashSet<NodeId> = piece.iter().copied().collect();
    let ways = Ways::of(graph, &inside);
    let (Some(&exit), true) = (ways.exits.first(), ways.exits.len() == 1) else { return Err(EditError::NoNode) };
    let (source, before) = match place {
        Place::After(other) | Place::Branch(other) => ((*other, 0), *other),
        Place::OnLink(link) => ((link.from, link.from_port), link.from),
        Place::Loose => {
            let name = graph.node(exit).map_or_else(String::new, |node| node.name.clone());
            return Err(EditError::NoBranch { name, finding: "a whole branch cannot lie beside the network".into() });
        }
    };
    let touches = match place {
        Place::OnLink(link) => inside.contains(&link.from) || inside.contains(&link.to),
        _ => inside.contains(&before),
    };
    if touches {
        return Ok(());
    }
    if !graph.nodes.iter().any(|node| node.id == before) {
        return Err(EditError::NoNode);
    }
    // Heal the old place.
    graph.links.retain(|link| !ways.entries.contains(link));
    let fed: HashSet<NodeId> = match ways.sources.first() {
        Some((from, _)) => graph.links.iter().filter(|link| link.from == *from).map(|link| link.to).collect(),
        None => HashSet::new(),
    };
    let leaves = |link: &Link| link.from == exit && !inside.contains(&link.to);
    let mut dropped = Vec::new();
    graph.links.retain_mut(|link| {
        if !leaves(link) {
            return true;
        }
        match ways.sources.first() {
            Some(&(from, from_port)) if !fed.contains(&link.to) => {
                (link.from, link.from_port) = (from, from_port);
                true
            }
            _ => {
                dropped.push(link.to);
                false
            }
        }
    });
    dropped.into_iter().for_each(|to| surgery::close_gaps(graph, to));
    // And stand in the new one.
    match place {
        Place::After(_) => {
            for link in graph.links.iter_mut().filter(|link| link.from == before && !inside.contains(&link.to)) {
                (link.from, link.from_port) = (exit, 0);
            }
        }
        Place::OnLink(old) => {
            let link = graph.links.iter_mut().find(|link| *link == old).ok_or(EditError::NoLink)?;
            (link.from, link.from_port) = (exit, 0);
        }
        Place::Branch(_) | Place::Loose => {}
    }
    let entries = ways.entries.iter().map(|link| Link { from: source.0, from_port: source.1, ..*link });
    graph.links.extend(entries);
    let (moved, mut rest): (Vec<_>, Vec<_>) = graph.nodes.drain(..).partition(|node| inside.contains(&node.id));
    let at = rest.iter().position(|node| node.id == before).map_or(rest.len(), |at| at + 1);
    rest.splice(at..at, moved);
    graph.nodes = rest;
    Ok(())
}
