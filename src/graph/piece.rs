//! What moves when cards are dragged: pieces of the network with one way in and one way out, which stand one after another
//! where they are put. A card with several links takes its branch along.

use super::{EditError, Graph, Link, NodeId, Place, surgery};
use crate::layers::Arity;
use std::collections::{HashMap, HashSet};

/// Layers that move together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// In the order of the flow.
    pieces: Vec<Piece>,
}

/// Layers in one piece.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    /// In stored order.
    nodes: Vec<NodeId>,
    /// What feeds it.
    source: Option<(NodeId, u16)>,
    /// Links into it.
    entries: Vec<Link>,
    /// What its output leaves by.
    exit: NodeId,
}

impl Load {
    /// All layers of it.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.pieces.iter().flat_map(|piece| &piece.nodes).copied().collect()
    }

    /// Whether a layer is part of it.
    pub fn holds(&self, id: NodeId) -> bool {
        self.pieces.iter().any(|piece| piece.nodes.contains(&id))
    }

    /// How many layers move.
    pub fn count(&self) -> usize {
        self.pieces.iter().map(|piece| piece.nodes.len()).sum()
    }

    /// Whether it can lie beside the network without losing a link: several links into one piece could not be made again.
    pub fn fits_beside(&self) -> bool {
        self.pieces.iter().all(|piece| piece.entries.len() <= 1)
    }
}

impl Graph {
    /// The layers that move when these are dragged: they themselves; one with several links takes all along between the
    /// split that feeds it and the merge that it feeds, and so do several without one way in and one way out.
    ///
    /// # Errors
    /// [`EditError::NoBranch`] or [`EditError::Apart`] if there are no such pieces, [`EditError::Stays`] for an input of the
    /// network.
    pub fn load(&self, nodes: &[NodeId]) -> Result<Load, EditError> {
        let name = |id: NodeId| self.node(id).map_or_else(String::new, |node| node.name.clone());
        let refuse = |finding: String| match nodes {
            &[one] => EditError::NoBranch { name: name(one), finding },
            _ => EditError::Apart { finding },
        };
        for &id in nodes {
            if self.node(id).ok_or(EditError::NoNode)?.content.is_input() {
                return Err(EditError::Stays { name: name(id) });
            }
        }
        let order = self.order();
        let place = |id: &NodeId| order.get(id).copied().unwrap_or(usize::MAX);
        let mut chosen: HashSet<NodeId> = nodes.iter().copied().collect();
        if let &[one] = nodes {
            // A split goes on to where its ways are joined again.
            let next: Vec<NodeId> = self.links_from(one).iter().map(|link| link.to).collect();
            chosen.extend(next.iter().filter(|_| next.len() > 1).min_by_key(|id| place(id)));
        }
        let mut pieces = loop {
            let parts = self.parts(&chosen);
            let mut more = Vec::new();
            for part in &parts {
                if part.sources.len() > 1 {
                    // The latest of them: going back this way ends at the split that all come from.
                    let Some(&(latest, _)) = part.sources.iter().max_by_key(|(id, _)| place(id)) else { continue };
                    if self.node(latest).is_none_or(|node| node.content.is_input()) {
                        return Err(refuse(format!("{} would have to come along", name(latest))));
                    }
                    more.push(latest);
                } else if part.exits.len() > 1 {
                    if let Some(end) = part.exits.iter().find(|exit| self.links_from(**exit).is_empty()) {
                        return Err(refuse(format!("{} ends without being joined", name(*end))));
                    }
                    more.extend(part.targets.iter().copied().min_by_key(place));
                }
            }
            if more.is_empty() {
                break parts;
            }
            chosen.extend(more);
        };
        let first = |part: &Part| part.nodes.iter().map(place).min();
        pieces.sort_by_key(first);
        for pair in pieces.windows(2) {
            let [before, after] = pair else { continue };
            let is_fed = |part: &Part| !part.sources.is_empty();
            let (Some(&exit), Some(&head)) = (before.exits.first(), after.nodes.iter().min_by_key(|id| place(id)))
            else {
                continue;
            };
            if is_fed(before) && is_fed(after) && !self.reaches(exit, head) {
                return Err(refuse(format!("{} and {} lie side by side", name(exit), name(head))));
            }
        }
        let whole = |part: Part| {
            let exit = *part.exits.first()?;
            let source = part.sources.first().copied();
            Some(Piece { nodes: part.nodes, source, entries: part.entries, exit })
        };
        Ok(Load { pieces: pieces.into_iter().filter_map(whole).collect() })
    }

