//! Keys of the canvas. They do nothing while a person types into a field.

use super::gestures::Drag;
use super::scene::Scene;
use super::{Request, request};
use crate::graph::Edit;
use crate::ui::{PanelCx, UiCommand, inspector, palette};
use egui::{Key, Modifiers, Ui};

/// Acts on the keys pressed in this frame.
pub(super) fn handle(ui: &Ui, cx: &PanelCx<'_>, scene: &Scene, drag: &mut Drag, out: &mut Vec<UiCommand>) {
    if ui.text_edit_focused() || egui::Popup::is_any_open(ui.ctx()) {
        return;
    }
    let pressed = |modifiers: Modifiers, key: Key| ui.input_mut(|i| i.consume_key(modifiers, key));
    if pressed(Modifiers::NONE, Key::Escape) {
        if !matches!(drag, Drag::None) {
            *drag = Drag::None;
        } else if !cx.selection.is_empty() {
            out.push(UiCommand::Select(Vec::new()));
        }
    }
    let deletes = pressed(Modifiers::NONE, Key::Delete) || pressed(Modifiers::NONE, Key::Backspace);
    if deletes && !cx.selection.is_empty() {
        out.push(UiCommand::edit(Edit::Remove { nodes: cx.selection.to_vec() }));
    }
    if pressed(Modifiers::COMMAND, Key::A) {
        out.push(UiCommand::Select(scene.cards.iter().map(|card| card.id).collect()));
    }
    if pressed(Modifiers::COMMAND, Key::Num0) {
        request(ui.ctx(), Request::ActualSize);
    }
    if pressed(Modifiers::NONE, Key::F) || pressed(Modifiers::NONE, Key::Home) {
        request(ui.ctx(), Request::Fit);
    }
    if pressed(Modifiers::NONE, Key::F2) && cx.selection.len() == 1 {
        inspector::focus_name(ui.ctx());
    }
    if pressed(Modifiers::NONE, Key::Slash) {
        palette::focus_search(ui.ctx());
    }
}
