//! Every way to change a document, as values. One function applies them and checks what must always hold.

use super::{Content, DataSpec, Document, Graph, Head, Link, Node, NodeId, TrainSpec, check_name};
use super::{check, expand, group, piece, rules, surgery};
use crate::layers::{Arity, Layer};
use crate::op::{Init, Shape};
use std::sync::Arc;

/// Where a new or moved layer goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// Behind a node: it takes over the node's links to what follows.
    After(NodeId),
    /// Into a wire.
    OnLink(Link),
    /// As a branch: linked from a node whose other links stay.
    Branch(NodeId),
    /// Beside the network, not linked.
    Loose,
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Adds a layer or group.
    Insert {
        /// What.
        content: Box<Content>,
        /// Where.
        place: Place,
    },
    /// Removes nodes; what fed a node then feeds what followed it.
    Remove {
        /// Which.
        nodes: Vec<NodeId>,
    },
    /// Takes nodes out (healing their places) and puts them elsewhere, one piece after another.
    Move {
        /// Which.
        nodes: Vec<NodeId>,
        /// Where.
        place: Place,
    },
    /// Replaces the settings of a layer.
    SetLayer {
        /// Which.
        node: NodeId,
        /// New settings.
        layer: Box<Layer>,
    },
    /// Changes how often a group repeats.
    SetRepeat {
        /// Which.
        node: NodeId,
        /// Copies.
        repeat: u32,
        /// Number of the first.
        first_index: u32,
    },
    /// Gives a node another name.
    Rename {
        /// Which.
        node: NodeId,
        /// New name.
        name: String,
    },
    /// Freezes or unfreezes nodes.
    SetTrainable {
        /// Which.
        nodes: Vec<NodeId>,
        /// Whether they learn.
        trainable: bool,
    },
    /// Bypasses nodes, or takes them up again.
    SetBypassed {
        /// Which.
        nodes: Vec<NodeId>,
        /// Whether what enters leaves unchanged.
        bypassed: bool,
    },
    /// Puts nodes into one group card.
    Group {
        /// Which; one connected piece with one way out.
        nodes: Vec<NodeId>,
    },
    /// Takes a group or a block apart into plain layers; every parameter keeps its path.
    Expand {
        /// Which.
        node: NodeId,
        /// Shapes that enter it; a group needs none.
        inputs: Vec<Shape>,
    },
    /// Chooses the rule for initial weights.
    SetInit {
        /// Which.
        node: NodeId,
        /// The rule.
        init: Init,
    },
    /// Adds a link; an occupied input of a layer with one input is taken over.
    Connect {
        /// Giving node.
        from: NodeId,
        /// Taking node.
        to: NodeId,
        /// Which input; the next free one if `None`.
        port: Option<u16>,
    },
    /// Removes a link.
    Disconnect {
        /// Which.
        link: Link,
    },
    /// Adds copies of nodes with the links among them, beside the network.
    Paste {
        /// The nodes and links.
        fragment: Box<Graph>,
    },
    /// Replaces the training settings.
    SetTraining(Box<TrainSpec>),
    /// Replaces the data.
    SetData(Box<DataSpec>),
    /// Replaces the heads.
    SetHeads(Vec<Head>),
    /// Changes the seed.
    SetSeed(u64),
    /// Renames the network.
    SetName(String),
    /// Several changes as one.
    All(Vec<Edit>),
}