    /// The place one step earlier (against the flow) or later for layers that move together.
    ///
    /// # Errors
    /// [`EditError::NoStep`] where there is none.
    pub fn step(&self, load: &Load, is_earlier: bool) -> Result<Place, EditError> {
        let name = |id: NodeId| self.node(id).map_or_else(String::new, |node| node.name.clone());
        let (Some(first), Some(last)) = (load.pieces.first(), load.pieces.last()) else {
            return Err(EditError::NoNode);
        };
        if is_earlier {
            let head = first.nodes.first().copied().unwrap_or(first.exit);
            let refuse = |finding: String| EditError::NoStep { name: name(head), finding };
            let (source, _) = first.source.ok_or_else(|| refuse("nothing feeds it".into()))?;
            let link = self.links_into(source).first().copied();
            link.map(Place::OnLink).ok_or_else(|| refuse(format!("nothing lies before {}", name(source))))
        } else {
            let refuse = |finding: &str| EditError::NoStep { name: name(last.exit), finding: finding.into() };
            let mut targets: Vec<NodeId> = self.links_from(last.exit).iter().map(|link| link.to).collect();
            targets.dedup();
            match targets.as_slice() {
                [] => Err(refuse("nothing follows it")),
                &[one] => Ok(Place::After(one)),
                _ => Err(refuse("its ways part behind it")),
            }
        }
    }

    /// The place of each node in the order of the flow.
    fn order(&self) -> HashMap<NodeId, usize> {
        let (order, rest) = self.topological();
        let ids = order.into_iter().chain(rest).filter_map(|at| self.nodes.get(at).map(|node| node.id));
        ids.zip(0..).collect()
    }

    /// Some nodes as connected parts, each with how it is joined to the rest.
    fn parts(&self, chosen: &HashSet<NodeId>) -> Vec<Part> {
        let mut near: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
        for link in self.links.iter().filter(|link| chosen.contains(&link.from) && chosen.contains(&link.to)) {
            near.entry(link.from).or_default().push(link.to);
            near.entry(link.to).or_default().push(link.from);
        }
        let mut part_of: HashMap<NodeId, usize> = HashMap::new();
        let mut parts: Vec<Part> = Vec::new();
        for start in self.nodes.iter().map(|node| node.id).filter(|id| chosen.contains(id)) {
            let mut at = part_of.get(&start).copied();
            if at.is_none() {
                let mut stack = vec![start];
                while let Some(id) = stack.pop() {
                    if part_of.insert(id, parts.len()).is_none() {
                        stack.extend(near.get(&id).into_iter().flatten());
                    }
                }
                at = Some(parts.len());
                parts.push(Part::default());
            }
            if let Some(part) = at.and_then(|at| parts.get_mut(at)) {
                part.nodes.push(start);
            }
        }
        let mut feeding = HashSet::new();
        for link in &self.links {
            feeding.insert(link.from);
            let ends = [link.from, link.to].map(|id| part_of.get(&id).copied());
            match ends {
                [None, Some(at)] => {
                    let part = &mut parts[at];
                    part.entries.push(*link);
                    if !part.sources.contains(&(link.from, link.from_port)) {
                        part.sources.push((link.from, link.from_port));
                    }
                }
                [Some(at), None] => {
                    let part = &mut parts[at];
                    part.targets.push(link.to);
                    if !part.exits.contains(&link.from) {
                        part.exits.push(link.from);
                    }
                }
                _ => {}
            }
        }
        for part in &mut parts {
            part.exits.extend(part.nodes.iter().filter(|id| !feeding.contains(id)));
        }
        parts
    }
}

/// Connected nodes and how they are joined to the rest.
#[derive(Default)]
struct Part {
    /// In stored order.
    nodes: Vec<NodeId>,
    /// Outputs outside that feed it.
    sources: Vec<(NodeId, u16)>,
    /// Nodes of it that feed the outside, or nothing.
    exits: Vec<NodeId>,
    /// Nodes outside that it feeds.
    targets: Vec<NodeId>,
    /// Links into it.
    entries: Vec<Link>,
}

