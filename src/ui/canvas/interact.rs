//! The canvas under the pointer: cards, ports and ground as widgets, drags and drops. Paints what they show.

use super::cards::{self, Look};
use super::gestures::{self, Drag, LayerDrag};
use super::ghost::Ghost;
use super::scene::CardView;
use super::search::{AddSearch, Where};
use super::{CanvasPanel, menus, view, wires};
use crate::graph::{Link, NodeId, Place};
use crate::layers::{Arity, Layer, LayerKind as _};
use crate::ui::theme::{Tokens, size};
use crate::ui::{PanelCx, UiCommand};
use egui::{PointerButton, Pos2, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo};

/// What a drop at the pointer would touch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lit {
    pub(super) wire: Option<Link>,
    /// The card, and whether it fits.
    pub(super) card: Option<(NodeId, bool)>,
    /// Whether it would become a branch of the card.
    pub(super) is_branch: bool,
}

impl CanvasPanel {
    /// What lights up under the pointer.
    pub(super) fn lit(&mut self, cx: &PanelCx<'_>, payload: Option<&LayerDrag>, pointer: Option<Pos2>) -> Lit {
        let Some(at) = pointer else { return Lit::default() };
        let of_place = |place: &Place| match place {
            Place::OnLink(link) => Lit { wire: Some(*link), ..Lit::default() },
            Place::After(id) => Lit { card: Some((*id, true)), ..Lit::default() },
            Place::Branch(id) => Lit { card: Some((*id, true)), is_branch: true, ..Lit::default() },
            Place::Loose => Lit::default(),
        };
        let zoom = self.view.zoom;
        if let Some(payload) = payload {
            let takes_input = gestures::takes_input(&payload.0);
            let target = gestures::target(&self.scene, at, zoom, takes_input);
            return target.map(|target| of_place(&target.place)).unwrap_or_default();
        }
        let ends = match &self.drag {
            Drag::Cards { load, .. } => {
                let target = gestures::target_of(&self.scene, at, zoom, load);
                return target.map(|target| of_place(&target.place)).unwrap_or_default();
            }
            Drag::FromOutput { from, lifted } => self
                .scene
                .card_at(at)
                .map(|card| (*from, card.id, card.id, *lifted))
                .filter(|(from, to, ..)| from != to),
            Drag::IntoInput { to } => {
                self.scene.card_at(at).map(|card| (card.id, *to, card.id, None)).filter(|(from, to, ..)| from != to)
            }
            Drag::None | Drag::Pan | Drag::Region { .. } => None,
        };
        ends.map_or_else(Lit::default, |(from, to, card, lifted)| {
            self.preview.check(cx, from, to, lifted);
            Lit { card: Some((card, self.preview.problem.is_none())), ..Lit::default() }
        })
    }

