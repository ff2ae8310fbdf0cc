//! What dragging on the canvas does: move a card, draw a link, select a region, drop a layer. Decides; does not paint cards.

use super::scene::{CardView, Scene};
use super::search::Where;
use crate::graph::{Edit, Link, Load, NodeId, Place, apply};
use crate::layers::{Arity, Layer, LayerKind as _};
use crate::plan::{Severity, plan};
use crate::ui::{PanelCx, UiCommand};
use egui::{Pos2, Rect};

/// What is dragged from the palette: the id of a layer kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerDrag(pub String);

/// How near a wire must be to take a drop, in points of the screen.
const REACH: f32 = 44.0;

/// Share of a card's width at either side that branches instead of inserting.
const EDGE: f32 = 0.22;

/// What is being dragged on the canvas itself.
#[derive(Clone, Debug, Default)]
pub(super) enum Drag {
    #[default]
    None,
    /// The view.
    Pan,
    /// A rectangle that selects, from this point of the drawing on.
    Region { start: Pos2 },
    /// Cards to another place: the one under the pointer, and all that move.
    Cards { held: NodeId, load: Load },
    /// A new link from an output; or an old one that was lifted off its input.
    FromOutput { from: NodeId, lifted: Option<Link> },
    /// A new link into an input that has none.
    IntoInput { to: NodeId },
}

/// Where a dropped layer would go.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    pub(super) place: Place,
    /// In words.
    pub(super) hint: String,
}

/// Where a layer of the palette dropped at a point goes: into a wire, behind a card, or beside the network.
pub(super) fn target(scene: &Scene, at: Pos2, zoom: f32, takes_input: bool) -> Option<Target> {
    place_at(scene, at, zoom, &Load::default(), takes_input)
}

/// Where cards dropped at a point go; nowhere else on themselves and on their own wires.
pub(super) fn target_of(scene: &Scene, at: Pos2, zoom: f32, load: &Load) -> Option<Target> {
    place_at(scene, at, zoom, load, true)
}

fn place_at(scene: &Scene, at: Pos2, zoom: f32, moved: &Load, takes_input: bool) -> Option<Target> {
    let name = |id: NodeId| scene.card(id).map_or("", |card| card.name.as_str());
    if takes_input {
        let own = |card: &CardView| moved.holds(card.id);
        if let Some(card) = scene.card_at(at) {
            if own(card) {
                return None;
            }
            if card.links_out > 0 && is_edge(card, at) {
                return Some(Target { place: Place::Branch(card.id), hint: format!("As a branch of {}", card.name) });
            }
            return Some(Target { place: Place::After(card.id), hint: format!("After {}", card.name) });
        }
        let free = |link: Link| !moved.holds(link.from) && !moved.holds(link.to);
        if let Some(wire) = scene.wire_at(at, REACH / zoom) {
            let link = wire.link;
            if !free(link) {
                return None;
            }
            return Some(Target {
                place: Place::OnLink(link),
                hint: format!("Between {} and {}", name(link.from), name(link.to)),
            });
        }
        if let Some(card) = scene.tail_at(at).filter(|card| !own(card)) {
            return Some(Target { place: Place::After(card.id), hint: format!("After {}", card.name) });
        }
    }
    if !moved.fits_beside() {
        return None;
    }
    let hint = match moved.count() {
        0 => "Beside the network",
        1 => "Take it out of the network",
        _ => "Take them out of the network",
    };
    Some(Target { place: Place::Loose, hint: hint.into() })
}

/// Whether a point of a card is at its left or right edge, where a drop branches.
pub(super) fn is_edge(card: &CardView, at: Pos2) -> bool {
    let margin = card.rect.width() * EDGE;
    at.x < card.rect.left() + margin || at.x > card.rect.right() - margin
}

/// The edit for a layer of the palette dropped at a place.
pub(super) fn insertion(kind: &str, place: Place) -> Option<Edit> {
    let layer = Layer::from_id(kind)?;
    Some(Edit::Insert { content: Box::new(crate::graph::Content::Layer(layer)), place })
}

/// Whether a layer kind takes an input.
pub(super) fn takes_input(kind: &str) -> bool {
    Layer::from_id(kind).is_none_or(|layer| layer.arity() != Arity::Zero)
}

