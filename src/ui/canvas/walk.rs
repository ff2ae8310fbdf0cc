//! Where an arrow key leads: up and down along the links, left and right among cards side by side. Knows places only.

use super::scene::{CardView, Scene};
use crate::graph::NodeId;
use egui::Key;

/// The four keys.
pub(super) const ARROWS: [Key; 4] = [Key::ArrowUp, Key::ArrowDown, Key::ArrowLeft, Key::ArrowRight];

/// The card that an arrow key leads to; the topmost if there is none to start from.
pub(super) fn next(scene: &Scene, from: Option<NodeId>, key: Key) -> Option<NodeId> {
    let Some(start) = from.and_then(|id| scene.card(id)) else {
        return scene.cards.iter().min_by(|a, b| a.rect.top().total_cmp(&b.rect.top())).map(|card| card.id);
    };
    match key {
        Key::ArrowUp => along(scene, start, |from, to| (to == start.id).then_some(from)),
        Key::ArrowDown => along(scene, start, |from, to| (from == start.id).then_some(to)),
        Key::ArrowLeft => beside(scene, start, -1.0),
        Key::ArrowRight => beside(scene, start, 1.0),
        _ => None,
    }
    .map(|card| card.id)
}

/// Of the linked cards the one most straight above or below, and of those the nearest.
fn along<'a>(
    scene: &'a Scene,
    start: &CardView,
    end: impl Fn(NodeId, NodeId) -> Option<NodeId>,
) -> Option<&'a CardView> {
    let linked = scene.wires.iter().filter_map(|wire| end(wire.link.from, wire.link.to));
    linked.filter_map(|id| scene.card(id)).min_by(|a, b| {
        let off = |card: &CardView| {
            let away = card.rect.center() - start.rect.center();
            (away.x.abs().round(), away.y.abs())
        };
        let (a, b) = (off(a), off(b));
        a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
    })
}

/// The next card to one side: in the same row if there is one, else the nearest in height.
fn beside<'a>(scene: &'a Scene, start: &CardView, side: f32) -> Option<&'a CardView> {
    let away = |card: &CardView| (card.rect.center() - start.rect.center()) * egui::vec2(side, 1.0);
    scene.cards.iter().filter(|card| card.id != start.id && away(card).x > card.rect.width() * 0.4).min_by(|a, b| {
        let far = |card: &CardView| away(card).x + 6.0 * away(card).y.abs();
        far(a).total_cmp(&far(b))
    })
}
