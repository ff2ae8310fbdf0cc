//! The canvas: the network as cards and wires, one widget with its own pan and zoom.
//!
//! Everything is painted in screen space, so text is crisp at every zoom; what is out of sight is not painted. Places come
//! from `plan::layout`; the canvas holds none. It asks for changes by [`UiCommand`]s and keeps only view and gesture.

mod actions;
mod cards;
mod figures;
mod gestures;
mod ghost;
mod interact;
mod keys;
mod linking;
mod menus;
mod metric;
mod motion;
mod overlay;
mod rename;
mod scene;
mod search;
mod view;
mod volume;
mod walk;
mod wires;

#[cfg(test)]
mod keyboard_tests;
#[cfg(test)]
mod pointer_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod view_tests;

pub use actions::{Site, run};
pub(crate) use cards::write;
pub use gestures::LayerDrag;
pub(crate) use menus::{edit_menu, fix_buttons};

use super::preferences;
use super::theme::{Tokens, size};
use super::{Panel, PanelCx, UiCommand};
use crate::graph::{Link, NodeId};
use cards::Tint;
use egui::{Id, Pos2, Rect, Role, Sense, Ui, Vec2, WidgetInfo, vec2};
use gestures::{Drag, Preview};
use linking::Linking;
use metric::{Metric, Range};
use motion::Motion;
use rename::Rename;
use scene::Scene;
use search::{AddSearch, Where};
use view::View;

/// What others may ask of the canvas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Request {
    /// Show the selection, or everything.
    #[default]
    Fit,
    /// Show everything, whatever is selected.
    FitAll,
    /// 100 %.
    ActualSize,
    /// Type another name for the selected layer.
    Rename,
    /// Search for a layer to add.
    Add,
    /// Choose what the selected layer is linked to.
    Link,
}

/// Asks the canvas for something, at its next frame.
pub fn request(ctx: &egui::Context, request: Request) {
    ctx.data_mut(|data| data.insert_temp(Id::unique("canvas-request"), request));
    ctx.request_repaint();
}

/// Brings a layer to the middle of the canvas and marks it, and a wire with it, at its next frame.
pub(crate) fn reveal(ctx: &egui::Context, node: Option<NodeId>, link: Option<Link>) {
    ctx.data_mut(|data| data.insert_temp(Id::unique("canvas-reveal"), (node, link)));
    ctx.request_repaint();
}

/// Width of a canvas below which its lower corners reach its middle.
const NARROW: f32 = 620.0;
/// Height of what lies in the lower corners.
const CORNERS: f32 = 36.0;
/// Seconds for which what was found is marked.
const FLASH: f64 = 1.2;

/// What was found, and until when it is marked.
#[derive(Clone, Copy, Debug)]
struct Flash {
    node: Option<NodeId>,
    link: Option<Link>,
    until: f64,
}

/// What the view was fitted to.
#[derive(Clone, Debug, PartialEq)]
struct Fitted {
    /// These layers, or everything.
    nodes: Vec<NodeId>,
    size: Vec2,
    /// Not only their start.
    is_whole: bool,
    pan: Vec2,
    zoom: f32,
}

/// The canvas.
#[derive(Debug, Default)]
pub struct CanvasPanel {
    view: View,
    scene: Scene,
    motion: Motion,
    metric: Metric,
    tint: Tint,
    flash: Option<Flash>,
    drag: Drag,
    preview: Preview,
    /// What the view was fitted to; none once it was moved by hand.
    fitted: Option<Fitted>,
    /// The wire whose menu is open.
    menu_wire: Option<Link>,
    /// Where on the screen the menu was opened.
    menu_at: Option<Pos2>,
    search: Option<AddSearch>,
    rename: Option<Rename>,
    linking: Option<Linking>,
    /// A card to bring into sight, once its place is known.
    reveal: Option<NodeId>,
    /// What was selected last frame.
    selected: Option<NodeId>,
    /// What had the keyboard last frame.
    focused: Option<Id>,
}