/// Why a change is refused. The document is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The node is gone.
    #[error("The layer to change must exist. It was removed meanwhile.")]
    NoNode,
    /// The link is gone.
    #[error("The link to change must exist. It was removed meanwhile.")]
    NoLink,
    /// The path of groups leads nowhere.
    #[error("The group to change must exist. It was removed meanwhile.")]
    NoGroup,
    /// A cycle would arise.
    #[error("A network must not feed back into itself. {from} already follows {to}. Link it forwards.")]
    Cycle {
        /// Giving node's name.
        from: String,
        /// Taking node's name.
        to: String,
    },
    /// This layer takes no input.
    #[error("{name} takes no input: it is where data enters.")]
    NoInput {
        /// Its name.
        name: String,
    },
    /// The link exists.
    #[error("{from} and {to} are linked already.")]
    Linked {
        /// Giving node's name.
        from: String,
        /// Taking node's name.
        to: String,
    },
    /// A card with several links moves with its branch, and this has none.
    #[error(
        "A layer with several links moves with its branch: all between the split before it and the merge behind it. {name} has no such branch: {finding}. Remove its extra links first."
    )]
    NoBranch {
        /// Its name.
        name: String,
        /// Why.
        finding: String,
    },
    /// Several cards move as one where one way leads in and one out.
    #[error(
        "Several layers move as one where one way leads in and one out. Of these, {finding}. Select what joins them too, or move them one by one."
    )]
    Apart {
        /// Why not.
        finding: String,
    },
    /// An input cannot be moved.
    #[error("A layer that moves must have something before it. {name} is where data enter. Leave it where it is.")]
    Stays {
        /// Its name.
        name: String,
    },
    /// There is no place one step on.
    #[error("A layer moves past the one before or behind it. {name} has none to pass: {finding}. Drag it, or link it.")]
    NoStep {
        /// Its name.
        name: String,
        /// Why not.
        finding: String,
    },
    /// The name is taken or not a name.
    #[error("{rule} Received {found:?}.")]
    Name {
        /// The rule.
        rule: String,
        /// What was found.
        found: String,
    },
    /// Only what has one way in can be left out.
    #[error("Only a layer with one input can be bypassed: what enters it leaves unchanged. {name} {has}.")]
    NoBypass {
        /// Its name.
        name: String,
        /// What it has instead.
        has: &'static str,
    },
    /// These layers cannot become a group, or this one cannot be taken apart.
    #[error("{0}")]
    Regroup(String),
    /// Too deep, too many.
    #[error("{0}")]
    Limit(String),
}

/// What a change did besides changing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What should be selected now, if the change says so.
    pub select: Option<Vec<NodeId>>,
    /// An output that is called otherwise now: old and new name.
    pub renamed: Option<(String, String)>,
}

impl Outcome {
    pub(super) fn select(nodes: Vec<NodeId>) -> Self {
        Self { select: Some(nodes), renamed: None }
    }
}

impl Edit {
    /// What the undo menu calls it.
    pub fn label(&self, document: &Document, at: &[NodeId]) -> String {
        let name = |id: &NodeId| {
            document
                .graph
                .at(at)
                .and_then(|graph| graph.node(*id))
                .map_or_else(|| "layer".into(), |node| node.name.clone())
        };
        let some = |nodes: &[NodeId]| match nodes {
            [one] => name(one),
            many => format!("{} layers", many.len()),
        };
        match self {
            Self::Insert { content, .. } => format!("Add {}", content.kind_name()),
            Self::Remove { nodes } => format!("Remove {}", some(nodes)),
            Self::Move { nodes, .. } => format!("Move {}", some(nodes)),
            Self::SetLayer { node, .. } | Self::SetRepeat { node, .. } => format!("Change {}", name(node)),
            Self::Rename { node, name: new } => format!("Rename {} to {new}", name(node)),
            Self::SetTrainable { nodes, trainable: true } => format!("Unfreeze {}", some(nodes)),
            Self::SetTrainable { nodes, trainable: false } => format!("Freeze {}", some(nodes)),
            Self::SetBypassed { nodes, bypassed: true } => format!("Bypass {}", some(nodes)),
            Self::SetBypassed { nodes, bypassed: false } => format!("Use {} again", some(nodes)),
            Self::Group { nodes } => format!("Group {}", some(nodes)),
            Self::Expand { node, .. } => format!("Expand {}", name(node)),
            Self::SetInit { node, .. } => format!("Change initial weights of {}", name(node)),
            Self::Connect { from, to, .. } => format!("Link {} to {}", name(from), name(to)),
            Self::Disconnect { link } => format!("Unlink {} from {}", name(&link.from), name(&link.to)),
            Self::Paste { fragment } => match fragment.nodes.as_slice() {
                [one] => format!("Paste {}", one.name),
                many => format!("Paste {} layers", many.len()),
            },
            Self::SetTraining(_) => "Change training settings".into(),
            Self::SetData(_) => "Change data".into(),
            Self::SetHeads(_) => "Change heads".into(),
            Self::SetSeed(_) => "Change seed".into(),
            Self::SetName(name) => format!("Rename network to {name}"),
            Self::All(edits) => edits.first().map_or_else(|| "Nothing".into(), |edit| edit.label(document, at)),
        }
    }
}

