//! What the commands of the canvas do to the selection: keys, menus and the command list all come through here.

use super::{Request, request};
use crate::graph::{Edit, Graph, NodeId};
use crate::layers::Arity;
use crate::plan::Plan;
use crate::ui::runs_view::RunRow;
use crate::ui::workspace::OpenDocument;
use crate::ui::{PanelCx, UiCommand, inspector};

/// Where a command acts: the open graph and what is selected in it.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    graph: &'a Graph,
    plan: &'a Plan,
    path: &'a [NodeId],
    selection: &'a [NodeId],
    /// Whether there are weights of earlier runs that know the layers by their names.
    is_trained: bool,
}

impl<'a> From<&PanelCx<'a>> for Site<'a> {
    fn from(cx: &PanelCx<'a>) -> Self {
        Self { graph: cx.graph(), plan: cx.plan, path: cx.path, selection: cx.selection, is_trained: is_trained(cx) }
    }
}

/// Whether the network in front was trained, in this tab or as a stored run of its name.
fn is_trained(cx: &PanelCx<'_>) -> bool {
    let is_own = |row: &RunRow| row.summary.as_ref().is_ok_and(|summary| summary.record.name == cx.document.name);
    cx.run.is_some() || !cx.document.name.is_empty() && cx.runs.rows.iter().any(is_own)
}

impl<'a> From<&'a OpenDocument> for Site<'a> {
    fn from(open: &'a OpenDocument) -> Self {
        let whole = &open.history.document().graph;
        let graph = whole.at(&open.path).unwrap_or(whole);
        Self { graph, plan: &open.derived().plan, path: &open.path, selection: &open.selection, is_trained: false }
    }
}

/// What a command of the canvas asks for; an empty list for those that the canvas itself must do.
pub fn run(id: &str, site: Site<'_>, ctx: &egui::Context) -> Vec<UiCommand> {
    let nodes = site.selection.to_vec();
    let needs = |what: &str| vec![UiCommand::Notify(format!("{what} Select some first: click, or arrow keys."))];
    let empty = nodes.is_empty();
    match id {
        "select_all" => vec![UiCommand::Select(site.graph.nodes.iter().map(|node| node.id).collect())],
        "paste" => {
            ctx.send_viewport_cmd(egui::ViewportCommand::RequestPaste);
            Vec::new()
        }
        "add" => ask(ctx, Request::Add),
        "delete" if empty => Vec::new(),
        "delete" => vec![UiCommand::edit(Edit::Remove { nodes })],
        "copy" | "cut" | "duplicate" if empty => needs("Copying needs layers."),
        "copy" => vec![UiCommand::Copy(site.graph.fragment(&nodes).to_fragment())],
        "cut" => {
            let text = site.graph.fragment(&nodes).to_fragment();
            vec![UiCommand::Copy(text), UiCommand::edit(Edit::Remove { nodes })]
        }
        "duplicate" => vec![UiCommand::edit(Edit::Paste { fragment: Box::new(site.graph.fragment(&nodes)) })],
        // A refusal would come after the note and take its place.
        "group" => site.note_of_paths().into_iter().chain([UiCommand::edit(Edit::Group { nodes })]).collect(),
        "expand" if empty => needs("Expanding needs a group or block."),
        "expand" => vec![UiCommand::edit(one_or_all(nodes.into_iter().map(|node| site.expand(node)).collect()))],
        "bypass" if empty => needs("Bypassing needs layers."),
        "bypass" => vec![UiCommand::edit(site.bypass(nodes))],
        "freeze" if empty => needs("Freezing needs layers."),
        "freeze" => {
            let trainable = site.is_frozen();
            vec![UiCommand::edit(Edit::SetTrainable { nodes, trainable })]
        }
        "rename" => match nodes.as_slice() {
            [_one] => ask(ctx, Request::Rename),
            _ => vec![UiCommand::Notify("One layer at a time can be renamed. Select one.".into())],
        },
        "link" => match nodes.as_slice() {
            [_one] => ask(ctx, Request::Link),
            &[one, other] => vec![UiCommand::edit(site.link(one, other))],
            _ => vec![UiCommand::Notify("A link joins two layers. Select one or two.".into())],
        },
        "unlink" => site.unlink(),
        "earlier" | "later" if empty => needs("Moving needs layers."),
        "earlier" | "later" => vec![site.step(id == "earlier")],
        "enter" => match nodes.as_slice() {
            &[one] if site.is_group(one) => vec![UiCommand::OpenPath([site.path, &[one]].concat())],
            [] => Vec::new(),
            _ => {
                inspector::focus_fields(ctx);
                Vec::new()
            }
        },
        "out" if !empty => vec![UiCommand::Select(Vec::new())],
        "out" => site.out(),
        _ => Vec::new(),
    }
}