impl Panel for CanvasPanel {
    fn id(&self) -> &'static str {
        "canvas"
    }

    fn title(&self) -> &'static str {
        "Network"
    }

    fn help(&self) -> &'static str {
        "The network. Drag layers onto wires, cards to other places, and from port to port; the wheel zooms."
    }

    fn ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let (rect, ground) = ui.allocate_exact_size(ui.available_size(), Sense::click_and_drag());
        if rect.width() < 8.0 || rect.height() < 8.0 {
            return;
        }
        let tokens = Tokens::of(ui);
        ground.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, "Network canvas"));
        self.view.origin = rect.min;
        self.follow(cx, ui, rect);
        self.obey(cx, ui, rect);
        self.tint = Tint { metric: self.metric, range: Range::of(&self.scene, self.metric) };
        self.follow_selection(cx, rect);
        let (was_panned, may_pan) = (matches!(self.drag, Drag::Pan), matches!(self.drag, Drag::None));
        let panning = self.view.navigate(ui, &ground, was_panned, may_pan);
        if panning {
            self.drag = Drag::Pan;
            self.fitted = None;
        }

        let mut painter_ui = ui.new_child(egui::UiBuilder::new().max_rect(rect).id_salt("canvas"));
        painter_ui.set_clip_rect(rect.intersect(ui.clip_rect()));
        let ui = &mut painter_ui;
        let pointer = ui.input(|i| i.pointer.latest_pos()).map(|at| self.view.to_world(at));
        let payload = ground.dnd_hover_payload::<LayerDrag>();
        let lit = self.lit(cx, payload.as_deref(), pointer);

        let painter = ui.painter().clone();
        cards::background(&painter, self.view, tokens);
        wires::paint_all(&painter, self.view, &self.scene, cx.selection, lit.wire, tokens);
        wires::paint_gaps(&painter, self.view, &self.scene, tokens);
        cards::loose_caption(&painter, self.view, &self.scene, tokens);
        if self.view.zoom < cards::FAR {
            cards::boxes(&painter, self.view, &self.scene, self.tint, tokens);
        }
        let seen = self.view.rect_to_world(painter.clip_rect()).expand(10.0);
        for at in 0..self.scene.cards.len() {
            if self.scene.cards.get(at).is_some_and(|card| card.rect.intersects(seen)) {
                self.card_ui(cx, ui, at, (lit, &ground), out);
            }
        }
        self.ground_ui(cx, ui, &ground, pointer, out);
        self.wire_marks_ui(ui, out);
        self.drag_ui(cx, ui, pointer, out);
        self.drop_ui(ui, &ground, payload.as_deref(), pointer, out);
        self.keys(ui, cx, &ground, out);
        self.overlays_ui(ui, cx, &ground, rect, out);
        if self.scene.cards.is_empty() {
            menus::empty_hint(ui, rect, payload.is_some());
        } else {
            menus::whole_ui(ui, &self.scene, rect, out);
        }
        menus::breadcrumb(ui, cx, rect, out);
        menus::zoom_buttons(ui, self.view, rect, out);
        self.flash_ui(ui, tokens);
        self.corners_ui(cx, ui, rect, out);
    }
}

impl CanvasPanel {
    /// Takes up a changed document: fits another network, and keeps the same one where it is.
    fn follow(&mut self, cx: &PanelCx<'_>, ui: &Ui, rect: Rect) {
        let now = ui.input(|i| i.time);
        if let Some(scene) = self.scene.renewed(cx) {
            let moved = scene.moved_from(&self.scene);
            // Less motion is wanted where animations take no time.
            self.motion = match moved {
                Some(moved) if ui.style().animation_time > 0.0 => Motion::between(&self.scene, &scene, moved, now),
                _ => Motion::default(),
            };
            self.scene = scene;
            match moved {
                Some(moved) => {
                    self.view.pan -= moved * self.view.zoom;
                    if let Some(fitted) = &mut self.fitted {
                        fitted.pan -= moved * self.view.zoom;
                    }
                }
                None => self.fit(&[], rect, false),
            }
        } else if let Some(fitted) = self.is_fitted().filter(|fitted| fitted.nodes.is_empty())
            && fitted.size != rect.size()
        {
            let is_whole = fitted.is_whole;
            self.fit(&[], rect, is_whole);
        }
    }

