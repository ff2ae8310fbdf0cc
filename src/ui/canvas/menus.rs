//! What floats over the canvas: menus of cards and wires, fixes of a problem, the breadcrumb, zoom buttons, the empty hint.

use super::actions::Site;
use super::cards;
use super::scene::{CardView, Scene};
use super::view::View;
use crate::graph::{Content, Edit, Link, NodeId};
use crate::plan::{Diagnostic, Severity};
use crate::ui::menu::entry;
use crate::ui::theme::{Tokens, size};
use crate::ui::{PanelCx, UiCommand, command};
use egui::{Align2, Rect, RichText, Ui, UiBuilder, vec2};

/// The menu of a card; it acts on the whole selection if the card is part of it.
pub(super) fn card_menu(ui: &mut Ui, cx: &PanelCx<'_>, card: &CardView, out: &mut Vec<UiCommand>) {
    let nodes = if cx.selection.contains(&card.id) { cx.selection.to_vec() } else { vec![card.id] };
    let many = nodes.len() > 1;
    for found in &card.findings {
        fix_buttons(ui, found, out);
    }
    if card.findings.iter().any(|found| !found.fixes.is_empty()) {
        ui.separator();
    }
    let site = Site::from(cx);
    if !many {
        let label = if card.is_group { "Open group" } else { "Settings" };
        entry(ui, "enter", true, Some(label.into()), out);
        entry(ui, "rename", true, None, out);
    }
    if ui.button("Look inside").on_hover_text("Show its feature maps").clicked() {
        out.push(UiCommand::Probe(inside(cx, card.id)));
        ui.close();
    }
    ui.separator();
    state_entries(ui, site, out);
    ui.separator();
    let label = if nodes.len() == 2 { "Link both" } else { "Link to…" };
    entry(ui, "link", nodes.len() <= 2, Some(label.into()), out);
    entry(ui, "unlink", many, None, out);
    for id in ["earlier", "later"] {
        entry(ui, id, true, None, out);
    }
    ui.separator();
    for id in ["cut", "copy", "duplicate"] {
        entry(ui, id, true, None, out);
    }
    let label = if many { format!("Delete {} layers", nodes.len()) } else { "Delete".into() };
    entry(ui, "delete", true, Some(label), out);
}

/// Group, expand, bypass, freeze: with what they would do to the selection.
fn state_entries(ui: &mut Ui, site: Site<'_>, out: &mut Vec<UiCommand>) {
    let any = site.count() > 0;
    entry(ui, "group", any, None, out);
    entry(ui, "expand", any, None, out);
    let label = if site.is_bypassed() { "Use again" } else { "Bypass" };
    entry(ui, "bypass", any, Some(label.into()), out);
    let label = if site.is_frozen() { "Unfreeze" } else { "Freeze" };
    entry(ui, "freeze", any, Some(label.into()), out);
}

/// What the Edit menu has for the canvas.
pub(crate) fn edit_menu(ui: &mut Ui, site: Site<'_>, out: &mut Vec<UiCommand>) {
    let count = site.count();
    for id in ["cut", "copy"] {
        entry(ui, id, count > 0, None, out);
    }
    entry(ui, "paste", true, None, out);
    for id in ["duplicate", "delete"] {
        entry(ui, id, count > 0, None, out);
    }
    entry(ui, "select_all", true, None, out);
    ui.separator();
    entry(ui, "add", true, None, out);
    entry(ui, "link", (1..=2).contains(&count), None, out);
    entry(ui, "unlink", count > 1, None, out);
    for id in ["earlier", "later"] {
        entry(ui, id, count > 0, None, out);
    }
    ui.separator();
    state_entries(ui, site, out);
    entry(ui, "rename", count == 1, None, out);
    entry(ui, "enter", count > 0, None, out);
    entry(ui, "out", true, None, out);
}

