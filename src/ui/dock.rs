//! The movable part of the window: the canvas, and the tabs below it. Knows panels by their ids only.

use super::theme::{Tokens, size};
use super::{Panel, PanelCx, UiCommand};
use egui::{Color32, Rect, Stroke, Ui, Visuals, WidgetText};
use egui_tiles::{
    Behavior, Container, ResizeState, SimplificationOptions, TabState, Tabs, Tile, TileId, Tiles, Tree, UiResponse,
};
use serde::{Deserialize, Serialize};

/// A panel's place, by its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pane(pub String);

/// Key of the stored layout; another form of layout gets another number.
pub const KEY: &str = "layout.v1";

/// The canvas above, everything else in tabs below it.
pub fn default_layout(panels: &[Box<dyn Panel>]) -> Tree<Pane> {
    let mut tiles = Tiles::default();
    let mut ids = panels.iter().map(|panel| Pane(panel.id().into()));
    let Some(first) = ids.next() else { return Tree::empty(egui::Id::unique("dock")) };
    let canvas = tiles.insert_pane(first);
    let below: Vec<TileId> = ids.map(|pane| tiles.insert_pane(pane)).collect();
    let tabs = tiles.insert_tab_tile(below);
    let root = tiles.insert_vertical_tile(vec![canvas, tabs]);
    if let Some(Tile::Container(Container::Linear(linear))) = tiles.get_mut(root) {
        linear.shares.set_share(canvas, 1.7);
        linear.shares.set_share(tabs, 1.0);
    }
    Tree::new(egui::Id::unique("dock"), root, tiles)
}

/// Who has the room of the dock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Room {
    /// The network and the panels below it.
    #[default]
    Shared,
    /// The network alone.
    Network,
    /// The panels alone.
    Panels,
}

/// The pane that is the network, and all others.
fn panes(tree: &Tree<Pane>) -> impl Iterator<Item = (TileId, bool)> {
    tree.tiles.iter().filter_map(|(id, tile)| match tile {
        Tile::Pane(pane) => Some((*id, pane.0 == "canvas")),
        Tile::Container(_) => None,
    })
}

/// Who has the room now.
pub fn room(tree: &Tree<Pane>) -> Room {
    let is_hidden = |of_network: bool| {
        panes(tree).filter(|(_, is_network)| *is_network == of_network).any(|(id, _)| !tree.is_visible(id))
    };
    match (is_hidden(true), is_hidden(false)) {
        (true, _) => Room::Panels,
        (false, true) => Room::Network,
        (false, false) => Room::Shared,
    }
}

/// Shows who is to have the room and hides the others, which keep their places.
pub fn give_room(tree: &mut Tree<Pane>, room: Room) {
    let all: Vec<_> = panes(tree).collect();
    for (id, is_network) in all {
        let is_shown = match room {
            Room::Shared => true,
            Room::Network => is_network,
            Room::Panels => !is_network,
        };
        tree.set_visible(id, is_shown);
    }
}

/// Tells everything that is drawn who has the room.
pub(super) fn tell_room(ctx: &egui::Context, room: Room) {
    ctx.data_mut(|data| data.insert_temp(egui::Id::unique("room"), room));
}

/// A button that gives the network or the panels all the room, or takes that back.
pub(super) fn room_button(ui: &mut Ui, room: Room, out: &mut Vec<UiCommand>) {
    let now = ui.data(|data| data.get_temp::<Room>(egui::Id::unique("room"))).unwrap_or_default();
    let (command, what) = match room {
        Room::Network => ("lower", "the network"),
        Room::Panels | Room::Shared => ("network", "the panels"),
    };
    let (name, hover) = if now == room {
        ("Bring back what is hidden".to_owned(), "Network and panels side by side again")
    } else {
        (format!("Give {what} all the room"), "Hides the other part; the same button brings it back")
    };
    let keys = super::command::keys_text(ui.ctx(), command);
    let button = super::kit::room_button(ui, now == room);
    button.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
    if button.on_hover_text(format!("{name}. {hover} ({keys})")).clicked() {
        out.push(UiCommand::GiveRoom(room));
    }
}

/// Whether every panel has exactly one place.
pub fn is_whole(tree: &Tree<Pane>, panels: &[Box<dyn Panel>]) -> bool {
    let count = tree.tiles.tiles().filter(|tile| matches!(tile, Tile::Pane(_))).count();
    count == panels.len() && panels.iter().all(|panel| tree.tiles.find_pane(&Pane(panel.id().into())).is_some())
}

/// The canvas above, everything else in tabs below it, with a panel in front that was in sight before.
pub fn reset(tree: &mut Tree<Pane>, panels: &[Box<dyn Panel>]) {
    let in_front = panels.iter().skip(1).map(|panel| panel.id()).find(|id| is_in_sight(tree, id));
    *tree = default_layout(panels);
    if let Some(id) = in_front {
        show(tree, id);
    }
}

/// Brings a panel to the front; what hid it gives it room.
pub fn show(tree: &mut Tree<Pane>, id: &str) {
    if tree.tiles.find_pane(&Pane(id.into())).is_some_and(|tile| !tree.is_visible(tile)) {
        give_room(tree, Room::Shared);
    }
    tree.make_active(|_, tile| matches!(tile, Tile::Pane(pane) if pane.0 == id));
}

/// Whether a panel is in sight: alone, or in front of its tabs.
pub fn is_in_sight(tree: &Tree<Pane>, id: &str) -> bool {
    place(tree, id).is_some_and(|tile| tree.active_tiles().contains(&tile))
}