/// Applies a change to the graph at a path of groups and gives the new document.
///
/// # Errors
/// Why it is refused; the document is as it was.
pub fn apply(document: &Document, at: &[NodeId], edit: &Edit) -> Result<(Document, Outcome), EditError> {
    let mut changed = document.clone();
    let outcome = apply_in_place(&mut changed, at, edit)?;
    debug_assert!(check(&changed.graph).is_ok(), "an edit broke the graph: {:?}", check(&changed.graph));
    Ok((changed, outcome))
}

fn apply_in_place(document: &mut Document, at: &[NodeId], edit: &Edit) -> Result<Outcome, EditError> {
    match edit {
        Edit::SetTraining(training) => document.training = (**training).clone(),
        Edit::SetData(data) => document.data = (**data).clone(),
        Edit::SetHeads(heads) => document.heads.clone_from(heads),
        Edit::SetSeed(seed) => document.seed = *seed,
        Edit::SetName(name) => document.name.clone_from(name),
        Edit::All(edits) => {
            let mut outcome = Outcome::default();
            for edit in edits {
                let step = apply_in_place(document, at, edit)?;
                outcome.select = step.select.or(outcome.select);
            }
            return Ok(outcome);
        }
        _ => {
            let outcome = in_graph(&mut document.graph, at, &mut |graph| apply_to_graph(graph, edit))?;
            if let (true, Some((old, new))) = (at.is_empty(), &outcome.renamed) {
                document
                    .heads
                    .iter_mut()
                    .filter(|head| head.output == *old)
                    .for_each(|head| head.output.clone_from(new));
            }
            if grows(edit) {
                rules::limits(&document.graph)?;
            }
            return Ok(outcome);
        }
    }
    Ok(Outcome::default())
}

/// Whether a change may add many nodes or levels at once.
fn grows(edit: &Edit) -> bool {
    matches!(edit, Edit::Insert { .. } | Edit::Paste { .. } | Edit::Group { .. } | Edit::Expand { .. })
}

/// Runs `change` on the graph at a path, copying only the nodes on the way.
fn in_graph(
    graph: &mut Graph,
    at: &[NodeId],
    change: &mut dyn FnMut(&mut Graph) -> Result<Outcome, EditError>,
) -> Result<Outcome, EditError> {
    let [first, rest @ ..] = at else { return change(graph) };
    let node = graph.nodes.iter_mut().find(|node| node.id == *first).ok_or(EditError::NoGroup)?;
    match &mut Arc::make_mut(node).content {
        Content::Group(group) => in_graph(&mut group.graph, rest, change),
        Content::Layer(_) | Content::Unknown { .. } => Err(EditError::NoGroup),
    }
}