/// Moves layers to another place, those of several pieces one after another; where a piece was, what fed it feeds what
/// followed it.
pub(super) fn relocate(graph: &mut Graph, nodes: &[NodeId], place: &Place) -> Result<(), EditError> {
    let load = graph.load(nodes)?;
    let touches = match place {
        Place::OnLink(link) => load.holds(link.from) || load.holds(link.to),
        Place::After(other) | Place::Branch(other) => load.holds(*other),
        Place::Loose => false,
    };
    if touches {
        return Ok(());
    }
    match place {
        Place::OnLink(link) if !graph.links.contains(link) => return Err(EditError::NoLink),
        Place::After(other) | Place::Branch(other) if graph.node(*other).is_none() => return Err(EditError::NoNode),
        Place::Loose if !load.fits_beside() => {
            let name = load.pieces.first().and_then(|piece| graph.node(piece.exit));
            let name = name.map_or_else(String::new, |node| node.name.clone());
            let finding = "a branch that several links enter cannot lie beside the network".into();
            return Err(EditError::NoBranch { name, finding });
        }
        _ => {}
    }
    load.pieces.iter().for_each(|piece| take_out(graph, piece));
    put(graph, &load, place);
    Ok(())
}

/// Heals the place of a piece: what fed it feeds what followed it.
fn take_out(graph: &mut Graph, piece: &Piece) {
    graph.links.retain(|link| !piece.entries.contains(link));
    let fed: HashSet<NodeId> = match piece.source {
        Some((from, _)) => graph.links.iter().filter(|link| link.from == from).map(|link| link.to).collect(),
        None => HashSet::new(),
    };
    let mut dropped = Vec::new();
    graph.links.retain_mut(|link| {
        if link.from != piece.exit || piece.nodes.contains(&link.to) {
            return true;
        }
        match piece.source {
            Some((from, from_port)) if !fed.contains(&link.to) => {
                (link.from, link.from_port) = (from, from_port);
                true
            }
            // A skip link that would double an existing one goes away.
            _ => {
                dropped.push(link.to);
                false
            }
        }
    });
    dropped.into_iter().for_each(|to| surgery::close_gaps(graph, to));
}

/// Lets pieces without links to the rest stand somewhere, each fed by the one before.
fn put(graph: &mut Graph, load: &Load, place: &Place) {
    let Some(last) = load.pieces.last().map(|piece| piece.exit) else { return };
    let from = match place {
        Place::After(other) | Place::Branch(other) => Some((*other, 0)),
        Place::OnLink(link) => Some((link.from, link.from_port)),
        Place::Loose => None,
    };
    // In an old link's place, so that siblings keep their order.
    let mut at = graph.links.len();
    match place {
        Place::After(other) => {
            for link in graph.links.iter_mut().filter(|link| link.from == *other) {
                (link.from, link.from_port) = (last, 0);
            }
        }
        Place::OnLink(old) => {
            if let Some(index) = graph.links.iter().position(|link| link == old) {
                at = index;
                graph.links[index] = Link { from: last, from_port: 0, ..*old };
            }
        }
        Place::Branch(_) | Place::Loose => {}
    }
    if let Some(mut from) = from {
        let mut entries = Vec::new();
        for piece in &load.pieces {
            let heads = if piece.entries.is_empty() { heads(graph, piece) } else { piece.entries.clone() };
            entries.extend(heads.into_iter().map(|link| Link { from: from.0, from_port: from.1, ..link }));
            from = (piece.exit, 0);
        }
        graph.links.splice(at..at, entries);
    }
    let nodes: HashSet<NodeId> = load.nodes().into_iter().collect();
    let (mut moved, mut rest): (Vec<_>, Vec<_>) = graph.nodes.drain(..).partition(|node| nodes.contains(&node.id));
    let piece_of = |id: NodeId| load.pieces.iter().position(|piece| piece.nodes.contains(&id));
    moved.sort_by_key(|node| piece_of(node.id));
    let behind = |id: NodeId| rest.iter().position(|node| node.id == id).map_or(rest.len(), |at| at + 1);
    let index = match (place, from) {
        // A branch stands to the right of what is there, so behind it in the stored order.
        (Place::Branch(_), Some((other, _))) => {
            let fed = |id: NodeId| graph.links.iter().any(|link| link.from == other && link.to == id);
            rest.iter().rposition(|node| fed(node.id)).map_or(0, |at| at + 1).max(behind(other))
        }
        (_, Some((other, _))) => behind(other),
        (_, None) => rest.len(),
    };
    rest.splice(index..index, moved);
    graph.nodes = rest;
}

/// Where links into a piece that has none would go.
fn heads(graph: &Graph, piece: &Piece) -> Vec<Link> {
    let fed: HashSet<NodeId> = graph.links.iter().map(|link| link.to).collect();
    let takes = |id: &NodeId| graph.node(*id).is_some_and(|node| node.content.arity() != Arity::Zero);
    let open = piece.nodes.iter().filter(|id| !fed.contains(id) && takes(id));
    open.map(|&to| Link { from: piece.exit, from_port: 0, to, to_port: 0 }).collect()
}
