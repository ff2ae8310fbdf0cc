//! Nodes, links and the graph they form. No coordinates: the drawing is derived.

use crate::layers::{About, Arity, Layer, LayerKind as _};
use crate::op::Init;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// Stable, opaque id of a node, unique within its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeId(pub u64);

/// A nested network shown as one card.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Its layers. Each Input layer in it is a port of the group; layers that nothing follows are its outputs.
    pub graph: Graph,
    /// Copies in a row, each with weights of its own.
    pub repeat: u32,
    /// Number of the first copy in parameter names.
    pub first_index: u32,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A layer of a known kind.
    Layer(Layer),
    /// A nested network.
    Group(Box<Group>),
    /// A kind this version does not know; kept as it is in the file.
    Unknown {
        /// Its kind id.
        kind: String,
    },
}

impl Content {
    /// The kind id in files.
    pub fn kind_id(&self) -> &str {
        match self {
            Self::Layer(layer) => layer.about().id,
            Self::Group(_) => "group",
            Self::Unknown { kind } => kind,
        }
    }

    /// The kind's name for a person.
    pub fn kind_name(&self) -> &str {
        match self {
            Self::Layer(layer) => layer.about().name,
            Self::Group(_) => "Group",
            Self::Unknown { kind } => kind,
        }
    }

    /// The description of the kind, if it is a layer.
    pub fn about(&self) -> Option<&'static About> {
        match self {
            Self::Layer(layer) => Some(layer.about()),
            Self::Group(_) | Self::Unknown { .. } => None,
        }
    }

    /// How many inputs it takes.
    pub fn arity(&self) -> Arity {
        match self {
            Self::Layer(layer) => layer.arity(),
            Self::Group(group) => match group.graph.inputs().count() {
                0 => Arity::Zero,
                1 => Arity::One,
                _ => Arity::Many,
            },
            Self::Unknown { .. } => Arity::One,
        }
    }

    /// Start of default names.
    pub fn stem(&self) -> &str {
        match self {
            Self::Layer(layer) => layer.about().stem,
            Self::Group(_) => "block",
            Self::Unknown { .. } => "layer",
        }
    }

    /// Whether this is an Input layer.
    pub fn is_input(&self) -> bool {
        matches!(self, Self::Layer(layer) if layer.input_shape().is_some())
    }
}

/// One card.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Stable id.
    pub id: NodeId,
    /// Name, unique among its siblings; part of parameter paths.
    pub name: String,
    /// What it is.
    pub content: Content,
    /// False freezes it: neither weights nor statistics change.
    pub trainable: bool,
    /// True takes it out without removing it: what enters leaves unchanged.
    pub bypassed: bool,
    /// Rule for initial weights.
    pub init: Init,
    /// The node as it stood in the file, so that what this version does not know survives.
    pub raw: Map<String, Value>,
}

/// A wire: output `from_port` of one node to input `to_port` of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Link {
    /// Giving node.
    pub from: NodeId,
    /// Which of its outputs.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub from_port: u16,
    /// Taking node.
    pub to: NodeId,
    /// Which of its inputs.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub to_port: u16,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(port: &u16) -> bool {
    *port == 0
}

/// A network: nodes in their stored order, and links.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// Nodes; their order is the order of siblings in the drawing.
    pub nodes: Vec<Arc<Node>>,
    /// Links.
    pub links: Vec<Link>,
}

impl Graph {
    /// The node of an id.
    pub fn node(&self, id: NodeId) -> Option<&Arc<Node>> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// The node of a name.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Node>> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// The Input layers, in stored order.
    pub fn inputs(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.iter().filter(|node| node.content.is_input())
    }

    /// Links into a node, by port.
    pub fn links_into(&self, id: NodeId) -> Vec<Link> {
        let mut links: Vec<Link> = self.links.iter().filter(|link| link.to == id).copied().collect();
        links.sort_by_key(|link| link.to_port);
        links
    }

    /// Links out of a node, in stored order.
    pub fn links_from(&self, id: NodeId) -> Vec<Link> {
        self.links.iter().filter(|link| link.from == id).copied().collect()
    }

    /// A new id.
    pub fn fresh_id(&self) -> NodeId {
        NodeId(self.nodes.iter().map(|node| node.id.0).max().unwrap_or(0).saturating_add(1))
    }

    /// A name that no sibling has: the stem and the first free number.
    pub fn fresh_name(&self, stem: &str) -> String {
        let taken: std::collections::HashSet<&str> =
            self.nodes.iter().flat_map(|node| prefixes(&node.name).chain([node.name.as_str()])).collect();
        (1..=u64::MAX).map(|n| format!("{stem}{n}")).find(|name| !taken.contains(name.as_str())).unwrap_or_default()
    }

    /// The sibling whose name keeps `name` from being used: the same, or one that lies inside the other (`a` and `a.b`),
    /// whose parameters could then be called alike.
    pub fn name_rival(&self, name: &str, except: &[NodeId]) -> Option<&Arc<Node>> {
        let inside = |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
        self.nodes.iter().find(|node| {
            let other = node.name.as_str();
            !except.contains(&node.id) && (other == name || inside(other, name) || inside(name, other))
        })
    }

    /// Index of each id in `nodes`.
    pub fn index(&self) -> HashMap<NodeId, usize> {
        self.nodes.iter().enumerate().map(|(index, node)| (node.id, index)).collect()
    }