fn apply_to_graph(graph: &mut Graph, edit: &Edit) -> Result<Outcome, EditError> {
    match edit {
        Edit::Insert { content, place } => {
            let node = Node::new(graph.fresh_id(), graph.fresh_name(content.stem()), (**content).clone());
            let id = surgery::insert(graph, node, place)?;
            Ok(Outcome::select(vec![id]))
        }
        Edit::Remove { nodes } => {
            let mut after = Vec::new();
            for &id in nodes {
                after.extend(graph.links_into(id).first().map(|link| link.from));
                surgery::remove(graph, id)?;
            }
            after.retain(|id| graph.node(*id).is_some());
            Ok(Outcome::select(after.into_iter().take(1).collect()))
        }
        Edit::Move { nodes, place } => {
            piece::relocate(graph, nodes, place)?;
            Ok(Outcome::select(nodes.clone()))
        }
        Edit::SetLayer { node, layer } => with_node(graph, *node, |node| {
            let same_kind = node.content.kind_id() == Content::Layer((**layer).clone()).kind_id();
            if !same_kind {
                node.raw.shift_remove("settings");
            }
            node.content = Content::Layer((**layer).clone());
            Ok(())
        }),
        Edit::SetRepeat { node, repeat, first_index } => with_node(graph, *node, |node| match &mut node.content {
            Content::Group(group) if (1..=super::MAX_REPEAT).contains(repeat) => {
                (group.repeat, group.first_index) = (*repeat, *first_index);
                Ok(())
            }
            Content::Group(_) => {
                Err(EditError::Limit(format!("A group repeats 1 to {} times. Received {repeat}.", super::MAX_REPEAT)))
            }
            Content::Layer(_) | Content::Unknown { .. } => Err(EditError::NoGroup),
        }),
        Edit::Rename { node, name } => {
            check_name(name).map_err(|rule| EditError::Name { rule, found: name.clone() })?;
            if let Some(rival) = graph.name_rival(name, &[*node]) {
                let rule = if rival.name == *name {
                    "Names must be unique among the layers of one graph.".into()
                } else {
                    format!("A name must not lie inside another's, or another's inside it; there is {:?}.", rival.name)
                };
                return Err(EditError::Name { rule, found: name.clone() });
            }
            let old = graph.node(*node).map(|node| node.name.clone()).unwrap_or_default();
            let outcome = with_node(graph, *node, |node| {
                node.name.clone_from(name);
                Ok(())
            })?;
            Ok(Outcome { renamed: Some((old, name.clone())), ..outcome })
        }
        Edit::SetTrainable { nodes, trainable } => {
            for &id in nodes {
                with_node(graph, id, |node| {
                    node.trainable = *trainable;
                    Ok(())
                })?;
            }
            Ok(Outcome::default())
        }
        Edit::SetBypassed { nodes, bypassed } => {
            for &id in nodes {
                with_node(graph, id, |node| {
                    let has = match node.content.arity() {
                        Arity::One => None,
                        Arity::Zero => Some("is where data enters"),
                        Arity::Many => Some("joins several"),
                    };
                    if let (true, Some(has)) = (*bypassed, has) {
                        return Err(EditError::NoBypass { name: node.name.clone(), has });
                    }
                    node.bypassed = *bypassed;
                    Ok(())
                })?;
            }
            Ok(Outcome::default())
        }
        Edit::Group { nodes } => group::group(graph, nodes),
        Edit::Expand { node, inputs } => expand::expand(graph, *node, inputs),
        Edit::SetInit { node, init } => with_node(graph, *node, |node| {
            node.init = *init;
            Ok(())
        }),
        Edit::Connect { from, to, port } => surgery::connect(graph, *from, *to, *port).map(|()| Outcome::default()),
        Edit::Disconnect { link } => {
            let before = graph.links.len();
            graph.links.retain(|other| other != link);
            if graph.links.len() == before { Err(EditError::NoLink) } else { Ok(Outcome::default()) }
        }
        Edit::Paste { fragment } => Ok(Outcome::select(surgery::paste(graph, fragment))),
        Edit::SetTraining(_)
        | Edit::SetData(_)
        | Edit::SetHeads(_)
        | Edit::SetSeed(_)
        | Edit::SetName(_)
        | Edit::All(_) => Ok(Outcome::default()),
    }
}

fn with_node(
    graph: &mut Graph,
    id: NodeId,
    change: impl FnOnce(&mut Node) -> Result<(), EditError>,
) -> Result<Outcome, EditError> {
    let node = graph.nodes.iter_mut().find(|node| node.id == id).ok_or(EditError::NoNode)?;
    change(Arc::make_mut(node))?;
    Ok(Outcome::default())
}