fn ask(ctx: &egui::Context, what: Request) -> Vec<UiCommand> {
    request(ctx, what);
    Vec::new()
}

fn one_or_all(mut edits: Vec<Edit>) -> Edit {
    match edits.pop() {
        Some(only) if edits.is_empty() => only,
        last => {
            edits.extend(last);
            Edit::All(edits)
        }
    }
}

impl Site<'_> {
    /// What a grouping must say: that weights are called otherwise in files.
    fn note_of_paths(&self) -> Option<UiCommand> {
        let nodes = self.selection.iter().filter_map(|id| self.graph.node(*id));
        let has_weights =
            |node: &std::sync::Arc<crate::graph::Node>| node.layer().is_none_or(crate::layers::LayerKind::has_weights);
        let renames =
            self.is_trained && nodes.clone().any(has_weights) && !self.graph.keeps_paths_grouped(self.selection);
        renames.then(|| {
            UiCommand::Notify(
                "Grouped. In files its weights have the group's name before theirs now; training can still start with those \
                 of earlier runs. Undo brings the old names back."
                    .into(),
            )
        })
    }

    /// Whether every selected layer is frozen, so that the command takes that back.
    pub fn is_frozen(&self) -> bool {
        self.all(|node| !node.trainable)
    }

    /// Whether every selected layer that can be bypassed is.
    pub fn is_bypassed(&self) -> bool {
        self.all(|node| node.bypassed || node.content.arity() != Arity::One)
            && self.selected().any(|node| node.bypassed)
    }

    /// How many layers are selected.
    pub fn count(&self) -> usize {
        self.selection.len()
    }

    fn selected(&self) -> impl Iterator<Item = &crate::graph::Node> {
        self.selection.iter().filter_map(|id| self.graph.node(*id)).map(AsRef::as_ref)
    }

    fn all(&self, holds: impl Fn(&crate::graph::Node) -> bool) -> bool {
        !self.selection.is_empty() && self.selected().all(holds)
    }

    fn is_group(&self, id: NodeId) -> bool {
        self.graph.node(id).is_some_and(|node| matches!(node.content, crate::graph::Content::Group(_)))
    }

    fn bypass(&self, nodes: Vec<NodeId>) -> Edit {
        let bypassed = !self.is_bypassed();
        // Of several, inputs and merges stay in force; one of them alone is refused in words.
        let able: Vec<NodeId> =
            self.selected().filter(|node| node.content.arity() == Arity::One).map(|node| node.id).collect();
        Edit::SetBypassed { nodes: if able.is_empty() { nodes } else { able }, bypassed }
    }

    fn expand(&self, node: NodeId) -> Edit {
        let inputs = self.plan.node(self.path, node).map_or(&[][..], |plan| &plan.inputs);
        let inputs = inputs.iter().map(|&value| self.plan.program.value(value).shape.clone()).collect();
        Edit::Expand { node, inputs }
    }

    /// The link of two nodes, along the flow.
    fn link(&self, one: NodeId, other: NodeId) -> Edit {
        let (from, to) = along(self.graph, one, other);
        Edit::Connect { from, to, port: None }
    }

    /// The selection moved past the layer before or behind it.
    fn step(&self, is_earlier: bool) -> UiCommand {
        let nodes = self.selection.to_vec();
        match self.graph.load(&nodes).and_then(|load| self.graph.step(&load, is_earlier)) {
            Ok(place) => UiCommand::edit(Edit::Move { nodes, place }),
            Err(reason) => UiCommand::Notify(reason.to_string()),
        }
    }

    fn unlink(&self) -> Vec<UiCommand> {
        let holds = |id: &NodeId| self.selection.contains(id);
        let within = self.graph.links.iter().filter(|link| holds(&link.from) && holds(&link.to));
        let edits: Vec<Edit> = within.map(|link| Edit::Disconnect { link: *link }).collect();
        if edits.is_empty() {
            return vec![UiCommand::Notify("Unlinking needs two linked layers. Select both.".into())];
        }
        vec![UiCommand::edit(one_or_all(edits))]
    }

    /// One level out of the open groups, with the group selected that was open.
    fn out(&self) -> Vec<UiCommand> {
        match self.path.split_last() {
            Some((group, outer)) => vec![UiCommand::OpenPath(outer.to_vec()), UiCommand::Select(vec![*group])],
            None => Vec::new(),
        }
    }
}

/// Two nodes in the order of the flow; as given if neither follows the other.
pub(super) fn along(graph: &Graph, one: NodeId, other: NodeId) -> (NodeId, NodeId) {
    if graph.reaches(other, one) { (other, one) } else { (one, other) }
}
