//! The short glide of cards and wires to their new places when the drawing changes. Knows scenes; no painter.

use super::scene::Scene;
use crate::graph::NodeId;
use egui::Vec2;
use std::collections::HashMap;

/// Seconds that cards take to their new places.
const GLIDE: f64 = 0.18;
/// Cards that move less than this do not glide.
const LEAST: f32 = 0.5;

/// Cards on their way.
#[derive(Debug, Default)]
pub(super) struct Motion {
    started: f64,
    /// How far each was from its new place at the start, in units of the drawing.
    offsets: HashMap<NodeId, Vec2>,
}

impl Motion {
    /// From where the cards of `before` are seen to their places in `after`, whose drawing was shifted by `moved` on the
    /// whole without being seen to move.
    pub(super) fn between(before: &Scene, after: &Scene, moved: Vec2, now: f64) -> Self {
        let offsets = before
            .cards
            .iter()
            .filter_map(|old| after.card(old.id).map(|new| (old.id, old.rect.min - new.home.min + moved)))
            .filter(|(_, offset)| offset.length() >= LEAST)
            .collect();
        Self { started: now, offsets }
    }

    /// Puts the cards where they are at this time; whether they are still on their way.
    pub(super) fn advance(&mut self, scene: &mut Scene, now: f64) -> bool {
        if self.offsets.is_empty() {
            return false;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a share of a fraction of a second")]
        let left = (1.0 - (now - self.started) / GLIDE).clamp(0.0, 1.0) as f32;
        // Fast at first, then slower: what was changed answers at once.
        let left = left * left * left;
        scene.displace(|id| self.offsets.get(&id).map_or(Vec2::ZERO, |offset| *offset * left));
        if left <= 0.0 {
            self.offsets.clear();
        }
        left > 0.0
    }
}