/// The place of a panel.
pub fn place(tree: &Tree<Pane>, id: &str) -> Option<TileId> {
    tree.tiles.find_pane(&Pane(id.into()))
}

/// Draws the panels at their places.
pub struct Dock<'a, 'b> {
    /// All of them.
    pub panels: &'a mut [Box<dyn Panel>],
    /// The canvas, which needs no title while it stands alone.
    pub canvas: Option<TileId>,
    /// What they see.
    pub cx: &'a PanelCx<'b>,
    /// What they ask for.
    pub out: &'a mut Vec<UiCommand>,
}

impl Behavior<Pane> for Dock<'_, '_> {
    fn pane_ui(&mut self, ui: &mut Ui, _tile: TileId, pane: &mut Pane) -> UiResponse {
        let tokens = Tokens::of(ui);
        let Some(panel) = self.panels.iter_mut().find(|panel| panel.id() == pane.0) else { return UiResponse::None };
        let frame = if panel.id() == "canvas" {
            egui::Frame::new().fill(tokens.canvas)
        } else {
            egui::Frame::new().fill(tokens.panel).inner_margin(egui::Margin { left: 12, right: 12, top: 8, bottom: 8 })
        };
        // Painted in full here: a frame only fills what its content takes.
        ui.painter().rect_filled(ui.max_rect(), 0.0, frame.fill);
        frame.show(ui, |ui| panel.ui(self.cx, ui, self.out));
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, pane: &Pane) -> WidgetText {
        self.panels.iter().find(|panel| panel.id() == pane.0).map_or_else(|| "".into(), |panel| panel.title().into())
    }

    fn on_tab_button(&mut self, tiles: &mut Tiles<Pane>, tile: TileId, response: egui::Response) -> egui::Response {
        let Some(Tile::Pane(pane)) = tiles.get(tile) else { return response };
        let Some(panel) = self.panels.iter().find(|panel| panel.id() == pane.0) else { return response };
        let (title, help) = (panel.title(), panel.help());
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Tab, true, title));
        response.on_hover_text(help)
    }

    fn top_bar_right_ui(&mut self, tiles: &Tiles<Pane>, ui: &mut Ui, _tile: TileId, tabs: &Tabs, _scroll: &mut f32) {
        let is_network = |tile: &TileId| matches!(tiles.get(*tile), Some(Tile::Pane(pane)) if pane.0 == "canvas");
        if !tabs.children.iter().any(is_network) {
            ui.add_space(size::HALF);
            room_button(ui, Room::Panels, self.out);
        }
    }

    fn is_tab_bar_visible(&self, _tile: TileId, tabs: &Tabs) -> bool {
        tabs.children.iter().any(|child| Some(*child) != self.canvas)
    }

    fn drag_ui(&mut self, tiles: &Tiles<Pane>, ui: &mut Ui, tile: TileId) {
        let tokens = Tokens::of(ui);
        let title = self.tab_title_for_tile(tiles, tile);
        let frame = egui::Frame::popup(ui.style()).stroke(Stroke::new(1.0, tokens.accent));
        frame.show(ui, |ui| ui.label(title.color(tokens.text_strong)));
    }

    fn dragged_overlay_color(&self, visuals: &Visuals) -> Color32 {
        Tokens::of_visuals(visuals).panel.gamma_multiply(0.6)
    }

    /// Where the panel would go: as cards that take a drop are marked.
    fn paint_drag_preview(&self, visuals: &Visuals, painter: &egui::Painter, _parent: Option<Rect>, place: Rect) {
        let accent = Tokens::of_visuals(visuals).accent;
        let (place, radius) = (place.shrink(3.0), egui::CornerRadius::same(size::RADIUS_CARD));
        painter.rect(place, radius, accent.gamma_multiply(0.14), Stroke::new(2.0, accent), egui::StrokeKind::Inside);
    }

    fn tab_bar_height(&self, _style: &egui::Style) -> f32 {
        size::TABS
    }

    fn gap_width(&self, _style: &egui::Style) -> f32 {
        1.0
    }

    fn tab_title_spacing(&self, _visuals: &Visuals) -> f32 {
        12.0
    }

    fn tab_bar_color(&self, visuals: &Visuals) -> Color32 {
        visuals.panel_fill
    }

    fn tab_bg_color(&self, visuals: &Visuals, _tiles: &Tiles<Pane>, _tile: TileId, _state: &TabState) -> Color32 {
        visuals.panel_fill
    }

    fn tab_outline_stroke(&self, _visuals: &Visuals, _tiles: &Tiles<Pane>, _tile: TileId, _state: &TabState) -> Stroke {
        Stroke::NONE
    }

    fn tab_bar_hline_stroke(&self, visuals: &Visuals) -> Stroke {
        visuals.widgets.noninteractive.bg_stroke
    }

    fn tab_text_color(&self, visuals: &Visuals, _tiles: &Tiles<Pane>, _tile: TileId, state: &TabState) -> Color32 {
        if state.active { visuals.hyperlink_color } else { visuals.weak_text_color() }
    }

    fn resize_stroke(&self, style: &egui::Style, state: ResizeState) -> Stroke {
        match state {
            ResizeState::Idle => style.visuals.widgets.noninteractive.bg_stroke,
            ResizeState::Hovering | ResizeState::Dragging => Stroke::new(2.0, style.visuals.hyperlink_color),
        }
    }

    fn simplification_options(&self) -> SimplificationOptions {
        // A panel without a tab could not be taken back.
        SimplificationOptions { all_panes_must_have_tabs: true, ..SimplificationOptions::default() }
    }
}