    /// Colours with their legend, and the map.
    fn corners_ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, rect: Rect, out: &mut Vec<UiCommand>) {
        if self.scene.cards.is_empty() || rect.height() < 120.0 || rect.width() < 320.0 {
            return;
        }
        let timing = overlay::Timing::of(cx);
        overlay::legend(ui, rect, &mut self.metric, self.tint.range, &timing, out);
        if preferences::shows_map(ui.ctx())
            && overlay::map(ui, &self.scene, &mut self.view, rect, self.tint, cx.selection)
        {
            self.fitted = None;
        }
    }

    /// Marks what was found for a moment.
    fn flash_ui(&mut self, ui: &Ui, tokens: &Tokens) {
        let Some(flash) = self.flash else { return };
        let left = flash.until - ui.input(|i| i.time);
        if left <= 0.0 {
            self.flash = None;
            return;
        }
        #[expect(clippy::cast_possible_truncation, reason = "between 0 and 1")]
        let strength = if ui.style().animation_time > 0.0 { (left / FLASH) as f32 } else { 1.0 };
        let colour = tokens.accent.gamma_multiply(strength);
        if let Some(wire) = self.scene.wires.iter().find(|wire| Some(wire.link) == flash.link) {
            // A bad one keeps its colour, with a glow of it.
            let glow = wire.problem(tokens).map_or(colour, |problem| problem.gamma_multiply(strength * 0.5));
            wire.paint(ui.painter(), self.view, egui::Stroke::new(if glow == colour { 5.0 } else { 12.0 }, glow));
        }
        if let Some(card) = flash.node.and_then(|id| self.scene.card(id)) {
            let rect = self.view.rect_to_screen(card.rect).expand(4.0 + 6.0 * strength);
            let ring = egui::CornerRadius::same(super::theme::size::RADIUS_CARD + 4);
            ui.painter().rect_stroke(rect, ring, egui::Stroke::new(2.5, colour), egui::StrokeKind::Outside);
        }
        if ui.style().animation_time > 0.0 {
            ui.ctx().request_repaint();
        } else {
            ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(left));
        }
    }

    /// What lies over the cards while something is typed or chosen by keys. The keyboard comes back to the canvas after it.
    fn overlays_ui(
        &mut self,
        ui: &mut Ui,
        cx: &PanelCx<'_>,
        ground: &egui::Response,
        rect: Rect,
        out: &mut Vec<UiCommand>,
    ) {
        self.linking_ui(ui, cx, rect);
        let mut is_done = false;
        if let Some(mut rename) = self.rename.take() {
            let stays = rename.ui(ui, cx, &self.scene, self.view, out);
            is_done |= !stays;
            self.rename = stays.then_some(rename);
        }
        if let Some(mut search) = self.search.take() {
            let stays = search.ui(cx, ui, rect, out);
            is_done |= !stays;
            self.search = stays.then_some(search);
        }
        if is_done {
            ground.request_focus();
        }
    }

    /// Follows the selection: a layer chosen by keys, or in another panel, comes into sight.
    fn follow_selection(&mut self, cx: &PanelCx<'_>, rect: Rect) {
        let selected = cx.selection.last().copied();
        if self.selected != selected {
            self.selected = selected;
            self.reveal = self.reveal.or(selected);
        }
        let Some(card) = self.reveal.and_then(|id| self.scene.card(id)) else { return };
        self.reveal = None;
        let on_screen = self.view.rect_to_screen(card.rect);
        let room = rect.shrink(size::MARGIN.min(rect.width() * 0.1));
        if room.contains(on_screen.center()) {
            return;
        }
        let shift = |low: f32, high: f32, from: f32, to: f32| {
            if low < from { from - low } else { (to - high).min(0.0) }
        };
        self.view.pan.x += shift(on_screen.left(), on_screen.right(), room.left(), room.right());
        self.view.pan.y += shift(on_screen.top(), on_screen.bottom(), room.top(), room.bottom());
        self.fitted = None;
    }

    /// What the view is fitted to, unless it was moved since.
    fn is_fitted(&self) -> Option<&Fitted> {
        self.fitted.as_ref().filter(|fitted| fitted.pan == self.view.pan && (fitted.zoom - self.view.zoom).abs() < 1e-6)
    }

    /// Shows some layers, or everything. What would be too small to read is shown from its start on, unless all of it is
    /// wanted.
    fn fit(&mut self, nodes: &[NodeId], rect: Rect, wants_whole: bool) {
        let Some(bounds) = self.scene.bounds(nodes) else { return };
        // What lies in the lower corners would cover the last cards of a narrow canvas.
        let free = if rect.width() < NARROW { rect.size() - vec2(0.0, CORNERS) } else { rect.size() };
        self.view.fit(bounds, free);
        let is_whole = wants_whole || self.view.zoom >= view::READABLE;
        if !is_whole && let Some(first) = self.scene.first(nodes) {
            self.view.fit_start(bounds, first, rect.size());
        }
        let (pan, zoom) = (self.view.pan, self.view.zoom);
        self.fitted = Some(Fitted { nodes: nodes.to_vec(), size: rect.size(), is_whole, pan, zoom });
    }

    /// The same when it is asked for: once more shows all of what is shown from its start on.
    fn fit_again(&mut self, nodes: &[NodeId], rect: Rect) {
        let shows_start = self.is_fitted().is_some_and(|fitted| fitted.nodes == nodes && !fitted.is_whole);
        self.fit(nodes, rect, shows_start);
    }

    /// Does what others asked for.
    fn obey(&mut self, cx: &PanelCx<'_>, ui: &Ui, rect: Rect) {
        match ui.data_mut(|data| data.remove_temp::<Request>(Id::unique("canvas-request"))) {
            Some(Request::Fit) => self.fit_again(cx.selection, rect),
            Some(Request::FitAll) => self.fit_again(&[], rect),
            Some(Request::ActualSize) => {
                self.fitted = None;
                self.view.zoom_about(rect.center(), 1.0 / self.view.zoom);
            }
            Some(Request::Rename) => self.rename = cx.selection.last().and_then(|id| Rename::new(&self.scene, *id)),
            Some(Request::Link) => {
                self.linking = cx.selection.last().map(|&from| Linking { from, to: None });
            }
            Some(Request::Add) => {
                let selected = cx.selection.last().and_then(|id| self.scene.card(*id));
                let below = |card: &scene::CardView| self.view.to_screen(card.rect.left_bottom()) + vec2(0.0, 8.0);
                let at = selected.map_or(rect.center() - vec2(160.0, 120.0), below);
                self.search = Some(AddSearch::new(cx, &self.scene, at, Where::Selection));
            }
            None => {}
        }
        let wanted =
            ui.data_mut(|data| data.remove_temp::<(Option<NodeId>, Option<Link>)>(Id::unique("canvas-reveal")));
        if let Some((node, link)) = wanted {
            self.flash = Some(Flash { node, link, until: ui.input(|i| i.time) + FLASH });
            if let Some(bounds) = node.and_then(|node| self.scene.bounds(&[node])) {
                self.fitted = None;
                // Large enough to read, and near enough to see what is around.
                self.view.zoom = self.view.zoom.max(cards::NEAR * 1.25);
                // A wire with both its ends, where they have room.
                let ends = link.and_then(|link| self.scene.bounds(&[link.from, link.to]));
                let zoom = self.view.zoom;
                let has_room = |ends: &Rect| (ends.size() * zoom).max(rect.size()) == rect.size();
                let shown = ends.filter(has_room).unwrap_or(bounds);
                self.view.centre_on(shown.center(), rect.size());
            }
        }
        let now = ui.input(|i| i.time);
        if self.motion.advance(&mut self.scene, now) {
            ui.ctx().request_repaint();
        }
    }
}