/// The menu of a wire, or of the ground. Whether a layer is to be added there.
pub(super) fn ground_menu(
    ui: &mut Ui,
    cx: &PanelCx<'_>,
    scene: &Scene,
    wire: Option<Link>,
    out: &mut Vec<UiCommand>,
) -> bool {
    let name = |id: NodeId| scene.card(id).map_or("", |card| card.name.as_str());
    let mut adds = false;
    if let Some(link) = wire {
        ui.label(RichText::new(format!("{} → {}", name(link.from), name(link.to))).weak());
        for found in scene.findings_on(link) {
            fix_buttons(ui, found, out);
        }
        if ui.button("Insert a layer…").on_hover_text("Search for a layer and put it into this wire").clicked() {
            adds = true;
            ui.close();
        }
        if ui.button("Remove link").on_hover_text("Takes this wire away; the layers stay").clicked() {
            out.push(UiCommand::edit(Edit::Disconnect { link }));
            ui.close();
        }
        ui.separator();
        for end in [link.from, link.to] {
            let label = format!("Select {}", name(end));
            if ui.button(label).on_hover_text("Go to this end of the link (arrow keys)").clicked() {
                out.push(UiCommand::Select(vec![end]));
                ui.close();
            }
        }
        return adds;
    }
    let add = egui::Button::new("Add layer…").shortcut_text(command::keys_text(ui.ctx(), "add"));
    if ui.add(add).on_hover_text(command::hover_text(ui.ctx(), "add")).clicked() {
        adds = true;
        ui.close();
    }
    entry(ui, "paste", true, None, out);
    entry(ui, "select_all", !scene.cards.is_empty(), None, out);
    ui.separator();
    entry(ui, "fit", true, None, out);
    entry(ui, "actual_size", true, None, out);
    if !cx.path.is_empty() {
        ui.separator();
        if ui.button("Leave the group").on_hover_text("Back to the network around it (Esc)").clicked() {
            out.push(UiCommand::OpenPath(cx.path.split_last().map(|(_, outer)| outer.to_vec()).unwrap_or_default()));
            ui.close();
        }
    }
    adds
}

/// A message with its ways out.
pub(super) fn problem_ui<'a>(ui: &mut Ui, findings: impl Iterator<Item = &'a Diagnostic>, out: &mut Vec<UiCommand>) {
    ui.set_max_width(340.0);
    for found in findings {
        // A menu would spread the words over its width.
        ui.with_layout(egui::Layout::top_down(egui::Align::Min), |ui| ui.label(&found.message));
        fix_buttons(ui, found, out);
    }
}

/// One button for each fix of a finding.
pub(crate) fn fix_buttons(ui: &mut Ui, found: &Diagnostic, out: &mut Vec<UiCommand>) {
    for fix in &found.fixes {
        if ui.button(&fix.label).on_hover_text("One click; Ctrl+Z takes it back").clicked() {
            out.push(UiCommand::Edit { edit: fix.edit.clone(), path: Some(found.path.clone()), gesture: None });
            ui.close();
        }
    }
}

/// What is wrong with the network as a whole, over the canvas with its ways out.
pub(super) fn whole_ui(ui: &mut Ui, scene: &Scene, canvas: Rect, out: &mut Vec<UiCommand>) {
    let Some(found) = scene.whole.iter().find(|found| found.severity == Severity::Error) else { return };
    let tokens = Tokens::of(ui);
    let width = (canvas.width() - 2.0 * size::MARGIN).min(460.0);
    let place = Rect::from_min_size(canvas.center_top() + vec2(-width / 2.0, 46.0), vec2(width, 80.0));
    ui.scope_builder(UiBuilder::new().max_rect(place), |ui| {
        tokens.banner(true).show(ui, |ui| {
            ui.label(RichText::new(&found.message).color(tokens.error));
            fix_buttons(ui, found, out);
        });
    });
}

/// The path into a node of the open graph.
pub(super) fn inside(cx: &PanelCx<'_>, id: NodeId) -> Vec<NodeId> {
    let mut path = cx.path.to_vec();
    path.push(id);
    path
}