    /// All nodes in an order in which each follows what it reads, stored order where there is a choice; and those in or
    /// behind a cycle, which have no place in such an order.
    pub fn topological(&self) -> (Vec<usize>, Vec<usize>) {
        let index = self.index();
        let mut waiting = vec![0_usize; self.nodes.len()];
        let mut next: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for link in &self.links {
            if let (Some(&from), Some(&to)) = (index.get(&link.from), index.get(&link.to)) {
                next[from].push(to);
                waiting[to] += 1;
            }
        }
        let mut ready: std::collections::BinaryHeap<std::cmp::Reverse<usize>> =
            (0..self.nodes.len()).filter(|&i| waiting[i] == 0).map(std::cmp::Reverse).collect();
        let mut order = Vec::with_capacity(self.nodes.len());
        while let Some(std::cmp::Reverse(at)) = ready.pop() {
            order.push(at);
            for &to in &next[at] {
                waiting[to] -= 1;
                if waiting[to] == 0 {
                    ready.push(std::cmp::Reverse(to));
                }
            }
        }
        let rest = (0..self.nodes.len()).filter(|&i| waiting[i] > 0).collect();
        (order, rest)
    }

    /// Whether `to` can be reached from `from` along links.
    pub fn reaches(&self, from: NodeId, to: NodeId) -> bool {
        let mut next: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
        self.links.iter().for_each(|link| next.entry(link.from).or_default().push(link.to));
        let mut seen = std::collections::HashSet::new();
        let mut stack = vec![from];
        while let Some(at) = stack.pop() {
            if at == to {
                return true;
            }
            if seen.insert(at) {
                stack.extend(next.get(&at).into_iter().flatten());
            }
        }
        false
    }

    /// For each node, in stored order, the number of its circle: nodes share one if each can be reached from the other. Takes
    /// time in proportion to nodes and links, also for a circle of thousands.
    ///
    /// # Source
    /// S. R. Kosaraju's two depth-first passes, in A. Aho, J. Hopcroft, J. Ullman, *Data Structures and Algorithms*, 1983.
    pub fn circles(&self) -> Vec<usize> {
        let index = self.index();
        let (mut next, mut back) = (vec![Vec::new(); self.nodes.len()], vec![Vec::new(); self.nodes.len()]);
        for link in &self.links {
            if let (Some(&from), Some(&to)) = (index.get(&link.from), index.get(&link.to)) {
                next[from].push(to);
                back[to].push(from);
            }
        }
        // Nodes in the order in which a depth-first walk leaves them.
        let mut left = Vec::with_capacity(self.nodes.len());
        let mut seen = vec![false; self.nodes.len()];
        for start in 0..self.nodes.len() {
            if std::mem::replace(&mut seen[start], true) {
                continue;
            }
            let mut stack = vec![(start, 0)];
            while let Some((at, child)) = stack.last_mut() {
                if let Some(&to) = next[*at].get(*child) {
                    *child += 1;
                    if !std::mem::replace(&mut seen[to], true) {
                        stack.push((to, 0));
                    }
                } else {
                    left.push(*at);
                    stack.pop();
                }
            }
        }
        let mut circle = vec![usize::MAX; self.nodes.len()];
        for (number, &start) in left.iter().rev().enumerate() {
            let mut stack = vec![start];
            while let Some(at) = stack.pop() {
                if circle[at] == usize::MAX {
                    circle[at] = number;
                    stack.extend(&back[at]);
                }
            }
        }
        circle
    }

    /// The graph at a path of groups; the graph itself for an empty path.
    pub fn at(&self, path: &[NodeId]) -> Option<&Self> {
        match path {
            [] => Some(self),
            [first, rest @ ..] => match &self.node(*first)?.content {
                Content::Group(group) => group.graph.at(rest),
                Content::Layer(_) | Content::Unknown { .. } => None,
            },
        }
    }

    /// Path of names of a node, as parameters and the engine know it: `stage1.0.conv2`. Of repeated groups the first copy.
    pub fn name_path(&self, ids: &[NodeId]) -> Option<String> {
        let mut graph = self;
        let mut names = Vec::new();
        for id in ids {
            let node = graph.node(*id)?;
            names.push(node.name.clone());
            if let Content::Group(group) = &node.content {
                if group.repeat > 1 && names.len() < ids.len() {
                    names.push(group.first_index.to_string());
                }
                graph = &group.graph;
            }
        }
        Some(names.join("."))
    }

    /// Layers in this graph and all nested ones: neither the groups themselves nor the ways in.
    pub fn count_layers(&self) -> usize {
        self.nodes
            .iter()
            .map(|node| match &node.content {
                Content::Group(group) => group.graph.count_layers(),
                _ => usize::from(!node.content.is_input()),
            })
            .sum()
    }

    /// Nodes in this graph and all nested ones.
    pub fn count_all(&self) -> usize {
        self.nodes
            .iter()
            .map(|node| match &node.content {
                Content::Group(group) => 1 + group.graph.count_all(),
                Content::Layer(_) | Content::Unknown { .. } => 1,
            })
            .sum()
    }
}

/// The names that a dotted name lies inside: `a` and `a.b` of `a.b.c`.
pub(super) fn prefixes(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').filter_map(|(at, _)| name.get(..at))
}

impl Node {
    /// A node with default settings around a content.
    pub fn new(id: NodeId, name: impl Into<String>, content: Content) -> Self {
        Self {
            id,
            name: name.into(),
            content,
            trainable: true,
            bypassed: false,
            init: Init::default(),
            raw: Map::new(),
        }
    }

    /// The layer, if it is one of a known kind.
    pub fn layer(&self) -> Option<&Layer> {
        match &self.content {
            Content::Layer(layer) => Some(layer),
            Content::Group(_) | Content::Unknown { .. } => None,
        }
    }
}
