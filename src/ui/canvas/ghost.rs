//! What hangs at the pointer while cards are dragged: what they are, and what a drop would do.

use super::cards::write;
use crate::ui::icons;
use crate::ui::theme::{Tokens, size};
use egui::{Align2, Color32, CornerRadius, Painter, Pos2, Rect, Stroke, StrokeKind, Vec2, vec2};

/// Its size on the screen.
const SIZE: Vec2 = vec2(216.0, 46.0);
/// Room for its text.
const ROOM: f32 = 164.0;

/// A card, or a stack of cards, under the pointer.
pub(super) struct Ghost<'a> {
    pub(super) icon: &'a str,
    /// The colour of its family.
    pub(super) colour: Color32,
    /// What is dragged.
    pub(super) name: &'a str,
    /// What a drop would do.
    pub(super) hint: &'a str,
    /// How many layers.
    pub(super) count: usize,
}

impl Ghost<'_> {
    /// Paints it beside the pointer.
    pub(super) fn paint(&self, painter: &Painter, at: Pos2, tokens: &Tokens) {
        let rect = Rect::from_min_size(at + Vec2::splat(12.0), SIZE);
        let radius = CornerRadius::same(size::RADIUS_CARD);
        let shadow = egui::Shadow { offset: [0, 6], blur: 18, spread: 0, color: tokens.shadow };
        painter.add(shadow.as_shape(rect, radius));
        // Several lie in a stack.
        for behind in (1..self.count.min(3)).rev() {
            let rect = rect.translate(Vec2::splat(4.0 * behind as f32));
            painter.rect(rect, radius, tokens.card, Stroke::new(1.0, tokens.outline), StrokeKind::Inside);
        }
        painter.rect(rect, radius, tokens.floating, Stroke::new(1.5, self.colour), StrokeKind::Inside);
        let icon = Rect::from_center_size(rect.left_center() + vec2(22.0, 0.0), Vec2::splat(20.0));
        icons::paint(painter, self.icon, icon, self.colour);
        let line = |y: f32, text: &str, points: f32, colour: Color32, is_bold: bool| {
            write(painter, rect.min + vec2(42.0, y), Align2::LEFT_CENTER, text, points, colour, ROOM, is_bold);
        };
        line(15.0, self.name, size::FONT_BODY, tokens.text_strong, true);
        line(32.0, self.hint, size::FONT_SMALL, tokens.text_weak, false);
        if self.count > 1 {
            let badge = Rect::from_center_size(rect.right_top(), vec2(26.0, 18.0));
            painter.rect_filled(badge, 9.0, tokens.accent_fill);
            let count = self.count.to_string();
            write(
                painter,
                badge.center(),
                Align2::CENTER_CENTER,
                &count,
                size::FONT_SMALL,
                tokens.on_accent,
                24.0,
                true,
            );
        }
    }
}