/// The way out of open groups, at the upper left.
pub(super) fn breadcrumb(ui: &mut Ui, cx: &PanelCx<'_>, canvas: Rect, out: &mut Vec<UiCommand>) {
    if cx.path.is_empty() {
        return;
    }
    let tokens = Tokens::of(ui);
    let place = Rect::from_min_size(
        canvas.min + vec2(size::MARGIN, size::STEP),
        vec2(canvas.width() - 2.0 * size::MARGIN, 34.0),
    );
    ui.scope_builder(UiBuilder::new().max_rect(place), |ui| {
        egui::Frame::new().fill(tokens.floating).corner_radius(size::RADIUS_CARD).inner_margin(4).show(ui, |ui| {
            ui.horizontal(|ui| {
                if ui.button(name_of(&cx.document.name)).on_hover_text("Back to the whole network").clicked() {
                    out.push(UiCommand::OpenPath(Vec::new()));
                }
                for depth in 1..=cx.path.len() {
                    let Some(path) = cx.path.get(..depth) else { continue };
                    let Some((id, outer)) = path.split_last() else { continue };
                    let node = cx.document.graph.at(outer).and_then(|graph| graph.node(*id));
                    let label = node.map_or_else(String::new, |node| match &node.content {
                        Content::Group(group) if group.repeat > 1 => format!("{} ×{}", node.name, group.repeat),
                        Content::Group(_) | Content::Layer(_) | Content::Unknown { .. } => node.name.clone(),
                    });
                    ui.label(RichText::new("/").weak());
                    if depth == cx.path.len() {
                        ui.strong(label);
                    } else if ui.button(label).on_hover_text("Back to this group").clicked() {
                        out.push(UiCommand::OpenPath(path.to_vec()));
                    }
                }
            });
        });
    });
}

fn name_of(name: &str) -> &str {
    if name.is_empty() { "Network" } else { name }
}

/// Zoom buttons at the lower right.
pub(super) fn zoom_buttons(ui: &mut Ui, view: View, canvas: Rect, out: &mut Vec<UiCommand>) {
    let tokens = Tokens::of(ui);
    let place = Rect::from_min_size(canvas.right_bottom() - vec2(160.0, 38.0), vec2(152.0, 30.0));
    ui.scope_builder(UiBuilder::new().max_rect(place), |ui| {
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            egui::Frame::new().fill(tokens.floating).corner_radius(size::RADIUS).show(ui, |ui| {
                ui.spacing_mut().item_spacing.x = 2.0;
                crate::ui::dock::room_button(ui, crate::ui::dock::Room::Network, out);
                let hover = "Show the network from its start on; once more shows all of it, however small. F or Home does so with the selection";
                if ui.button("Fit").on_hover_text(hover).clicked() {
                    super::request(ui.ctx(), super::Request::FitAll);
                }
                let percent = format!("{:.0} %", view.zoom * 100.0);
                if ui.button(percent).on_hover_text("Show at 100 % (Ctrl+0)").clicked() {
                    super::request(ui.ctx(), super::Request::ActualSize);
                }
            });
        });
    });
}

/// What to do next on an empty canvas.
pub(super) fn empty_hint(ui: &Ui, canvas: Rect, is_target: bool) {
    let tokens = Tokens::of(ui);
    let frame = Rect::from_center_size(canvas.center(), vec2(420.0, 150.0).min(canvas.size() - vec2(24.0, 24.0)));
    let stroke = egui::Stroke::new(1.5, if is_target { tokens.ok } else { tokens.outline });
    let corners = [frame.left_top(), frame.right_top(), frame.right_bottom(), frame.left_bottom(), frame.left_top()];
    ui.painter().extend(egui::Shape::dashed_line(&corners, stroke, 8.0, 6.0));
    let painter = ui.painter();
    let centre = frame.center();
    let room = frame.width() - 24.0;
    let heading = size::FONT_HEADING;
    cards::write(
        painter,
        centre - vec2(0.0, 16.0),
        Align2::CENTER_CENTER,
        "Drag a layer here",
        heading,
        tokens.text_strong,
        room,
        true,
    );
    let more = "or double-click to search, or open a preset at the left";
    cards::write(
        painter,
        centre + vec2(0.0, 14.0),
        Align2::CENTER_CENTER,
        more,
        size::FONT_BODY,
        tokens.text_weak,
        room,
        false,
    );
}
