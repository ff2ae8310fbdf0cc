//! A card's name, typed in its place.

use super::scene::Scene;
use super::view::View;
use crate::graph::{Edit, NodeId, apply};
use crate::ui::theme::{Tokens, size};
use crate::ui::{PanelCx, UiCommand};
use egui::text::{CCursor, CCursorRange};
use egui::{Id, Key, Modifiers, Rect, Role, TextEdit, Ui, WidgetInfo, vec2};

/// The name as it is typed.
#[derive(Clone, Debug)]
pub(super) struct Rename {
    id: NodeId,
    text: String,
    is_new: bool,
}

impl Rename {
    /// Starts at the present name.
    pub(super) fn new(scene: &Scene, id: NodeId) -> Option<Self> {
        scene.card(id).map(|card| Self { id, text: card.name.clone(), is_new: true })
    }

    /// The field over the card. Whether it stays open.
    pub(super) fn ui(
        &mut self,
        ui: &mut Ui,
        cx: &PanelCx<'_>,
        scene: &Scene,
        view: View,
        out: &mut Vec<UiCommand>,
    ) -> bool {
        let Some(card) = scene.card(self.id) else { return false };
        let tokens = Tokens::of(ui);
        let on_screen = view.rect_to_screen(card.rect);
        let width = on_screen.width().clamp(170.0, 320.0);
        let place = Rect::from_min_size(on_screen.left_top() + vec2(-2.0, -4.0), vec2(width, size::ROW + 6.0));
        let id = Id::unique("canvas-rename");
        let is_typing = ui.memory(|memory| memory.has_focus(id));
        // Escape has taken the focus away before this is drawn.
        let escape = ui.input(|i| i.key_pressed(Key::Escape));
        let enter = is_typing && ui.input_mut(|i| i.consume_key(Modifiers::NONE, Key::Enter));
        ui.painter().rect_filled(place.expand(2.0), egui::CornerRadius::same(size::RADIUS), tokens.floating);
        let edit = TextEdit::singleline(&mut self.text)
            .id(id)
            .margin(vec2(6.0, 3.0))
            .min_size(place.size())
            .desired_width(width - 14.0);
        let edit = edit.align(egui::Align2::LEFT_CENTER);
        let response = ui.put(place, edit);
        response.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, format!("Name of {}", card.name)));
        if std::mem::take(&mut self.is_new) {
            response.request_focus();
            let mut state = TextEdit::load_state(ui.ctx(), id).unwrap_or_default();
            let end = CCursor::new(self.text.chars().count());
            state.cursor.set_char_range(Some(CCursorRange::two(CCursor::new(0), end)));
            TextEdit::store_state(ui.ctx(), id, state);
            return true;
        }
        let name = self.text.trim().to_owned();
        let edit = Edit::Rename { node: self.id, name: name.clone() };
        let wrong = if name == card.name { None } else { apply(cx.document, cx.path, &edit).err() };
        if let Some(wrong) = &wrong {
            let font = egui::FontId::proportional(size::FONT_BODY);
            let galley = ui.painter().layout(wrong.to_string(), font, tokens.error, 300.0);
            let frame = Rect::from_min_size(place.left_bottom() + vec2(0.0, 6.0), galley.size() + vec2(16.0, 10.0));
            ui.painter().rect_filled(frame, egui::CornerRadius::same(size::RADIUS), tokens.error_fill);
            ui.painter().galley(frame.min + vec2(8.0, 5.0), galley, tokens.error);
            // For those who do not see it.
            let spoken = ui.interact(frame, id.with("wrong"), egui::Sense::hover());
            spoken.widget_info(|| WidgetInfo::labeled(Role::Label, true, wrong.to_string()));
        }
        let leaves = response.lost_focus() || (!response.has_focus() && !enter);
        if escape || (leaves && wrong.is_some()) {
            return false;
        }
        if enter && wrong.is_some() {
            response.request_focus();
            return true;
        }
        if enter || leaves {
            if name != card.name {
                out.push(UiCommand::edit(edit));
            }
            return false;
        }
        true
    }
}
