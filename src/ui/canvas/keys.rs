//! Keys of the canvas. They do nothing while a person types into a field.

use super::gestures::Drag;
use super::scene::Scene;
use super::{Request, request};
use crate::graph::{Edit, Graph, NodeId};
use crate::ui::{PanelCx, UiCommand, inspector, palette};
use egui::{Event, Id, Key, Modifiers, Ui};
use std::sync::Arc;

/// Acts on the keys pressed in this frame.
pub(super) fn handle(ui: &Ui, cx: &PanelCx<'_>, scene: &Scene, drag: &mut Drag, out: &mut Vec<UiCommand>) {
    let is_covered = ui.ctx().memory(|memory| memory.top_modal_layer().is_some());
    if is_covered || ui.text_edit_focused() || egui::Popup::is_any_open(ui.ctx()) {
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
    if pressed(Modifiers::COMMAND, Key::D) && !cx.selection.is_empty() {
        out.push(paste(fragment(cx.graph(), cx.selection)));
    }
    clipboard(ui, cx, out);
}

/// Copy, cut and paste. The clipboard gets the names; the layers themselves wait here, also for another document.
fn clipboard(ui: &Ui, cx: &PanelCx<'_>, out: &mut Vec<UiCommand>) {
    let shelf = Id::unique("canvas-clipboard");
    let (mut copies, mut cuts, mut pasted) = (false, false, None);
    ui.input(|i| {
        for event in &i.events {
            match event {
                Event::Copy => copies = true,
                Event::Cut => cuts = true,
                Event::Paste(text) => pasted = Some(text.clone()),
                _ => {}
            }
        }
    });
    if (copies || cuts) && !cx.selection.is_empty() {
        let copied = Arc::new(fragment(cx.graph(), cx.selection));
        out.push(UiCommand::Copy(names(&copied)));
        ui.data_mut(|data| data.insert_temp(shelf, copied));
        if cuts {
            out.push(UiCommand::edit(Edit::Remove { nodes: cx.selection.to_vec() }));
        }
    }
    if let Some(text) = pasted
        && let Some(copied) = ui.data(|data| data.get_temp::<Arc<Graph>>(shelf))
        && text.trim() == names(&copied)
    {
        out.push(paste((*copied).clone()));
    }
}

/// Some layers with the links among them.
fn fragment(graph: &Graph, nodes: &[NodeId]) -> Graph {
    Graph {
        nodes: graph.nodes.iter().filter(|node| nodes.contains(&node.id)).cloned().collect(),
        links: graph
            .links
            .iter()
            .filter(|link| nodes.contains(&link.from) && nodes.contains(&link.to))
            .copied()
            .collect(),
    }
}

fn names(graph: &Graph) -> String {
    graph.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join("\n")
}

fn paste(fragment: Graph) -> UiCommand {
    UiCommand::edit(Edit::Paste { fragment: Box::new(fragment) })
}
