//! Keys of the canvas. They do nothing while a person types into a field, and plain keys leave other widgets theirs.

use super::gestures::Drag;
use super::{CanvasPanel, walk};
use crate::graph::{Edit, Graph};
use crate::ui::command::{self, Scope};
use crate::ui::{PanelCx, UiCommand};
use egui::{Event, EventFilter, Key, Modifiers, Response, Ui};

impl CanvasPanel {
    /// Acts on the keys pressed in this frame.
    pub(super) fn keys(&mut self, ui: &Ui, cx: &PanelCx<'_>, ground: &Response, out: &mut Vec<UiCommand>) {
        if ground.has_focus() {
            // The arrows walk through the cards and Escape lets go, instead of moving the focus.
            let filter =
                EventFilter { horizontal_arrows: true, vertical_arrows: true, escape: true, ..EventFilter::default() };
            ui.memory_mut(|memory| memory.set_focus_lock_filter(ground.id, filter));
        }
        let focused = ui.memory(egui::Memory::focused);
        let before = std::mem::replace(&mut self.focused, focused);
        // Escape or Enter in a field only leaves the field.
        let left_field = focused.is_none() && before.is_some_and(|id| id != ground.id);
        let is_typing = ui.text_edit_focused() || self.rename.is_some() || self.search.is_some();
        if is_typing || egui::Popup::is_any_open(ui.ctx()) || ui.memory(|m| m.top_modal_layer().is_some()) {
            return;
        }
        let is_free = ground.has_focus() || focused.is_none();
        // With nothing in focus the feature maps have the arrows while the pointer is over them.
        let is_elsewhere = crate::ui::maps::is_under_pointer(ui.ctx()) && !ground.has_focus();
        if is_free {
            if !is_elsewhere {
                self.arrows(ui, cx, out);
            }
            if self.linking.is_some() && self.linking_keys(ui, cx, out) {
                return;
            }
            if !matches!(self.drag, Drag::None) && ui.input_mut(|i| i.consume_key(Modifiers::NONE, Key::Escape)) {
                self.drag = Drag::None;
            }
        }
        let may = |keys: &egui::KeyboardShortcut| {
            let is_arrow = walk::ARROWS.contains(&keys.logical_key);
            (is_free || keys.modifiers.any() || keys.logical_key == Key::F2)
                && !(is_elsewhere && is_arrow)
                && !(left_field && matches!(keys.logical_key, Key::Escape | Key::Enter))
        };
        let pressed = command::pressed_in(ui.ctx(), Scope::Canvas, may);
        if pressed.iter().any(|id| matches!(*id, "earlier" | "later")) {
            self.reveal = cx.selection.last().copied();
        }
        out.extend(pressed.into_iter().filter_map(command::ui_command));
        clipboard(ui, out);
    }

    /// Arrow keys move the selection, with Shift they add to it; while a link is made they choose where it goes.
    fn arrows(&mut self, ui: &Ui, cx: &PanelCx<'_>, out: &mut Vec<UiCommand>) {
        // With Alt they move layers.
        if ui.input(|i| i.modifiers.alt) {
            return;
        }
        for key in walk::ARROWS {
            let (adds, moves) =
                ui.input_mut(|i| (i.consume_key(Modifiers::SHIFT, key), i.consume_key(Modifiers::NONE, key)));
            if !adds && !moves {
                continue;
            }
            if let Some(linking) = &mut self.linking {
                let from = linking.to.unwrap_or(linking.from);
                linking.to = walk::next(&self.scene, Some(from), key).or(linking.to);
                self.reveal = linking.to;
                continue;
            }
            let Some(next) = walk::next(&self.scene, cx.selection.last().copied(), key) else { continue };
            let mut nodes = if adds { cx.selection.to_vec() } else { Vec::new() };
            nodes.retain(|id| *id != next);
            nodes.push(next);
            self.reveal = Some(next);
            out.push(UiCommand::Select(nodes));
        }
    }
}

/// Copy, cut and paste come as events of their own. What is copied is readable text, which another window can paste.
fn clipboard(ui: &Ui, out: &mut Vec<UiCommand>) {
    let events: Vec<Event> = ui.input(|i| {
        let ours = |event: &&Event| matches!(event, Event::Copy | Event::Cut | Event::Paste(_));
        i.events.iter().filter(ours).cloned().collect()
    });
    for event in events {
        match event {
            Event::Copy => out.extend(command::ui_command("copy")),
            Event::Cut => out.extend(command::ui_command("cut")),
            Event::Paste(text) => out.push(match Graph::from_fragment(&text) {
                Ok(fragment) => UiCommand::edit(Edit::Paste { fragment: Box::new(fragment) }),
                Err(why) => UiCommand::Notify(why.to_string()),
            }),
            _ => {}
        }
    }
}
