//! A link made by keys: the selected layer is one end, the arrows choose the other, Enter links.

use super::gestures::Preview;
use super::{CanvasPanel, actions, wires};
use crate::graph::{Edit, NodeId};
use crate::ui::theme::{Tokens, size};
use crate::ui::{PanelCx, UiCommand};
use egui::{Key, Modifiers, Rect, RichText, Stroke, StrokeKind, Ui, UiBuilder, vec2};

/// A link that is being made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Linking {
    /// The card it was started at.
    pub(super) from: NodeId,
    /// The card that the arrows chose.
    pub(super) to: Option<NodeId>,
}

impl CanvasPanel {
    /// Enter links, Escape lets it be. Whether one of them was pressed.
    pub(super) fn linking_keys(&mut self, ui: &Ui, cx: &PanelCx<'_>, out: &mut Vec<UiCommand>) -> bool {
        let Some(linking) = self.linking else { return false };
        let (enter, escape) =
            ui.input_mut(|i| (i.consume_key(Modifiers::NONE, Key::Enter), i.consume_key(Modifiers::NONE, Key::Escape)));
        if escape {
            self.linking = None;
        } else if enter && let Some(to) = linking.to.filter(|to| *to != linking.from) {
            self.linking = None;
            let (from, to) = actions::along(cx.graph(), linking.from, to);
            out.push(UiCommand::edit(Edit::Connect { from, to, port: None }));
            out.push(UiCommand::Select(vec![to]));
        }
        enter || escape
    }

    /// Shows the link to be, what would be wrong with it, and what the keys do.
    pub(super) fn linking_ui(&mut self, ui: &mut Ui, cx: &PanelCx<'_>, canvas: Rect) {
        let Some(linking) = self.linking else { return };
        let Some(start) = self.scene.card(linking.from) else {
            self.linking = None;
            return;
        };
        let tokens = Tokens::of(ui);
        let start_name = start.name.clone();
        let target = linking.to.filter(|to| *to != linking.from).and_then(|to| self.scene.card(to));
        let mut text = format!("Link {start_name} to …   arrows choose, Enter links, Esc cancels");
        let mut problem = None;
        if let Some(target) = target {
            let (from, to) = actions::along(cx.graph(), linking.from, target.id);
            self.preview.check(cx, from, to, None);
            let Preview { problem: found, .. } = &self.preview;
            problem.clone_from(found);
            let colour = if problem.is_some() { tokens.error } else { tokens.ok };
            if let (Some(above), Some(below)) = (self.scene.card(from), self.scene.card(to)) {
                let ends = [above.output(), below.rect.center_top()].map(|at| self.view.to_screen(at));
                wires::curve(ui.painter(), ends[0], ends[1], Stroke::new(2.5, colour));
                text = format!("Link {} to {}   Enter links, Esc cancels", above.name, below.name);
            }
            let ring = egui::CornerRadius::same(size::RADIUS_CARD);
            let rect = self.view.rect_to_screen(target.rect).expand(3.0);
            ui.painter().rect_stroke(rect, ring, Stroke::new(2.5, colour), StrokeKind::Outside);
        }
        let width = 460.0_f32.min(canvas.width() - 2.0 * size::MARGIN);
        let place = Rect::from_min_size(canvas.center_top() + vec2(-width / 2.0, size::MARGIN), vec2(width, 60.0));
        ui.scope_builder(UiBuilder::new().max_rect(place), |ui| {
            let edge = if problem.is_some() { tokens.error } else { tokens.accent };
            let frame = egui::Frame::new()
                .fill(tokens.floating)
                .stroke(Stroke::new(1.0, edge))
                .corner_radius(size::RADIUS_CARD)
                .inner_margin(egui::Margin::symmetric(12, 7));
            frame.show(ui, |ui| {
                ui.set_min_width(ui.available_width());
                ui.label(RichText::new(text).color(tokens.text_strong));
                if let Some(problem) = problem {
                    ui.label(RichText::new(problem).color(tokens.error));
                }
            });
        });
    }
}