    /// One card with its marks and ports.
    pub(super) fn card_ui(
        &mut self,
        cx: &PanelCx<'_>,
        ui: &mut Ui,
        at: usize,
        (lit, ground): (Lit, &Response),
        out: &mut Vec<UiCommand>,
    ) {
        let Some(card) = self.scene.cards.get(at) else { return };
        let tokens = Tokens::of(ui);
        let (id, is_selected) = (card.id, cx.selection.contains(&card.id));
        let widget = ui.scope_id().with(("card", id.0));
        let rect = self.view.rect_to_screen(card.rect);
        // The canvas as a whole has the keyboard: a thousand cards are one stop of the Tab key.
        let response = ui.interact(rect, widget, Sense::CLICK | Sense::DRAG);
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_selected, &card.label));
        let look = Look {
            is_selected,
            is_hovered: response.contains_pointer() && matches!(self.drag, Drag::None),
            drop: lit.card.filter(|(other, _)| *other == id).map(|(_, fits)| fits),
            is_lifted: matches!(&self.drag, Drag::Cards { load, .. } if load.holds(id)),
            tint: self.tint,
        };
        cards::paint(ui.painter(), self.view, card, look, tokens);
        if lit.is_branch && look.drop == Some(true) {
            branch_mark(ui, rect, tokens);
        }
        if ground.has_focus() && cx.selection.last() == Some(&id) {
            let ring = egui::CornerRadius::same(size::RADIUS_CARD);
            ui.painter().rect_stroke(rect.expand(3.0), ring, Stroke::new(1.5, tokens.accent), StrokeKind::Outside);
            // A screen reader follows the selection although the canvas has the focus.
            let node = widget.accesskit_id();
            ui.ctx().accesskit_node_builder(ground.id, |canvas| canvas.set_active_descendant(node));
        }

        let (adds, space) = ui.input(|i| (i.modifiers.shift || i.modifiers.command, i.key_down(egui::Key::Space)));
        if response.clicked() {
            ground.request_focus();
            out.push(UiCommand::Select(gestures::clicked(cx.selection, id, adds)));
        }
        if response.double_clicked() && card.is_group {
            out.push(UiCommand::OpenPath(menus::inside(cx, id)));
        }
        if response.secondary_clicked() && !is_selected {
            out.push(UiCommand::Select(vec![id]));
        }
        if response.drag_started_by(PointerButton::Primary) && !space {
            if !is_selected {
                out.push(UiCommand::Select(vec![id]));
            }
            // One of several selected cards takes all of them along.
            let nodes = if is_selected { cx.selection } else { &[id] };
            match cx.graph().load(nodes) {
                Err(reason) => out.push(UiCommand::Notify(reason.to_string())),
                Ok(load) => self.drag = Drag::Cards { held: id, load },
            }
        }
        self.figures_ui(cx, ui, card, widget);
        if self.view.zoom < cards::NEAR {
            response.clone().on_hover_ui_at_pointer(|ui| brief(ui, card));
        }
        response.context_menu(|ui| menus::card_menu(ui, cx, card, out));
        if let Some(found) = card.worst() {
            let mark = ui.interact(cards::problem_rect(self.view, card), widget.with("problem"), Sense::CLICK);
            mark.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Problem of {}", card.name)));
            let mark = mark.on_hover_text(&found.message);
            egui::Popup::menu(&mark)
                .close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside)
                .show(|ui| menus::problem_ui(ui, card.findings.iter(), out));
        }
        if self.view.zoom >= cards::FAR * 1.5 {
            self.ports_ui(ui, at, &response);
        }
    }

    /// The ports of a card: small circles from which links are dragged.
    fn ports_ui(&mut self, ui: &Ui, at: usize, card_response: &Response) {
        let Some(card) = self.scene.cards.get(at) else { return };
        let tokens = Tokens::of(ui);
        let linking = matches!(self.drag, Drag::FromOutput { .. } | Drag::IntoInput { .. });
        let reach = Vec2::splat((4.0 * cards::PORT * self.view.zoom).clamp(12.0, 28.0));
        let mut started = None;
        let mut port = |place: Pos2, salt: (&str, u16), name: String, hint: &str, drag: Drag| {
            let square = Rect::from_center_size(self.view.to_screen(place), reach);
            let response = ui.interact(square, card_response.id.with(salt), Sense::DRAG);
            response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
            let is_active = response.hovered() || response.dragged() || (linking && card_response.contains_pointer());
            cards::port(ui.painter(), self.view, place, is_active, tokens);
            if response.drag_started_by(PointerButton::Primary) {
                started = Some(drag);
            }
            response.on_hover_cursor(egui::CursorIcon::Crosshair).on_hover_text(hint);
        };
        let from_output = Drag::FromOutput { from: card.id, lifted: None };
        let hint = "Drag to another layer to link them, or to empty canvas to add one (keys: L)";
        port(card.output(), ("out", 0), format!("Output port of {}", card.name), hint, from_output);
        if card.links_in == 0 && card.arity != Arity::Zero {
            let drag = Drag::IntoInput { to: card.id };
            let hint = "Drag to the layer that should feed this one";
            port(card.rect.center_top(), ("in", 0), format!("Input port of {}", card.name), hint, drag);
        }
        if card.links_in > 0 {
            for wire in self.scene.wires.iter().filter(|wire| wire.link.to == card.id) {
                let link = wire.link;
                let name = format!("Input port {} of {}", u32::from(link.to_port) + 1, card.name);
                let drag = Drag::FromOutput { from: link.from, lifted: Some(link) };
                let hint = "Drag to another layer to feed that one instead; drop on empty canvas to remove the link";
                port(wire.end(), ("in", link.to_port), name, hint, drag);
            }
        }
        if let Some(drag) = started {
            self.drag = drag;
        }
    }

    /// The ground: selecting, region, wires, menus.
    pub(super) fn ground_ui(
        &mut self,
        cx: &PanelCx<'_>,
        ui: &Ui,
        ground: &Response,
        pointer: Option<Pos2>,
        out: &mut Vec<UiCommand>,
    ) {
        let (adds, space) = ui.input(|i| (i.modifiers.shift || i.modifiers.command, i.key_down(egui::Key::Space)));
        if ground.clicked_by(PointerButton::Primary) {
            ground.request_focus();
            if !adds && !cx.selection.is_empty() {
                out.push(UiCommand::Select(Vec::new()));
            }
        }
        if let Some(at) = pointer.filter(|_| ground.double_clicked()) {
            let target = gestures::target(&self.scene, at, self.view.zoom, true);
            let on_screen = self.view.to_screen(at) + egui::vec2(-20.0, 8.0);
            self.search = Some(AddSearch::at_target(cx, &self.scene, on_screen, target));
        }
        let start = ui.input(|i| i.pointer.press_origin()).map(|at| self.view.to_world(at));
        if ground.drag_started_by(PointerButton::Primary)
            && !space
            && let Some(start) = start
        {
            self.drag = Drag::Region { start };
        }
        let near = pointer.filter(|_| ground.hovered()).and_then(|at| self.scene.wire_at(at, 7.0 / self.view.zoom));
        if ground.secondary_clicked() {
            self.menu_wire = near.map(|wire| wire.link);
            self.menu_at = pointer.map(|at| self.view.to_screen(at));
        }
        if let Some(wire) = near {
            let tokens = Tokens::of(ui);
            let colour = wire.problem(tokens).unwrap_or(tokens.wire_active);
            wire.paint(ui.painter(), self.view, Stroke::new(2.5, colour));
            ground.clone().on_hover_ui_at_pointer(|ui| self.wire_ui(cx, ui, wire));
        }
        let mut adds_here = false;
        let wire = self.menu_wire;
        ground.context_menu(|ui| adds_here = menus::ground_menu(ui, cx, &self.scene, wire, out));
        if adds_here {
            let at = self.menu_at.unwrap_or(ground.rect.center());
            let to = wire.map_or(Where::Selection, |link| Where::Place(Place::OnLink(link)));
            self.search = Some(AddSearch::new(cx, &self.scene, at, to));
        }
    }

    /// What is dragged on the canvas itself: shown, and carried out on release.
    pub(super) fn drag_ui(&mut self, cx: &PanelCx<'_>, ui: &Ui, pointer: Option<Pos2>, out: &mut Vec<UiCommand>) {
        let (is_down, adds) = ui.input(|i| (i.pointer.any_down(), i.modifiers.shift || i.modifiers.command));
        let Some(at) = pointer else { return };
        let tokens = Tokens::of(ui);
        // Above all cards.
        let painter = ui.painter();
        let screen = self.view.to_screen(at);
        match &self.drag {
            Drag::None => return,
            Drag::Pan => ui.set_cursor_icon(egui::CursorIcon::Grabbing),
            Drag::Region { start } => {
                let region = Rect::from_two_pos(*start, at);
                let on_screen = self.view.rect_to_screen(region);
                let fill = tokens.accent.gamma_multiply(0.12);
                painter.rect(on_screen, 2.0, fill, Stroke::new(1.0, tokens.accent), StrokeKind::Inside);
                if !is_down {
                    out.push(UiCommand::Select(gestures::in_region(&self.scene, cx.selection, region, adds)));
                }
            }
            Drag::Cards { held, load } => {
                if let Some(card) = self.scene.card(*held) {
                    let target = gestures::target_of(&self.scene, at, self.view.zoom, load);
                    let hint = target.map_or_else(|| "Back to its place".to_owned(), |target| target.hint);
                    // As many names as have room.
                    let names =
                        load.nodes().into_iter().take(8).filter_map(|id| self.scene.card(id)).map(|card| &*card.name);
                    let ghost = Ghost {
                        icon: &card.icon,
                        colour: tokens.family(card.family),
                        name: &names.collect::<Vec<_>>().join(", "),
                        hint: &hint,
                        count: load.count(),
                    };
                    ghost.paint(painter, screen, tokens);
                }
            }
            Drag::FromOutput { from, .. } => {
                if let Some(card) = self.scene.card(*from) {
                    self.rubber_band(ui, self.view.to_screen(card.output()), screen);
                }
            }
            Drag::IntoInput { to } => {
                if let Some(card) = self.scene.card(*to) {
                    self.rubber_band(ui, screen, self.view.to_screen(card.rect.center_top()));
                }
            }
        }
        if is_down && !matches!(self.drag, Drag::None | Drag::Pan | Drag::Region { .. }) {
            self.pull(ui, screen, Vec2::splat(1.0));
        }
        if !is_down {
            let zoom = self.view.zoom;
            if let Some(to) = gestures::release(&self.drag, &self.scene, at, zoom, &self.preview, out) {
                self.search = Some(AddSearch::new(cx, &self.scene, screen, to));
            }
            self.drag = Drag::None;
        }
    }

    /// Lets the view follow a drag that comes near an edge of the canvas.
    fn pull(&mut self, ui: &Ui, at: Pos2, directions: Vec2) {
        let canvas = ui.clip_rect();
        let mut shift = view::pull(at, canvas) * directions * ui.input(|i| i.stable_dt).min(0.1);
        // No further than to the end of the drawing.
        if let Some(bounds) = self.scene.bounds(&[]) {
            let drawing = self.view.rect_to_screen(bounds).expand(size::MARGIN);
            let (before, behind) = (canvas.min - drawing.min, canvas.max - drawing.max);
            shift = shift.min(before.max(Vec2::ZERO)).max(behind.min(Vec2::ZERO));
        }
        if shift != Vec2::ZERO {
            self.view.pan += shift;
            ui.ctx().request_repaint();
        }
    }

    fn rubber_band(&self, ui: &Ui, from: Pos2, to: Pos2) {
        let tokens = Tokens::of(ui);
        let at = ui.input(|i| i.pointer.latest_pos()).unwrap_or(to);
        let over = self.scene.card_at(self.view.to_world(at)).is_some();
        let colour = match (over, &self.preview.problem) {
            (false, _) => tokens.wire_active,
            (true, None) => tokens.ok,
            (true, Some(_)) => tokens.error,
        };
        wires::curve(ui.painter(), from, to, Stroke::new(2.5, colour));
        if let (true, Some(reason)) = (over, &self.preview.problem) {
            let font = egui::FontId::proportional(size::FONT_BODY);
            let galley = ui.painter().layout(reason.clone(), font, tokens.error, 300.0);
            let place = Rect::from_min_size(at + egui::vec2(16.0, 16.0), galley.size()).expand(8.0);
            ui.painter().rect_filled(place, egui::CornerRadius::same(size::RADIUS), tokens.error_fill);
            ui.painter().galley(place.min + Vec2::splat(8.0), galley, tokens.error);
        }
    }

    /// A layer dragged in from the palette.
    pub(super) fn drop_ui(
        &mut self,
        ui: &Ui,
        ground: &Response,
        payload: Option<&LayerDrag>,
        pointer: Option<Pos2>,
        out: &mut Vec<UiCommand>,
    ) {
        let (Some(payload), Some(at)) = (payload, pointer) else { return };
        let Some(layer) = Layer::from_id(&payload.0) else { return };
        let takes_input = gestures::takes_input(&payload.0);
        let Some(target) = gestures::target(&self.scene, at, self.view.zoom, takes_input) else { return };
        let tokens = Tokens::of(ui);
        let about = layer.about();
        let colour = tokens.family(about.family);
        let ghost = Ghost { icon: about.id, colour, name: about.name, hint: &target.hint, count: 1 };
        ghost.paint(ui.painter(), self.view.to_screen(at), tokens);
        // It comes in from the side, so only upwards and downwards.
        self.pull(ui, self.view.to_screen(at), Vec2::Y);
        if ground.dnd_release_payload::<LayerDrag>().is_some() {
            out.extend(gestures::insertion(about.id, target.place).map(UiCommand::edit));
        }
    }
}

/// Where a branch would leave: bars at both sides of a card.
fn branch_mark(ui: &Ui, rect: Rect, tokens: &Tokens) {
    let wide = (rect.width() * 0.05).clamp(3.0, 10.0);
    for x in [rect.left() - wide, rect.right()] {
        let bar = Rect::from_min_size(egui::pos2(x, rect.top()), egui::vec2(wide, rect.height()));
        ui.painter().rect_filled(bar, wide / 2.0, tokens.ok);
    }
}

/// What a small card cannot show.
fn brief(ui: &mut Ui, card: &CardView) {
    ui.strong(&card.name);
    ui.label(&card.kind);
    ui.label(&card.shape);
    if !card.params.is_empty() {
        ui.label(&card.params);
    }
}