/// What a link would do, checked once for each target under the pointer.
#[derive(Clone, Debug, Default)]
pub(super) struct Preview {
    ends: Option<(NodeId, NodeId)>,
    revision: u64,
    /// Why not, or what would be wrong.
    pub(super) problem: Option<String>,
    /// Whether it can be linked at all; it may still be wrong.
    pub(super) is_possible: bool,
}

impl Preview {
    /// Checks the link `from` → `to`, unless that was the last thing checked.
    pub(super) fn check(&mut self, cx: &PanelCx<'_>, from: NodeId, to: NodeId, lifted: Option<Link>) {
        if self.ends == Some((from, to)) && self.revision == cx.revision {
            return;
        }
        let edit = link_edit(from, to, lifted);
        (self.problem, self.is_possible) = match apply(cx.document, cx.path, &edit) {
            Err(error) => (Some(error.to_string()), false),
            Ok((document, _)) => {
                let plan = plan(&document);
                let found = plan
                    .diagnostics
                    .iter()
                    .find(|found| found.path == cx.path && found.node == Some(to) && found.severity == Severity::Error);
                (found.map(|found| found.message.clone()), true)
            }
        };
        self.ends = Some((from, to));
        self.revision = cx.revision;
    }
}

fn link_edit(from: NodeId, to: NodeId, lifted: Option<Link>) -> Edit {
    let connect = Edit::Connect { from, to, port: lifted.filter(|link| link.to == to).map(|link| link.to_port) };
    match lifted {
        Some(link) => Edit::All(vec![Edit::Disconnect { link }, connect]),
        None => connect,
    }
}

/// The end of a drag: what it asks for; and where a layer is to be searched for, if a link was dropped on empty canvas.
pub(super) fn release(
    drag: &Drag,
    scene: &Scene,
    at: Pos2,
    zoom: f32,
    preview: &Preview,
    out: &mut Vec<UiCommand>,
) -> Option<Where> {
    match drag {
        Drag::None | Drag::Pan | Drag::Region { .. } => {}
        Drag::Cards { load, .. } => {
            if let Some(target) = target_of(scene, at, zoom, load) {
                out.push(UiCommand::edit(Edit::Move { nodes: load.nodes(), place: target.place }));
            }
        }
        Drag::FromOutput { from, lifted } => match scene.card_at(at) {
            Some(card) if lifted.is_some_and(|link| link.to == card.id) => {}
            Some(card) if card.id != *from => link(*from, card.id, *lifted, preview, out),
            Some(_) => {}
            None => match lifted {
                Some(link) => out.push(UiCommand::edit(Edit::Disconnect { link: *link })),
                None => return Some(Where::Place(Place::Branch(*from))),
            },
        },
        Drag::IntoInput { to } => match scene.card_at(at) {
            Some(card) if card.id != *to => link(card.id, *to, None, preview, out),
            Some(_) => {}
            None => return Some(Where::Before(*to)),
        },
    }
    None
}

fn link(from: NodeId, to: NodeId, lifted: Option<Link>, preview: &Preview, out: &mut Vec<UiCommand>) {
    if preview.is_possible {
        out.push(UiCommand::edit(link_edit(from, to, lifted)));
    } else {
        out.extend(preview.problem.clone().map(UiCommand::Notify));
    }
}

/// The selection after a click on a card.
pub(super) fn clicked(selection: &[NodeId], id: NodeId, adds: bool) -> Vec<NodeId> {
    if !adds {
        return vec![id];
    }
    let mut list = selection.to_vec();
    match list.iter().position(|other| *other == id) {
        Some(at) => drop(list.remove(at)),
        None => list.push(id),
    }
    list
}

/// The selection after a region was drawn.
pub(super) fn in_region(scene: &Scene, selection: &[NodeId], region: Rect, adds: bool) -> Vec<NodeId> {
    let mut list = if adds { selection.to_vec() } else { Vec::new() };
    for card in scene.cards.iter().filter(|card| card.rect.intersects(region)) {
        if !list.contains(&card.id) {
            list.push(card.id);
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_selects_one_and_with_shift_adds_or_takes_away() {
        let [a, b] = [NodeId(1), NodeId(2)];
        assert_eq!(clicked(&[a], b, false), [b]);
        assert_eq!(clicked(&[a], b, true), [a, b]);
        assert_eq!(clicked(&[a, b], a, true), [b]);
    }
}
